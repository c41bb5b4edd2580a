"""The one way to open a file that others made: it must be a regular file, and opening it never waits.

A pipe in its place would block for ever, a device may never end or act on being opened, and a folder or a socket fails
with a message that helps nobody. So the kind is looked at before the file is opened, and again once it is open; and
it is opened without waiting, in case it was replaced in between. Before a reader that takes the name of a file, such as
Arrow's, call `check_regular`.

>>> with open_regular(path, most=1 << 20) as stream:
...     content = stream.read()
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
from io import BufferedReader, TextIOWrapper
from pathlib import Path
from typing import TextIO

from repro_tui.support.sizes import size_over, size_text

MOST_DECLARED = 64 << 20  # bytes: no file that says what an environment has is larger
MOST_HOLES = 1 << 30  # bytes: a smaller file is read quickly, whatever it has
_READING = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_KINDS = (
    (stat.S_ISDIR, "is a folder"),
    (stat.S_ISLNK, "is a symbolic link"),
    (stat.S_ISFIFO, "is a pipe"),
    (stat.S_ISSOCK, "is a socket"),
    (stat.S_ISCHR, "is a device"),
    (stat.S_ISBLK, "is a device"),
)


class NotRegularError(OSError):
    """There is something at the path, but not a regular file of at most the allowed size; `strerror` says what."""


def check_regular(path: Path | str, *, most: int | None = None, links: bool = True) -> os.stat_result:
    """The status of a regular file of at most `most` bytes, without opening it. Raises OSError.

    `links`: a symbolic link counts as its target.
    """
    return _regular(os.stat(path, follow_symlinks=links), path, most)  # noqa: PTH116 - Path takes no more than that


def open_regular(path: Path | str, *, most: int | None = None, links: bool = True) -> BufferedReader:
    """Opens a regular file of at most `most` bytes for reading. Raises OSError, see check_regular."""
    check_regular(path, most=most, links=links)
    return os.fdopen(regular_handle(path, most=most, links=links), "rb")


def regular_handle(path: Path | str, *, most: int | None = None, links: bool = True) -> int:
    """Like open_regular, without the look at the file before it is opened: for files that a listing has called regular.

    Returns the number of the open file.
    """
    handle = os.open(path, _READING if links else _READING | os.O_NOFOLLOW)
    try:
        _regular(os.fstat(handle), path, most)
    except BaseException:
        os.close(handle)
        raise
    return handle


def check_dense(handle: int, path: Path | str) -> None:
    """Raises NotRegularError for a file that claims far more bytes than it has: its holes would take long to read."""
    status = os.fstat(handle)
    on_disk = status.st_blocks * 512
    if status.st_size < MOST_HOLES or on_disk > status.st_size // 8:
        return
    hole = os.lseek(handle, 0, os.SEEK_HOLE)
    os.lseek(handle, 0, os.SEEK_SET)
    if hole < status.st_size:  # else its file system has compressed it
        size, part = size_text(status.st_size), size_text(on_disk)
        text = f"it has {size}, of which only {part} are on disk: sparse files are not read"
        raise NotRegularError(errno.EFBIG, text, str(path))


def open_text(path: Path | str, encoding: str) -> TextIO:
    """Opens a regular file of text, with its line ends as they are. Raises OSError, see check_regular."""
    return TextIOWrapper(open_regular(path), encoding, newline="")


def read_regular(path: Path | str, *, most: int | None = None, links: bool = True) -> bytes:
    """The content of a regular file of at most `most` bytes, even where it grows meanwhile. Raises OSError."""
    with open_regular(path, most=most, links=links) as stream:
        if most is None:
            return stream.read()
        content = stream.read(most + 1)
    if len(content) > most:
        raise _too_large(path, len(content), most)
    return content


def copy_regular(source: Path | str, target: Path, *, most: int | None = None) -> None:
    """Copies a regular file of at most `most` bytes to a new file. Raises OSError, see check_regular."""
    with open_regular(source, most=most) as stream, target.open("xb") as copy:
        shutil.copyfileobj(stream, copy, 1 << 20)


def is_regular(path: Path) -> bool:
    """Whether there is a regular file, with links followed; False where it cannot be known (no access, a loop)."""
    try:
        check_regular(path)
    except (OSError, ValueError):  # a path with a NUL
        return False
    return True


def _regular(status: os.stat_result, path: Path | str, most: int | None) -> os.stat_result:
    if not stat.S_ISREG(status.st_mode):
        kind = next((text for is_kind, text in _KINDS if is_kind(status.st_mode)), "is a special file")
        raise NotRegularError(errno.EINVAL, f"it {kind}, not a regular file", str(path))
    if most is not None and status.st_size > most:
        raise _too_large(path, status.st_size, most)
    return status


def _too_large(path: Path | str, size: int, most: int) -> NotRegularError:
    text = "it has {}, and at most {} are read".format(*size_over(size, most))
    return NotRegularError(errno.EFBIG, text, str(path))
