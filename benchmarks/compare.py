"""Comparing two tables of predictions: this package against DuckDB's own join, polars, pandas and datacompy.

`python benchmarks/compare.py --rows 1000000 10000000` makes tables of eight columns with 0.1 % of the cells changed, as
Parquet and as CSV, runs each method in a process of its own, and prints the median of `--times` runs; seconds include
imports and reading. Read the ratios. Needs the dependency group `bench`.

Goals at 10 million shuffled rows: at most 1.3 times the DuckDB join that counts the same things (rows that are matched,
on one side only and duplicated, and cells that differ), an eighth of datacompy's time on pandas and a quarter of its
memory. Rows in the same order: at most 1.5 times the reading of both files. CSV: reading both files takes at most 1.5
times as long as DuckDB's own typed read of them.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

COLUMNS = ["label", "probability", "score", "score32", "count", "flag", "segment"]


def make_tables(folder: Path, rows: int, text_key: bool) -> None:
    """Writes a-same and b-same (rows in the same order), and a-shuffled and b-shuffled with missing and duplicate
    rows."""
    import numpy as np
    import pyarrow as pa

    rng = np.random.default_rng(7)
    ids: Any = rng.permutation(rows).astype(np.int64) * 7 + 3
    names, segments = np.array(["approve", "review", "decline"]), np.array([f"s{n}" for n in range(50)])
    columns_a = {
        "id": np.char.add("r", ids.astype(str)) if text_key else ids,
        "label": names[rng.integers(0, 3, rows)],
        "probability": rng.random(rows),
        "score": rng.normal(size=rows),
        "score32": rng.normal(size=rows).astype(np.float32),
        "count": rng.integers(0, 1000, rows),
        "flag": rng.random(rows) < 0.5,
        "segment": segments[rng.integers(0, 50, rows)],
    }
    columns_b = {name: values.copy() for name, values in columns_a.items()}
    for name, change in (("probability", 1e-3), ("score", 1e-4)):
        columns_b[name][rng.choice(rows, rows // 1000, replace=False)] += change
    columns_b["label"][rng.choice(rows, rows // 1000, replace=False)] = "review"
    tables = [pa.table(columns_a), pa.table(columns_b)]
    _write(folder / "a-same.parquet", tables[0])
    _write(folder / "b-same.parquet", tables[1])
    a, b = (pa.concat_tables([table.slice(100), table.slice(0, 10), table.slice(100, 10)]) for table in tables)
    _write(folder / "a-shuffled.parquet", a)
    _write(folder / "b-shuffled.parquet", b.slice(50).take(rng.permutation(len(b) - 50)))


def _write(path: Path, table: Any) -> None:
    import pyarrow.parquet as pq

    pq.write_table(table, path, compression="zstd", row_group_size=131_072)


def as_csv(path: Path) -> Path:
    """Writes the same table as CSV, next to the Parquet file."""
    import pyarrow.csv as pacsv
    import pyarrow.parquet as pq

    target = path.with_suffix(".csv")
    with pq.ParquetFile(path) as file, pacsv.CSVWriter(target, file.schema_arrow) as writer:
        for batch in file.iter_batches(131_072):
            writer.write_batch(batch)
    return target


def make_large(folder: Path, rows: int) -> None:
    """Writes a-shuffled.parquet and b-shuffled.parquet of any size in little memory: ids determine the values."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    names, segments = pa.array(["approve", "review", "decline"]), pa.array([f"s{n}" for n in range(50)])
    multiplier = 2_654_435_761  # a prime: ids times it, modulo a smaller number of rows, are a permutation

    def mixed(ids: Any, salt: int) -> Any:
        """Pseudo-random fractions in [0, 1), computed from ids (splitmix64)."""
        z = ids.astype(np.uint64) + np.uint64((salt * 0x9E3779B97F4A7C15) & (2**64 - 1))
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return ((z ^ (z >> np.uint64(31))) >> np.uint64(11)) / 2.0**53

    def table(ids: Any, changed: bool) -> pa.Table:
        values = {name: mixed(ids, salt) for salt, name in enumerate([*COLUMNS, "which"])}
        change = (values["which"] < 0.001) & changed
        label = np.where(change, 1, (values["label"] * 3).astype(np.int64))
        return pa.table(
            {
                "id": ids * 7 + 3,
                "label": names.take(pa.array(label)),
                "probability": values["probability"],
                "score": values["score"] * 10 + change * 1e-4,
                "score32": values["score32"].astype(np.float32),
                "count": (values["count"] * 1000).astype(np.int64),
                "flag": values["flag"] < 0.5,
                "segment": segments.take(pa.array((values["segment"] * 50).astype(np.int64))),
            }
        )

    for side, shuffled in (("a", False), ("b", True)):
        writer = None
        for start in range(0, rows, 131_072):
            ids = np.arange(start, min(rows, start + 131_072), dtype=np.int64)
            part = table(ids * multiplier % rows if shuffled else ids, shuffled)
            writer = writer or pq.ParquetWriter(folder / f"{side}-shuffled.parquet", part.schema, compression="zstd")
            writer.write_table(part)
        if writer:
            writer.close()


# -- the methods, each in a process of its own --------------------------------------------------------------------


def ours(a: Path, b: Path, keyed: bool, memory_limit: int = 2 << 30) -> Any:
    if a.suffix == ".csv":
        import repro_tui

        compared = repro_tui.compare(a, b, key=["id"] if keyed else (), memory_limit=memory_limit)
        shutil.rmtree(compared.folder)
        area = compared.predictions
        return [area.rows.matched, sum(column.different + column.within_tolerance for column in area.columns)]
    from repro_tui.compare.predictions import compare_predictions
    from repro_tui.model.record import Validation
    from repro_tui.model.request import Settings
    from repro_tui.model.run import Run
    from repro_tui.support.cache import Cache
    from repro_tui.support.context import Context

    runs = [[Run(n, "succeeded", 1.0, 0, str(path), str(path)) for n in (1, 2)] for path in (a, b)]
    with tempfile.TemporaryDirectory() as folder:
        context = Context(cache=Cache(Path(folder) / "cache"))
        validation = Validation(key=("id",) if keyed else ())
        area = compare_predictions(
            runs[0], runs[1], validation, Settings(memory_limit=memory_limit), Path(folder), context
        )
    return [area.rows.matched, sum(column.different + column.within_tolerance for column in area.columns)]


def _scan(path: Path) -> str:
    return f"read_csv('{path}')" if path.suffix == ".csv" else f"read_parquet('{path}')"


def duckdb_join(a: Path, b: Path, keyed: bool) -> Any:
    """Counts the same things: rows that are matched, on one side only and duplicated, and the differing cells."""
    import duckdb

    scans = [_scan(path) for path in (a, b)]
    with duckdb.connect() as connection:
        if not keyed:
            unequal = " + ".join(f"count(*) FILTER (a.{c} IS DISTINCT FROM b.{c})" for c in COLUMNS)
            query = f"SELECT count(*), {unequal} FROM {scans[0]} a POSITIONAL JOIN {scans[1]} b"
            return list(connection.execute(query).fetchall()[0])
        both = "a.id IS NOT NULL AND b.id IS NOT NULL"
        unequal = " + ".join(f"count(*) FILTER ({both} AND a.{c} IS DISTINCT FROM b.{c})" for c in COLUMNS)
        alone = "count(*) FILTER (a.id IS NULL), count(*) FILTER (b.id IS NULL)"
        query = (
            f"SELECT count(*) FILTER ({both}), {unequal}, {alone} FROM {scans[0]} a FULL JOIN {scans[1]} b USING (id)"
        )
        counts = list(connection.execute(query).fetchall()[0])
        for scan in scans:
            twice = f"SELECT id FROM {scan} GROUP BY id HAVING count(*) > 1"
            connection.execute(f"SELECT count(*) FROM ({twice})").fetchall()
        return counts


def duckdb_join_alone(a: Path, b: Path, keyed: bool) -> Any:
    """The same without looking for duplicate keys."""
    import duckdb

    unequal = ", ".join(f"count(*) FILTER (a.{c} IS DISTINCT FROM b.{c})" for c in COLUMNS)
    query = f"SELECT count(*), {unequal} FROM {_scan(a)} a FULL JOIN {_scan(b)} b ON a.id = b.id"
    with duckdb.connect() as connection:
        return list(connection.execute(query).fetchall()[0])


def reading(a: Path, b: Path, keyed: bool) -> Any:
    if a.suffix == ".csv":
        import pyarrow.csv as pacsv

        return [sum(batch.num_rows for path in (a, b) for batch in pacsv.open_csv(path))]
    import pyarrow.parquet as pq

    return [sum(batch.num_rows for path in (a, b) for batch in pq.ParquetFile(path).iter_batches(131_072))]


def duckdb_typed_read(a: Path, b: Path, keyed: bool) -> Any:
    """Reads both CSV files, with the types that DuckDB detects, into tables in memory."""
    import duckdb

    with duckdb.connect() as connection:
        for name, path in (("a", a), ("b", b)):
            connection.execute(f"CREATE TABLE {name} AS SELECT * FROM read_csv('{path}')")
        return [
            row[0] for row in connection.execute("SELECT count(*) FROM a UNION ALL SELECT count(*) FROM b").fetchall()
        ]


def our_read(a: Path, b: Path, keyed: bool) -> Any:
    """Converts both files to Parquet as an audit does: strictly, each in a process of its own."""
    from concurrent.futures import ThreadPoolExecutor

    from repro_tui.formats.normalise import normalise_file
    from repro_tui.support.cache import Cache
    from repro_tui.support.context import Context

    with tempfile.TemporaryDirectory() as folder:
        context = Context(cache=Cache(Path(folder) / "cache"))
        with ThreadPoolExecutor(2) as pool:
            return list(pool.map(lambda path: normalise_file(path, Path(folder) / path.name, context), (a, b)))


def polars_join(a: Path, b: Path, keyed: bool) -> Any:
    import polars as pl

    scan = pl.scan_csv if a.suffix == ".csv" else pl.scan_parquet
    joined = scan(a).join(scan(b), on="id", suffix="_b")
    unequal = [(pl.col(c) != pl.col(f"{c}_b")).sum().alias(c) for c in COLUMNS]
    return list(joined.select(pl.len(), *unequal).collect(engine="streaming").row(0))


def pandas_merge(a: Path, b: Path, keyed: bool) -> Any:
    import pandas as pd

    read = pd.read_csv if a.suffix == ".csv" else pd.read_parquet
    joined = read(a).merge(read(b), on="id", how="outer", suffixes=("", "_b"), indicator=True)
    both = joined[joined["_merge"] == "both"]
    return [len(both), sum(int((both[c] != both[f"{c}_b"]).sum()) for c in COLUMNS)]


def datacompy_pandas(a: Path, b: Path, keyed: bool) -> Any:
    import datacompy
    import pandas as pd

    kind = getattr(datacompy, "PandasCompare", None) or datacompy.Compare
    read = pd.read_csv if a.suffix == ".csv" else pd.read_parquet
    comparison = kind(read(a), read(b), join_columns="id")
    return [len(comparison.intersect_rows)]


def datacompy_polars(a: Path, b: Path, keyed: bool) -> Any:
    import datacompy
    import polars as pl

    read = pl.read_csv if a.suffix == ".csv" else pl.read_parquet
    comparison = datacompy.PolarsCompare(read(a), read(b), join_columns="id")
    return [len(comparison.intersect_rows)]


def ours_1gib(a: Path, b: Path, keyed: bool) -> Any:
    """Compares under --memory-limit 1GiB, which applies to the whole process."""
    return ours(a, b, keyed, 1 << 30)


Method = Callable[..., Any]
KEYED: list[Method] = [
    duckdb_join,
    ours,
    duckdb_join_alone,
    reading,
    polars_join,
    pandas_merge,
    datacompy_polars,
    datacompy_pandas,
]
IN_ORDER: list[Method] = [reading, ours, duckdb_join]
READ: list[Method] = [duckdb_typed_read, our_read]
METHODS = {method.__name__: method for method in [*KEYED, *READ, ours_1gib]}


def run_here(name: str, a: Path, b: Path, keyed: bool) -> None:
    """Runs one method in this process; prints seconds, CPU seconds and peak MiB, including those of its children."""
    began = time.perf_counter()
    answer = METHODS[name](a, b, keyed)
    seconds = time.perf_counter() - began
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    cpu = sum(usage.ru_utime + usage.ru_stime for usage in usages)
    peak = max(usage.ru_maxrss for usage in usages) / 1024
    print(json.dumps({"seconds": seconds, "cpu": cpu, "peak": peak, "answer": answer}, default=str))


def run(method: str, a: Path, b: Path, keyed: bool) -> dict[str, Any]:
    """Runs one method in a process of its own, with its modules compiled, as they are after the first run."""
    command = [sys.executable, __file__, "--one", method, str(a), str(b), "keyed" if keyed else "order"]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        raise RuntimeError((done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1][:100])
    result: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return result


def measure(methods: list[Method], a: Path, b: Path, keyed: bool, options: argparse.Namespace) -> None:
    """Runs each method in turn, `--times` times, so that a slow phase of the machine affects all of them."""
    results: dict[str, list[dict[str, Any]]] = {
        method.__name__: [] for method in methods if method.__name__ not in options.skip
    }
    failed: dict[str, str] = {}
    for _ in range(options.times):
        for name in results:
            if name not in failed:
                try:
                    results[name].append(run(name, a, b, keyed))
                except RuntimeError as error:
                    failed[name] = str(error)
    base: dict[str, float] = {}
    for name, runs in results.items():
        if name in failed:
            print(f"  {name:<20} failed: {failed[name]}")
            continue
        medians = {unit: statistics.median(run[unit] for run in runs) for unit in ("seconds", "cpu", "peak")}
        base = base or medians
        times = {unit: medians[unit] / base[unit] for unit in medians}
        used = f"{medians['seconds']:7.2f} s  cpu {medians['cpu']:7.2f} s  {medians['peak']:7.0f} MiB"
        ratios = f"{times['seconds']:6.2f} × time {times['cpu']:6.2f} × cpu {times['peak']:6.2f} × memory"
        print(f"  {name:<20} {used}  {ratios}", flush=True)


def limited(options: argparse.Namespace) -> None:
    """Peak memory of the whole process under --memory-limit 1GiB; the goal is to stay below it at 50 million rows."""
    with tempfile.TemporaryDirectory() as root:
        folder = Path(root)
        make_large(folder, options.limited)
        print(f"{options.limited:,} rows, integer key, shuffled, under --memory-limit 1GiB (1,024 MiB)", flush=True)
        measure([ours_1gib], folder / "a-shuffled.parquet", folder / "b-shuffled.parquet", True, options)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="*", default=[1_000_000])
    parser.add_argument("--keys", nargs="*", default=["integer", "text"])
    parser.add_argument("--formats", nargs="*", default=["parquet", "csv"])
    parser.add_argument("--skip", nargs="*", default=[])
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--limited", type=int, help="only compare so many rows under --memory-limit 1GiB")
    parser.add_argument("--one", nargs=4, help=argparse.SUPPRESS)
    parser.add_argument("--make", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.make:  # in a process of its own: a child's peak memory begins with its parent's
        make_tables(Path(options.make[0]), int(options.make[1]), options.make[2] == "text")
        return
    if options.one:
        name, a, b, matching = options.one
        run_here(name, Path(a), Path(b), matching == "keyed")
        return
    if options.limited:
        limited(options)
        return
    for rows in options.rows:
        for key in options.keys:
            with tempfile.TemporaryDirectory() as root:
                folder = Path(root)
                subprocess.run([sys.executable, __file__, "--make", root, str(rows), key], check=True)
                for form in options.formats:
                    tables(folder, form, f"{rows:,} rows, {key} key, {form}", options)


def tables(folder: Path, form: str, title: str, options: argparse.Namespace) -> None:
    """Runs all methods on the tables of one folder in one format."""
    names = ["a-shuffled", "b-shuffled", "a-same", "b-same"]
    paths = [folder / f"{name}.parquet" for name in names]
    if form == "csv":
        paths = [as_csv(path) for path in paths]
        print(f"{title}, reading both files (base: DuckDB's typed read)", flush=True)
        measure(READ, paths[2], paths[3], False, options)
    print(f"{title}, shuffled (base: DuckDB's join that counts the same things)", flush=True)
    measure(KEYED, paths[0], paths[1], True, options)
    print(f"{title}, in the same order (base: reading both files)", flush=True)
    measure(IN_ORDER, paths[2], paths[3], False, options)


if __name__ == "__main__":
    main()
