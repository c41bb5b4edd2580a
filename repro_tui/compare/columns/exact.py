"""Columns whose values are equal or not: dates and the like, and the common base of labels, text and JSON."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from repro_tui.compare.columns.cells import Cells, OwnFields, TalliedColumn, Tally
from repro_tui.compare.columns.nested import mask, single
from repro_tui.compare.rows.arrays import Indices, Mask
from repro_tui.compare.rows.pairs import RowPairs
from repro_tui.model.predictions import Column

ABSENT = "—"


class ExactColumn(TalliedColumn):
    """Counts the rows of one column whose values are equal or different.

    Kinds override `_judge` or `_equal` (what counts as equal), `_measure_different` (what is measured of the rows that
    differ) and `_own_fields` (the kind's own fields of the result).
    """

    flips = False  # whether a value that differs is a decision that flips

    def compare_batch(self, pair: RowPairs) -> Cells:
        """Compares rows that may have moved, and counts them."""
        a, b = _comparable(pair.a[self.spec.name], pair.b[self.spec.name])
        null_a, null_b = mask(a.is_null()), mask(b.is_null())
        same = mask(pc.fill_null(pc.equal(a, b), False)) | (null_a & null_b)
        equal, within = self._judge(a, b, same)
        flip = ~equal if self.flips else np.zeros(len(equal), dtype=np.bool_)
        nothing = np.full(len(equal), np.nan)
        cells = Cells(same, equal, equal, within, flip, nothing, nothing, nothing, nothing)
        self.tally.add(cells)
        self._measure_different(a, b, np.flatnonzero(~equal), pair)
        return cells

    def _judge(self, a: pa.Array, b: pa.Array, same: Mask) -> tuple[Mask, Mask]:
        """Which rows are equal by value, and which are within the tolerance; `same` marks those with the same bytes."""
        equal = self._equal(a, b, same)
        return equal, equal

    def _equal(self, a: pa.Array, b: pa.Array, same: Mask) -> Mask:
        """Which rows are equal by value; `same` marks those with the same bytes."""
        return same

    def _measure_different(self, a: pa.Array, b: pa.Array, rows: Indices, pair: RowPairs) -> None:
        """Measures the rows of a batch that differ; `rows` are their positions in it."""

    def _own_fields(self) -> OwnFields:
        """The fields of the result that only this kind has, `measures` among them."""
        return {"measures": exact_match(self.tally)}

    def result(self) -> Column:
        """The result over all batches."""
        flips = self.tally.flips if self.flips else None
        common = self.tally.result(self.spec, (self.nulls_a, self.nulls_b))
        return replace(common, flips=flips, **self._own_fields())


def exact_match(tally: Tally) -> dict[str, object]:
    """The share of rows that are equal."""
    return {"exact_match": tally.equal / tally.rows} if tally.rows else {}


def texts(array: pa.Array) -> list[str]:
    """Every value as a person reads it."""
    return [text(value) for value in array.to_pylist()]


def text(value: object) -> str:
    """A value as a person reads it."""
    return ABSENT if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _comparable(a: pa.Array, b: pa.Array) -> tuple[pa.Array, pa.Array]:
    if a.type == b.type:
        return single(a), single(b)
    return a.cast(pa.string()), b.cast(pa.string())
