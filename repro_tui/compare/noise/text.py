"""Text over all runs: how unlike runs are, by the words of some rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np
import pyarrow as pa

from repro_tui.compare.noise.chosen_rows import Chosen, Floats, Mask
from repro_tui.compare.noise.columns import ExactNoise, RunFiles
from repro_tui.compare.noise.exchange import Evidence

TEXTS = 200  # rows whose words are compared
WORDS = 500  # of each text


class TextNoise(ExactNoise):
    """Labels, and besides the mean of 1 - similarity, by the words of some rows."""

    def __init__(self, files: RunFiles, chosen: Chosen) -> None:
        super().__init__(files)
        self._share = TEXTS / max(1, chosen.rows)
        self._draw = np.random.default_rng(chosen.rows)
        self._compared = 0
        self._apart = np.zeros((files.count, files.count))

    def take(self, values: Sequence[pa.Array], chosen: Mask) -> Mask:
        """See NoiseColumn."""
        for row in np.flatnonzero(self._draw.random(len(values[0])) < self._share):
            self._compare([value[int(row)].as_py() for value in values])
        return super().take(values, chosen)

    def _compare(self, texts: Sequence[str | None]) -> None:
        from rapidfuzz.distance import Levenshtein

        self._compared += 1
        words = [None if text is None else text.split()[:WORDS] for text in texts]
        for i, j in combinations(range(len(words)), 2):
            one, other = words[i], words[j]
            if one is None or other is None:
                distance = float(one is not other)
            else:
                distance = Levenshtein.normalized_distance(one, other)
            self._apart[[i, j], [j, i]] += distance

    def evidence(self, name: str) -> tuple[Evidence, ...]:
        """See NoiseColumn."""
        runs = self.apart.files.runs
        words: Floats = (self._apart / max(1, self._compared))[np.ix_(runs, runs)]
        return tuple(replace(labels, words=words) for labels in super().evidence(name))
