"""What an unchanged audit costs when it is repeated, over its predict runs: goal 1 second at most.

Makes the demo in a folder of its own, audits it once to fill the cache, then five times more.
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

from repro_tui.examples.demo import prepare

REPEATS = 5


def audit(a: str, b: str) -> tuple[float, dict]:
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
            print(f"whole {seconds:.2f} s, of which the predict runs {runs:.2f} s: {seconds - runs:.2f} s over them")
        print(
            f"first (cold cache) {first:.1f} s; repeated, over the runs {statistics.median(overheads):.2f} s (goal 1)"
        )


if __name__ == "__main__":
    main()
