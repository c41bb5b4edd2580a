"""Which side is right, where the truth is known: McNemar's test for labels, and scores for probabilities.

Labels: the accuracy of each side, and how many rows A alone and B alone get right. McNemar's test (1947), in its exact
form, asks whether these two counts could be equal but for chance: under that hypothesis, each of the rows that exactly
one side gets right is a fair coin. Example: 4 rows right in A alone and 1 in B alone give p = 0.375, which proves
nothing.

Probabilities: the Brier score, the log loss and the calibration error of each side (see `scores`). They may be one
column for two classes, several columns that are named for their classes, or lists.

The truth is a column of the inputs, or else of each side's own outputs. Everything is counted in the database over both
whole tables, in bounded memory, whatever their sizes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from repro_tui.compare.columns.moments import floats
from repro_tui.compare.columns.nested import counts, leaves
from repro_tui.compare.rows.alignment import Alignment
from repro_tui.compare.rows.arrays import Indices
from repro_tui.compare.rows.database import quoted, table
from repro_tui.compare.rows.pairs import rows_at_once
from repro_tui.compare.truth.outcomes import names_class
from repro_tui.compare.truth.scores import Scores
from repro_tui.model.predictions import Column
from repro_tui.support.text import plural, show

TRUTH = "__truth"
MOST_CLASSES = 1_000


class _UnfitError(Exception):
    """The truth cannot be compared with a column; the message says why."""


def with_truth(columns: Sequence[Column], alignment: Alignment, inputs: Path, truth: str) -> Iterator[Column]:
    """The columns, with the measures of how right each side is; unchanged where the truth is not known or does not
    apply.

    `truth` names its column, and `inputs` is the table of the validation inputs, which need not exist.
    """
    with alignment.database.pair(alignment.a, alignment.b) as connection:
        truths = _Truth(connection, alignment, inputs, truth)
        ready = truths.prepare()
        for column in columns:
            measures = truths.measures_of(column) if ready and column.name != truth else {}
            yield replace(column, measures=column.measures | measures) if measures else column


@dataclass(slots=True)
class _Truth:
    connection: duckdb.DuckDBPyConnection
    alignment: Alignment
    inputs: Path
    truth: str
    classes: tuple[str, ...] = ()

    def prepare(self) -> bool:
        """Creates the views true_a and true_b, the rows of each side with their truth; False if it is not known."""
        queries = [self._with_truth(side) for side in "ab"]
        if None in queries:
            return False
        for side, query in zip("ab", queries, strict=True):
            self.connection.execute(f"CREATE TEMP VIEW true_{side} AS {query}")
        union = " UNION ".join(f"SELECT {_plain(TRUTH)} FROM true_{side} WHERE {TRUTH} IS NOT NULL" for side in "ab")  # noqa: S608
        labels = self.connection.execute(f"{union} ORDER BY 1 LIMIT {MOST_CLASSES + 1}").fetchall()
        self.classes = _in_order([row[0] for row in labels])
        return bool(self.classes)

    def _with_truth(self, side: str) -> str | None:
        """A query for the rows of one side with their truth; None where it is not known."""
        path, key = (self.alignment.a if side == "a" else self.alignment.b), self.alignment.key
        in_inputs = pq.read_schema(self.inputs).names if self.inputs.is_file() else []
        if self.truth not in in_inputs:
            in_outputs = self.truth in pq.read_schema(path).names
            return f"SELECT *, {quoted(self.truth)} AS {TRUTH} FROM {side}" if in_outputs else None  # noqa: S608
        if not set(key) <= set(in_inputs):
            return None
        on = " AND ".join(f"CAST(s.{quoted(n)} AS VARCHAR) = CAST(i.{quoted(n)} AS VARCHAR)" for n in key)
        columns = ", ".join(map(quoted, (*key, self.truth)))
        inputs = f"(SELECT {columns}, file_row_number AS __row FROM {table(self.inputs)}) i"  # noqa: S608
        joined = f"{side} s JOIN {inputs} ON {on or 's.file_row_number = i.__row'}"
        return f"SELECT s.*, i.{quoted(self.truth)} AS {TRUTH} FROM {joined}"  # noqa: S608

    def measures_of(self, column: Column) -> dict[str, object]:
        """How right each side is in one column that moved; if that cannot be measured, the reason."""
        if column.verdict in ("not-comparable", "identical"):
            return {}
        try:
            return self._measures(column)
        except (duckdb.Error, _UnfitError) as error:
            return {"truth": f"not measured: {show(str(error), 200)}"}

    def _measures(self, column: Column) -> dict[str, object]:
        if column.kind == "label":
            return self._labels(column.name)
        if column.kind != "probability" or not (column.members or column.flips is not None):
            return {}
        measures: dict[str, object] = {}
        for side, kind in (("a", column.type_a), ("b", column.type_b)):
            measures |= self._scores(column, side, kind).measures(side)
        return measures

    def _labels(self, name: str) -> dict[str, object]:
        """The accuracies, the rows that one side alone gets right, and McNemar's exact p-value."""
        right = [f"{_plain(f'{side}.{quoted(name)}')} = {_plain(f'{side}.{TRUTH}')}" for side in "ab"]
        conditions = right[0], right[1], f"{right[0]} AND NOT {right[1]}", f"{right[1]} AND NOT {right[0]}"
        filtered = ", ".join(f"count(*) FILTER ({condition})" for condition in conditions)
        query = f"SELECT count(*), {filtered} FROM {self._both()}"  # noqa: S608
        rows, right_a, right_b, only_a, only_b = self.connection.execute(query).fetchall()[0]
        if not rows or not (right_a or right_b):
            return {}
        from scipy.stats import binomtest

        discordant = only_a + only_b
        return {
            "accuracy_a": right_a / rows,
            "accuracy_b": right_b / rows,
            "only_a_right": only_a,
            "only_b_right": only_b,
            "mcnemar_p": float(binomtest(only_a, discordant).pvalue) if discordant else 1.0,
        }

    def _both(self) -> str:
        """The matched rows whose truth is known, in SQL."""
        key = self.alignment.key
        on = " AND ".join(f"a.{quoted(n)} = b.{quoted(n)}" for n in key) or "a.file_row_number = b.file_row_number"
        return f"true_a a JOIN true_b b ON {on} WHERE a.{TRUTH} IS NOT NULL"

    def _scores(self, column: Column, side: str, kind: str) -> Scores:
        """The scores of one side's probabilities; `kind` is the type of the column. Raises _UnfitError."""
        if column.members and column.note:
            raise _UnfitError(column.note)
        if column.members:
            scores = self._of_columns(side, column.members)
        elif "list" in kind:
            scores = self._of_lists(side, column.name, kind)
        else:
            scores = self._of_positive_class(side, column.name)
        if not scores.rows:
            raise _UnfitError(f"no row of {side.upper()} has both a truth and a probability")
        return scores

    def _of_positive_class(self, side: str, name: str) -> Scores:
        """The scores of one column, for the second of two classes."""
        if len(self._few_classes()) != 2:
            raise _UnfitError(f"the truth has {_class_count(len(self.classes))}, and a single probability needs two")
        scores = Scores()
        for p, truth in self._batches(side, (name,)):
            scores.add(floats(p), _class_indices(truth, self.classes) == 1)
        return scores

    def _of_columns(self, side: str, members: tuple[str, ...]) -> Scores:
        """The scores of a vector; every class of the truth needs a column that is named for it."""
        named = [(label, name) for name in members if (label := self._class_of(name)) is not None]
        for label in self._few_classes():
            count = sum(named_label == label for named_label, _ in named)
            if count != 1:
                subject = f"{count} columns are" if count else "no column is"
                raise _UnfitError(f"{subject} named for {label}, which is the truth of some rows")
        member_of = {label: members.index(name) for label, name in named}
        members_in_order = np.array([member_of[label] for label in self.classes])
        scores = Scores()
        for *columns, truth in self._batches(side, members):
            p = np.stack(list(map(floats, columns)), axis=1)
            scores.add_vectors(p, members_in_order[_class_indices(truth, self.classes)])
        return scores

    def _of_lists(self, side: str, name: str, kind: str) -> Scores:
        """The scores of lists. Whole numbers as truth are indices into the list, from 0; other labels are sorted."""
        if kind.count("list") > 1:
            raise _UnfitError("the lists are nested")
        whole = all(label.isdigit() for label in self.classes)
        classes, scores = () if whole else self._few_classes(), Scores()
        for lists, truth in self._batches(side, (name,)):
            filled = lists.is_valid()
            lists, truth = lists.filter(filled), truth.filter(filled)
            sizes = counts(lists)
            if len(sizes) and not classes:
                classes = tuple(map(str, range(sizes[0])))
            if (sizes != len(classes)).any():
                length = plural(int(sizes[sizes != len(classes)][0]), "number")
                raise _UnfitError(f"{side.upper()} has lists of {length} for {_class_count(len(classes))}")
            indices = _class_indices(truth, classes)
            if (indices < 0).any():
                label = truth[int(np.flatnonzero(indices < 0)[0])].as_py()
                last = len(classes) - 1
                raise _UnfitError(f"the truth has the class {label}, and the classes of the lists are 0 to {last}")
            scores.add_vectors(floats(leaves(lists)).reshape(len(lists), len(classes)), indices)
        return scores

    def _few_classes(self) -> tuple[str, ...]:
        """The classes. Raises _UnfitError where there are too many."""
        if len(self.classes) > MOST_CLASSES:
            raise _UnfitError(f"the truth has more than {MOST_CLASSES:,} classes")
        return self.classes

    def _batches(self, side: str, names: tuple[str, ...]) -> Iterator[list[pa.Array]]:
        """The columns of one side's rows that have a truth, followed by the truth as text, batch by batch."""
        columns = ", ".join((*map(quoted, names), _plain(TRUTH)))
        relation = self.connection.sql(f"SELECT {columns} FROM true_{side} WHERE {TRUTH} IS NOT NULL")  # noqa: S608
        for batch in relation.to_arrow_reader(rows_at_once(self.alignment.a, self.alignment.b)):
            yield batch.columns

    def _class_of(self, name: str) -> str | None:
        """The class that a column is named for (the longest that fits); None where there is none."""
        fitting = [label for label in self.classes if names_class(name, label)]
        return max(fitting, key=len) if fitting else None


def _in_order(labels: list[str]) -> tuple[str, ...]:
    """The classes in the order of scikit-learn: numbers by value, texts alphabetically."""
    try:
        return tuple(sorted(labels, key=float))
    except ValueError:
        return tuple(sorted(labels))


def _class_count(count: int) -> str:
    return f"{count:,} {'class' if count == 1 else 'classes'}"


def _class_indices(truth: pa.Array, classes: tuple[str, ...]) -> Indices:
    """The index of each row's class among the classes; -1 where it is not one of them."""
    indices = pc.index_in(truth, value_set=pa.array(classes, pa.string()))
    return np.asarray(pc.fill_null(indices, -1).to_numpy(zero_copy_only=False), dtype=np.int64)


def _plain(value: str) -> str:
    """A label as text, in SQL, whatever its type: 1, 1.0 and true are the same label."""
    text = f"CAST({value} AS VARCHAR)"
    return f"CASE {text} WHEN 'true' THEN '1' WHEN 'false' THEN '0' ELSE regexp_replace({text}, '\\.0$', '') END"
