"""A Python process of our own for bytes that nobody trusts: it is limited in memory and time, and may crash."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from repro_tui.support import process
from repro_tui.support.cache import Cache
from repro_tui.support.cancel import CancelToken


def python_child(
    module: str, arguments: Sequence[str], *, cache: Cache, cancel: CancelToken, memory: int, timeout_s: float
) -> process.Completed:
    """Runs `python -m module` with at most `memory` bytes of address space; the last 64 KiB that it says are kept."""
    return process.run(
        ["prlimit", f"--as={memory}", "--core=0", "--", sys.executable, "-m", module, *arguments],
        environment=_environment(cache),
        cancel=cancel,
        timeout_s=timeout_s,
        keep=1 << 16,
    )


def _environment(cache: Cache) -> dict[str, str]:
    import repro_tui

    root = str(Path(repro_tui.__file__).parent.parent)
    return {
        "PATH": os.defpath,
        "PYTHONPATH": root,
        "HOME": str(cache.root),
        "OMP_NUM_THREADS": "2",
        "LC_ALL": "C.UTF-8",
    }
