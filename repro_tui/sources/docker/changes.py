"""The files of a container that are no longer those of its image: edited, added or removed since it was made."""

from __future__ import annotations

from functools import cache
from http import HTTPStatus
from itertools import count
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from repro_tui.support.left_out import left_out

TIMEOUT_S = 10.0
MOST_ASKED = 2_000  # files of which the engine is asked whether they are there, one by one

if TYPE_CHECKING:
    from docker import DockerClient


def changed_files(client: DockerClient, told: dict[str, Any]) -> list[str]:
    """The changed files, sorted, without those that every run makes anew and those below a mount."""
    paths = {str(change["Path"]) for change in client.api.diff(told["Id"]) or []}
    mounts = [str(mount.get("Destination", "")) for mount in told.get("Mounts") or []]
    # A folder is told as changed where something in it is.
    folders = {str(folder) for path in (*paths, *mounts) for folder in PurePosixPath(path).parents}
    own = sorted(path for path in paths - folders if not _below_any(path, mounts))

    asked = count()

    @cache
    def exists(path: str) -> bool:
        if next(asked) >= MOST_ASKED:  # of further ones nothing is left out
            return False
        # docker has no call that only asks whether a file is there.
        where = f"{client.api.base_url}/v{client.api.api_version}/containers/{told['Id']}/archive"
        return bool(client.api.head(where, params={"path": f"/{path}"}, timeout=TIMEOUT_S).status_code == HTTPStatus.OK)

    return [path for path in own if not left_out(path.removeprefix("/"), exists)]


def _below_any(path: str, folders: list[str]) -> bool:
    return any(PurePosixPath(path).is_relative_to(folder) for folder in folders if folder)
