"""Whether every input row was answered exactly once: an output's keys against those of the inputs."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from repro_tui.compare.rows.database import Database, identifier, quoted
from repro_tui.compare.rows.pairs import batches
from repro_tui.support.text import show

EXAMPLES = 3


def unanswered(inputs: Path, output: Path, key: Sequence[str], database: Database) -> str:
    """Why an output does not answer every input row once, in words with examples; "" where it does.

    It is not asked of inputs without the key's columns. Keys of two types are compared as the output has them: a format
    without types may have "7", "007" or "2026-05-01" where the output has a number or a day.
    """
    schemas = [pq.read_schema(path) for path in (inputs, output)]
    if not key or not all({*key} <= set(schema.names) for schema in schemas):
        return ""
    if any(pa.types.is_floating(kind) or pa.types.is_nested(kind) for kind in _types(schemas, key)):
        return ""  # which name no row: that is told where rows are paired
    if _in_order(inputs, output, key):
        return ""
    with database.pair(inputs, output) as connection:
        return _AnsweredKeys(connection, key).problem()


def _types(schemas: Sequence[pa.Schema], key: Sequence[str]) -> list[pa.DataType]:
    return [schema.field(name).type for schema in schemas for name in key]


def _in_order(inputs: Path, output: Path, key: Sequence[str]) -> bool:
    """Whether the keys stand in one order, which most outputs keep: then nothing needs to be joined."""
    for one, other in zip_longest(batches(inputs, list(key)), batches(output, list(key))):
        if one is None or other is None or one.num_rows != other.num_rows:
            return False
        if not all(_as_text(x).equals(_as_text(y)) for x, y in zip(one.columns, other.columns, strict=True)):
            return False
    return True


def _as_text(array: pa.Array) -> pa.Array:
    return array if pa.types.is_string(array.type) else pc.cast(array, pa.string())


def _text(name: str, kind: str, table: str) -> str:
    """A part of the key as text: of the inputs as a value of the output's type, where it is one."""
    plain = f"CAST({quoted(name)} AS VARCHAR)"
    return f"COALESCE(CAST(TRY_CAST({quoted(name)} AS {kind}) AS VARCHAR), {plain})" if table == "a" else plain


class _AnsweredKeys:
    """The keys of the inputs (a) and of an output (b)."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, key: Sequence[str]) -> None:
        self._connection, self._key = connection, key
        kinds = {name: kind for name, kind, *_ in connection.execute("DESCRIBE b").fetchall()}
        names = ", ".join(f"k{place}" for place in range(len(key)))
        for table in "ab":
            texts = ", ".join(
                f"{_text(name, kinds[identifier(name)], table)} AS k{place}" for place, name in enumerate(key)
            )
            counted = f"SELECT {names}, count(*) AS n FROM (SELECT {texts} FROM {table}) GROUP BY ALL"  # noqa: S608
            connection.execute(f"CREATE TEMP TABLE keys_{table} AS {counted}")
        self._names, self._same = (
            names,
            " AND ".join(f"keys_a.k{place} IS NOT DISTINCT FROM keys_b.k{place}" for place in range(len(key))),
        )

    def problem(self) -> str:
        """What is wrong, the cause that fits first."""
        strange, missing = self._alone("b", "a"), self._alone("a", "b")
        twice = self._found(
            f"SELECT {', '.join(f'keys_b.k{place}' for place in range(len(self._key)))}, keys_b.n FROM keys_b "  # noqa: S608
            f"JOIN keys_a ON {self._same} WHERE keys_b.n > keys_a.n"
        )
        told = []
        if strange:
            told.append(f"{_rows(strange)} in no input row ({self._examples(strange)})")
        if missing:
            told.append(f"{_inputs(missing)} without an answer ({self._examples(missing)})")
        if twice:
            told.append(f"{_inputs(twice)} answered more than once ({self._examples(twice)})")
        return "; ".join(told) + (self._cause() if told else "")

    def _alone(self, table: str, other: str) -> list[tuple[object, ...]]:
        return self._found(
            f"SELECT {self._names}, n FROM keys_{table} WHERE NOT EXISTS "  # noqa: S608
            f"(SELECT 1 FROM keys_{other} WHERE {self._same})"
        )

    def _found(self, query: str) -> list[tuple[object, ...]]:
        count = self._connection.execute(f"SELECT count(*), sum(n) FROM ({query})").fetchall()[0]  # noqa: S608
        if not count[0]:
            return []
        rows = self._connection.execute(f"{query} ORDER BY ALL LIMIT {EXAMPLES}").fetchall()
        return [(*count,), *rows]

    def _examples(self, found: list[tuple[object, ...]]) -> str:
        keys = [", ".join(show(repr(value), 60) for value in row[:-1]) for row in found[1:]]
        return "such as " + ", ".join(keys)

    def _cause(self) -> str:
        """What may have made the output's keys others."""
        trimmed = " AND ".join(f"trim(keys_a.k{place}) = trim(keys_b.k{place})" for place in range(len(self._key)))
        met = self._connection.execute(
            f"SELECT count(*) FROM keys_b WHERE EXISTS (SELECT 1 FROM keys_a WHERE {trimmed}) "  # noqa: S608
            f"AND NOT EXISTS (SELECT 1 FROM keys_a WHERE {self._same})"
        ).fetchall()[0][0]
        if met:
            return ": they differ in blanks at their ends"
        (distinct,) = self._connection.execute("SELECT count(*) FROM keys_b").fetchall()[0]
        return ": all rows have one and the same key" if distinct == 1 else ""


def _rows(found: list[tuple[object, ...]]) -> str:
    rows = found[0][1]
    return f"{rows:,} output rows have a key that is" if rows != 1 else "1 output row has a key that is"


def _inputs(found: list[tuple[object, ...]]) -> str:
    keys = found[0][0]
    return f"{keys:,} input rows are" if keys != 1 else "1 input row is"
