"""Lock files that show whether their process is alive: the kernel releases the lock, however the process ends."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from repro_tui.support.regular import NotRegularError, open_regular


def is_locked(path: Path) -> bool | None:
    """Whether a running process holds this file's lock; None if there is no such file, or something else."""
    try:
        with open_regular(path, links=False) as stream:
            fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except (FileNotFoundError, NotRegularError):
        return None
    except BlockingIOError:
        return True
    return False


def has_open(pid: int, path: Path) -> bool:
    """Whether a process has this file open; False where this user may not know. Raises OSError without the file."""
    file, handles = path.lstat(), Path(f"/proc/{pid}/fd")
    if not handles.is_dir():
        return False
    for handle in handles.iterdir():
        with suppress(OSError):  # it was closed meanwhile
            status = handle.stat()
            if (status.st_dev, status.st_ino) == (file.st_dev, file.st_ino):
                return True
    return False


@contextmanager
def locked_file(path: Path, content: str = "") -> Iterator[None]:
    """Holds a new lock file for the time of the block; it stays there afterwards, unlocked.

    `content` is what it holds.
    """
    with new_lock(path, content):
        yield


def new_lock(path: Path, content: str = "") -> IO[str]:
    """A new lock file with this content, open for writing; it is locked until it is closed.

    It only becomes visible locked, so that nobody takes it for one whose process has died.
    """
    unlocked = path.with_name(f".{path.name}")
    stream = unlocked.open("w", encoding="utf-8")
    stream.write(content)
    stream.flush()
    fcntl.flock(stream, fcntl.LOCK_EX)
    unlocked.replace(path)
    return stream
