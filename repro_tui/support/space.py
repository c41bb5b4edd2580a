"""A full disk, whichever program meets it: what to do then is to make room, and not what its error seems to ask for."""

from __future__ import annotations

ROOM = "make room on the disk of the cache and the audits (repro-tui cache prune), and run it again"
_FULL = ("No space left on device", "no space left on device", "Out of diskspace", "Disk quota exceeded")


def remedy(reason: str, do: str) -> str:
    """What to do about an error: `do`, unless its text says that a disk is full."""
    return ROOM if any(marker in reason for marker in _FULL) else do
