"""Columns of JSON documents: equal as documents, and otherwise which paths changed, are missing or are extra."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

import numpy as np
import pyarrow as pa

from repro_tui.compare.columns.cells import ComparisonSpec, OwnFields
from repro_tui.compare.columns.exact import ExactColumn, exact_match
from repro_tui.compare.columns.json_paths import ABSENT, Leaves, Path, leaves_of, near, path_words, same_value
from repro_tui.compare.rows.arrays import Mask
from repro_tui.support.text import show

MOST_PATHS, MOST_SHOWN = 10_000, 20
CHANGED, ONLY_A, ONLY_B = range(3)


class JsonColumn(ExactColumn):
    """Counts one column of documents; a path is counted once per row, whichever elements of a list it occurs in.

    The rule's tolerance applies to numbers with a fraction. The default absolute tolerance is scaled by the typical
    size of the values at the number's path (`sizes`, by path, at most 1), so that no number passes because it is small.
    Everything else is exact.
    """

    def __init__(self, spec: ComparisonSpec, sizes: Mapping[str, float]) -> None:
        super().__init__(spec)
        self._sizes = sizes
        self._paths: tuple[Counter[str], ...] = (Counter(), Counter(), Counter())
        self._left_out = 0

    def _judge(self, a: pa.Array, b: pa.Array, same: Mask) -> tuple[Mask, Mask]:
        """Documents are equal where their values are, whatever the order of keys and the white space."""
        equal, within = same.copy(), same.copy()
        for row in np.flatnonzero(~same):
            leaves_a, leaves_b = (leaves_of(side[int(row)].as_py()) for side in (a, b))
            changes = list(_changes(leaves_a, leaves_b))
            equal[row] = not changes
            over = [(path, change) for path, change in changes if not self._passes(leaves_a, leaves_b, path, change)]
            within[row] = not over
            self._count(over)
        return equal, within

    def _passes(self, a: Leaves | None, b: Leaves | None, path: Path, change: int) -> bool:
        """Whether a leaf that changed is within the tolerance."""
        if a is None or b is None or change != CHANGED:
            return False
        rule = self.spec.rule
        size = min(1.0, self._sizes.get(path_words(path, places=False), 0.0)) if rule.by_size else 1.0
        return near(a[path], b[path], rule.atol * size, rule.rtol)

    def _count(self, changes: list[tuple[Path, int]]) -> None:
        for path, change in {(path_words(path, places=False), change) for path, change in changes}:
            known = any(path in counter for counter in self._paths)
            if known or sum(map(len, self._paths)) < MOST_PATHS:
                self._paths[change][path] += 1
            else:
                self._left_out += 1

    def _own_fields(self) -> OwnFields:
        if not self.tally.rows:
            return {"measures": {}}
        totals = Counter[str]()
        for counter in self._paths:
            totals.update(counter)
        measures = exact_match(self.tally) | {
            name: counter.total()
            for name, counter in zip(("changed_paths", "missing_paths", "extra_paths"), self._paths, strict=True)
        }
        ordered = sorted(totals, key=lambda path: (-totals[path], path))
        measures["paths"] = [
            [show(path, 200), *(counter[path] for counter in self._paths)] for path in ordered[:MOST_SHOWN]
        ]
        if len(totals) > MOST_SHOWN or self._left_out:
            measures["sample"] = f"{MOST_SHOWN} of {len(totals) + self._left_out:,} paths are named"
        return {"measures": measures}


def _changes(a: Leaves | None, b: Leaves | None) -> Iterator[tuple[Path, int]]:
    """The paths at which two documents differ, each with its change; None stands for a text that is not a document."""
    if a is None or b is None:
        yield (), CHANGED if a is b else ONLY_A if b is None else ONLY_B
        return
    for path in {**a, **b}:
        if not same_value(a.get(path, ABSENT), b.get(path, ABSENT)):
            yield path, ONLY_A if path not in b else ONLY_B if path not in a else CHANGED
