"""Columns of labels: a label that differs is a decision that flips."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping

import numpy as np
import pyarrow as pa

from repro_tui.compare.columns.cells import ComparisonSpec, OwnFields
from repro_tui.compare.columns.exact import ExactColumn, text, texts
from repro_tui.compare.columns.nested import single
from repro_tui.compare.columns.statistics import interval
from repro_tui.compare.rows.arrays import Indices
from repro_tui.compare.rows.pairs import RowPairs
from repro_tui.support.text import show

MOST_PAIRS = 100
MOST_LABELS = 10_000


class LabelColumn(ExactColumn):
    """Counts one column of labels, and which label became which.

    `distinct` is how many different values the sample before the comparison had. Where every row of A has a partner,
    `shares` counts each label of A in the whole file; it is called once, at the end, and only if a label flipped.
    Without `shares` (None) the labels of the rows that do have a partner are counted on the way.
    """

    flips = True

    def __init__(self, spec: ComparisonSpec, distinct: int, shares: Callable[[], Mapping[object, int]] | None) -> None:
        super().__init__(spec)
        self._distinct, self._shares = distinct, shares
        self.pairs: Counter[tuple[str, str]] = Counter()
        self._counted: Counter[str] = Counter()

    def observe_batch(self, pair: RowPairs) -> None:
        """Counts nulls, and labels where the file cannot be asked for them."""
        super().observe_batch(pair)
        if self._shares is None and len(self._counted) <= MOST_LABELS:
            labels = single(pair.a[self.spec.name]).value_counts()
            for label, count in zip(texts(labels.field("values")), labels.field("counts").to_pylist(), strict=True):
                self._counted[label] += count

    def _measure_different(self, a: pa.Array, b: pa.Array, rows: Indices, pair: RowPairs) -> None:
        if len(self.pairs) <= MOST_LABELS:
            differing = pa.array(rows)
            for label_a, label_b, count in _label_pairs(a.take(differing), b.take(differing)):
                self.pairs[(label_a, label_b)] += count

    def _own_fields(self) -> OwnFields:
        most_common = sorted(self.pairs.items(), key=lambda entry: (-entry[1], entry[0]))[:MOST_PAIRS]
        matrix = tuple((show(a, 80), show(b, 80), count) for (a, b), count in most_common)
        return {"measures": self._measures(), "flip_matrix": matrix}

    def _measures(self) -> dict[str, object]:
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
        """Cohen's kappa (1960): the agreement beyond chance, from the agreement and how often each side has each label.

        The counts of B follow from those of A and the pairs that flipped. None where chance agreement is 1 (there is
        one label only), or where there are too many labels to count.
        """
        rows = self.tally.rows
        if not self.tally.flips:
            return None if self._distinct == 1 else 1.0
        whole_file = self._shares() if self._shares else {}
        labels_a = Counter({text(label): count for label, count in whole_file.items()}) or self._counted
        if max(len(labels_a), len(self.pairs)) > MOST_LABELS:
            return None
        labels_b = labels_a.copy()
        for (label_a, label_b), count in self.pairs.items():
            labels_b[label_a] -= count
            labels_b[label_b] += count
        by_chance = sum(labels_a[label] * labels_b[label] for label in labels_a) / rows**2
        return None if by_chance >= 1 else (self.tally.equal / rows - by_chance) / (1 - by_chance)


def _label_pairs(a: pa.Array, b: pa.Array) -> Iterator[tuple[str, str, int]]:
    """The different pairs of labels that rows have in A and B, each with its number of rows.

    Both sides are dictionary-encoded and the two codes of a row combined into one number, so that a single
    `np.unique` counts the pairs.
    """
    codes_a, codes_b = (side.dictionary_encode(null_encoding="encode") for side in (a, b))
    labels_a, labels_b = texts(codes_a.dictionary), texts(codes_b.dictionary)
    width = max(1, len(labels_b))
    codes = np.asarray(codes_a.indices, dtype=np.int64) * width + np.asarray(codes_b.indices)
    for code, count in zip(*np.unique(codes, return_counts=True), strict=True):
        yield labels_a[code // width], labels_b[code % width], int(count)
