"""Columns of rankings that are written as JSON lists."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from repro_tui.compare.columns.cells import Mask, OfColumn
from repro_tui.compare.columns.exact import ExactColumn, exact_match
from repro_tui.compare.columns.lists.ranking import Agreements, as_list
from repro_tui.compare.rows.pairs import RowPairs


class RankingColumn(ExactColumn):
    """Adds up one column of rankings; one that differs is in another order, or of other items."""

    flips = True

    def __init__(self, of: OfColumn) -> None:
        super().__init__(of)
        self._agreements = Agreements()

    def _equal(self, a: pa.Array, b: pa.Array, same: Mask) -> Mask:
        """Equal where the items are, whatever the white space."""
        equal = same.copy()
        for row in np.flatnonzero(~same):
            one, other = (as_list(side[int(row)].as_py()) for side in (a, b))
            equal[row] = one is not None and one == other
        return equal

    def _more(self, a: pa.Array, b: pa.Array, rows: Any, pair: RowPairs) -> None:
        def at(place: int) -> tuple[Any, Any, bool] | None:
            one, other = (as_list(side[place].as_py()) for side in (a, b))
            return None if one is None or other is None else (one, other, False)

        self._agreements.offer(pair, rows, at)

    def _own(self) -> dict[str, Any]:
        measures = self._agreements.measures(self.tally.rows, self.tally.equal)
        return {"measures": exact_match(self.tally) | measures}
