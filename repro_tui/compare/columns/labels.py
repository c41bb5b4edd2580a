"""Columns of labels: a label that differs is a decision that flips."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pyarrow as pa

from repro_tui.compare.columns.cells import OfColumn
from repro_tui.compare.columns.exact import ExactColumn, text, texts
from repro_tui.compare.columns.nested import single
from repro_tui.compare.columns.statistics import interval
from repro_tui.compare.rows.pairs import RowPairs
from repro_tui.support.text import show

MOST_PAIRS = 100
MOST_LABELS = 10_000


class LabelColumn(ExactColumn):
    """Adds up one column of labels.

    `distinct` is how many values were seen before. Where every row of A has a partner, `shares` gives how often A has
    each label, and is asked for once, at the end, where a label flipped; without it the rows that have one are counted.
    """

    flips = True

    def __init__(self, of: OfColumn, distinct: int, shares: Callable[[], dict[str, int]] | None) -> None:
        super().__init__(of)
        self._distinct, self._shares = distinct, shares
        self.pairs: Counter[tuple[str, str]] = Counter()
        self._counted: Counter[str] = Counter()

    def whole(self, pair: RowPairs) -> None:
        """Counts nulls, and labels where that cannot be asked for."""
        super().whole(pair)
        if self._shares is None and len(self._counted) <= MOST_LABELS:
            found = single(pair.a[self.of.name]).value_counts()
            for label, count in zip(texts(found.field("values")), found.field("counts").to_pylist(), strict=True):
                self._counted[label] += count

    def _more(self, a: pa.Array, b: pa.Array, rows: Any, pair: RowPairs) -> None:
        if len(self.pairs) <= MOST_LABELS:
            places = pa.array(rows)
            for one, other, count in _pairs(a.take(places), b.take(places)):
                self.pairs[(one, other)] += count

    def _own(self) -> dict[str, Any]:
        ordered = sorted(self.pairs.items(), key=lambda found: (-found[1], found[0]))[:MOST_PAIRS]
        matrix = tuple((show(a, 80), show(b, 80), n) for (a, b), n in ordered)
        return {"measures": self._measures(), "flip_matrix": matrix}

    def _measures(self) -> dict[str, Any]:
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
        asked = self._shares() if self._shares else {}
        a = Counter({text(label): count for label, count in asked.items()}) or self._counted
        if max(len(a), len(self.pairs)) > MOST_LABELS:
            return None
        b = a.copy()
        for (one, other), count in self.pairs.items():
            b[one] -= count
            b[other] += count
        by_chance = sum(a[label] * b[label] for label in a) / rows**2
        return None if by_chance >= 1 else (self.tally.equal / rows - by_chance) / (1 - by_chance)


def _pairs(a: pa.Array, b: pa.Array) -> Iterator[tuple[str, str, int]]:
    """The pairs of values that stand beside each other, each with how often."""
    one, other = (x.dictionary_encode(null_encoding="encode") for x in (a, b))
    names = [texts(x.dictionary) for x in (one, other)]
    wide = max(1, len(names[1]))
    codes = np.asarray(one.indices, dtype=np.int64) * wide + np.asarray(other.indices)
    for code, count in zip(*np.unique(codes, return_counts=True), strict=True):
        yield names[0][code // wide], names[1][code % wide], int(count)
