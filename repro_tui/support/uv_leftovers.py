"""What uv leaves in its cache when it is killed: files and folders that it had not finished, by the name of .tmp*.

uv has no process to remove them, so the next start does. Their names do not say whose they are: they are listed first,
and only removed if after that no program works with this cache of uv. Whoever had begun one of them has ended then; and
what is begun later has not been listed. Unpacked packages (`archive-*`), the many, are complete and are not entered.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

CACHE_VARIABLE = "UV_CACHE_DIR"
_NAME = re.compile(r"\.tmp[A-Za-z0-9]{6}")
_DEEPEST = 6  # a bucket, an index, its digest, a package, a version, a revision
_COMPLETE = re.compile(r"archive-v\d+|src")


def remove_uv_leftovers(folder: Path, remove: Callable[[Path], None]) -> None:
    """Has `remove` remove what killed programs left unfinished in uv's cache, unless a program is using it now."""
    paths = list(_unfinished(folder))
    if paths and not _in_use(folder):
        for path in paths:
            with contextlib.suppress(OSError):
                remove(path)


def _unfinished(folder: Path) -> Iterator[Path]:
    pending = [(folder, 0)]
    while pending:
        current, depth = pending.pop()
        with contextlib.suppress(OSError), os.scandir(current) as entries:
            for entry in entries:
                if _NAME.fullmatch(entry.name):
                    yield Path(entry.path)
                elif depth < _DEEPEST and entry.is_dir(follow_symlinks=False) and not _COMPLETE.fullmatch(entry.name):
                    pending.append((Path(entry.path), depth + 1))


def _in_use(folder: Path) -> bool:
    """Whether a process of this machine has this cache of uv in its environment."""
    mark = f"{CACHE_VARIABLE}={folder}".encode("utf-8", "surrogateescape")
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it has ended, or is another user's, who cannot use our cache
            if mark in (process / "environ").read_bytes().split(b"\0"):
                return True
    return False
