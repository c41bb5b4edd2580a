"""Columns of rankings written as JSON lists."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from repro_tui.compare.columns.cells import ComparisonSpec, OwnFields
from repro_tui.compare.columns.exact import ExactColumn, exact_match
from repro_tui.compare.columns.lists.ranking import Agreements, RankingPair, as_list
from repro_tui.compare.rows.arrays import Indices, Mask
from repro_tui.compare.rows.pairs import RowPairs


class RankingColumn(ExactColumn):
    """Counts one column of rankings; one that differs has its items in another order, or other items, and flips."""

    flips = True

    def __init__(self, spec: ComparisonSpec) -> None:
        super().__init__(spec)
        self._agreements = Agreements()

    def _equal(self, a: pa.Array, b: pa.Array, same: Mask) -> Mask:
        """Rankings are equal where their items are, whatever the white space."""
        equal = same.copy()
        for row in np.flatnonzero(~same):
            ranking_a, ranking_b = (as_list(side[int(row)].as_py()) for side in (a, b))
            equal[row] = ranking_a is not None and ranking_a == ranking_b
        return equal

    def _measure_different(self, a: pa.Array, b: pa.Array, rows: Indices, pair: RowPairs) -> None:
        def rankings_at(row: int) -> RankingPair | None:
            ranking_a, ranking_b = (as_list(side[row].as_py()) for side in (a, b))
            return None if ranking_a is None or ranking_b is None else RankingPair(ranking_a, ranking_b)

        self._agreements.offer(pair, rows, rankings_at)

    def _own_fields(self) -> OwnFields:
        measures = self._agreements.measures(self.tally.rows, self.tally.equal)
        return {"measures": exact_match(self.tally) | measures}
