"""Two tables in the same order, read side by side by the database, which returns only the rows whose bits differ.

Most audits compare tables in which few rows moved. DuckDB filters these faster than they could be handed over to Python
to be compared there. It is used only for types whose bits it compares as `columns.moved` does; the exceptions are NaN,
which it takes to be equal (so does the comparison), and the two zeros, whose signs the query compares explicitly.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from repro_tui.compare.rows.database import Database, quoted, table
from repro_tui.compare.rows.pairs import SAMPLE, Prefetch, RowPairs, batches, both_sides, pair_of, rows_at_once


def can_be_left_out(a: pa.DataType, b: pa.DataType) -> bool:
    """Whether the database compares the bits of two columns as we do: same type, and not lists, times or float16."""
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
    """The rows of two files in which a column of a part moved, as (number of the part, batch with its columns).

    `parts` are groups of columns, of which `at_once` are read at the same time, each in a thread of its own. Batches
    are taken from them in turn, so that their order is always the same. `check` is called while waiting, and may raise.
    Raises RuntimeError if the database did not keep the order of the rows.
    """
    for start in range(0, len(parts), at_once):
        with ExitStack() as stack:
            readers: dict[int, Prefetch[RowPairs]] = {}
            for number, columns in enumerate(parts[start : start + at_once], start):
                connection = stack.enter_context(database.connection())
                pairs = Prefetch(_pairs(connection, a, b, columns, key), check, connection.interrupt)
                readers[number] = stack.enter_context(closing(pairs))
            yield from _in_turns(readers)


def _in_turns(readers: dict[int, Prefetch[RowPairs]]) -> Iterator[tuple[int, RowPairs]]:
    open_readers = dict(readers)
    while open_readers:
        for number in list(open_readers):
            pair = next(open_readers[number], None)
            if pair is None:
                del open_readers[number]
            else:
                yield number, pair


def _pairs(
    connection: duckdb.DuckDBPyConnection, a: Path, b: Path, columns: Sequence[str], key: Sequence[str]
) -> Iterator[RowPairs]:
    schemas = [pq.read_schema(path) for path in (a, b)]
    relation = connection.sql(_query(a, b, columns, key, schemas[0]))
    for batch in relation.to_arrow_reader(rows_at_once(a, b)):
        if not batch.column(0).equals(batch.column(1)):
            raise RuntimeError(f"the rows of {a} and {b} were not read in the same order")
        yield pair_of(batch, key, columns, schemas)


def _query(a: Path, b: Path, columns: Sequence[str], key: Sequence[str], schema: pa.Schema) -> str:
    keys = "".join(f", a.{quoted(name)}" for name in key)
    moved = " OR ".join(_moved(name, schema.field(name).type) for name in columns)
    both = f"{table(a, 'a')} POSITIONAL JOIN {table(b, 'b')}"
    return f"SELECT a.file_row_number, b.file_row_number{keys}{both_sides(columns)} FROM {both} WHERE {moved}"  # noqa: S608


def _moved(name: str, kind: pa.DataType) -> str:
    """The condition, in SQL, that a column differs. To DuckDB both zeros are equal, so their signs are compared."""
    a, b = (f"{side}.{quoted(name)}" for side in "ab")
    moved = f"{a} IS DISTINCT FROM {b}"
    return f"{moved} OR ({a} = 0 AND signbit({a}) <> signbit({b}))" if pa.types.is_floating(kind) else moved


def null_counts(path: Path, names: Sequence[str]) -> dict[str, int]:
    """How many values of each column are null, from the file's own statistics where it has them."""
    metadata = pq.read_metadata(path)
    positions = {metadata.schema.column(index).path: index for index in range(metadata.num_columns)}
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    nulls = {}
    for name in names:
        chunks = [group.column(positions[name]) for group in groups]
        if all(chunk.is_stats_set and chunk.statistics.has_null_count for chunk in chunks):
            nulls[name] = sum(chunk.statistics.null_count for chunk in chunks)
        else:
            nulls[name] = sum(batch.column(0).null_count for batch in batches(path, [name]))
    return nulls


def first_rows(path: Path, name: str) -> pa.Array:
    """The first 100,000 values of a column."""
    return next((batch.column(0) for batch in batches(path, [name], SAMPLE)), pa.nulls(0))
