"""Rankings: a list of items in their order, or a list of scores that orders its places, a row each."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa

from repro_tui.compare.columns import rank_agreement as rankings
from repro_tui.compare.columns.cells import Mask, Tally
from repro_tui.compare.columns.lists.base import Vectors
from repro_tui.compare.rows.pairs import RowPairs
from repro_tui.compare.rows.sample import RowSample

ROWS = 1_000  # that moved, whose rankings are measured
AGREEMENTS = ("top_k_jaccard", "rank_biased_overlap", "kendall_tau_b")

Row = dict[str, float | None]


class Agreements:
    """Measures a sample of the rows that moved."""

    def __init__(self) -> None:
        self._rows: RowSample[Row] = RowSample(ROWS)

    def offer(self, pair: RowPairs, places: Any, rankings_at: Callable[[int], tuple[Any, Any, bool] | None]) -> None:
        """Offers rows of a batch by their places in it; `rankings_at` gives both rankings, and if they are scores."""

        def measured(chosen: Any) -> list[Row]:
            return [_measured(rankings_at(int(places[place]))) for place in chosen]

        self._rows.offer(pair.hashes[places], measured)

    def measures(self, rows: int, unmoved: int) -> dict[str, Any]:
        """Means over all rows, of which those that did not move agree in full, and the least of those that did."""
        if not rows:
            return {}
        found: dict[str, Any] = {"top_k": rankings.TOP}
        for name in AGREEMENTS:
            values = [value for row in self._rows.items if (value := row.get(name)) is not None]
            mean = float(np.mean(values)) if values else 1.0
            found |= {name: (unmoved + (rows - unmoved) * mean) / rows, f"{name}_min": min(values, default=1.0)}
        changed = [int(first) for row in self._rows.items if (first := row.get("first"))]
        if changed:
            found |= {"first_changed_rank": min(changed), "first_changed_rank_median": float(np.median(changed))}
        tied = sum(bool(row.get("tied")) for row in self._rows.items)
        return found | ({"rows_with_ties": tied} if tied else {}) | self._rows.measure("rows that moved")


def _measured(both: tuple[Any, Any, bool] | None) -> Row:
    if both is None:  # one side has no ranking
        return dict.fromkeys(AGREEMENTS, 0.0)
    a, b, scores = both
    one, other = (rankings.by_score(a), rankings.by_score(b)) if scores else (a, b)
    return {
        "top_k_jaccard": rankings.jaccard(one, other),
        "rank_biased_overlap": rankings.overlap(one, other),
        "kendall_tau_b": rankings.tau(a, b) if scores and len(a) == len(b) else rankings.tau_of_orders(one, other),
        "first": rankings.first_changed(one, other),
        "tied": float(scores and bool(rankings.ties(a) or rankings.ties(b))),
    }


class Rankings:
    """Lists of numbers: `scores` says that they are scores of their places, and not the items in their order."""

    def __init__(self, scores: bool) -> None:
        self._scores, self._agreements = scores, Agreements()
        self.distances = scores

    def whole(self, pair: RowPairs) -> None:
        """Nothing."""

    def moved(self, a: pa.Array, b: pa.Array, pair: RowPairs) -> None:
        """Measures a sample."""

        def at(place: int) -> tuple[Any, Any, bool] | None:
            one, other = a[place].as_py(), b[place].as_py()
            return None if one is None or other is None else (one, other, self._scores)

        self._agreements.offer(pair, np.arange(len(a)), at)

    def flips(self, vectors: Vectors) -> Mask:
        """The rows that are in another order."""
        found, starts = vectors.found, vectors.starts
        if not self._scores:
            return np.asarray(~np.logical_and.reduceat(found.equal, starts))
        owner = np.repeat(np.arange(len(starts)), vectors.sizes)
        orders = [np.lexsort((-side, owner)) for side in (found.a, found.b)]
        return np.asarray(np.logical_or.reduceat(orders[0] != orders[1], starts))

    def column(self, tally: Tally, unmoved: int) -> dict[str, Any]:
        """The measures."""
        return {"flips": tally.flips, "measures": self._agreements.measures(tally.rows, unmoved)}


def as_list(text: Any) -> list[str] | None:
    """A ranking written as a JSON list, its items as texts; None of anything else."""
    try:
        found = json.loads(text)
    except (ValueError, TypeError, RecursionError):
        return None
    return [json.dumps(item, sort_keys=True) for item in found] if isinstance(found, list) else None
