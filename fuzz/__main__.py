"""Fuzzes targets, one after another: `python -m fuzz [--seconds 60] [--corpus FOLDER] [TARGET …]`.

Each runs in a process of its own (`fuzz.engine`) from the seeds and from what the corpus has of earlier times. Prints a
line for each; ends with status 1 where one broke, and names the file that broke it.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from fuzz.seeds import write_seeds
from fuzz.targets import TARGETS

MEMORY = "/dev/shm"
ROOT = Path(__file__).parents[1]


def fuzz(name: str, seconds: int, corpus: Path) -> bool:
    """Whether a target held out."""
    command = [sys.executable, "-m", "fuzz.engine", name, str(corpus), str(seconds)]
    paths = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    with tempfile.TemporaryDirectory(
        prefix="repro-tui-fuzz-", dir=MEMORY if os.access(MEMORY, os.W_OK) else None
    ) as own:
        environment = os.environ | {"PYTHONPATH": paths, "TMPDIR": own}
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, check=False)
    text = (done.stderr + done.stdout).decode("utf-8", "replace")
    executions, each = (re.search(rf"stat::{key}:\s+(\d+)", text) for key in _STATISTICS)
    count = f"{int(executions[1]):>9,} runs, {int(each[1]):>6,}/s" if executions and each else "no statistics"
    broken = re.findall(r"Test unit written to (\S+)", text)
    print(f"{name:18} {count}  {'held' if done.returncode == 0 else 'BROKEN by ' + ' '.join(broken)}", flush=True)
    if done.returncode:
        print(text[-6000:], flush=True)
    return done.returncode == 0


_STATISTICS = ("number_of_executed_units", "average_exec_per_sec")


def main() -> int:
    """Fuzzes the targets that the command line names; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__.splitlines()[0])
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"some of {', '.join(TARGETS)}; absent: all")
    parser.add_argument("--seconds", type=int, default=60, help="for each target")
    parser.add_argument("--corpus", type=Path, help="kept from one time to the next; absent: a temporary folder")
    chosen = parser.parse_args()
    if unknown := set(chosen.targets) - set(TARGETS):
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    with tempfile.TemporaryDirectory(prefix="repro-tui-corpus-") as temporary:
        corpus = (chosen.corpus or Path(temporary)).absolute()
        write_seeds(corpus)
        held = [fuzz(name, chosen.seconds, corpus) for name in chosen.targets or TARGETS]
    print(f"{sum(held)} passed, {len(held) - sum(held)} failed")
    return 0 if all(held) else 1


if __name__ == "__main__":
    sys.exit(main())
