"""Columns of lists of numbers: vectors of probabilities, embeddings and tensors, a row each."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa

from repro_tui.compare.cells import Cells, Floats, OfColumn, Tally
from repro_tui.compare.numbers import compare_numbers
from repro_tui.compare.pairs import Pair
from repro_tui.model.predictions import Column

SAMPLE = 1_000_000


class ListColumn:
    """Adds up one column of lists; a row is within the tolerance where all of its numbers are."""

    def __init__(self, of: OfColumn) -> None:
        self.of = of
        self.tally = Tally()
        self.largest, self.non_finite, self.lengths = 0.0, 0, 0
        self.nulls_a = self.nulls_b = self.unmoved = 0
        self.needed = 0.0
        self.cosines: list[Floats] = []
        self.relative: list[Floats] = []

    def whole(self, pair: Pair) -> None:
        """Counts nulls."""
        self.nulls_a += pair.a[self.of.name].null_count
        self.nulls_b += pair.b[self.of.name].null_count

    def still(self, rows: int) -> None:
        """Rows that did not move."""
        self.tally.still(rows)
        self.unmoved += rows

    def take(self, pair: Pair) -> Cells:
        """Compares rows that may have moved, and adds them up."""
        a, b = pair.a[self.of.name], pair.b[self.of.name]
        rows = len(a)
        null_a, null_b = (np.asarray(x.is_null().to_numpy(zero_copy_only=False), dtype=np.bool_) for x in (a, b))
        sizes = [_lengths(x) for x in (a, b)]
        paired = ~null_a & ~null_b & (sizes[0] == sizes[1])
        self.lengths += int(np.count_nonzero(~null_a & ~null_b & ~paired))
        empty = null_a & null_b
        masks = {name: empty.copy() for name in ("same", "equal", "rounding", "within")}
        delta, flip = np.full(rows, np.nan), np.zeros(rows, dtype=np.bool_)
        scale = np.full(rows, np.nan)
        if paired.any():
            self._vectors(a, b, paired, sizes[0][paired], masks, delta, scale, flip)
        nothing = np.full(rows, np.nan)
        cells = Cells(**masks, flip=flip, delta=delta, scale=scale, a_number=nothing, b_number=nothing)
        self.tally.add(cells)
        return cells

    def _vectors(
        self,
        a: pa.Array,
        b: pa.Array,
        paired: Any,
        sizes: Any,
        masks: dict[str, Any],
        delta: Floats,
        scale: Floats,
        flip: Any,
    ) -> None:
        chosen = pa.array(np.flatnonzero(paired))
        one, other = (x.take(chosen).flatten() for x in (a, b))
        found = compare_numbers(one, other, self.of.rule, 0.0)
        starts = np.concatenate(([0], np.cumsum(sizes)[:-1])).astype(np.int64)
        filled = sizes > 0
        places = np.flatnonzero(paired)[filled]
        at = starts[filled]
        for name in masks:
            masks[name][np.flatnonzero(paired)[~filled]] = True
            if len(at):
                masks[name][places] = np.logical_and.reduceat(getattr(found, name), at)
        if not len(at):
            return
        size = np.where(np.isfinite(found.delta), np.abs(found.delta), np.where(found.equal, 0.0, np.inf))
        largest = np.maximum.reduceat(size, at)
        self.non_finite += int(np.count_nonzero(~np.isfinite(largest)))
        finite = np.isfinite(largest)
        self.largest = max(self.largest, float(largest[finite].max(initial=0.0)))
        self.needed = max(self.needed, float((size - self.of.rule.rtol * np.nan_to_num(found.scale)).max(initial=0.0)))
        delta[places] = np.where(finite, largest, np.nan)
        scale[places] = np.maximum.reduceat(np.nan_to_num(found.scale), at)
        self._geometry(found.a, found.b, at)
        if self.of.kind == "probability":
            flip[places] = _argmax(found.a, at, sizes[filled]) != _argmax(found.b, at, sizes[filled])

    def _geometry(self, a: Floats, b: Floats, at: Any) -> None:
        if sum(len(part) for part in self.cosines) > SAMPLE:
            return
        with np.errstate(all="ignore"):
            dot, aa, bb = (np.add.reduceat(x, at) for x in (a * b, a * a, b * b))
            distance = np.sqrt(np.add.reduceat(np.square(b - a), at))
            self.cosines.append(np.where((aa > 0) & (bb > 0), dot / np.sqrt(aa * bb), np.where(aa == bb, 1.0, 0.0)))
            self.relative.append(np.where(aa > 0, distance / np.sqrt(aa), np.where(distance > 0, np.inf, 0.0)))

    def column(self) -> Column:
        """The result of all batches."""
        measures: dict[str, Any] = {}
        if self.cosines or self.unmoved:
            cosines = np.sort(np.nan_to_num(np.concatenate([*self.cosines, np.ones(0)]), nan=0.0))
            relative = np.concatenate([*self.relative, np.zeros(1)])
            measures = {
                "cosine_min": float(cosines[0]) if len(cosines) else 1.0,
                "cosine_p1": _percentile(cosines, self.unmoved, 0.01),
                "relative_l2_max": float(np.nanmax(relative)),
            }
        passing = None if self.non_finite or self.lengths or self.tally.flips else {"atol": self.needed}
        return replace(
            self.tally.column(self.of, (self.nulls_a, self.nulls_b)),
            max_abs=self.largest,
            non_finite=self.non_finite,
            flips=self.tally.flips if self.of.kind == "probability" else None,
            smallest_passing=passing,
            measures=measures,
            note=f"{self.lengths:,} rows have lists of other lengths" if self.lengths else "",
        )


def _percentile(values: Floats, ones: int, share: float) -> float:
    """The percentile of sorted values that are followed by this many ones."""
    place = int(share * (len(values) + ones - 1))
    return float(values[place]) if place < len(values) else 1.0


def _lengths(array: pa.Array) -> Any:
    import pyarrow.compute as pc

    return np.asarray(pc.fill_null(pc.list_value_length(array), 0).to_numpy(zero_copy_only=False), dtype=np.int64)


def _argmax(values: Floats, starts: Any, sizes: Any) -> Any:
    """The place of the largest number of every list, the first of equals."""
    best = np.maximum.reduceat(values, starts)
    owner = np.repeat(np.arange(len(starts)), sizes)
    hits = np.flatnonzero(values == best[owner])
    first = np.full(len(starts), -1, dtype=np.int64)
    first[owner[hits][::-1]] = (hits - starts[owner[hits]])[::-1]
    return first
