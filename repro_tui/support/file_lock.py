"""Lock files that show whether their process is alive: the kernel releases the lock, however the process ends."""

from __future__ import annotations

import fcntl
from pathlib import Path

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
