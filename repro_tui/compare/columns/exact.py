"""Columns that are equal or not: dates and the like, and what labels, text and JSON have in common."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from repro_tui.compare.columns.cells import Cells, Mask, OfColumn, Tally, Whole
from repro_tui.compare.columns.nested import single
from repro_tui.compare.rows.pairs import RowPairs
from repro_tui.model.predictions import Column

ABSENT = "—"


class ExactColumn:
    """Adds up one column whose values are equal or different; kinds lay their own over `_equal`, `_more`, `_own`."""

    flips = False  # whether a value that differs is a decision that flips

    def __init__(self, of: OfColumn) -> None:
        self.of = of
        self.tally = Tally()
        self.nulls_a = self.nulls_b = self.unmoved = 0

    def whole(self, pair: RowPairs) -> None:
        """Counts nulls."""
        self.nulls_a += pair.a[self.of.name].null_count
        self.nulls_b += pair.b[self.of.name].null_count

    def rest(self, whole: Whole) -> None:
        """Takes the same of all rows at once, after those that moved: the rest did not."""
        self.nulls_a, self.nulls_b = whole.nulls_a, whole.nulls_b
        self.still(whole.rows - self.tally.rows)

    def still(self, rows: int) -> None:
        """Rows that did not move."""
        self.tally.still(rows)
        self.unmoved += rows

    def take(self, pair: RowPairs) -> Cells:
        """Compares rows that may have moved, and adds them up."""
        a, b = _comparable(pair.a[self.of.name], pair.b[self.of.name])
        null_a, null_b = mask(a.is_null()), mask(b.is_null())
        same = mask(pc.fill_null(pc.equal(a, b), False)) | (null_a & null_b)
        equal, within = self._judge(a, b, same)
        flip = ~equal if self.flips else np.zeros(len(equal), dtype=np.bool_)
        nothing = np.full(len(equal), np.nan)
        cells = Cells(same, equal, equal, within, flip, nothing, nothing, nothing, nothing)
        self.tally.add(cells)
        self._more(a, b, np.flatnonzero(~equal), pair)
        return cells

    def _judge(self, a: pa.Array, b: pa.Array, same: Mask) -> tuple[Mask, Mask]:
        """Which rows are equal by value, and which within the tolerance; `same` are those of the same bytes."""
        equal = self._equal(a, b, same)
        return equal, equal

    def _equal(self, a: pa.Array, b: pa.Array, same: Mask) -> Mask:
        """Which rows are equal by value; `same` are those of the same bytes."""
        return same

    def _more(self, a: pa.Array, b: pa.Array, rows: Any, pair: RowPairs) -> None:
        """Takes the rows of a batch that differ, by their places in it."""

    def _own(self) -> dict[str, Any]:
        """The fields of the result that are this kind's own, `measures` among them."""
        return {"measures": exact_match(self.tally)}

    def column(self) -> Column:
        """The result of all batches."""
        flips = self.tally.flips if self.flips else None
        return replace(self.tally.column(self.of, (self.nulls_a, self.nulls_b)), flips=flips, **self._own())


def exact_match(tally: Tally) -> dict[str, Any]:
    """The share of rows that are equal."""
    return {"exact_match": tally.equal / tally.rows} if tally.rows else {}


def mask(array: pa.Array) -> Mask:
    """A Boolean array without nulls, to be written to."""
    return np.array(array.to_numpy(zero_copy_only=False), dtype=np.bool_)


def texts(array: pa.Array) -> list[str]:
    """Every value as a person reads it."""
    return [text(value) for value in array.to_pylist()]


def text(value: Any) -> str:
    """A value as a person reads it."""
    return ABSENT if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _comparable(a: pa.Array, b: pa.Array) -> tuple[pa.Array, pa.Array]:
    if a.type == b.type:
        return single(a), single(b)
    return a.cast(pa.string()), b.cast(pa.string())
