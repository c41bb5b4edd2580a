"""What repeating an unchanged audit costs in addition to its predict runs, as a multiple of `import textual.app`.

Makes the demo in a temporary folder, audits it once to fill the cache, and then nine more times, with an import after
each audit. The import is the measure of the machine, and of what else runs on it: the goal is a multiple of 5.
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

REPEATS = 9


def audit(a: str, b: str) -> tuple[float, dict[str, Any]]:
    """The seconds that an audit takes, and its report."""
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "repro_tui", a, b, "--report", "--quiet"], capture_output=True, check=False
    )
    return time.monotonic() - began, json.loads(done.stdout)


def importing() -> float:
    """The seconds that a fresh Python needs to import the interface's library."""
    began = time.monotonic()
    subprocess.run([sys.executable, "-c", "import textual.app"], check=True)
    return time.monotonic() - began


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        for name in ("CACHE", "AUDITS", "CONFIG"):
            os.environ[f"REPRO_TUI_{name}"] = str(Path(folder) / name.lower())
        a, b = prepare(Path(folder) / "demo")
        first, _ = audit(a, b)
        overheads, imports = [], []
        for _ in range(REPEATS):
            seconds, report = audit(a, b)
            runs = report["audit"]["seconds_by_stage"]["run"]
            overheads.append(seconds - runs)
            imports.append(importing())
            print(f"total {seconds:.2f} s, predict runs {runs:.2f} s: {seconds - runs:.2f} s in addition to them")
        overhead, unit = statistics.median(overheads), statistics.median(imports)
        print(f"first audit (cold cache) {first:.1f} s; repeated, without the runs {overhead:.2f} s")
        ratios = sorted(a / b for a, b in zip(overheads, imports, strict=True))
        print(f"import textual.app {unit:.2f} s: {overhead / unit:.1f} times that (goal 5)")
        print(f"each audit by the import after it: {', '.join(f'{ratio:.1f}' for ratio in ratios)}")


if __name__ == "__main__":
    main()
