"""Removes folders of any depth.

`shutil.rmtree` calls itself for every level, and a path of more than 4,096 bytes cannot even be named. So a folder that
is nested more deeply than any project is removed otherwise: a subfolder is not entered, but moved up into the folder
that is being removed, and its own subfolders after it. A few open folders are then enough for any depth, no path is
longer than a name, and no link is followed. Cost: one rename for each folder, so the others are removed as usual.
"""

from __future__ import annotations

import os
import secrets
import shutil
import stat
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from repro_tui.support.walks import DEEPEST

LONGEST = 3000  # bytes of a folder's path, to which names of up to 255 are added
_FOLDER = os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def remove_folder(path: Path) -> None:
    """Removes a folder with everything below it, even where folders are closed to their owner. Raises OSError."""
    if _open_up(path):
        shutil.rmtree(path)
        return
    with _opened(str(path), None) as top:
        while names := deque(os.listdir(top)):  # noqa: PTH208 - by a handle
            while names:
                name = names.popleft()
                if _is_folder(name, top):
                    names += _lifted(name, top)
                    os.rmdir(name, dir_fd=top)
                else:
                    os.unlink(name, dir_fd=top)
    path.rmdir()


def _open_up(path: Path) -> bool:
    """Gives the owner all rights in every folder; returns whether they are nested as deeply as projects are."""
    pending = [(str(path), 0)]
    while pending:
        current, depth = pending.pop()
        if depth > DEEPEST or len(os.fsencode(current)) > LONGEST:
            return False
        with suppress(PermissionError):  # another user's, whose access list may let us in
            os.chmod(current, 0o700)  # noqa: PTH101
        with suppress(OSError), os.scandir(current) as entries:
            pending += [(entry.path, depth + 1) for entry in entries if entry.is_dir(follow_symlinks=False)]
    return True


def _lifted(name: str, top: int) -> list[str]:
    """Removes the files of a folder and moves its subfolders up; returns the new names of these."""
    folders = []
    with _opened(name, top) as handle:
        for below in os.listdir(handle):  # noqa: PTH208 - by a handle
            if not _is_folder(below, handle):
                os.unlink(below, dir_fd=handle)
                continue
            with _opened(below, handle):  # moving a folder takes the right to write to it
                folders.append(secrets.token_hex(8))
            os.rename(below, folders[-1], src_dir_fd=handle, dst_dir_fd=top)
    return folders


def _is_folder(name: str, parent: int) -> bool:
    return stat.S_ISDIR(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode)


@contextmanager
def _opened(name: str, parent: int | None) -> Iterator[int]:
    """A folder, open and with all rights for its owner. It is named by a handle, so that no link gets in the way."""
    place = os.open(name, _FOLDER | os.O_PATH, dir_fd=parent)
    try:
        with suppress(OSError):  # another user's, whose access list may let us in
            os.chmod(f"/proc/self/fd/{place}", 0o700)  # noqa: PTH101 - by a handle
        handle = os.open(".", _FOLDER | os.O_RDONLY, dir_fd=place)
    finally:
        os.close(place)
    try:
        yield handle
    finally:
        os.close(handle)
