"""What the noise rule costs: ten runs a side of a million rows and five columns, beside the reading of the 20 files.

    python benchmarks/noise.py [ROWS]

Each way runs in a process of its own, three times; prints medians of seconds, CPU seconds and peak MiB, and the ratio.
Goals for the rule at a million rows: at most 8 times the reading, within 1 GiB.
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

RUNS, TIMES = 10, 3
MEMORY = 1 << 30


def make(folder: Path, rows: int) -> None:
    """a-1.parquet to b-10.parquet: numbers, a probability, a label and whole numbers, with noise of their own."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    rng = np.random.default_rng(5)
    ids, base = np.arange(rows), rng.normal(size=rows)
    names = np.array(["approve", "review", "decline"])
    labels = rng.integers(0, 3, rows)
    for side in "ab":
        for number in range(1, RUNS + 1):
            score = base + rng.normal(0, 0.01, rows)
            flips = rng.random(rows) < 0.001
            table = pa.table(
                {
                    "id": ids,
                    "score": score,
                    "score32": (2 * score).astype(np.float32),
                    "probability": 1 / (1 + np.exp(-score)),
                    "label": names[np.where(flips, (labels + 1) % 3, labels)],
                    "count": np.round(score * 100).astype(np.int64),
                }
            )
            pq.write_table(table, folder / f"{side}-{number}.parquet", compression="lz4", row_group_size=131_072)


def reading(folder: Path) -> str:
    """All columns of all files, as a stream."""
    import pyarrow.parquet as pq

    return str(sum(b.num_rows for path in folder.glob("*.parquet") for b in pq.ParquetFile(path).iter_batches(131_072)))


def sides_in(folder: Path) -> list[list[Any]]:
    """The runs of both sides."""
    from repro_tui.model.run import Run

    return [
        [Run(n, "succeeded", 1.0, 0, str(folder / f"{side}-{n}.parquet"), f"{side}{n}") for n in range(1, RUNS + 1)]
        for side in "ab"
    ]


def rule(folder: Path) -> str:
    """The noise rule: all runs measured, and judged."""
    from repro_tui.compare.noise.verdict import RunColumn, judge, measure
    from repro_tui.compare.rows.database import Database

    kinds = {"score": "value", "score32": "value", "probability": "probability", "label": "label", "count": "value"}
    columns = [RunColumn(name, kind, 0.0 if kind == "label" else 1e-6) for name, kind in kinds.items()]
    with tempfile.TemporaryDirectory() as place:
        measured = measure(*sides_in(folder), ("id",), columns, Database(Path(place), MEMORY))
        verdict, noise = judge(measured, (False, False), fixed=False)
    return f"{verdict}, p = {noise.p}"


def comparison(folder: Path) -> str:
    """What an audit does with 10 runs a side: cell by cell, every differing cell kept and marked, and the rule."""
    from repro_tui.compare.predictions import compare_predictions
    from repro_tui.model.record import Validation
    from repro_tui.model.request import Settings
    from repro_tui.support.cache import Cache
    from repro_tui.support.context import Context

    with tempfile.TemporaryDirectory() as place:
        context = Context(cache=Cache(Path(place) / "cache"))
        settings = Settings(memory_limit=MEMORY)
        area = compare_predictions(*sides_in(folder), Validation(key=("id",)), settings, Path(place), context)
    return f"{area.verdict}, p = {area.noise.p}"


WAYS = {way.__name__: way for way in (reading, rule, comparison)}


def main() -> None:
    """Prints the table."""
    if len(sys.argv) > 2:
        began = time.perf_counter()
        told = WAYS[sys.argv[1]](Path(sys.argv[2]))
        seconds = time.perf_counter() - began
        used = resource.getrusage(resource.RUSAGE_SELF)
        with open("/proc/self/status", encoding="ascii") as status:  # noqa: PTH123
            peak = next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) / 1024
        print(json.dumps({"seconds": seconds, "cpu": used.ru_utime + used.ru_stime, "peak": peak, "told": told}))
        return
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    with tempfile.TemporaryDirectory() as place:
        make(Path(place), rows)
        found = {name: [run(name, place) for _ in range(TIMES)] for name in WAYS}
    print(f"{RUNS} runs a side of {rows:,} rows and 5 columns")
    middle = {
        name: {what: statistics.median(r[what] for r in of) for what in ("seconds", "cpu", "peak")}
        for name, of in found.items()
    }
    for name, told in middle.items():
        ratio = told["seconds"] / middle["reading"]["seconds"]
        used = f"{told['seconds']:6.2f} s  cpu {told['cpu']:6.2f} s  {told['peak']:6.0f} MiB"
        print(f"  {name:<10} {used}  {ratio:5.2f} ×  {found[name][0]['told']}")


def run(name: str, folder: str) -> dict[str, Any]:
    """One way in a process of its own."""
    words = [sys.executable, __file__, name, folder]
    done = subprocess.run(
        words, capture_output=True, text=True, check=True, env=os.environ | {"OPENBLAS_NUM_THREADS": "1"}
    )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


if __name__ == "__main__":
    main()
