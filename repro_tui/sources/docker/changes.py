"""Lists the files of a container that differ from its image: edited, added or removed since it was created."""

from __future__ import annotations

from functools import cache
from http import HTTPStatus
from itertools import count
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from repro_tui.clients.docker_inspected import InspectedContainer
from repro_tui.support.left_out import left_out

TIMEOUT_S = 10.0
MOST_ASKED = 2_000  # requests to the engine whether a file exists, one per file

if TYPE_CHECKING:
    from docker import DockerClient


def changed_files(client: DockerClient, container: InspectedContainer) -> list[str]:
    """The changed files, sorted, without those that every run recreates and those below a mount.

    `container` is what the engine returns for inspect.
    """
    paths = {str(change["Path"]) for change in client.api.diff(container["Id"]) or []}
    mounts = [str(mount.get("Destination", "")) for mount in container.get("Mounts") or []]
    # The engine lists a folder as changed wherever something in it has changed.
    folders = {str(folder) for path in (*paths, *mounts) for folder in PurePosixPath(path).parents}
    own = sorted(path for path in paths - folders if not _below_any(path, mounts))

    requests = count()

    @cache
    def exists(path: str) -> bool:
        if next(requests) >= MOST_ASKED:  # the remaining ones are then listed rather than left out
            return False
        # docker-py has no call that checks only whether a file exists.
        where = f"{client.api.base_url}/v{client.api.api_version}/containers/{container['Id']}/archive"
        return bool(client.api.head(where, params={"path": f"/{path}"}, timeout=TIMEOUT_S).status_code == HTTPStatus.OK)

    return [path for path in own if not left_out(path.removeprefix("/"), exists)]


def _below_any(path: str, folders: list[str]) -> bool:
    return any(PurePosixPath(path).is_relative_to(folder) for folder in folders if folder)
