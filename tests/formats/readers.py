"""Readers for test_child, selected by the first argument of `main`."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path


def main(arguments: Sequence[str]) -> int:
    behaviour, *rest = arguments
    if behaviour == "leave":
        os.environ["LEFT_BY_A_READER"] = "1"
        Path.left = "by a reader"  # type: ignore[attr-defined]
    elif behaviour == "look":
        print(
            sorted(os.environ),
            hasattr(Path, "left"),
            sorted(file.name for file in Path("/proc/self/fd").iterdir()),
            "pyarrow" in sys.modules,
        )
    elif behaviour == "fail":
        raise ValueError("the table is no table")
    elif behaviour == "wait":
        Path(rest[0]).write_text(str(os.getpid()))
        time.sleep(600)
    elif behaviour == "end":
        os._exit(int(rest[0]))
    elif behaviour == "say":
        print("x" * int(rest[0]))
    return 0
