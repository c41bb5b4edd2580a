"""Checks that every input row was answered exactly once: the keys of an output against those of the inputs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from repro_tui.compare.rows.database import Database, identifier, quoted
from repro_tui.compare.rows.pairs import batches
from repro_tui.support.text import plural, quote, show

EXAMPLES = 3


def unanswered(inputs: Path, output: Path, key: Sequence[str], database: Database) -> str:
    """Why an output does not answer every input row exactly once, with examples; "" where it does.

    Nothing is checked if one of the tables lacks a column of the key, or if the key cannot identify rows (floats and
    lists), which the pairing of rows reports. Keys of different types are compared in the output's type: a format
    without types may have "7", "007" or "2026-05-01" where the output has a number or a date.
    """
    schemas = [pq.read_schema(path) for path in (inputs, output)]
    if not key or not all({*key} <= set(schema.names) for schema in schemas):
        return ""
    types = [schema.field(name).type for schema in schemas for name in key]
    if any(pa.types.is_floating(kind) or pa.types.is_nested(kind) for kind in types):
        return ""
    if _in_order(inputs, output, key):
        return ""
    with database.pair(inputs, output) as connection:
        return _AnsweredKeys(connection, key).problem()


def _in_order(inputs: Path, output: Path, key: Sequence[str]) -> bool:
    """Whether both files have the same keys in the same order, as most outputs do: then no join is needed."""
    for asked, answered in zip_longest(batches(inputs, list(key)), batches(output, list(key))):
        if asked is None or answered is None or asked.num_rows != answered.num_rows:
            return False
        pairs = zip(asked.columns, answered.columns, strict=True)
        if not all(_as_text(column).equals(_as_text(answers)) for column, answers in pairs):
            return False
    return True


def _as_text(array: pa.Array) -> pa.Array:
    return array if pa.types.is_string(array.type) else pc.cast(array, pa.string())


def _text(name: str, kind: str, table: str) -> str:
    """A part of the key as text, in SQL; of the inputs (a), as a value of the output's type if it is one."""
    plain = f"CAST({quoted(name)} AS VARCHAR)"
    return f"COALESCE(CAST(TRY_CAST({quoted(name)} AS {kind}) AS VARCHAR), {plain})" if table == "a" else plain


@dataclass(frozen=True, slots=True)
class _KeySelection:
    """Some of the keys: how many there are, how many rows have them, and a few examples."""

    keys: int
    rows: int
    examples: str


class _AnsweredKeys:
    """The keys of the inputs (a) and of an output (b), as the tables keys_a and keys_b with the columns k0, k1, … n."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, key: Sequence[str]) -> None:
        self._connection = connection
        self._columns = [f"k{index}" for index in range(len(key))]
        self._names = ", ".join(self._columns)
        self._same = " AND ".join(f"keys_a.{column} IS NOT DISTINCT FROM keys_b.{column}" for column in self._columns)
        types = {name: kind for name, kind, *_ in connection.execute("DESCRIBE b").fetchall()}
        for table in "ab":
            texts = ", ".join(
                f"{_text(name, types[identifier(name)], table)} AS {column}"
                for name, column in zip(key, self._columns, strict=True)
            )
            counted = f"SELECT {self._names}, count(*) AS n FROM (SELECT {texts} FROM {table}) GROUP BY ALL"  # noqa: S608
            connection.execute(f"CREATE TEMP TABLE keys_{table} AS {counted}")

    def problem(self) -> str:
        """What is wrong, and the likely cause; "" where every key is answered once."""
        unknown, missing = self._only_in("b", "a"), self._only_in("a", "b")
        repeated = self._select(
            f"SELECT {', '.join(f'keys_b.{column}' for column in self._columns)}, keys_b.n FROM keys_b "  # noqa: S608
            f"JOIN keys_a ON {self._same} WHERE keys_b.n > keys_a.n"
        )
        problems = []
        if unknown:
            have = "has a key" if unknown.rows == 1 else "have a key"
            problems.append(f"{plural(unknown.rows, 'output row')} {have} that is in no input row ({unknown.examples})")
        if missing:
            problems.append(f"{_input_rows(missing.keys)} without an answer ({missing.examples})")
        if repeated:
            problems.append(f"{_input_rows(repeated.keys)} answered more than once ({repeated.examples})")
        return "; ".join(problems) + (self._cause() if problems else "")

    def _only_in(self, table: str, absent: str) -> _KeySelection | None:
        """The keys of one table that are `absent` from the other."""
        return self._select(
            f"SELECT {self._names}, n FROM keys_{table} WHERE NOT EXISTS "  # noqa: S608
            f"(SELECT 1 FROM keys_{absent} WHERE {self._same})"
        )

    def _select(self, query: str) -> _KeySelection | None:
        """The keys that a query returns, followed by their numbers of rows; None where there are none."""
        keys, rows = self._connection.execute(f"SELECT count(*), sum(n) FROM ({query})").fetchall()[0]  # noqa: S608
        if not keys:
            return None
        first = self._connection.execute(f"{query} ORDER BY ALL LIMIT {EXAMPLES}").fetchall()
        examples = [", ".join(_example(value) for value in row[:-1]) for row in first]
        return _KeySelection(keys, rows, f"such as {', '.join(examples)}")

    def _cause(self) -> str:
        """What may have changed the output's keys ("" where it is not known)."""
        trimmed = " AND ".join(f"trim(keys_a.{column}) = trim(keys_b.{column})" for column in self._columns)
        padded = self._connection.execute(
            f"SELECT count(*) FROM keys_b WHERE EXISTS (SELECT 1 FROM keys_a WHERE {trimmed}) "  # noqa: S608
            f"AND NOT EXISTS (SELECT 1 FROM keys_a WHERE {self._same})"
        ).fetchall()[0][0]
        if padded:
            return ": the keys differ only in leading or trailing spaces"
        (distinct,) = self._connection.execute("SELECT count(*) FROM keys_b").fetchall()[0]
        return ": all output rows have the same key" if distinct == 1 else ""


def _input_rows(keys: int) -> str:
    return f"{plural(keys, 'input row')} {'is' if keys == 1 else 'are'}"


def _example(value: object) -> str:
    """A value of a key; a text in quotes, so that a trailing blank is seen."""
    return quote(value, 60) if isinstance(value, str) else show(value, 60)
