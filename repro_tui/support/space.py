"""Full disks: whichever program reports one, the remedy is to free space, not what its own error suggests."""

from __future__ import annotations

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
