"""What the noise rule costs: ten runs a side of a million rows and five columns, against reading the 20 files.

    python benchmarks/noise.py [ROWS]

Each method runs in a process of its own, three times; prints the medians of seconds, CPU seconds and peak MiB, and the
ratio. Goals for the rule at a million rows: at most 8 times the reading, within 1 GiB.
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


def make_runs(folder: Path, rows: int) -> None:
    """Writes a-1.parquet to b-10.parquet: numbers, a probability, a label and whole numbers, each with noise."""
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
    """Reads all columns of all files, as a stream."""
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
    """Applies the noise rule: measures all runs, and judges them."""
    from repro_tui.compare.noise.verdict import RunColumn, judge, measure
    from repro_tui.compare.rows.database import Database

    kinds = {"score": "value", "score32": "value", "probability": "probability", "label": "label", "count": "value"}
    columns = [RunColumn(name, kind, 0.0 if kind == "label" else 1e-6) for name, kind in kinds.items()]
    with tempfile.TemporaryDirectory() as root:
        measured = measure(*sides_in(folder), ("id",), columns, Database(Path(root), MEMORY))
        judgement = judge(measured, (False, False), fixed=False)
    return f"{judgement.verdict}, p = {judgement.noise.p}"


def comparison(folder: Path) -> str:
    """Does what an audit does with 10 runs a side: compares cells, keeps and marks those that differ, and judges."""
    from repro_tui.compare.predictions import compare_predictions
    from repro_tui.model.record import Validation
    from repro_tui.model.request import Settings
    from repro_tui.support.cache import Cache
    from repro_tui.support.context import Context

    with tempfile.TemporaryDirectory() as root:
        context = Context(cache=Cache(Path(root) / "cache"))
        settings = Settings(memory_limit=MEMORY)
        area = compare_predictions(*sides_in(folder), Validation(key=("id",)), settings, Path(root), context)
    return f"{area.verdict}, p = {area.noise.p}"


METHODS = {method.__name__: method for method in (reading, rule, comparison)}


def main() -> None:
    """Prints the table."""
    if len(sys.argv) > 2:
        began = time.perf_counter()
        answer = METHODS[sys.argv[1]](Path(sys.argv[2]))
        seconds = time.perf_counter() - began
        usage = resource.getrusage(resource.RUSAGE_SELF)
        with open("/proc/self/status", encoding="ascii") as status:  # noqa: PTH123
            peak = next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) / 1024
        print(json.dumps({"seconds": seconds, "cpu": usage.ru_utime + usage.ru_stime, "peak": peak, "answer": answer}))
        return
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    with tempfile.TemporaryDirectory() as root:
        make_runs(Path(root), rows)
        results = {name: [run(name, root) for _ in range(TIMES)] for name in METHODS}
    print(f"{RUNS} runs a side of {rows:,} rows and 5 columns")
    medians = {
        name: {unit: statistics.median(r[unit] for r in runs) for unit in ("seconds", "cpu", "peak")}
        for name, runs in results.items()
    }
    for name, median in medians.items():
        ratio = median["seconds"] / medians["reading"]["seconds"]
        used = f"{median['seconds']:6.2f} s  cpu {median['cpu']:6.2f} s  {median['peak']:6.0f} MiB"
        print(f"  {name:<10} {used}  {ratio:5.2f} ×  {results[name][0]['answer']}")


def run(name: str, folder: str) -> dict[str, Any]:
    """Runs one method in a process of its own."""
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, __file__, name, folder]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


if __name__ == "__main__":
    main()
