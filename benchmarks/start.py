"""How long the program takes to print its help, against importing click alone.

Whole processes, in turn; the goal is at most 1.5 times `python -c "import click"` plus 60 ms.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

RUNS = 15
COMMANDS = {
    "repro-tui --help": [sys.executable, "-m", "repro_tui", "--help"],
    "import click": [sys.executable, "-c", "import click"],
}


def seconds(command: list[str]) -> float:
    began = time.monotonic()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    return time.monotonic() - began


def main() -> None:
    times: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(RUNS):
        for name, command in COMMANDS.items():
            times[name].append(seconds(command))
    ours, peer = (statistics.median(runs) for runs in times.values())
    for name, runs in times.items():
        print(f"{name:<20} median {statistics.median(runs) * 1000:.0f} ms (fastest {min(runs) * 1000:.0f} ms)")
    print(f"goal: at most {(1.5 * peer + 0.06) * 1000:.0f} ms; ratio {ours / peer:.2f}")


if __name__ == "__main__":
    main()
