"""JSON documents over all runs: every path is a column of its own, so that a clock in one hides nothing in another.

A path such as `items[0].price` is measured twice: where it holds a number as numbers (`numbers.NumberNoise`), and as a
label that says whether there is a number and otherwise what value there is. Of all rows about 5,000 are drawn for this.
Whether a row exceeds its noise is judged on whole documents, as labels: no run of A gave what a run of B gave, where
fractions within the relative tolerance count as equal.

Limits: the first 200 paths become columns. If there are more, the whole document counts as a column in addition. Of the
rows that differ, the first 50,000 are compared path by path, later ones by their text.

Example: A wrote {"t": 17, "score": 0.5} and {"t": 21, "score": 0.5}; B wrote {"t": 30, "score": 0.9} and {"t": 35,
"score": 0.9}. As whole documents any two runs differ; the path `score` shows that the sides do.
"""

from __future__ import annotations

from collections.abc import Sequence

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
from repro_tui.compare.noise.arrays import Integers, Mask
from repro_tui.compare.noise.columns import ExactNoise, NoiseColumn, RunFiles, canonical_text, value_codes
from repro_tui.compare.noise.exchange import Evidence
from repro_tui.compare.noise.numbers import NumberNoise
from repro_tui.compare.noise.row_selection import RowSelection

MOST_PATHS = 200
MOST_ROWS = 5_000  # whose paths are measured
MOST_READ = 50_000  # rows whose documents are compared by path; further ones are compared by their text
EXACT = 1 << 53  # whole numbers beyond it are not all floats: they are labels


class DocumentNoise:
    """One column of JSON documents; `rtol` is the relative tolerance of the fractions in it."""

    def __init__(self, files: RunFiles, rtol: float, selection: RowSelection) -> None:
        self.files, self.rtol, self.selection = files, rtol, selection
        self.whole = ExactNoise(files)
        self.differences = self.whole.differences
        self.numbers: dict[str, NumberNoise] = {}
        self.labels: dict[str, ExactNoise] = {}
        self.left_out = False
        self._documents_read = 0
        self._draw = np.random.default_rng(selection.row_count)

    def add_batch(self, values: Sequence[pa.Array], selected: Mask) -> Mask:
        """See NoiseColumn."""
        rows = np.flatnonzero(selected)
        measured = max(1, min(self.selection.capacity, self.selection.row_count))
        rows = rows[self._draw.random(len(rows)) < MOST_ROWS / measured]
        documents = [[_leaves(array[int(row)].as_py()) for row in rows] for array in values]
        paths = dict.fromkeys(path for file in documents for document in file for path in document)
        every = np.ones(len(rows), dtype=np.bool_)
        for path in paths:
            if path_words(path) not in self.labels and len(self.labels) >= MOST_PATHS:
                self.left_out = True
                continue
            self._add_path(path, [[document.get(path, ABSENT) for document in file] for file in documents], every)
        return self.whole.count_differences(self._codes(values))

    def _codes(self, values: Sequence[pa.Array]) -> Integers:
        """Numbers that stand for documents (files x rows): documents with equal values by path have one code, and so do
        those of a row in which every file is within the tolerance of the first."""
        codes = value_codes(values)
        rows = np.flatnonzero((codes != codes[0]).any(axis=0))[: max(0, MOST_READ - self._documents_read)]
        self._documents_read += len(rows)
        highest = int(codes.max(initial=0))
        for row in rows:
            documents = [_leaves(array[int(row)].as_py()) for array in values]
            if all(self._within_tolerance(documents[0], document) for document in documents[1:]):
                codes[:, row] = codes[0, row]
                continue
            known: dict[str, int] = {}
            for file, document in enumerate(documents):
                text = repr(sorted((path_words(path), canonical_text(value)) for path, value in document.items()))
                codes[file, row] = known.setdefault(text, highest + 1 + len(known))
        return codes

    def _within_tolerance(self, a: Leaves, b: Leaves) -> bool:
        """Whether two documents are the same by path, fractions by the relative tolerance."""
        return a.keys() == b.keys() and all(
            same_value(value, b[path]) or near(value, b[path], 0.0, self.rtol) for path, value in a.items()
        )

    def _add_path(self, path: Path, values: list[list[object]], every: Mask) -> None:
        """Adds the values of one path, a list for each file."""
        name = path_words(path)
        numbers = [[_number(value) for value in file] for file in values]
        if any(value is not None for file in numbers for value in file):
            column = self.numbers.setdefault(name, NumberNoise(self.files, 0.0, 0.0, self.selection))
            column.add_batch([pa.array(file, pa.float64()) for file in numbers], every)
        labels = [[_label(value) for value in file] for file in values]
        of_labels = self.labels.setdefault(name, ExactNoise(self.files))
        of_labels.add_batch([pa.array(file, pa.string()) for file in labels], every)

    def evidence(self, name: str) -> tuple[Evidence, ...]:
        """See NoiseColumn. Whole documents are evidence where paths were left out, or if they are informative."""
        columns: list[tuple[str, NoiseColumn]] = [*self.numbers.items(), *self.labels.items()]
        by_path = tuple(part for path, column in columns for part in column.evidence(f"{name} {path}"))
        whole = self.whole.evidence(name)
        informative = tuple(part for part in whole if not part.is_uninformative)
        return by_path + (informative or whole if self.left_out or not by_path else informative)

    def largest_step(self) -> float | None:
        """See NoiseColumn."""
        return None


def _leaves(text: str | None) -> Leaves:
    """A document's values by path; a text that is not a document is one value."""
    leaves = leaves_of(text)
    return {(): text} if leaves is None else leaves


def _number(value: object) -> float | None:
    if not is_number(value) or (isinstance(value, int) and abs(value) > EXACT):
        return None
    try:
        return float(value)
    except OverflowError:
        return None


def _label(value: object) -> str:
    """What stands for a value that is not a number, and for any number."""
    return "a number" if _number(value) is not None else repr(value)
