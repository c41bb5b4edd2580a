"""Columns that are equal or not: labels, text, JSON, dates."""

from __future__ import annotations

import difflib
import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from repro_tui.compare.cells import Cells, Mask, OfColumn, Tally
from repro_tui.compare.pairs import Pair
from repro_tui.compare.statistics import interval
from repro_tui.model.predictions import Column
from repro_tui.support.text import show

MOST_PAIRS = 100
MOST_LABELS = 10_000
TEXTS = 200
ABSENT = "—"


class ExactColumn:
    """Adds up one column whose values are equal or different; a label that differs is a flip.

    `distinct` is how many values were seen before, and `shares` gives how often A has each label in the whole column;
    it is asked for once, at the end, where a label flipped.
    """

    def __init__(self, of: OfColumn, distinct: int, shares: Callable[[], dict[str, int]]) -> None:
        self.of, self._distinct, self._shares = of, distinct, shares
        self.tally = Tally()
        self.nulls_a = self.nulls_b = 0
        self.pairs: Counter[tuple[str, str]] = Counter()
        self.likeness: list[float] = []

    def whole(self, pair: Pair) -> None:
        """Counts nulls."""
        self.nulls_a += pair.a[self.of.name].null_count
        self.nulls_b += pair.b[self.of.name].null_count

    def still(self, rows: int) -> None:
        """Rows that did not move."""
        self.tally.still(rows)

    def take(self, pair: Pair) -> Cells:
        """Compares rows that may have moved, and adds them up."""
        a, b = _comparable(pair.a[self.of.name], pair.b[self.of.name])
        null_a, null_b = _mask(a.is_null()), _mask(b.is_null())
        equal = _mask(pc.fill_null(pc.equal(a, b), False)) | (null_a & null_b)
        if self.of.kind == "json":
            equal = _same_json(a, b, equal)
        flip = ~equal if self.of.kind == "label" else np.zeros(len(equal), dtype=np.bool_)
        nothing = np.full(len(equal), np.nan)
        cells = Cells(equal, equal, equal, equal, flip, nothing, nothing, nothing, nothing)
        self.tally.add(cells)
        self._measure(a, b, equal)
        return cells

    def _measure(self, a: pa.Array, b: pa.Array, equal: Mask) -> None:
        if self.of.kind == "label" and len(self.pairs) <= MOST_LABELS:
            rows = pa.array(np.flatnonzero(~equal))
            for one, other, count in _pairs(a.take(rows), b.take(rows)):
                self.pairs[(one, other)] += count
        elif self.of.kind == "text" and len(self.likeness) < TEXTS:
            rows = pa.array(np.flatnonzero(~equal)[: TEXTS - len(self.likeness)])
            for one, other in zip(_texts(a.take(rows)), _texts(b.take(rows)), strict=True):
                self.likeness.append(difflib.SequenceMatcher(None, one[:2000], other[:2000]).ratio())

    def column(self) -> Column:
        """The result of all batches."""
        is_label = self.of.kind == "label"
        matrix = tuple((show(a, 80), show(b, 80), n) for (a, b), n in self.pairs.most_common(MOST_PAIRS))
        return replace(
            self.tally.column(self.of, (self.nulls_a, self.nulls_b)),
            flips=self.tally.flips if is_label else None,
            measures=self._label_measures() if is_label else self._text_measures(),
            flip_matrix=matrix,
        )

    def _label_measures(self) -> dict[str, Any]:
        if not self.tally.rows:
            return {}
        flips, rows = self.tally.flips, self.tally.rows
        low, high = interval(flips, rows)
        return {
            "flip_rate": flips / rows,
            "flip_rate_low": low,
            "flip_rate_high": high,
            "interval": "wilson" if flips else "exact",
            "kappa": self._kappa(),
        }

    def _kappa(self) -> float | None:
        """Cohen's kappa, from the agreement and both sides' shares; None where one label is all there is."""
        rows = self.tally.rows
        if not self.tally.flips:
            return None if self._distinct == 1 else 1.0
        a = Counter({_text(label): count for label, count in self._shares().items()})
        if max(len(a), len(self.pairs)) > MOST_LABELS:
            return None
        b = a.copy()
        for (one, other), count in self.pairs.items():
            b[one] -= count
            b[other] += count
        by_chance = sum(a[label] * b[label] for label in a) / rows**2
        return None if by_chance >= 1 else (self.tally.equal / rows - by_chance) / (1 - by_chance)

    def _text_measures(self) -> dict[str, Any]:
        if not self.tally.rows:
            return {}
        found: dict[str, Any] = {"exact_match": self.tally.equal / self.tally.rows}
        if self.likeness:
            found["likeness_of_differing"] = sum(self.likeness) / len(self.likeness)
            found["texts_measured"] = len(self.likeness)
        return found


def _comparable(a: pa.Array, b: pa.Array) -> tuple[pa.Array, pa.Array]:
    if a.type == b.type:
        return a, b
    return a.cast(pa.string()), b.cast(pa.string())


def _pairs(a: pa.Array, b: pa.Array) -> Iterator[tuple[str, str, int]]:
    """The pairs of values that stand beside each other, each with how often."""
    one, other = (x.dictionary_encode(null_encoding="encode") for x in (a, b))
    names = [_texts(x.dictionary) for x in (one, other)]
    wide = max(1, len(names[1]))
    codes = np.asarray(one.indices, dtype=np.int64) * wide + np.asarray(other.indices)
    for code, count in zip(*np.unique(codes, return_counts=True), strict=True):
        yield names[0][code // wide], names[1][code % wide], int(count)


def _mask(array: pa.Array) -> Mask:
    return np.array(array.to_numpy(zero_copy_only=False), dtype=np.bool_)


def _same_json(a: pa.Array, b: pa.Array, equal: Mask) -> Mask:
    """Two documents are equal where their values are, whatever the order of their keys and their white space."""
    for row in np.flatnonzero(~equal):
        one, other = a[int(row)].as_py(), b[int(row)].as_py()
        try:
            equal[row] = None not in (one, other) and _canonical(one) == _canonical(other)
        except (ValueError, RecursionError):
            equal[row] = False
    return equal


def _canonical(text: str) -> str:
    return json.dumps(json.loads(text), sort_keys=True)


def _texts(array: pa.Array) -> list[str]:
    return [_text(value) for value in array.to_pylist()]


def _text(value: Any) -> str:
    return ABSENT if value is None else str(value).lower() if isinstance(value, bool) else str(value)
