"""Files that say by a lock whether the process that made them lives: the kernel lets go of it, however that ends."""

from __future__ import annotations

import fcntl
from pathlib import Path


def is_locked(path: Path) -> bool | None:
    """Whether a living process holds this file's lock; None where the file is not there."""
    try:
        with path.open("rb") as stream:
            fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return None
    except BlockingIOError:
        return True
    return False
