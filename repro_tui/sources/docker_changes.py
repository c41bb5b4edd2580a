"""The files of a container that are no longer those of its image: edited, added or removed since it was made."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from docker import DockerClient

# What every container writes while it runs, and what the engine puts there itself.
_OF_THE_RUN = re.compile(
    r"/(proc|sys|dev|run|tmp|var/(cache|log|tmp|run))(/|$)|/etc/(hostname|hosts|resolv\.conf|mtab)$|/\.dockerenv$|"
    r"(/.*)?/(__pycache__|\.cache|\.python_history|\.bash_history)(/|$)|.*\.pyc$"
)


def changed_files(client: DockerClient, told: dict[str, Any]) -> list[str]:
    """The changed files, sorted, without those of every run and those below a mount."""
    paths = {str(change["Path"]) for change in client.api.diff(told["Id"]) or []}
    mounts = [str(mount.get("Destination", "")) for mount in told.get("Mounts") or []]
    # A folder is told as changed where something in it is.
    folders = {str(folder) for path in (*paths, *mounts) for folder in PurePosixPath(path).parents}
    return sorted(path for path in paths - folders if not _OF_THE_RUN.match(path) and not _below_any(path, mounts))


def _below_any(path: str, folders: list[str]) -> bool:
    return any(PurePosixPath(path).is_relative_to(folder) for folder in folders if folder)
