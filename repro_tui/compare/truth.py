"""Which side is right, where the truth is known: McNemar's test of labels, and the calibration of probabilities.

Counted by the database over both sides' whole tables, so that no size is too large. The truth is a column of the
inputs, or else of each side's own outputs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq

from repro_tui.compare.alignment import Alignment
from repro_tui.compare.database import database, parquet, quoted
from repro_tui.compare.outcomes import names_class
from repro_tui.model.predictions import Column
from repro_tui.support.text import show

BINS = 10
TRUTH = "__truth"


def with_truth(
    columns: Sequence[Column], alignment: Alignment, inputs: Path, truth: str, scratch: Path
) -> Iterator[Column]:
    """The columns, with what the truth says of them; as they were where it is not known or does not fit."""
    with database(scratch, alignment.a, alignment.b, alignment.memory) as connection:
        found = _Truth(connection, alignment, inputs, truth)
        ready = found.prepare()
        for column in columns:
            told = found.told(column) if ready and column.name != truth else {}
            yield replace(column, measures=column.measures | told) if told else column


@dataclass(slots=True)
class _Truth:
    connection: duckdb.DuckDBPyConnection
    alignment: Alignment
    inputs: Path
    truth: str
    classes: tuple[str, ...] = ()

    def prepare(self) -> bool:
        """Lays the truth beside both sides' rows; False where it is not known of any."""
        tables = [self._told(side) for side in "ab"]
        if None in tables:
            return False
        for side, query in zip("ab", tables, strict=True):
            self.connection.execute(f"CREATE TEMP VIEW told_{side} AS {query}")
        query = f"SELECT DISTINCT {_plain(TRUTH)} FROM told_a WHERE {TRUTH} IS NOT NULL ORDER BY 1 LIMIT 1001"  # noqa: S608
        self.classes = tuple(row[0] for row in self.connection.execute(query).fetchall())
        return bool(self.classes)

    def _told(self, side: str) -> str | None:
        """One side's rows with their truth."""
        path, key = (self.alignment.a if side == "a" else self.alignment.b), self.alignment.key
        own = pq.read_schema(path).names
        known = pq.read_schema(self.inputs).names if self.inputs.is_file() else []
        if self.truth not in known:
            return f"SELECT *, {quoted(self.truth)} AS {TRUTH} FROM {side}" if self.truth in own else None  # noqa: S608
        there = f"(SELECT {', '.join(map(quoted, (*key, self.truth)))}, file_row_number AS __row FROM {parquet(self.inputs)}) i"  # noqa: S608, E501
        if key and set(key) <= set(known):
            on = " AND ".join(f"CAST(s.{quoted(n)} AS VARCHAR) = CAST(i.{quoted(n)} AS VARCHAR)" for n in key)
        elif key:
            return None
        else:
            on = "s.file_row_number = i.__row"
        return f"SELECT s.*, i.{quoted(self.truth)} AS {TRUTH} FROM {side} s JOIN {there} ON {on}"  # noqa: S608

    def told(self, column: Column) -> dict[str, Any]:
        """What the truth says of one column that moved; where that cannot be counted, why."""
        if column.verdict in ("not-comparable", "identical"):
            return {}
        try:
            return self._measures(column)
        except duckdb.Error as error:
            return {"truth": f"not measured: {show(str(error), 200)}"}

    def _measures(self, column: Column) -> dict[str, Any]:
        if column.kind == "label":
            return self._labels(column.name)
        if column.kind == "probability" and column.members:
            return self._vector(column)
        if column.kind == "probability" and column.flips is not None and "list" not in column.type_a:
            hit = f"({_plain(TRUTH)} = {_literal(self.classes[-1])})"
            return self._calibration(quoted(column.name), hit) if len(self.classes) == 2 else {}
        return {}

    def _labels(self, name: str) -> dict[str, Any]:
        """How often each side is right, and alone so; McNemar's exact test says whether that is chance."""
        right = [f"{_plain(f'{side}.{quoted(name)}')} = {_plain(f'{side}.{TRUTH}')}" for side in "ab"]
        counts = ", ".join(
            f"count(*) FILTER ({where})"
            for where in (right[0], right[1], f"{right[0]} AND NOT {right[1]}", f"{right[1]} AND NOT {right[0]}")
        )
        rows, a, b, only_a, only_b = self._one(f"SELECT count(*), {counts} FROM {self._both()}")  # noqa: S608
        if not rows or not (a or b):
            return {}
        from scipy.stats import binomtest

        apart = only_a + only_b
        p = float(binomtest(only_a, apart).pvalue) if apart else 1.0
        told = {"accuracy_a": a / rows, "accuracy_b": b / rows, "only_a_right": only_a, "only_b_right": only_b}
        return told | {"mcnemar_p": p}

    def _both(self) -> str:
        """The rows of both sides that have a label's truth."""
        key = self.alignment.key
        on = " AND ".join(f"a.{quoted(n)} = b.{quoted(n)}" for n in key) or "a.file_row_number = b.file_row_number"
        return f"told_a a JOIN told_b b ON {on} WHERE a.{TRUTH} IS NOT NULL"

    def _calibration(self, value: str, hit: str) -> dict[str, Any]:
        """The Brier score and the calibration error of each side; the later of two classes is the positive one."""
        found: dict[str, Any] = {}
        for side in "ab":
            square = f"pow({value} - CAST({hit} AS INTEGER), 2)"
            bins = (
                f"SELECT least(floor({value} * {BINS}), {BINS - 1}) AS bin, count(*) AS n, avg({value}) AS p,"  # noqa: S608
                f" avg(CAST({hit} AS INTEGER)) AS y, sum({square}) AS q FROM told_{side}"
                f" WHERE {TRUTH} IS NOT NULL AND isfinite({value}) GROUP BY bin"
            )
            query = f"SELECT sum(n), sum(q) / sum(n), sum(n * abs(p - y)) / sum(n) FROM ({bins})"  # noqa: S608
            rows, brier, error = self._one(query)
            if not rows:
                return {}
            found |= {f"brier_{side}": brier, f"calibration_error_{side}": error}
        return found

    def _vector(self, column: Column) -> dict[str, Any]:
        """Of several columns: the likeliest class's probability against how often that class is the true one."""
        classes = {self._class_of(name): quoted(name) for name in column.members}
        if None in classes or len(classes) != len(column.members):
            return {}
        ordered = list(classes.items())
        best = f"greatest({', '.join(value for _, value in ordered)})"
        cases = " ".join(f"WHEN {value} = {best} THEN {_literal(label or '')}" for label, value in ordered)
        found = self._calibration(best, f"((CASE {cases} END) = {_plain(TRUTH)})")
        return {name: value for name, value in found.items() if not name.startswith("brier")}

    def _class_of(self, name: str) -> str | None:
        """The class that a column is named for: it begins or ends with it."""
        fitting = [label for label in self.classes if names_class(name, label)]
        return max(fitting, key=len) if fitting else None

    def _one(self, query: str) -> Any:
        return self.connection.execute(query).fetchall()[0]


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _plain(value: str) -> str:
    """A label as text that does not depend on its type: 1, 1.0 and true are one label."""
    text = f"CAST({value} AS VARCHAR)"
    return f"CASE {text} WHEN 'true' THEN '1' WHEN 'false' THEN '0' ELSE regexp_replace({text}, '\\.0$', '') END"
