"""Full disks: whichever program reports one, the remedy is to free space, not what its own error suggests."""

from __future__ import annotations

import shutil
from pathlib import Path

from repro_tui.support.text import show

LEAST = 64 << 10  # bytes that an engine needs for its first lines
ROOM = "free up space on the disk of the cache and the audits (repro-tui cache prune), and run the audit again"
_FULL = (
    "No space left on device",
    "no space is left",
    "no space left on device",
    "Out of diskspace",
    "Disk quota exceeded",
)


def remedy(reason: str, do: str) -> str:
    """The remedy for an error with this text: `do`, or ROOM if the text reports a full disk."""
    return ROOM if any(marker in reason for marker in _FULL) else do


def full_disk(path: Path) -> str:
    """That the disk of this path has no space left; empty where it has some.

    For a process that ended without a word: what it had to say may have found no space either.
    """
    try:
        is_full = shutil.disk_usage(path).free < LEAST
    except OSError:
        return ""
    return f"no space is left on the disk of {show(str(path), 300)}" if is_full else ""
