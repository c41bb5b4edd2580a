"""Text over all runs: whether texts differ, and how far apart runs are by the words of some rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np
import pyarrow as pa

from repro_tui.compare.noise.arrays import Floats, Mask
from repro_tui.compare.noise.columns import ExactNoise, RunFiles
from repro_tui.compare.noise.exchange import Evidence
from repro_tui.compare.noise.row_selection import RowSelection

TEXTS = 200  # rows whose words are compared
WORDS = 500  # of each text


class TextNoise(ExactNoise):
    """Text as labels, with the mean edit distance over the words of about 200 drawn rows in addition.

    A sampled text is different in every run; how many of its words differ still shows whether the sides do.
    """

    def __init__(self, files: RunFiles, selection: RowSelection) -> None:
        super().__init__(files)
        self._share = TEXTS / max(1, selection.row_count)
        self._draw = np.random.default_rng(selection.row_count)
        self._texts = 0
        self._distances = np.zeros((files.count, files.count))

    def add_batch(self, values: Sequence[pa.Array], selected: Mask) -> Mask:
        """See NoiseColumn."""
        for row in np.flatnonzero(self._draw.random(len(values[0])) < self._share):
            self._add_texts([value[int(row)].as_py() for value in values])
        return super().add_batch(values, selected)

    def _add_texts(self, texts: Sequence[str | None]) -> None:
        from rapidfuzz.distance import Levenshtein

        self._texts += 1
        tokens = [None if text is None else text.split()[:WORDS] for text in texts]
        for i, j in combinations(range(len(tokens)), 2):
            left, right = tokens[i], tokens[j]
            if left is None or right is None:
                distance = float(left is not right)
            else:
                distance = Levenshtein.normalized_distance(left, right)
            self._distances[[i, j], [j, i]] += distance

    def evidence(self, name: str) -> tuple[Evidence, ...]:
        """See NoiseColumn."""
        runs = self.differences.files.runs
        by_word: Floats = (self._distances / max(1, self._texts))[np.ix_(runs, runs)]
        return tuple(replace(labels, by_word=by_word) for labels in super().evidence(name))
