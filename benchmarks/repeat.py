"""What repeating an unchanged audit costs in addition to its predict runs; the goal is at most 1 second.

Makes the demo in a temporary folder, audits it once to fill the cache, and then five more times.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from repro_tui.examples.demo import prepare

REPEATS = 5


def audit(a: str, b: str) -> tuple[float, dict[str, Any]]:
    """The seconds that an audit takes, and its report."""
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "repro_tui", a, b, "--report", "--quiet"], capture_output=True, check=False
    )
    return time.monotonic() - began, json.loads(done.stdout)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        for name in ("CACHE", "AUDITS", "CONFIG"):
            os.environ[f"REPRO_TUI_{name}"] = str(Path(folder) / name.lower())
        a, b = prepare(Path(folder) / "demo")
        first, _ = audit(a, b)
        overheads = []
        for _ in range(REPEATS):
            seconds, report = audit(a, b)
            runs = report["audit"]["seconds_by_stage"]["run"]
            overheads.append(seconds - runs)
            print(f"total {seconds:.2f} s, predict runs {runs:.2f} s: {seconds - runs:.2f} s in addition to them")
        overhead = statistics.median(overheads)
        print(f"first audit (cold cache) {first:.1f} s; repeated, without the runs {overhead:.2f} s (goal 1)")


if __name__ == "__main__":
    main()
