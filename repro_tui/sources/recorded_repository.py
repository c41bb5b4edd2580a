"""The repository of a tracked run: the remote that the tracker recorded, or else the one that it ran in."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlunsplit

from repro_tui.sources.git import find_repository
from repro_tui.support import grammar
from repro_tui.support.text import show
from repro_tui.support.urls import split_url


def usable_remote(remote: str) -> str:
    """A remote that git can use, without a password; "" for another text.

    A user without a password stays where it belongs to the address, as in `ssh://git@host/path`.
    """
    if not remote or grammar.repository(remote):
        return ""
    if "://" not in remote:
        return remote
    parts = split_url(remote)
    user = f"{parts.username}@" if parts.username and parts.scheme == "ssh" else ""
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, f"{user}{host}", parts.path, "", ""))


def local_repository(place: str) -> Path | None:
    """The repository on this machine that contains a file or folder; None where it is not here, or in none."""
    path = Path(place)
    try:
        present = path.is_absolute() and path.exists()
    except (OSError, ValueError):
        return None
    return find_repository(path) if present else None


def absence(repository: str) -> str:
    """A warning about a local repository that is not on this machine; "" for one that is, and for a remote."""
    if not repository.startswith("/") or Path(repository).exists():
        return ""
    return f"the recorded repository {show(repository, 200)} is not on this machine: the code cannot be rebuilt from it"
