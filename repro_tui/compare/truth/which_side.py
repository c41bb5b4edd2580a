"""Which side is right, where the truth is known: McNemar's test of labels, and the scores of probabilities.

Counted by the database over both sides' whole tables, so that no size is too large. The truth is a column of the
inputs, or else of each side's own outputs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from repro_tui.compare.columns.nested import counts, leaves
from repro_tui.compare.rows.alignment import Alignment
from repro_tui.compare.rows.database import quoted, table
from repro_tui.compare.rows.pairs import rows_at_once
from repro_tui.compare.truth.outcomes import names_class
from repro_tui.compare.truth.scores import Floats, Places, Scores
from repro_tui.model.predictions import Column
from repro_tui.support.text import show

TRUTH = "__truth"
MOST_CLASSES = 1_000


class _UnfitError(Exception):
    """Why the truth says nothing of a column."""


def with_truth(columns: Sequence[Column], alignment: Alignment, inputs: Path, truth: str) -> Iterator[Column]:
    """The columns, with what the truth says of them; as they were where it is not known or does not fit."""
    with alignment.database.pair(alignment.a, alignment.b) as connection:
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
        every = " UNION ".join(f"SELECT {_plain(TRUTH)} FROM told_{side} WHERE {TRUTH} IS NOT NULL" for side in "ab")  # noqa: S608
        query = f"{every} ORDER BY 1 LIMIT {MOST_CLASSES + 1}"
        self.classes = _in_order([row[0] for row in self.connection.execute(query).fetchall()])
        return bool(self.classes)

    def _told(self, side: str) -> str | None:
        """One side's rows with their truth."""
        path, key = (self.alignment.a if side == "a" else self.alignment.b), self.alignment.key
        own = pq.read_schema(path).names
        known = pq.read_schema(self.inputs).names if self.inputs.is_file() else []
        if self.truth not in known:
            return f"SELECT *, {quoted(self.truth)} AS {TRUTH} FROM {side}" if self.truth in own else None  # noqa: S608
        there = f"(SELECT {', '.join(map(quoted, (*key, self.truth)))}, file_row_number AS __row FROM {table(self.inputs)}) i"  # noqa: S608, E501
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
        except (duckdb.Error, _UnfitError) as error:
            return {"truth": f"not measured: {show(str(error), 200)}"}

    def _measures(self, column: Column) -> dict[str, Any]:
        if column.kind == "label":
            return self._labels(column.name)
        if column.kind != "probability" or not (column.members or column.flips is not None):
            return {}
        found: dict[str, Any] = {}
        for side, kind in (("a", column.type_a), ("b", column.type_b)):
            found |= self._scores(column, side, kind).measures(side)
        return found

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

    def _scores(self, column: Column, side: str, kind: str) -> Scores:
        """The scores of one side's probabilities: of several columns, of lists, or of one column of two classes."""
        if column.members and column.note:
            raise _UnfitError(column.note)
        if column.members:
            found = self._of_columns(side, column.members)
        elif "list" in kind:
            found = self._of_lists(side, column.name, kind)
        else:
            found = self._of_one(side, column.name)
        if not found.rows:
            raise _UnfitError(f"no row of {side.upper()} has a truth and a probability")
        return found

    def _of_one(self, side: str, name: str) -> Scores:
        """The later of two classes is the positive one."""
        if len(self._few_classes()) != 2:
            raise _UnfitError(f"the truth has {len(self.classes):,} classes, and one probability is of two")
        found = Scores()
        for p, truth in self._batches(side, (name,)):
            found.add(_floats(p), _places(truth, self.classes) == 1)
        return found

    def _of_columns(self, side: str, members: tuple[str, ...]) -> Scores:
        """Each class of the truth has a column that is named for it; a class that is never true needs none."""
        named = [(label, name) for name in members if (label := self._class_of(name)) is not None]
        for label in self._few_classes():
            own = [name for found, name in named if found == label]
            if len(own) != 1:
                told = f"{len(own)} columns are" if own else "no column is"
                raise _UnfitError(f"{told} named for {label}, which is true of some rows")
        of_class = {label: members.index(name) for label, name in named}
        numbers = np.array([of_class[label] for label in self.classes])
        found = Scores()
        for *columns, truth in self._batches(side, members):
            found.add_vectors(np.stack(list(map(_floats, columns)), axis=1), numbers[_places(truth, self.classes)])
        return found

    def _of_lists(self, side: str, name: str, kind: str) -> Scores:
        """A truth of whole numbers is the place in the list, from 0; others are the classes in their order."""
        if kind.count("list") > 1:
            raise _UnfitError("the lists hold lists")
        whole = all(label.isdigit() for label in self.classes)
        classes, found = () if whole else self._few_classes(), Scores()
        for lists, truth in self._batches(side, (name,)):
            filled = lists.is_valid()
            lists, truth = lists.filter(filled), truth.filter(filled)
            sizes = counts(lists)
            if len(sizes) and not classes:
                classes = tuple(map(str, range(sizes[0])))
            if (sizes != len(classes)).any():
                other = int(sizes[sizes != len(classes)][0])
                raise _UnfitError(f"{side.upper()} has lists of {other:,} numbers beside {len(classes):,} classes")
            numbers = _places(truth, classes)
            if (numbers < 0).any():
                beyond = truth[int(np.flatnonzero(numbers < 0)[0])].as_py()
                raise _UnfitError(f"the truth has {beyond}, and lists of {len(classes):,} numbers begin with class 0")
            found.add_vectors(_floats(leaves(lists)).reshape(len(lists), len(classes)), numbers)
        return found

    def _few_classes(self) -> tuple[str, ...]:
        if len(self.classes) > MOST_CLASSES:
            raise _UnfitError(f"the truth has more than {MOST_CLASSES:,} classes")
        return self.classes

    def _batches(self, side: str, names: tuple[str, ...]) -> Iterator[list[pa.Array]]:
        """The columns of one side's rows that have a truth, and the truth as text at their end."""
        wanted = ", ".join((*map(quoted, names), _plain(TRUTH)))
        relation = self.connection.sql(f"SELECT {wanted} FROM told_{side} WHERE {TRUTH} IS NOT NULL")  # noqa: S608
        for batch in relation.to_arrow_reader(rows_at_once(self.alignment.a, self.alignment.b)):
            yield batch.columns

    def _class_of(self, name: str) -> str | None:
        """The class that a column is named for: it begins or ends with it."""
        fitting = [label for label in self.classes if names_class(name, label)]
        return max(fitting, key=len) if fitting else None

    def _one(self, query: str) -> Any:
        return self.connection.execute(query).fetchall()[0]


def _in_order(labels: list[str]) -> tuple[str, ...]:
    """Numbers by their size, texts by their letters, as scikit-learn does."""
    try:
        return tuple(sorted(labels, key=float))
    except ValueError:
        return tuple(sorted(labels))


def _places(truth: pa.Array, classes: tuple[str, ...]) -> Places:
    """The place of each row's class among the classes; -1 where it is none of them."""
    found = pc.index_in(truth, value_set=pa.array(classes, pa.string()))
    return np.asarray(pc.fill_null(found, -1).to_numpy(zero_copy_only=False), dtype=np.int64)


def _floats(values: pa.Array) -> Floats:
    return np.asarray(values.to_numpy(zero_copy_only=False), dtype=np.float64)


def _plain(value: str) -> str:
    """A label as text that does not depend on its type: 1, 1.0 and true are one label."""
    text = f"CAST({value} AS VARCHAR)"
    return f"CASE {text} WHEN 'true' THEN '1' WHEN 'false' THEN '0' ELSE regexp_replace({text}, '\\.0$', '') END"
