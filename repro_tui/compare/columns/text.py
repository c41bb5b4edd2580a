"""Columns of text: equal or not, and of those that are not, from which word on and how far they differ."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from repro_tui.compare.columns.cells import OfColumn
from repro_tui.compare.columns.exact import ExactColumn, exact_match
from repro_tui.compare.rows.pairs import RowPairs
from repro_tui.compare.rows.sample import RowSample

TEXTS = 2_000  # that differ, whose distance is measured
LONGEST = 20_000  # characters of each that are looked at


class TextColumn(ExactColumn):
    """Adds up one column of text."""

    def __init__(self, of: OfColumn) -> None:
        super().__init__(of)
        self._measured: RowSample[tuple[float, int]] = RowSample(TEXTS)

    def _more(self, a: pa.Array, b: pa.Array, rows: Any, pair: RowPairs) -> None:
        def measured(places: Any) -> list[tuple[float, int]]:
            return [apart(a[int(rows[place])].as_py() or "", b[int(rows[place])].as_py() or "") for place in places]

        self._measured.offer(pair.hashes[rows], measured)

    def _own(self) -> dict[str, Any]:
        measures = exact_match(self.tally)
        if self._measured.items:
            distances, tokens = np.asarray(self._measured.items, dtype=np.float64).T
            measures |= {
                "edit_distance_of_differing": float(distances.mean()),
                "edit_distance_max": float(distances.max()),
                "first_differing_token": int(tokens.min()),
                "first_differing_token_median": float(np.median(tokens)),
            }
        return {"measures": measures | self._measured.measure("texts that differ")}


def apart(a: str, b: str) -> tuple[float, int]:
    """The edit distance over the longer text's length, and the first word (from 1) that is not the same."""
    from rapidfuzz.distance import Levenshtein

    one, other = a[:LONGEST], b[:LONGEST]
    return Levenshtein.normalized_distance(one, other), first_differing(one.split(), other.split())


def first_differing(a: list[str], b: list[str]) -> int:
    """The place (from 1) of the first word that is not the same, or one after the shorter text's last."""
    alike = (one == other for one, other in zip(a, b, strict=False))
    return next((place for place, same in enumerate(alike, 1) if not same), min(len(a), len(b)) + 1)
