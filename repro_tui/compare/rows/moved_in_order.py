"""Two tables of one order, read side by side by the database, which hands over only the rows whose bits differ."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from repro_tui.compare.rows.database import Database, quoted, table
from repro_tui.compare.rows.pairs import SAMPLE, Ahead, RowPairs, batches, both_sides, pair_of, rows_at_once


def can_be_left_out(a: pa.DataType, b: pa.DataType) -> bool:
    """Whether the database tells the bits of two columns apart as we do: of one type, and no lists, times or halves."""
    kind = pa.types
    exact = kind.is_integer(a) or kind.is_string(a) or kind.is_boolean(a) or kind.is_date32(a)
    return bool(a == b and (exact or kind.is_float32(a) or kind.is_float64(a)))


def moved_in_order(
    a: Path,
    b: Path,
    parts: Sequence[Sequence[str]],
    key: Sequence[str],
    database: Database,
    check: Callable[[], None],
    at_once: int = 2,
) -> Iterator[tuple[int, RowPairs]]:
    """The rows in which a column of a part moved, with that part's columns and the part's number.

    So many parts are read `at_once`, each by a thread of its own; batches come in turns, so that their order is always
    the same. `check` is called while they are waited for.
    """
    for start in range(0, len(parts), at_once):
        with ExitStack() as stack:
            readers: dict[int, Ahead[RowPairs]] = {}
            for number, columns in enumerate(parts[start : start + at_once], start):
                connection = stack.enter_context(database.connection())
                pairs = Ahead(_pairs(connection, a, b, columns, key), check, connection.interrupt)
                readers[number] = stack.enter_context(closing(pairs))
            yield from _in_turns(readers)


def _in_turns(readers: dict[int, Ahead[RowPairs]]) -> Iterator[tuple[int, RowPairs]]:
    left = dict(readers)
    while left:
        for number in list(left):
            pair = next(left[number], None)
            if pair is None:
                del left[number]
            else:
                yield number, pair


def _pairs(
    connection: duckdb.DuckDBPyConnection, a: Path, b: Path, columns: Sequence[str], key: Sequence[str]
) -> Iterator[RowPairs]:
    schemas = [pq.read_schema(path) for path in (a, b)]
    relation = connection.sql(_query(a, b, columns, key, schemas[0]))
    for batch in relation.to_arrow_reader(rows_at_once(a, b)):
        if not batch.column(0).equals(batch.column(1)):
            raise RuntimeError(f"the rows of {a} and {b} were not read in one order")
        yield pair_of(batch, key, columns, schemas)


def _query(a: Path, b: Path, columns: Sequence[str], key: Sequence[str], schema: pa.Schema) -> str:
    keys = "".join(f", a.{quoted(name)}" for name in key)
    moved = " OR ".join(_moved(name, schema.field(name).type) for name in columns)
    both = f"{table(a, 'a')} POSITIONAL JOIN {table(b, 'b')}"
    return f"SELECT a.file_row_number, b.file_row_number{keys}{both_sides(columns)} FROM {both} WHERE {moved}"  # noqa: S608


def _moved(name: str, kind: pa.DataType) -> str:
    """To the database all NaN are one, as they are to us, and so are both zeros, which are not."""
    a, b = (f"{side}.{quoted(name)}" for side in "ab")
    moved = f"{a} IS DISTINCT FROM {b}"
    return f"{moved} OR ({a} = 0 AND signbit({a}) <> signbit({b}))" if pa.types.is_floating(kind) else moved


def null_counts(path: Path, names: Sequence[str]) -> dict[str, int]:
    """How many values of each column are null, by the file's own statistics where it has them."""
    metadata = pq.read_metadata(path)
    places = {metadata.schema.column(place).path: place for place in range(metadata.num_columns)}
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    found = {}
    for name in names:
        told = [group.column(places[name]) for group in groups]
        if all(one.is_stats_set and one.statistics.has_null_count for one in told):
            found[name] = sum(one.statistics.null_count for one in told)
        else:
            found[name] = sum(batch.column(0).null_count for batch in batches(path, [name]))
    return found


def first_rows(path: Path, name: str) -> pa.Array:
    """The first 100,000 values of a column."""
    return next((batch.column(0) for batch in batches(path, [name], SAMPLE)), pa.nulls(0))
