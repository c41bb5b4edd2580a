"""JSON documents over all runs: every path is a column of its own, so that a clock in one hides nothing in another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from repro_tui.compare.columns.json_paths import (
    ABSENT,
    Leaves,
    Path,
    is_number,
    leaves_of,
    near,
    path_words,
    same_value,
)
from repro_tui.compare.noise.chosen_rows import Chosen, Mask
from repro_tui.compare.noise.columns import ExactNoise, NoiseColumn, NumberNoise, RunFiles, codes_of, word_of
from repro_tui.compare.noise.exchange import Codes, Evidence

MOST_PATHS = 200
MOST_ROWS = 5_000  # whose paths are measured
MOST_READ = 50_000  # rows whose documents are compared by path; of further ones by their text
EXACT = 1 << 53  # whole numbers beyond it are not all floats: they are words


class DocumentNoise:
    """Numbers of a path are measured as numbers; whether there is one, and what else stands there, as labels.

    Rows moved beyond their noise as labels do. Documents of more than 200 paths are measured as they are, too.
    """

    def __init__(self, files: RunFiles, rtol: float, chosen: Chosen) -> None:
        self.files, self.rtol, self.chosen = files, rtol, chosen
        self.whole = ExactNoise(files)
        self.apart = self.whole.apart
        self.numbers: dict[str, NumberNoise] = {}
        self.others: dict[str, ExactNoise] = {}
        self.left_out = False
        self._read = 0
        self._draw = np.random.default_rng(chosen.rows)

    def take(self, values: Sequence[pa.Array], chosen: Mask) -> Mask:
        """See NoiseColumn."""
        rows = np.flatnonzero(chosen)
        rows = rows[self._draw.random(len(rows)) < MOST_ROWS / max(1, min(self.chosen.most, self.chosen.rows))]
        documents = [[_leaves(array[int(row)].as_py()) for row in rows] for array in values]
        paths = dict.fromkeys(path for column in documents for document in column for path in document)
        every = np.ones(len(rows), dtype=np.bool_)
        for path in paths:
            if path_words(path) not in self.others and len(self.others) >= MOST_PATHS:
                self.left_out = True
                continue
            self._take(path, [[document.get(path, ABSENT) for document in column] for column in documents], every)
        return self.whole.count(self._codes(values))

    def _codes(self, values: Sequence[pa.Array]) -> Codes:
        """Numbers that stand for documents: those with the same values by path are the same, and so are those that the
        tolerance makes no difference of."""
        codes = codes_of(values)
        rows = np.flatnonzero((codes != codes[0]).any(axis=0))[: max(0, MOST_READ - self._read)]
        self._read += len(rows)
        highest = int(codes.max(initial=0))
        for row in rows:
            documents = [_leaves(array[int(row)].as_py()) for array in values]
            if all(self._passes(documents[0], other) for other in documents[1:]):
                codes[:, row] = codes[0, row]
                continue
            known: dict[str, int] = {}
            for file, document in enumerate(documents):
                word = repr(sorted((path_words(path), word_of(value)) for path, value in document.items()))
                codes[file, row] = known.setdefault(word, highest + 1 + len(known))
        return codes

    def _passes(self, a: Leaves, b: Leaves) -> bool:
        """Whether two documents are the same by path, fractions by the relative tolerance."""
        return a.keys() == b.keys() and all(
            same_value(value, b[path]) or near(value, b[path], 0.0, self.rtol) for path, value in a.items()
        )

    def _take(self, path: Path, found: list[list[Any]], every: Mask) -> None:
        name = path_words(path)
        numeric = [[_number(value) for value in column] for column in found]
        if any(value is not None for column in numeric for value in column):
            of_path = self.numbers.setdefault(name, NumberNoise(self.files, 0.0, 0.0, self.chosen))
            of_path.take([pa.array(column, pa.float64()) for column in numeric], every)
        words = [[_other(value) for value in column] for column in found]
        self.others.setdefault(name, ExactNoise(self.files)).take([pa.array(w, pa.string()) for w in words], every)

    def evidence(self, name: str) -> tuple[Evidence, ...]:
        """See NoiseColumn."""
        told: list[tuple[str, NoiseColumn]] = [*self.numbers.items(), *self.others.items()]
        found = [one for path, column in told for one in column.evidence(f"{name} {path}")]
        whole = tuple(one for one in self.whole.evidence(name) if not one.blind)
        return tuple(found) + (whole or self.whole.evidence(name) if self.left_out or not found else whole)

    def largest_within(self) -> float | None:
        """See NoiseColumn."""
        return None


def _leaves(text: str | None) -> Leaves:
    """A document's values; what is none is one value, its own text."""
    found = leaves_of(text)
    return {(): text} if found is None else found


def _number(value: Any) -> float | None:
    if not is_number(value) or (isinstance(value, int) and abs(value) > EXACT):
        return None
    try:
        return float(value)
    except OverflowError:
        return None


def _other(value: Any) -> str:
    """What stands for a value that is no number, and for there being one."""
    return "a number" if _number(value) is not None else repr(value)
