"""The rows of which statistics of single rows are computed: chosen without regard to which side a run is of."""

from __future__ import annotations

from typing import Any

import numpy as np

Floats = np.ndarray[Any, np.dtype[np.float64]]
Mask = np.ndarray[Any, np.dtype[np.bool_]]
Numbers = np.ndarray[Any, np.dtype[np.int64]]

MOST_DRAWN, MOST_SCATTERED = 20_000, 1_000
ROOM = 256 << 20  # bytes, for the chosen rows of all columns
BYTES = 10  # of one value and its rank

NULL, NAN, LOW, FINITE, HIGH = range(5)  # in the order in which they are ranked


class Chosen:
    """Which rows of a table are chosen: all of them, or as many drawn ones as there is room for."""

    def __init__(self, rows: int, runs: int, columns: int) -> None:
        self.most = max(1_000, min(MOST_DRAWN, ROOM // (BYTES * max(1, runs * columns))))
        self.rows = rows
        self._drawn: Mask | None = None
        if rows > self.most + MOST_SCATTERED:
            self._drawn = np.zeros(rows, dtype=np.bool_)
            self._drawn[np.random.default_rng(rows).choice(rows, self.most, replace=False)] = True

    @property
    def every(self) -> bool:
        """Whether no row is left out."""
        return self._drawn is None

    def among(self, rows: Numbers) -> Mask:
        """Which of these rows are chosen."""
        return np.ones(len(rows), dtype=np.bool_) if self._drawn is None else self._drawn[rows]


class Kept:
    """The values of chosen rows over all runs (A's first), and their ranks; and of the rows that scatter most."""

    def __init__(self, chosen: Chosen) -> None:
        self.chosen = chosen
        self._values: list[np.ndarray[Any, Any]] = []
        self._order: list[np.ndarray[Any, Any]] = []
        self._scattered = (np.empty((0, 0)), np.empty((0, 0), dtype=np.int16), np.empty(0))

    def add(self, values: Floats, states: np.ndarray[Any, Any], scale: Floats, mask: Mask) -> None:
        """Takes rows (runs x rows); those under the mask are kept, of the others the ones that scatter most."""
        self._values.append(values[:, mask])
        self._order.append(_twice_ranked(values[:, mask], states[:, mask]))
        if self.chosen.every or mask.all():
            return
        rest = np.flatnonzero(~mask)
        score = values[:, rest].std(axis=0) / np.maximum(scale[rest], _middle(scale))
        score = np.nan_to_num(score, nan=0.0, posinf=np.finfo(np.float64).max)
        known = self._scattered[2]
        better = np.flatnonzero(score > known.min()) if len(known) == MOST_SCATTERED else np.arange(len(score))
        if len(better):
            best = better[np.argsort(-score[better], kind="stable")[:MOST_SCATTERED]]
            new = values[:, rest[best]]
            self._scattered = _most(self._scattered, (new, _twice_ranked(new, states[:, rest[best]]), score[best]))

    @property
    def empty(self) -> bool:
        """Whether no row was kept."""
        return not self._values

    @property
    def values(self) -> np.ndarray[Any, Any]:
        """The values, runs x rows."""
        return np.concatenate([*self._values, *self._extra(0)], axis=1)

    @property
    def order(self) -> Floats:
        """The ranks of each row's values over the runs."""
        return np.concatenate([*self._order, *self._extra(1)], axis=1).astype(np.float64) / 2

    def _extra(self, part: int) -> list[np.ndarray[Any, Any]]:
        return [self._scattered[part]] if self._scattered[2].size else []


def _middle(scale: Floats) -> float:
    """The median of the sizes that there are; 1.0 where there is none."""
    known = scale[np.isfinite(scale)]
    return (float(np.median(known)) if len(known) else 0.0) or 1.0


def _most(a: Any, b: Any) -> Any:
    if not a[2].size:
        return b
    order = np.argsort(-np.concatenate([a[2], b[2]]), kind="stable")[:MOST_SCATTERED]
    return tuple(np.concatenate([one, other], axis=-1)[..., order] for one, other in zip(a, b, strict=True))


def _twice_ranked(values: Floats, states: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Twice the ranks of each row's values over the runs, ties averaged; what is not finite is ranked by its state."""
    keys = np.where(states == FINITE, values, 0.0)
    found = np.zeros(values.shape, dtype=np.int16)
    plain = bool((states == FINITE).all())
    for other, state in zip(keys, states, strict=True):
        above, same = keys > other, keys == other
        if not plain:
            level = states == state
            above, same = (states > state) | (level & above), level & same
        found += 2 * above.astype(np.int16) + same
    return found - 1
