"""Columns of JSON documents: equal as documents, and by path what is missing, extra or another value."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from repro_tui.compare.columns.cells import Mask, OfColumn
from repro_tui.compare.columns.exact import ExactColumn, exact_match
from repro_tui.compare.columns.json_paths import ABSENT, Leaves, Path, leaves_of, near, path_words, same_value
from repro_tui.support.text import show

MOST_PATHS, MOST_SHOWN = 10_000, 20
CHANGED, ONLY_A, ONLY_B = range(3)


class JsonColumn(ExactColumn):
    """Adds up one column of documents; a path is counted once a row, whatever place of a list it stands at.

    Numbers with a fraction have the rule's tolerance: a default one in units of the size of the path's own values
    (`sizes`, by path), so that none passes by being small. All else is exact.
    """

    def __init__(self, of: OfColumn, sizes: Mapping[str, float]) -> None:
        super().__init__(of)
        self._sizes = sizes
        self._paths: tuple[Counter[str], ...] = (Counter(), Counter(), Counter())
        self._left_out = 0

    def _judge(self, a: pa.Array, b: pa.Array, same: Mask) -> tuple[Mask, Mask]:
        """Equal where the values are, whatever the order of keys and the white space."""
        equal, within = same.copy(), same.copy()
        for row in np.flatnonzero(~same):
            one, other = (leaves_of(side[int(row)].as_py()) for side in (a, b))
            changes = list(_changes(one, other))
            equal[row] = not changes
            over = [(path, change) for path, change in changes if not self._passes(one, other, path, change)]
            within[row] = not over
            self._count(over)
        return equal, within

    def _passes(self, a: Leaves | None, b: Leaves | None, path: Path, change: int) -> bool:
        """Whether a leaf that changed is within the tolerance."""
        if a is None or b is None or change != CHANGED:
            return False
        rule = self.of.rule
        size = min(1.0, self._sizes.get(path_words(path, places=False), 0.0)) if rule.by_size else 1.0
        return near(a[path], b[path], rule.atol * size, rule.rtol)

    def _count(self, changes: list[tuple[Path, int]]) -> None:
        for path, change in {(path_words(path, places=False), change) for path, change in changes}:
            known = any(path in counter for counter in self._paths)
            if known or sum(map(len, self._paths)) < MOST_PATHS:
                self._paths[change][path] += 1
            else:
                self._left_out += 1

    def _own(self) -> dict[str, Any]:
        every = Counter[str]()
        for counter in self._paths:
            every.update(counter)
        told = exact_match(self.tally) | {
            name: counter.total()
            for name, counter in zip(("changed_paths", "missing_paths", "extra_paths"), self._paths, strict=True)
        }
        ordered = sorted(every, key=lambda path: (-every[path], path))
        told["paths"] = [[show(path, 200), *(c[path] for c in self._paths)] for path in ordered[:MOST_SHOWN]]
        if len(every) > MOST_SHOWN or self._left_out:
            told["sample"] = f"{MOST_SHOWN} of {len(every) + self._left_out:,} paths are named"
        return {"measures": told if self.tally.rows else {}}


def _changes(a: Leaves | None, b: Leaves | None) -> Iterator[tuple[Path, int]]:
    """The paths at which two documents differ, and how."""
    if a is None or b is None:
        yield (), CHANGED if a is b else ONLY_A if b is None else ONLY_B
        return
    for path in {**a, **b}:
        if not same_value(a.get(path, ABSENT), b.get(path, ABSENT)):
            yield path, ONLY_A if path not in b else ONLY_B if path not in a else CHANGED
