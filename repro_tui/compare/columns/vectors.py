"""Several columns that are one vector of probabilities, such as p_cat and p_dog: which they are, and their decision."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from repro_tui.compare.columns.cells import Cells, Mask, OfColumn, Tally
from repro_tui.compare.columns.differences import Differences
from repro_tui.compare.columns.kinds import WORD_OF_PROBABILITY, adds_up
from repro_tui.compare.columns.lists.probability import Shift, divergence, likeliest
from repro_tui.compare.columns.moments import Moments
from repro_tui.compare.columns.moved import moved
from repro_tui.compare.columns.numbers import NumberColumn
from repro_tui.compare.rows.pairs import RowPairs
from repro_tui.model.predictions import Column
from repro_tui.model.record import ColumnRule
from repro_tui.support.text import shorten_middle

SAMPLE = 5_000
_FIRST = re.compile(rf"(?i)^({WORD_OF_PROBABILITY}(?:[_.\s]|(?=\d)))(.+)$")
_LAST = re.compile(rf"(?i)^(.+?)([_.\s]{WORD_OF_PROBABILITY})$")
LONGEST = 40
NOT_ONE = "the rows do not sum to one"


@dataclass(frozen=True, slots=True)
class Group:
    """Columns that are one vector, and the class that each is of; whether their rows sum to one, of a sample."""

    name: str
    members: tuple[str, ...]
    classes: tuple[str, ...]
    sums: bool = True


def declared_groups(rules: Mapping[str, ColumnRule]) -> list[Group]:
    """The vectors that the record names, in its order."""
    members: dict[str, list[str]] = {}
    for column, rule in rules.items():
        if rule.vector is not None:
            members.setdefault(rule.vector, []).append(column)
    return [Group(name, tuple(columns), _classes(columns)) for name, columns in members.items()]


def _classes(names: Sequence[str]) -> tuple[str, ...]:
    """The columns' names without the word that says that they are probabilities, where they all have it."""
    for pattern, part in ((_FIRST, 2), (_LAST, 1)):
        hits = [pattern.match(name) for name in names]
        if all(hits):
            return tuple(hit[part] for hit in hits if hit)
    return tuple(names)


def groups_of(a: Path, b: Path, names: Sequence[str]) -> list[Group]:
    """The vectors among these columns of fractions: named alike (or all that there are), and their rows sum to one."""
    found, free = [], list(names)
    for group in (*_alike(names), *_rest(names)):
        if set(group.members) <= set(free) and sums_to_one(a, b, group.members):
            found.append(group)
            free = [name for name in free if name not in group.members]
    return found


def _alike(names: Sequence[str]) -> Iterator[Group]:
    """Columns that share the word that says that they are probabilities."""
    stems: dict[str, list[tuple[str, str]]] = {}
    for name in names:
        if hit := _FIRST.match(name):
            stems.setdefault(f"{hit[1]}*", []).append((name, hit[2]))
        if hit := _LAST.match(name):
            stems.setdefault(f"*{hit[2]}", []).append((name, hit[1]))
    for stem, members in sorted(stems.items(), key=lambda found: -len(found[1])):
        if len(members) > 1:
            yield Group(stem, tuple(name for name, _ in members), tuple(label for _, label in members))


def _rest(names: Sequence[str]) -> Iterator[Group]:
    if len(names) > 1:
        yield Group(shorten_middle(" + ".join(names), LONGEST), tuple(names), tuple(names))


def sums_to_one(a: Path, b: Path, members: Sequence[str]) -> bool:
    """Whether the rows of both sides do, of a sample."""
    return all(_sums_to_one(path, members) for path in (a, b))


def _sums_to_one(path: Path, members: Sequence[str]) -> bool:
    """Of a sample of the first, a middle and the last rows that are not null; of no rows it is not known."""
    with pq.ParquetFile(path) as file:
        last = max(0, file.metadata.num_row_groups - 1)
        numbers = sorted({0, last // 2, last}) if file.metadata.num_rows else []
        firsts = [next(file.iter_batches(SAMPLE, row_groups=[n], columns=list(members)), None) for n in numbers]
    batches = [batch for batch in firsts if batch is not None]
    if not batches:
        return False
    table = pa.Table.from_batches(batches).drop_null()
    values = np.stack([np.asarray(table.column(name), dtype=np.float64) for name in members])
    with np.errstate(invalid="ignore"):
        return table.num_rows > 0 and adds_up(values, values.sum(axis=0))


class VectorColumns:
    """Adds up the columns of one vector. A row flips where another class is the likeliest (the first of equals)."""

    def __init__(self, of: OfColumn, group: Group, members: Sequence[NumberColumn]) -> None:
        self.of, self.group, self.members = of, group, members
        self.tally, self.shift = Tally(), Shift()

    def feed(self, pair: RowPairs, differences: Differences) -> None:
        """One batch: the rows in which any of the columns moved."""
        names = self.group.members
        rows = np.unique(np.concatenate([moved(pair.a[name], pair.b[name]) for name in names]))
        self.tally.still(len(pair) - len(rows))
        for member in self.members:
            member.still(len(pair) - len(rows))
        if len(rows):
            part = pair.only(pa.array(rows), *names)
            self._take(part, [member.take(part) for member in self.members], differences)

    def rest(self, rows: int) -> None:
        """All rows there are: those that were not handed over did not move."""
        self.tally.still(rows - self.tally.rows)

    def _take(self, part: RowPairs, cells: list[Cells], differences: Differences) -> None:
        a, b = (np.stack([getattr(one, side) for one in cells], axis=1) for side in ("a_number", "b_number"))
        width = len(cells)
        starts, sizes = np.arange(len(a)) * width, np.full(len(a), width)
        classes = [likeliest(side.ravel(), starts, sizes) for side in (a, b)]
        flip = self.shift.add(classes[0], classes[1], divergence(a.ravel(), b.ravel(), starts))
        for place, (member, one) in enumerate(zip(self.members, cells, strict=True)):
            own = flip & ((classes[0] == place) | (classes[1] == place)) & ~one.equal
            differences.take(member.of.name, part, replace(one, flip=own))
        self.tally.add(_row_by_row(cells, flip))

    def column(self) -> Column:
        """The vector's own result; the columns have theirs."""
        moments, rows = Moments(), self.tally.rows
        for member in self.members:
            moments.join(member.moments)
        finite = sum(member.finite if moments.largest else member.any_finite for member in self.members)
        all_measures = moments.measures(finite, 0.0)
        told = {name: all_measures[name] for name in ("mean_abs", "p99_abs") if name in all_measures}
        nulls = max(member.nulls_a for member in self.members), max(member.nulls_b for member in self.members)
        passing = [member.column().smallest_passing for member in self.members]
        return replace(
            self.tally.column(self.of, nulls),
            max_abs=moments.largest if finite else None,
            max_rel=moments.largest_relative if finite else None,
            non_finite=sum(member.non_finite for member in self.members),
            flips=self.tally.flips,
            flip_matrix=self.shift.matrix(self.group.classes),
            smallest_passing=None if self.tally.flips or None in passing else _loosest(passing),
            measures=told | self._shift(rows),
            members=self.group.members,
            note="" if self.group.sums else NOT_ONE,
        )

    def _shift(self, rows: int) -> dict[str, Any]:
        """What is said of distributions is left out where the rows are none."""
        found = self.shift.measures(rows)
        return found if self.group.sums else {"flip_rate": found["flip_rate"]} if found else {}


def _loosest(found: Sequence[dict[str, float] | None]) -> dict[str, float]:
    return max((one for one in found if one), key=lambda one: one["atol"])


def _row_by_row(cells: list[Cells], flip: Mask) -> Cells:
    """A row of the vector is what all of its columns are."""
    masks = {
        name: np.logical_and.reduce([getattr(one, name) for one in cells])
        for name in ("same", "equal", "rounding", "within")
    }
    nothing = np.full(len(flip), np.nan)
    return Cells(**masks, flip=flip, delta=nothing, scale=nothing, a_number=nothing, b_number=nothing)
