"""Access to what another user makes in our folders: a default access list that every new folder inherits.

A container runs as another user, and what that user makes could not be removed without root. With the list, its new
folders can be entered and emptied by us too, unless it makes them private on purpose.
"""

from __future__ import annotations

import os
import struct
from contextlib import suppress
from pathlib import Path

_VERSION, _NOBODY = 2, 0xFFFFFFFF
_OWNER, _USER, _GROUP, _MASK, _REST = 0x01, 0x02, 0x04, 0x10, 0x20
_ALL = 7


def let_us_in(folder: str) -> None:
    """Gives this user all rights in what is made in a folder from now on, where the file system has access lists."""
    entries = (
        (_OWNER, _ALL, _NOBODY),
        (_USER, _ALL, os.geteuid()),
        (_GROUP, _ALL, _NOBODY),
        (_MASK, _ALL, _NOBODY),
        (_REST, _ALL, _NOBODY),
    )
    packed = struct.pack("<I", _VERSION) + b"".join(struct.pack("<HHI", *entry) for entry in entries)
    with suppress(OSError):
        os.setxattr(folder, "system.posix_acl_default", packed)


def closed_to_us(folder: Path) -> list[str]:
    """The folders below `folder` that this user cannot empty, and the files that it cannot read: another user's."""
    closed = []
    pending = [str(folder)]
    while pending:
        current = pending.pop()
        if not os.access(current, os.R_OK | os.W_OK | os.X_OK):
            closed.append(current)
            continue
        with os.scandir(current) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    pending.append(entry.path)
                elif entry.is_file(follow_symlinks=False) and not os.access(entry.path, os.R_OK):
                    closed.append(entry.path)
    return closed
