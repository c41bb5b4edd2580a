"""The rows for which statistics of single rows are computed: selected without regard to the side of a run.

Statistics of single rows (`exchange`) need the values of a row in every run at once. A large table does not fit into
memory, so only some rows are kept: all rows of a small table; otherwise a random draw, plus the 1,000 rows outside the
draw that vary most between the runs (standard deviation over the runs, relative to the size of the row's values).

Invariants: the draw depends on the number of rows alone, and the variation of a row is taken over the runs of both
sides together. Exchanging runs between the sides therefore selects the same rows, which the permutation test requires.

Cost: `capacity` rows are kept for each column, at 10 bytes for a value and its rank, within 256 MiB for all columns.
Example: 20 runs and 6 columns keep at most 20,000 rows; 20 runs and 600 columns keep 256 MiB / (10 · 20 · 600) = 2,236.
"""

from __future__ import annotations

import numpy as np

from repro_tui.compare.noise.arrays import AnyNumbers, Floats, Integers, Mask, Ranks, States

MOST_DRAWN, MOST_VARIABLE = 20_000, 1_000
ROOM = 256 << 20  # bytes, for the selected rows of all columns
BYTES = 10  # of one value and its rank

NULL, NAN, LOW, FINITE, HIGH = range(5)  # in the order in which they are ranked

Variable = tuple[AnyNumbers, Ranks, Floats]  # values and ranks (runs x rows), and how much each row varies


class RowSelection:
    """Which rows of a table are selected: all of them, or as many drawn ones as there is room for."""

    def __init__(self, row_count: int, runs: int, columns: int) -> None:
        self.capacity = max(1_000, min(MOST_DRAWN, ROOM // (BYTES * max(1, runs * columns))))
        self.row_count = row_count
        self._drawn: Mask | None = None
        if row_count > self.capacity + MOST_VARIABLE:
            self._drawn = np.zeros(row_count, dtype=np.bool_)
            self._drawn[np.random.default_rng(row_count).choice(row_count, self.capacity, replace=False)] = True

    @property
    def is_complete(self) -> bool:
        """Whether every row is selected."""
        return self._drawn is None

    def mask(self, rows: Integers) -> Mask:
        """Which of these rows (0-based numbers) are selected."""
        return np.ones(len(rows), dtype=np.bool_) if self._drawn is None else self._drawn[rows]


class SelectedRows:
    """The values and ranks of the selected rows over all runs (A's first), and those of the most variable rows."""

    def __init__(self, selection: RowSelection) -> None:
        self.selection = selection
        self._values: list[AnyNumbers] = []
        self._ranks: list[Ranks] = []
        self._variable: Variable = (np.empty((0, 0)), np.empty((0, 0), dtype=np.int16), np.empty(0))

    def add(self, values: Floats, states: States, scale: Floats, mask: Mask) -> None:
        """Adds a batch (`values` and `states`: runs x rows; `scale`: the size of each row's values). Rows under the
        mask are kept; of the others, the most variable ones."""
        self._values.append(values[:, mask])
        self._ranks.append(_doubled_ranks(values[:, mask], states[:, mask]))
        if self.selection.is_complete or mask.all():
            return
        rest = np.flatnonzero(~mask)
        variation = values[:, rest].std(axis=0) / np.maximum(scale[rest], _median_size(scale))
        variation = np.nan_to_num(variation, nan=0.0, posinf=np.finfo(np.float64).max)
        known = self._variable[2]
        candidates = (
            np.flatnonzero(variation > known.min()) if len(known) == MOST_VARIABLE else np.arange(len(variation))
        )
        if len(candidates):
            top = candidates[np.argsort(-variation[candidates], kind="stable")[:MOST_VARIABLE]]
            new = values[:, rest[top]]
            batch = new, _doubled_ranks(new, states[:, rest[top]]), variation[top]
            self._variable = _most_variable(self._variable, batch)

    @property
    def is_empty(self) -> bool:
        """Whether no batch was added."""
        return not self._values

    @property
    def values(self) -> AnyNumbers:
        """The values, runs x rows."""
        variable = [self._variable[0]] if self._variable[2].size else []
        return np.concatenate([*self._values, *variable], axis=1)

    @property
    def ranks(self) -> Floats:
        """The ranks of each row's values over the runs, runs x rows."""
        variable = [self._variable[1]] if self._variable[2].size else []
        return np.concatenate([*self._ranks, *variable], axis=1).astype(np.float64) / 2


def _median_size(scale: Floats) -> float:
    """The median of the finite sizes; 1.0 where it is 0 or there is none."""
    known = scale[np.isfinite(scale)]
    return (float(np.median(known)) if len(known) else 0.0) or 1.0


def _most_variable(known: Variable, batch: Variable) -> Variable:
    if not known[2].size:
        return batch
    order = np.argsort(-np.concatenate([known[2], batch[2]]), kind="stable")[:MOST_VARIABLE]
    return (
        np.concatenate([known[0], batch[0]], axis=1)[:, order],
        np.concatenate([known[1], batch[1]], axis=1)[:, order],
        np.concatenate([known[2], batch[2]])[order],
    )


def _doubled_ranks(values: Floats, states: States) -> Ranks:
    """Twice the ranks of each row's values over the runs, those of ties averaged (twice, so that they are whole
    numbers). Values that are not finite are ranked by their state."""
    keys = np.where(states == FINITE, values, 0.0)
    ranks = np.zeros(values.shape, dtype=np.int16)
    all_finite = bool((states == FINITE).all())
    for run_keys, run_states in zip(keys, states, strict=True):
        above, same = keys > run_keys, keys == run_keys
        if not all_finite:
            same_state = states == run_states
            above, same = (states > run_states) | (same_state & above), same_state & same
        ranks += 2 * above.astype(np.int16) + same
    return ranks - 1
