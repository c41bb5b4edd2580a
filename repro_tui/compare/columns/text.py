"""Columns of text: equal or not, and for texts that differ, how far and from which word on."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from repro_tui.compare.columns.cells import ComparisonSpec, OwnFields
from repro_tui.compare.columns.exact import ExactColumn, exact_match
from repro_tui.compare.rows.arrays import Indices
from repro_tui.compare.rows.pairs import RowPairs
from repro_tui.compare.rows.sample import RowSample

TEXTS = 2_000  # differing texts that are measured
LONGEST = 20_000  # characters of each text that are compared


class TextColumn(ExactColumn):
    """Counts one column of text, and measures a sample of the texts that differ."""

    def __init__(self, spec: ComparisonSpec) -> None:
        super().__init__(spec)
        self._measured: RowSample[tuple[float, int]] = RowSample(TEXTS)

    def _measure_different(self, a: pa.Array, b: pa.Array, rows: Indices, pair: RowPairs) -> None:
        def measure(sampled: Indices) -> list[tuple[float, int]]:
            return [text_distance(a[row].as_py() or "", b[row].as_py() or "") for row in rows[sampled].tolist()]

        self._measured.offer(pair.hashes[rows], measure)

    def _own_fields(self) -> OwnFields:
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


def text_distance(a: str, b: str) -> tuple[float, int]:
    """The Levenshtein distance divided by the longer text's length (0 to 1), and the first word (from 1) that differs.

    Only the first 20,000 characters of each text are compared.
    """
    from rapidfuzz.distance import Levenshtein

    start_a, start_b = a[:LONGEST], b[:LONGEST]
    return Levenshtein.normalized_distance(start_a, start_b), first_differing(start_a.split(), start_b.split())


def first_differing(a: list[str], b: list[str]) -> int:
    """The position (from 1) of the first word that differs, or one past the end of the shorter text."""
    pairs = enumerate(zip(a, b, strict=False), 1)
    return next((position for position, (word_a, word_b) in pairs if word_a != word_b), min(len(a), len(b)) + 1)
