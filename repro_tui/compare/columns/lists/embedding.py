"""Embeddings and tensors: the angle and the distance between both sides' vectors, and whether they have the same
neighbours."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from repro_tui.compare.columns.cells import Floats, Mask, Tally
from repro_tui.compare.columns.lists.base import Vectors
from repro_tui.compare.columns.nested import leaves
from repro_tui.compare.rows.pairs import RowPairs
from repro_tui.compare.rows.sample import RowSample

MOST = 100_000  # rows that moved whose cosine is kept for the percentile
NEIGHBOURS, NEIGHBOURHOOD = 10, 1_000
DIGITS = 12  # of a distance: further ones are rounding
WIDEST = 100_000  # numbers of a row, above which neighbours are not looked for

Both = tuple[Floats, Floats]


class Embeddings:
    """Keeps the cosine and the relative distance of every row that moved, and a sample of all for its neighbours."""

    distances = True

    def __init__(self, name: str) -> None:
        self._name = name
        self._cosines: RowSample[float] = RowSample(MOST)
        self._smallest, self._farthest = 1.0, 0.0
        self._vectors: RowSample[Both] = RowSample(NEIGHBOURHOOD)

    def whole(self, pair: RowPairs) -> None:
        """Keeps some rows."""
        a, b = pair.a[self._name], pair.b[self._name]

        def vectors(places: Any) -> list[Both]:
            return [(_vector(a, int(place)), _vector(b, int(place))) for place in places]

        self._vectors.offer(pair.hashes, vectors)

    def moved(self, a: pa.Array, b: pa.Array, pair: RowPairs) -> None:
        """Rows of any shape say nothing more."""

    def flips(self, vectors: Vectors) -> Mask:
        """An embedding decides nothing."""
        a, b, starts = vectors.found.a, vectors.found.b, vectors.starts
        with np.errstate(all="ignore"):
            dot, aa, bb = (np.add.reduceat(x, starts) for x in (a * b, a * a, b * b))
            distance = np.sqrt(np.add.reduceat(np.square(b - a), starts))
            cosine = np.where((aa > 0) & (bb > 0), dot / np.sqrt(aa * bb), np.where(aa == bb, 1.0, 0.0))
            relative = np.where(aa > 0, distance / np.sqrt(aa), np.where(distance > 0, np.inf, 0.0))
        cosine = np.nan_to_num(cosine, nan=0.0)
        self._smallest = min(self._smallest, float(cosine.min()))
        self._farthest = max(self._farthest, float(np.nanmax(relative, initial=0.0)))
        self._cosines.offer(vectors.hashes, lambda places: cosine[places].tolist())
        return np.zeros(len(starts), dtype=np.bool_)

    def column(self, tally: Tally, unmoved: int) -> dict[str, Any]:
        """The smallest and the first percentile of the cosines, the largest distance, and the neighbours kept."""
        measures = {
            "cosine_min": self._smallest,
            "cosine_p1": self._percentile(unmoved, 0.01),
            "relative_l2_max": self._farthest,
        }
        told = measures | self._neighbours(self._cosines.seen > 0)
        return {"measures": told | self._cosines.measure("rows that moved")}

    def _percentile(self, unmoved: int, share: float) -> float:
        """Of the cosines of all rows, as numpy's quantile interpolates it; those that did not move have 1."""
        kept, moved = sorted(self._cosines.items), self._cosines.seen
        place = max(0.0, share * (moved + unmoved - 1))
        low, high = (kept[at * len(kept) // moved] if at < moved else 1.0 for at in (int(place), int(place) + 1))
        return float(low + (high - low) * (place - int(place)))

    def _neighbours(self, any_moved: bool) -> dict[str, Any]:
        """The share of its nearest neighbours that a row keeps, on average and at the least."""
        sides = [_matrix([row[side] for row in self._vectors.items]) for side in (0, 1)] if any_moved else [None]
        if any(side is None or len(side) <= NEIGHBOURS for side in sides):
            return {}
        near = [nearest(side) for side in sides if side is not None]
        kept = [len(set(one) & set(other)) / NEIGHBOURS for one, other in zip(*near, strict=True)]
        told = {"neighbours_k": NEIGHBOURS, "neighbours_kept": float(np.mean(kept)), "neighbours_kept_min": min(kept)}
        sampled = self._vectors.measure("rows")
        return told | ({"neighbours_of": sampled["sample"]} if sampled else {})


def nearest(vectors: Floats) -> Any:
    """The places of every row's nearest neighbours by cosine distance, itself left out; the first of those that are
    equally near to `DIGITS`."""
    with np.errstate(all="ignore"):
        short = np.nan_to_num(vectors / np.abs(vectors).max(axis=1, keepdims=True))  # so that no square overflows
        unit = np.nan_to_num(short / np.linalg.norm(short, axis=1, keepdims=True))
    distances = np.round(1 - unit @ unit.T, DIGITS)
    np.fill_diagonal(distances, np.inf)
    return np.argsort(distances, axis=1, kind="stable")[:, :NEIGHBOURS]


def _matrix(vectors: list[Floats]) -> Floats | None:
    """The vectors as rows; None where they are not of one length, or not all numbers."""
    if not vectors or len({len(vector) for vector in vectors}) > 1 or not 0 < len(vectors[0]) <= WIDEST:
        return None
    found = np.stack(vectors)
    return found if np.isfinite(found).all() else None


def _vector(array: pa.Array, row: int) -> Floats:
    values = leaves(array.slice(row, 1)) if array[row].is_valid else pa.array([], pa.float64())
    if len(values) > WIDEST:
        return np.empty(0)
    return np.asarray(values.to_numpy(zero_copy_only=False), dtype=np.float64)
