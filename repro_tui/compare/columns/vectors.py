"""Several columns that form one vector of probabilities, such as p_cat and p_dog: which they are, and their decision.

The record can declare vectors. Others are inferred among the columns of fractions: columns that share a word for
probability (`p_`, `_prob` and the like) at their beginning or end are a vector if the rows of a sample of both sides
sum to one; larger groups are tried first, and a column belongs to one vector only. If there is no such vector, all
columns of fractions together are tried.

Each member is compared as a column of its own, without a threshold; the vector adds the decision of the row. A row
flips where its most likely class (the first of equals) changes, and the flip is recorded in the differing cells of the
old and the new class. Example: (0.6, 0.3, 0.1) to (0.3, 0.6, 0.1) flips from class 0 to class 1; the third cell is
equal.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from repro_tui.compare.columns.cells import MASKS, Cells, ComparisonSpec, Tally
from repro_tui.compare.columns.differences import Differences
from repro_tui.compare.columns.kinds import WORD_OF_PROBABILITY, adds_up
from repro_tui.compare.columns.lists.probability import Shift, divergence, most_likely_class
from repro_tui.compare.columns.moments import Moments
from repro_tui.compare.columns.moved import moved
from repro_tui.compare.columns.numbers import NumberColumn
from repro_tui.compare.rows.arrays import Mask
from repro_tui.compare.rows.pairs import RowPairs, sampled_groups
from repro_tui.model.predictions import Column
from repro_tui.model.record import ColumnRule
from repro_tui.support.text import shorten_middle

SAMPLE = 5_000  # rows of each of three row groups
_FIRST = re.compile(rf"(?i)^({WORD_OF_PROBABILITY}(?:[_.\s]|(?=\d)))(.+)$")
_LAST = re.compile(rf"(?i)^(.+?)([_.\s]{WORD_OF_PROBABILITY})$")
LONGEST = 40  # characters of the name of a vector that is inferred without a common word
NOT_ONE = "the rows do not sum to one"


@dataclass(frozen=True, slots=True)
class Group:
    """Columns that form one vector, and the class of each; `sums` says whether the rows of a sample sum to one."""

    name: str
    members: tuple[str, ...]
    classes: tuple[str, ...]
    sums: bool = True


def declared_groups(rules: Mapping[str, ColumnRule]) -> list[Group]:
    """The vectors that the record declares, in its order."""
    members: dict[str, list[str]] = {}
    for column, rule in rules.items():
        if rule.vector is not None:
            members.setdefault(rule.vector, []).append(column)
    return [Group(name, tuple(columns), _classes(columns)) for name, columns in members.items()]


def _classes(names: Sequence[str]) -> tuple[str, ...]:
    """The columns' names without the word for probability, if they all have it at the same end."""
    for pattern, part in ((_FIRST, 2), (_LAST, 1)):
        matches = [pattern.match(name) for name in names]
        if all(matches):
            return tuple(match[part] for match in matches if match)
    return tuple(names)


def groups_of(a: Path, b: Path, names: Sequence[str]) -> list[Group]:
    """The vectors among these columns of fractions, named alike or else all together, whose rows sum to one."""
    vectors, free = [], list(names)
    for group in (*_alike(names), *_all_together(names)):
        if set(group.members) <= set(free) and sums_to_one(a, b, group.members):
            vectors.append(group)
            free = [name for name in free if name not in group.members]
    return vectors


def _alike(names: Sequence[str]) -> Iterator[Group]:
    """Columns that share a word for probability, the largest group first."""
    stems: dict[str, list[tuple[str, str]]] = {}
    for name in names:
        if match := _FIRST.match(name):
            stems.setdefault(f"{match[1]}*", []).append((name, match[2]))
        if match := _LAST.match(name):
            stems.setdefault(f"*{match[2]}", []).append((name, match[1]))
    for stem, members in sorted(stems.items(), key=lambda entry: -len(entry[1])):
        if len(members) > 1:
            yield Group(stem, tuple(name for name, _ in members), tuple(label for _, label in members))


def _all_together(names: Sequence[str]) -> Iterator[Group]:
    if len(names) > 1:
        yield Group(shorten_middle(" + ".join(names), LONGEST), tuple(names), tuple(names))


def sums_to_one(a: Path, b: Path, members: Sequence[str]) -> bool:
    """Whether the rows of a sample of both sides sum to one over these columns."""
    return all(_sums_to_one(path, members) for path in (a, b))


def _sums_to_one(path: Path, members: Sequence[str]) -> bool:
    """Whether the sampled rows without nulls sum to one; False if there are none."""
    with pq.ParquetFile(path) as file:
        firsts = [
            next(file.iter_batches(SAMPLE, row_groups=[number], columns=list(members)), None)
            for number in sampled_groups(file.metadata)
        ]
    batches = [batch for batch in firsts if batch is not None]
    if not batches:
        return False
    table = pa.Table.from_batches(batches).drop_null()
    values = np.stack([np.asarray(table.column(name), dtype=np.float64) for name in members])
    with np.errstate(invalid="ignore"):
        return table.num_rows > 0 and adds_up(values, values.sum(axis=0))


class VectorColumns:
    """Compares the columns of one vector. A row flips where another class is the most likely (the first of equals)."""

    def __init__(self, spec: ComparisonSpec, group: Group, members: Sequence[NumberColumn]) -> None:
        self.spec, self.group, self.members = spec, group, members
        self.tally, self.shift = Tally(), Shift()

    def compare_batch(self, pair: RowPairs, differences: Differences) -> None:
        """Compares one batch: the rows in which any of the columns moved."""
        names = self.group.members
        rows = np.unique(np.concatenate([moved(pair.a[name], pair.b[name]) for name in names]))
        self.tally.count_identical(len(pair) - len(rows))
        for member in self.members:
            member.count_identical(len(pair) - len(rows))
        if len(rows):
            part = pair.only(pa.array(rows), *names)
            self._decide(part, [member.compare_batch(part) for member in self.members], differences)

    def complete(self, rows: int) -> None:
        """Accounts for all `rows`, after only those that moved were compared: the rest are identical."""
        self.tally.count_identical(rows - self.tally.rows)

    def _decide(self, part: RowPairs, columns: list[Cells], differences: Differences) -> None:
        """Finds the rows that flip, and writes the cells that differ, of the members' `columns` of cells."""
        a, b = (np.stack([getattr(cells, side) for cells in columns], axis=1) for side in ("a_number", "b_number"))
        width = len(columns)
        starts, sizes = np.arange(len(a)) * width, np.full(len(a), width)
        class_a, class_b = (most_likely_class(side.ravel(), starts, sizes) for side in (a, b))
        flip = self.shift.add(class_a, class_b, divergence(a.ravel(), b.ravel(), starts))
        for index, (member, cells) in enumerate(zip(self.members, columns, strict=True)):
            own = flip & ((class_a == index) | (class_b == index)) & ~cells.equal
            differences.add_cells(member.spec.name, part, replace(cells, flip=own))
        self.tally.add(_row_by_row(columns, flip))

    def result(self) -> Column:
        """The vector's own result; the columns have theirs."""
        moments, rows = Moments(), self.tally.rows
        for member in self.members:
            moments.join(member.moments)
        finite = sum(member.finite if moments.largest else member.any_finite for member in self.members)
        nulls = max(member.nulls_a for member in self.members), max(member.nulls_b for member in self.members)
        passing = [member.result().smallest_passing for member in self.members]
        return replace(
            self.tally.result(self.spec, nulls),
            max_abs=moments.largest if finite else None,
            max_rel=moments.largest_relative if finite else None,
            non_finite=sum(member.non_finite for member in self.members),
            flips=self.tally.flips,
            flip_matrix=self.shift.matrix(self.group.classes),
            smallest_passing=None if self.tally.flips or None in passing else _loosest(passing),
            measures=moments.distances(finite) | self._shift_measures(rows),
            members=self.group.members,
            note="" if self.group.sums else NOT_ONE,
        )

    def _shift_measures(self, rows: int) -> dict[str, object]:
        """The measures of the decision; divergences only where the rows are distributions."""
        measures = self.shift.measures(rows)
        if self.group.sums or not measures:
            return measures
        return {"flip_rate": measures["flip_rate"]}


def _loosest(tolerances: Sequence[dict[str, float] | None]) -> dict[str, float]:
    return max((tolerance for tolerance in tolerances if tolerance), key=lambda tolerance: tolerance["atol"])


def _row_by_row(columns: list[Cells], flip: Mask) -> Cells:
    """The cells of the vector itself: a row passes a mask if all of its columns do."""
    masks = {name: np.logical_and.reduce([getattr(cells, name) for cells in columns]) for name in MASKS}
    nothing = np.full(len(flip), np.nan)
    return Cells(**masks, flip=flip, delta=nothing, scale=nothing, a_number=nothing, b_number=nothing)
