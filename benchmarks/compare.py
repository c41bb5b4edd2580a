"""Comparing two prediction tables: ours beside DuckDB's own join, polars, pandas and datacompy, in one go.

`python benchmarks/compare.py --rows 1000000 10000000` makes tables of eight columns with 0.1 % of the cells changed, as
Parquet and as CSV, and runs each way in a process of its own, the median of `--times`; seconds include imports and
reading. Read the ratios. Needs the group `bench`.
Goals at 10 million shuffled rows: at most 1.3 times the DuckDB join that counts the same things (matched, alone,
twice, differing cells), an eighth of datacompy's time on pandas and a quarter of its memory; in one order at most
1.5 times the reading of both files. CSV: reading both files at most 1.5 times DuckDB's own typed read of them.
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


def make(folder: Path, rows: int, text_key: bool) -> None:
    """a.parquet, b-same.parquet (the order of a) and b-shuffled.parquet; 100 rows missing and 10 twice a side."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    rng = np.random.default_rng(7)
    ids: Any = rng.permutation(rows).astype(np.int64) * 7 + 3
    names, segments = np.array(["approve", "review", "decline"]), np.array([f"s{n}" for n in range(50)])
    a = {
        "id": np.char.add("r", ids.astype(str)) if text_key else ids,
        "label": names[rng.integers(0, 3, rows)],
        "probability": rng.random(rows),
        "score": rng.normal(size=rows),
        "score32": rng.normal(size=rows).astype(np.float32),
        "count": rng.integers(0, 1000, rows),
        "flag": rng.random(rows) < 0.5,
        "segment": segments[rng.integers(0, 50, rows)],
    }
    b = {name: values.copy() for name, values in a.items()}
    for name, change in (("probability", 1e-3), ("score", 1e-4)):
        b[name][rng.choice(rows, rows // 1000, replace=False)] += change
    b["label"][rng.choice(rows, rows // 1000, replace=False)] = "review"
    one, other = pa.table(a), pa.table(b)
    pq.write_table(one, folder / "a-same.parquet", compression="zstd", row_group_size=131_072)
    pq.write_table(other, folder / "b-same.parquet", compression="zstd", row_group_size=131_072)
    twice = [pa.concat_tables([table.slice(100), table.slice(0, 10), table.slice(100, 10)]) for table in (one, other)]
    pq.write_table(twice[0], folder / "a-shuffled.parquet", compression="zstd", row_group_size=131_072)
    shuffled = twice[1].slice(50).take(rng.permutation(len(twice[1]) - 50))
    pq.write_table(shuffled, folder / "b-shuffled.parquet", compression="zstd", row_group_size=131_072)


def as_csv(path: Path) -> Path:
    """The same table as CSV, beside it."""
    import pyarrow.csv as pacsv
    import pyarrow.parquet as pq

    target = path.with_suffix(".csv")
    with pq.ParquetFile(path) as file, pacsv.CSVWriter(target, file.schema_arrow) as writer:
        for batch in file.iter_batches(131_072):
            writer.write_batch(batch)
    return target


def make_large(folder: Path, rows: int) -> None:
    """a-shuffled.parquet and b-shuffled.parquet of any size in little memory: every value is worked out from its id."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    names, segments = pa.array(["approve", "review", "decline"]), pa.array([f"s{n}" for n in range(50)])
    multiplier = 2_654_435_761  # odd and prime, and so in step with no number of rows below it

    def mixed(ids: Any, salt: int) -> Any:
        """Random-looking fractions in [0, 1) of ids (splitmix64)."""
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


# -- the ways, each in a process of its own -----------------------------------------------------------------------


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


def _scanned(path: Path) -> str:
    return f"read_csv('{path}')" if path.suffix == ".csv" else f"read_parquet('{path}')"


def duckdb_join(a: Path, b: Path, keyed: bool) -> Any:
    """Counts the same things: matched, alone, twice, and the differing cells of each column."""
    import duckdb

    one, other = (_scanned(path) for path in (a, b))
    with duckdb.connect() as connection:
        if not keyed:
            unequal = " + ".join(f"count(*) FILTER (a.{c} IS DISTINCT FROM b.{c})" for c in COLUMNS)
            query = f"SELECT count(*), {unequal} FROM {one} a POSITIONAL JOIN {other} b"
            return list(connection.execute(query).fetchall()[0])
        both = "a.id IS NOT NULL AND b.id IS NOT NULL"
        unequal = " + ".join(f"count(*) FILTER ({both} AND a.{c} IS DISTINCT FROM b.{c})" for c in COLUMNS)
        alone = "count(*) FILTER (a.id IS NULL), count(*) FILTER (b.id IS NULL)"
        query = f"SELECT count(*) FILTER ({both}), {unequal}, {alone} FROM {one} a FULL JOIN {other} b USING (id)"
        found = list(connection.execute(query).fetchall()[0])
        for table in (one, other):
            twice = f"SELECT id FROM {table} GROUP BY id HAVING count(*) > 1"
            connection.execute(f"SELECT count(*) FROM ({twice})").fetchall()
        return found


def duckdb_join_alone(a: Path, b: Path, keyed: bool) -> Any:
    """Without looking for keys that stand twice."""
    import duckdb

    unequal = ", ".join(f"count(*) FILTER (a.{c} IS DISTINCT FROM b.{c})" for c in COLUMNS)
    query = f"SELECT count(*), {unequal} FROM {_scanned(a)} a FULL JOIN {_scanned(b)} b ON a.id = b.id"
    with duckdb.connect() as connection:
        return list(connection.execute(query).fetchall()[0])


def reading(a: Path, b: Path, keyed: bool) -> Any:
    if a.suffix == ".csv":
        import pyarrow.csv as pacsv

        return [sum(batch.num_rows for path in (a, b) for batch in pacsv.open_csv(path))]
    import pyarrow.parquet as pq

    return [sum(batch.num_rows for path in (a, b) for batch in pq.ParquetFile(path).iter_batches(131_072))]


def duckdb_typed_read(a: Path, b: Path, keyed: bool) -> Any:
    """Both CSV files, with the types that DuckDB finds, as tables in memory."""
    import duckdb

    with duckdb.connect() as connection:
        for name, path in (("a", a), ("b", b)):
            connection.execute(f"CREATE TABLE {name} AS SELECT * FROM read_csv('{path}')")
        return [
            row[0] for row in connection.execute("SELECT count(*) FROM a UNION ALL SELECT count(*) FROM b").fetchall()
        ]


def our_read(a: Path, b: Path, keyed: bool) -> Any:
    """Both files as an audit reads them: strictly, each in a process of its own, to Parquet."""
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
    found = kind(read(a), read(b), join_columns="id")
    return [len(found.intersect_rows)]


def datacompy_polars(a: Path, b: Path, keyed: bool) -> Any:
    import datacompy
    import polars as pl

    read = pl.read_csv if a.suffix == ".csv" else pl.read_parquet
    found = datacompy.PolarsCompare(read(a), read(b), join_columns="id")
    return [len(found.intersect_rows)]


def ours_1gib(a: Path, b: Path, keyed: bool) -> Any:
    """Under --memory-limit 1GiB, which holds for the whole process."""
    return ours(a, b, keyed, 1 << 30)


KEYED: list[Callable[..., Any]] = [
    duckdb_join,
    ours,
    duckdb_join_alone,
    reading,
    polars_join,
    pandas_merge,
    datacompy_polars,
    datacompy_pandas,
]
IN_ORDER: list[Callable[..., Any]] = [reading, ours, duckdb_join]
READ: list[Callable[..., Any]] = [duckdb_typed_read, our_read]
WAYS = {way.__name__: way for way in [*KEYED, *READ, ours_1gib]}


def one(name: str, a: Path, b: Path, keyed: bool) -> None:
    """Runs one way and prints its seconds, CPU seconds and peak MiB, with those of its children."""
    began = time.perf_counter()
    answer = WAYS[name](a, b, keyed)
    seconds = time.perf_counter() - began
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    cpu = sum(one.ru_utime + one.ru_stime for one in used)
    peak = max(one.ru_maxrss for one in used) / 1024
    print(json.dumps({"seconds": seconds, "cpu": cpu, "peak": peak, "answer": answer}, default=str))


def run(way: str, a: Path, b: Path, keyed: bool) -> dict[str, Any]:
    """One way in a process of its own, with its modules compiled, as anybody's are after the first time."""
    words = [sys.executable, __file__, "--one", way, str(a), str(b), "keyed" if keyed else "order"]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run(words, capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        raise RuntimeError((done.stderr.strip().splitlines() or [f"ended with {done.returncode}"])[-1][:100])
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def measure(ways: list[Callable[..., Any]], a: Path, b: Path, keyed: bool, given: argparse.Namespace) -> None:
    """Each way in turn, `--times` times, so that what slows the machine for a while slows all of them."""
    found: dict[str, list[dict[str, Any]]] = {way.__name__: [] for way in ways if way.__name__ not in given.skip}
    failed: dict[str, str] = {}
    for _ in range(given.times):
        for name in found:
            if name not in failed:
                try:
                    found[name].append(run(name, a, b, keyed))
                except RuntimeError as error:
                    failed[name] = str(error)
    base: dict[str, float] = {}
    for name, runs in found.items():
        if name in failed:
            print(f"  {name:<20} failed: {failed[name]}")
            continue
        median = {what: statistics.median(run[what] for run in runs) for what in ("seconds", "cpu", "peak")}
        base = base or median
        times = {what: median[what] / base[what] for what in median}
        took = f"{median['seconds']:7.2f} s  cpu {median['cpu']:7.2f} s  {median['peak']:7.0f} MiB"
        ratios = f"{times['seconds']:6.2f} × time {times['cpu']:6.2f} × cpu {times['peak']:6.2f} × memory"
        print(f"  {name:<20} {took}  {ratios}", flush=True)


def limited(given: argparse.Namespace) -> None:
    """Peak memory of the whole process under --memory-limit 1GiB: the goal is that it holds at 50 million rows."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        make_large(folder, given.limited)
        print(f"{given.limited:,} rows, integer key, shuffled, under --memory-limit 1GiB (1,024 MiB)", flush=True)
        measure([ours_1gib], folder / "a-shuffled.parquet", folder / "b-shuffled.parquet", True, given)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="*", default=[1_000_000])
    parser.add_argument("--keys", nargs="*", default=["integer", "text"])
    parser.add_argument("--formats", nargs="*", default=["parquet", "csv"])
    parser.add_argument("--skip", nargs="*", default=[])
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--limited", type=int, help="rows to compare under --memory-limit 1GiB, and nothing else")
    parser.add_argument("--one", nargs=4, help=argparse.SUPPRESS)
    parser.add_argument("--make", nargs=3, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.make:  # in a process of its own: a child's peak memory begins with its parent's
        make(Path(given.make[0]), int(given.make[1]), given.make[2] == "text")
        return
    if given.one:
        name, a, b, how = given.one
        one(name, Path(a), Path(b), how == "keyed")
        return
    if given.limited:
        limited(given)
        return
    for rows in given.rows:
        for key in given.keys:
            with tempfile.TemporaryDirectory() as place:
                folder = Path(place)
                subprocess.run([sys.executable, __file__, "--make", place, str(rows), key], check=True)
                for form in given.formats:
                    tables(folder, form, f"{rows:,} rows, {key} key, {form}", given)


def tables(folder: Path, form: str, what: str, given: argparse.Namespace) -> None:
    """All ways on the tables of one folder in one format."""
    names = ["a-shuffled", "b-shuffled", "a-same", "b-same"]
    paths = [folder / f"{name}.parquet" for name in names]
    if form == "csv":
        paths = [as_csv(path) for path in paths]
    if form == "csv":
        print(f"{what}, reading both files (base: DuckDB's typed read)", flush=True)
        measure(READ, paths[2], paths[3], False, given)
    print(f"{what}, shuffled (base: DuckDB's join that counts the same things)", flush=True)
    measure(KEYED, paths[0], paths[1], True, given)
    print(f"{what}, in one order (base: reading both files)", flush=True)
    measure(IN_ORDER, paths[2], paths[3], False, given)


if __name__ == "__main__":
    main()
