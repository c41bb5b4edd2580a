"""Columns of JSON documents: equal as documents, and by path what is missing, extra or another value."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa

from repro_tui.compare.cells import Mask, OfColumn
from repro_tui.compare.column_exact import ExactColumn, exact_match
from repro_tui.support.text import show

MOST_PATHS, MOST_SHOWN = 10_000, 20
CHANGED, ONLY_A, ONLY_B = range(3)
WHOLE = "the whole document"

Path = tuple[str | int, ...]
Leaves = dict[Path, str]


class JsonColumn(ExactColumn):
    """Adds up one column of documents; a path is counted once a row, whatever place of a list it stands at."""

    def __init__(self, of: OfColumn) -> None:
        super().__init__(of)
        self._paths: tuple[Counter[str], ...] = (Counter(), Counter(), Counter())
        self._left_out = 0

    def _equal(self, a: pa.Array, b: pa.Array, same: Mask) -> Mask:
        """Equal where the values are, whatever the order of keys and the white space."""
        equal = same.copy()
        for row in np.flatnonzero(~same):
            one, other = (_leaves(side[int(row)].as_py()) for side in (a, b))
            equal[row] = one is not None and one == other
            if not equal[row]:
                self._count(one, other)
        return equal

    def _count(self, a: Leaves | None, b: Leaves | None) -> None:
        for path, change in set(_changes(a, b)):
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


def _changes(a: Leaves | None, b: Leaves | None) -> Iterator[tuple[str, int]]:
    """What differs between two documents' leaves: paths without the places in lists, and how."""
    if a is None or b is None:
        yield WHOLE, CHANGED if a is b else ONLY_A if b is None else ONLY_B
        return
    for path in {**a, **b}:
        if a.get(path) != b.get(path):
            yield _words(path), ONLY_A if path not in b else ONLY_B if path not in a else CHANGED


def _words(path: Path) -> str:
    """A path as people write it: items[].price; a key that would be mistaken for one is quoted."""
    parts = ["[]" if isinstance(part, int) else _key(part) for part in path]
    return "".join(parts).removeprefix(".") or WHOLE


def _key(key: str) -> str:
    return f".{key}" if key and not set(key) & set('.[]"') else f".{json.dumps(key)}"


def _leaves(text: str | None) -> Leaves | None:
    """A document's values by path; None where there is none, or it is not JSON."""
    try:
        return None if text is None else dict(_walk(json.loads(text), ()))
    except (ValueError, RecursionError):
        return None


def _walk(value: Any, path: Path) -> Iterator[tuple[Path, str]]:
    """Every value; its text says its type as well, and an empty table or list is a value."""
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from _walk(item, (*path, key))
    elif isinstance(value, list) and value:
        for place, item in enumerate(value):
            yield from _walk(item, (*path, place))
    else:
        yield path, json.dumps(value)
