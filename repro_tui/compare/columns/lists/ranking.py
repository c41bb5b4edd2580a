"""Rankings: each row is a list of items in order, or a list of scores whose order ranks their positions."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from repro_tui.compare.columns import rank_agreement as rankings
from repro_tui.compare.columns.cells import Tally
from repro_tui.compare.columns.lists.base import ListFields, Vectors
from repro_tui.compare.rows.arrays import Indices, Mask
from repro_tui.compare.rows.pairs import RowPairs
from repro_tui.compare.rows.sample import RowSample

ROWS = 1_000  # rows that moved whose rankings are measured
AGREEMENTS = ("top_k_jaccard", "rank_biased_overlap", "kendall_tau_b")

RowMeasures = dict[str, float | None]


@dataclass(frozen=True, slots=True)
class RankingPair:
    """The rankings of one row in A and B: items in order or, where `scores` is set, the score of each item."""

    a: Sequence[Any]
    b: Sequence[Any]
    scores: bool = False


class Agreements:
    """Measures how far rankings agree, in a sample of the rows that moved."""

    def __init__(self) -> None:
        self._rows: RowSample[RowMeasures] = RowSample(ROWS)

    def offer(self, pair: RowPairs, rows: Indices, rankings_at: Callable[[int], RankingPair | None]) -> None:
        """Offers `rows` of a batch, by their indices in it.

        `rankings_at` reads the rankings of a row that is sampled; None if a side has no ranking.
        """

        def measure(sampled: Indices) -> list[RowMeasures]:
            return [_measures(rankings_at(row)) for row in rows[sampled].tolist()]

        self._rows.offer(pair.hashes[rows], measure)

    def measures(self, rows: int, unmoved: int) -> dict[str, object]:
        """The mean agreements over all `rows`, of which the `unmoved` agree in full, and the smallest ones."""
        if not rows:
            return {}
        measures: dict[str, object] = {"top_k": rankings.TOP}
        for name in AGREEMENTS:
            values = [value for row in self._rows.items if (value := row.get(name)) is not None]
            mean = float(np.mean(values)) if values else 1.0
            measures |= {name: (unmoved + (rows - unmoved) * mean) / rows, f"{name}_min": min(values, default=1.0)}
        changed_ranks = [int(first) for row in self._rows.items if (first := row.get("first"))]
        if changed_ranks:
            measures |= {
                "first_changed_rank": min(changed_ranks),
                "first_changed_rank_median": float(np.median(changed_ranks)),
            }
        tied = sum(bool(row.get("tied")) for row in self._rows.items)
        return measures | ({"rows_with_ties": tied} if tied else {}) | self._rows.measure("rows that moved")


def _measures(pair: RankingPair | None) -> RowMeasures:
    if pair is None:
        return dict.fromkeys(AGREEMENTS, 0.0)
    a, b = pair.a, pair.b
    order_a, order_b = (rankings.order_by_score(a), rankings.order_by_score(b)) if pair.scores else (a, b)
    scored = pair.scores and len(a) == len(b)
    return {
        "top_k_jaccard": rankings.jaccard(order_a, order_b),
        "rank_biased_overlap": rankings.overlap(order_a, order_b),
        "kendall_tau_b": rankings.tau(a, b) if scored else rankings.tau_of_orders(order_a, order_b),
        "first": rankings.first_changed(order_a, order_b),
        "tied": float(pair.scores and bool(rankings.ties(a) or rankings.ties(b))),
    }


class Rankings:
    """Rankings as lists of numbers: the scores of their positions if `scores` is set, and items in order otherwise."""

    def __init__(self, scores: bool) -> None:
        self._scores, self._agreements = scores, Agreements()
        self.distances = scores

    def observe_batch(self, pair: RowPairs) -> None:
        """Does nothing: only rows that moved are measured."""

    def observe_moved(self, a: pa.Array, b: pa.Array, pair: RowPairs) -> None:
        """Measures a sample of the rows that moved."""

        def rankings_at(row: int) -> RankingPair | None:
            ranking_a, ranking_b = a[row].as_py(), b[row].as_py()
            return None if ranking_a is None or ranking_b is None else RankingPair(ranking_a, ranking_b, self._scores)

        self._agreements.offer(pair, np.arange(len(a)), rankings_at)

    def flips(self, vectors: Vectors) -> Mask:
        """The rows whose order changes."""
        numbers, starts = vectors.numbers, vectors.starts
        if not self._scores:
            return np.asarray(~np.logical_and.reduceat(numbers.equal, starts))
        owner = np.repeat(np.arange(len(starts)), vectors.sizes)
        orders = [np.lexsort((-side, owner)) for side in (numbers.a, numbers.b)]
        return np.asarray(np.logical_or.reduceat(orders[0] != orders[1], starts))

    def result_fields(self, tally: Tally, unmoved: int) -> ListFields:
        """The flips and the agreements over all rows."""
        return {"flips": tally.flips, "measures": self._agreements.measures(tally.rows, unmoved)}


def as_list(text: str | None) -> list[str] | None:
    """The items of a ranking written as a JSON list, each as JSON; None for anything else."""
    try:
        items = None if text is None else json.loads(text)
        return [json.dumps(item, sort_keys=True) for item in items] if isinstance(items, list) else None
    except (ValueError, RecursionError):
        return None
