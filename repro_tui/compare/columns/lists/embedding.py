"""Embeddings and tensors: the angle and the distance between both sides' vectors, and whether neighbours are kept.

For every row that moved, the cosine of the angle between a and b, and the relative distance |b - a| / |a|, are
measured. Two vectors of length 0 have the cosine 1, and a vector of length 0 and another the cosine 0. The first
percentile of the cosines is over all rows: those that did not move have 1.

What embeddings are used for is mostly to find neighbours. In a sample of 1,000 rows, which depends on the rows' keys
only, the 10 nearest neighbours of each row by cosine distance are computed within A and within B, and the share of them
that both have is measured. Distances are rounded to 12 digits, so that ties are broken by the order of the rows, and
not by rounding. If B is A times 2, cosines are 1, relative distances 1, and all neighbours are kept.

The neighbours cost 1,000^2 * width operations, once, and are skipped for rows of more than 100,000 numbers.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from repro_tui.compare.columns.cells import Tally
from repro_tui.compare.columns.lists.base import ListFields, Vectors
from repro_tui.compare.columns.nested import leaves
from repro_tui.compare.rows.arrays import Floats, Indices, Mask
from repro_tui.compare.rows.pairs import RowPairs
from repro_tui.compare.rows.sample import RowSample

MOST = 100_000  # rows that moved whose cosine is kept for the percentile
NEIGHBOURS, NEIGHBOURHOOD = 10, 1_000  # neighbours of a row, and the rows among which they are searched
DIGITS = 12  # decimals of a distance; further ones are rounding errors
WIDEST = 100_000  # numbers in a row, above which neighbours are not searched

VectorPair = tuple[Floats, Floats]  # of one row, in A and in B


class Embeddings:
    """Keeps the cosine and the relative distance of every row that moved, and a sample of all for its neighbours."""

    distances = True

    def __init__(self, name: str) -> None:
        self._name = name
        self._cosines: RowSample[float] = RowSample(MOST)
        self._smallest, self._farthest = 1.0, 0.0
        self._vectors: RowSample[VectorPair] = RowSample(NEIGHBOURHOOD)

    def observe_batch(self, pair: RowPairs) -> None:
        """Keeps a sample of all rows."""
        a, b = pair.a[self._name], pair.b[self._name]

        def vectors(rows: Indices) -> list[VectorPair]:
            return [(_vector(a, row), _vector(b, row)) for row in rows.tolist()]

        self._vectors.offer(pair.hashes, vectors)

    def observe_moved(self, a: pa.Array, b: pa.Array, pair: RowPairs) -> None:
        """Does nothing: only rows of one shape are measured."""

    def flips(self, vectors: Vectors) -> Mask:
        """Measures the rows; none flips, since an embedding is not a decision."""
        a, b, starts = vectors.numbers.a, vectors.numbers.b, vectors.starts
        with np.errstate(all="ignore"):
            dot, aa, bb = (np.add.reduceat(x, starts) for x in (a * b, a * a, b * b))
            distance = np.sqrt(np.add.reduceat(np.square(b - a), starts))
            cosine = np.where((aa > 0) & (bb > 0), dot / np.sqrt(aa * bb), np.where(aa == bb, 1.0, 0.0))
            relative = np.where(aa > 0, distance / np.sqrt(aa), np.where(distance > 0, np.inf, 0.0))
        cosine = np.nan_to_num(cosine, nan=0.0)
        self._smallest = min(self._smallest, float(cosine.min()))
        self._farthest = max(self._farthest, float(np.nanmax(relative, initial=0.0)))
        self._cosines.offer(vectors.hashes, lambda rows: cosine[rows].tolist())
        return np.zeros(len(starts), dtype=np.bool_)

    def result_fields(self, tally: Tally, unmoved: int) -> ListFields:
        """The smallest and the first percentile of the cosines, the largest distance, and the neighbours kept."""
        measures = {
            "cosine_min": self._smallest,
            "cosine_p1": self._percentile(unmoved, 0.01),
            "relative_l2_max": self._farthest,
        }
        neighbours = self._neighbours() if self._cosines.seen else {}
        return {"measures": measures | neighbours | self._cosines.measure("rows that moved")}

    def _percentile(self, unmoved: int, share: float) -> float:
        """A percentile of the cosines of all rows, interpolated as by NumPy's quantile; unmoved rows have 1."""
        kept, moved = sorted(self._cosines.items), self._cosines.seen
        position = max(0.0, share * (moved + unmoved - 1))
        low, high = (
            kept[index * len(kept) // moved] if index < moved else 1.0 for index in (int(position), int(position) + 1)
        )
        return float(low + (high - low) * (position - int(position)))

    def _neighbours(self) -> dict[str, object]:
        """The share of its nearest neighbours that a row keeps, on average and at the least."""
        a, b = (_matrix([row[side] for row in self._vectors.items]) for side in (0, 1))
        if a is None or b is None or min(len(a), len(b)) <= NEIGHBOURS:
            return {}
        kept = [
            len(set(near_a) & set(near_b)) / NEIGHBOURS for near_a, near_b in zip(nearest(a), nearest(b), strict=True)
        ]
        sampled = self._vectors.measure("rows")
        return {
            "neighbours_k": NEIGHBOURS,
            "neighbours_kept": float(np.mean(kept)),
            "neighbours_kept_min": min(kept),
            **({"neighbours_of": sampled["sample"]} if sampled else {}),
        }


def nearest(vectors: Floats) -> Indices:
    """The indices of the 10 nearest neighbours of each row by cosine distance, without the row itself.

    `vectors` has one row per vector, and so has the result. Neighbours that are equally near to `DIGITS` decimals come
    in the order of their indices.
    """
    with np.errstate(all="ignore"):
        short = np.nan_to_num(vectors / np.abs(vectors).max(axis=1, keepdims=True))  # so that no square overflows
        unit = np.nan_to_num(short / np.linalg.norm(short, axis=1, keepdims=True))
    distances = np.round(1 - unit @ unit.T, DIGITS)
    np.fill_diagonal(distances, np.inf)
    return np.argsort(distances, axis=1, kind="stable")[:, :NEIGHBOURS]


def _matrix(vectors: list[Floats]) -> Floats | None:
    """The vectors as rows of a matrix; None if their lengths differ, or if a number is not finite."""
    if not vectors or len({len(vector) for vector in vectors}) > 1 or not 0 < len(vectors[0]) <= WIDEST:
        return None
    matrix = np.stack(vectors)
    return matrix if np.isfinite(matrix).all() else None


def _vector(array: pa.Array, row: int) -> Floats:
    values = leaves(array.slice(row, 1)) if array[row].is_valid else pa.array([], pa.float64())
    if len(values) > WIDEST:
        return np.empty(0)
    return np.asarray(values.to_numpy(zero_copy_only=False), dtype=np.float64)
