"""How long the program takes to say its help, against the smallest that a click program can take.

Whole processes, in turn; the goal is 1.5 times `python -c "import click"` plus 60 ms at most.
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
    ours, peer = (statistics.median(found) for found in times.values())
    for name, found in times.items():
        print(f"{name:<20} median {statistics.median(found) * 1000:.0f} ms (fastest {min(found) * 1000:.0f} ms)")
    print(f"goal: {(1.5 * peer + 0.06) * 1000:.0f} ms at most; ratio {ours / peer:.2f}")


if __name__ == "__main__":
    main()
