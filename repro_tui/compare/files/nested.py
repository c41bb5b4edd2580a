"""Nested values as differences by path: tables by key, lists by element, with their types.

Lists of single values with many differing elements are one difference that counts them. Lists of different lengths are
aligned first, so that an inserted element is one. The walk keeps its own stack, so that depth costs no recursion, and
visits a pair of objects once, so that values that share or contain each other end. A place below the two values is its
last name and the place above: a path is only written for a difference, so that a depth of n costs n and not n².
"""

from __future__ import annotations

import datetime
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from repro_tui.compare.aligned import align
from repro_tui.compare.files.base import FileDifferences, cut_texts, plain
from repro_tui.compare.typed import identical, same_value, type_name
from repro_tui.model.finding import Change, Finding
from repro_tui.support.redact import is_secret_name
from repro_tui.support.text import plural

ABSENT = object()
FEW = 20  # differing elements of a list that are listed each
MOST_ELEMENTS = 100
MOST_SHOWN = 20  # values of a table or list that is on one side only
LONGEST_SHOWN = 500
LONGEST_ALIGNED = 200_000  # elements of both lists
SINGLE = (str, int, float, bool, type(None))
DEEPEST_PATH = 200  # names of a path that are written
Path = tuple[str, ...]
Opened = Callable[[object], Mapping[str, object] | None]
Compared = Callable[["ValuePlace", object, object, FileDifferences], bool]
Pair = tuple["ValuePlace", object, object]


def not_opened(value: object) -> Mapping[str, object] | None:
    """For values of tables, lists and single values alone."""
    return None


def not_compared(place: ValuePlace, a: object, b: object, differences: FileDifferences) -> bool:
    """For values of tables, lists and single values alone."""
    return False


@dataclass(frozen=True, slots=True, eq=False)
class ValuePlace:
    """Where a pair of values is: its name below the place above; the two values themselves have none."""

    above: ValuePlace | None = None
    name: str = ""
    depth: int = 0

    def below(self, name: str) -> ValuePlace:
        """The place of that name in the values here."""
        return ValuePlace(self, name, self.depth + 1)

    @property
    def path(self) -> Path:
        """The names from the top; of a very deep place, the last ones after the number of those above."""
        names: list[str] = []
        place: ValuePlace | None = self
        while place is not None and place.above is not None and len(names) < DEEPEST_PATH:
            names.append(place.name)
            place = place.above
        left = self.depth - len(names)
        return (*([f"… ({plural(left, 'level')})"] if left else []), *reversed(names))


@dataclass(slots=True)
class Walk:
    """Compares two nested values. `fields` opens an object of another kind as a table, and `special` compares two such
    values itself: it returns whether it did."""

    differences: FileDifferences
    fields: Opened = not_opened
    special: Compared = not_compared
    aligns: bool = True

    def compare(self, a: object, b: object) -> None:
        """Adds every difference of the two values, in order."""
        seen: dict[tuple[int, int], tuple[object, object]] = {}  # with the objects: an id is one only while they live
        stack: list[Pair] = [(ValuePlace(), a, b)]
        while stack:
            here, left, right = stack.pop()
            if left is right and not isinstance(left, float):
                continue
            if not isinstance(left, SINGLE) and not isinstance(right, SINGLE):
                if (id(left), id(right)) in seen:
                    continue
                seen[id(left), id(right)] = left, right
            stack += reversed(self._pair(here, left, right))

    def _pair(self, place: ValuePlace, a: object, b: object) -> list[Pair]:
        """The pairs below a pair; what is a difference itself is added."""
        if a is ABSENT or b is ABSENT:
            self._one_side(place, a, b)
            return []
        if isinstance(a, list | tuple) and isinstance(b, list | tuple):
            if type(a) is not type(b):
                self._single(place, a, b)
                return []
            return self._lists(place, a, b)
        if self.special(place, a, b, self.differences):
            return []
        table_a, table_b = self._table(a), self._table(b)
        if table_a is not None and table_b is not None and type(a) is type(b):
            typed_a, typed_b = _by_typed_key(table_a), _by_typed_key(table_b)
            return [
                (
                    place.below(key if isinstance(key, str) else key[1]),
                    typed_a.get(key, ABSENT),
                    typed_b.get(key, ABSENT),
                )
                for key in dict.fromkeys((*typed_a, *typed_b))
            ]
        self._single(place, a, b)
        return []

    def _table(self, value: object) -> Mapping[str, object] | None:
        return value if isinstance(value, dict) else self.fields(value)

    def _lists(self, place: ValuePlace, a: Sequence[object], b: Sequence[object]) -> list[Pair]:
        if len(a) == len(b):
            if all(isinstance(item, SINGLE) for item in a) and all(isinstance(item, SINGLE) for item in b):
                self._elements(place, a, b)
                return []
            pairs = enumerate(zip(a, b, strict=True))
            return [(place.below(str(index)), left, right) for index, (left, right) in pairs]
        head, tail = _common_ends(a, b) if self.aligns else (0, 0)
        return self._of_two_lengths(place, head, a[head : len(a) - tail], b[head : len(b) - tail])

    def _of_two_lengths(self, place: ValuePlace, head: int, a: Sequence[object], b: Sequence[object]) -> list[Pair]:
        """The pairs of two lists from the element `head` on: aligned, or where that takes too long, by position."""
        if self.aligns and len(a) + len(b) <= LONGEST_ALIGNED:
            table_a, table_b = align(a, b)
            keys = sorted({*table_a, *table_b}, key=lambda key: (key.index, key.side))
            return [
                (place.below(str(head + key.index)), table_a.get(key, ABSENT), table_b.get(key, ABSENT)) for key in keys
            ]
        longer = max(len(a), len(b))
        return [
            (
                place.below(str(head + index)),
                a[index] if index < len(a) else ABSENT,
                b[index] if index < len(b) else ABSENT,
            )
            for index in range(longer)
        ]

    def _elements(self, place: ValuePlace, a: Sequence[object], b: Sequence[object]) -> None:
        """The elements that differ of two lists of single values: each where there are few, else one that counts."""
        pairs = zip(a, b, strict=True)
        differing = [index for index, (left, right) in enumerate(pairs) if not _are_alike(left, right)]
        path = place.path if differing else ()
        if len(differing) <= FEW:
            for index in differing:
                self.differences.add_finding(self._difference((*path, str(index)), a[index], b[index], len(a)))
            return
        first = differing[0]
        listed = differing[:MOST_ELEMENTS]
        children = tuple(self._difference((str(index),), a[index], b[index], 0) for index in listed)
        note = f"{len(differing):,} of {len(a):,} elements differ, the first at [{first}]"
        largest = _largest([(a[index], b[index]) for index in differing])
        note += f"; max |Δ| {largest:.4g}" if largest is not None else ""
        note += f"; the first {len(listed):,} are listed" if len(listed) < len(differing) else ""
        shown_a, shown_b, _ = _shown_pair(a[first], b[first])
        self.differences.add_finding(Finding(path, "changed", shown_a, shown_b, "notice", note, children))

    def _one_side(self, place: ValuePlace, a: object, b: object) -> None:
        change: Change = "added" if a is ABSENT else "removed"
        value = b if a is ABSENT else a
        if self.differences.is_full:
            self.differences.count += 1
            return
        shown = value if isinstance(value, SINGLE) else brief(value, self.fields)
        self.differences.add(place.path, change, None if a is ABSENT else shown, None if b is ABSENT else shown)

    def _single(self, place: ValuePlace, a: object, b: object) -> None:
        if _are_alike(a, b):
            return
        if self.differences.is_full:
            self.differences.count += 1
        else:
            self.differences.add_finding(self._difference(place.path, a, b, 0))

    def _difference(self, path: Path, a: object, b: object, of: int) -> Finding:
        if isinstance(a, str) and isinstance(b, str) and type(a) is type(b):
            left, right, note = cut_texts(a, b)
            return Finding(path, "changed", left, right, "notice", _joined(note, of))
        shown_a, shown_b = (v if isinstance(v, SINGLE) else brief(v, self.fields) for v in (a, b))
        note = ""
        if type(a) is not type(b):
            types = f"{type_name(a)} became {type_name(b)}"
            single = isinstance(a, SINGLE) and isinstance(b, SINGLE)
            note = f"same value, other type: {types}" if single and same_value(a, b) else f"other type: {types}"
        return Finding(path, "changed", plain(shown_a), plain(shown_b), "notice", _joined(note, of))


def _are_alike(a: object, b: object) -> bool:
    """Whether two values are identical; of most that are, the first look says so, and lists may have millions."""
    if isinstance(a, SINGLE) and type(a) is type(b) and a == b and a:
        return True
    return identical(a, b)


def _common_ends(a: Sequence[object], b: Sequence[object]) -> tuple[int, int]:
    """How many single values two lists begin and end with in common."""
    shorter = min(len(a), len(b))
    head = next((index for index in range(shorter) if not _are_same_single(a[index], b[index])), shorter)
    rest = shorter - head
    return head, next((index for index in range(rest) if not _are_same_single(a[-1 - index], b[-1 - index])), rest)


def _are_same_single(a: object, b: object) -> bool:
    return isinstance(a, SINGLE) and isinstance(b, SINGLE) and _are_alike(a, b)


def _by_typed_key(table: Mapping[str, object]) -> dict[str | tuple[str, str], object]:
    """The table by keys that are alike only with their types: YAML's 1, 1.0 and true are one key of a dict."""
    return {key if type(key) is str else (type(key).__name__, str(key)): value for key, value in table.items()}


def _shown_pair(a: object, b: object) -> tuple[object, object, str]:
    if isinstance(a, str) and isinstance(b, str):
        return cut_texts(a, b)
    return plain(a), plain(b), ""


def _joined(note: str, of: int) -> str:
    place = f"of {plural(of, 'element')}" if of > 1 else ""
    return "; ".join(filter(None, (note, place)))


def _largest(pairs: Sequence[tuple[object, object]]) -> float | None:
    """The largest absolute difference of pairs of numbers; None where a pair has something else."""
    largest = 0.0
    for a, b in pairs:
        if not isinstance(a, int | float) or not isinstance(b, int | float):
            return None
        try:
            distance = abs(a - b)
        except OverflowError:
            return None
        largest = max(largest, math.inf if math.isnan(distance) else distance)
    return largest


def brief(value: object, fields: Opened = not_opened) -> str:
    """A table, a list or another value as a short text: a small one as JSON, a large one by its size."""
    if isinstance(value, str):
        return value[:LONGEST_SHOWN]
    if isinstance(value, dict | list | tuple):
        if len(value) <= MOST_SHOWN and all(isinstance(item, SINGLE) for item in _values(value)):
            text = json.dumps(_without_secrets(value), ensure_ascii=False, default=str)
            if len(text) <= LONGEST_SHOWN:
                return text
        return f"a table of {plural(len(value), 'value')}" if isinstance(value, dict) else _list_of(value)
    if isinstance(value, set | frozenset):
        return brief(sorted(value, key=repr), fields)
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, bytes | bytearray):
        return f"{plural(len(value), 'byte')}: {bytes(value[:16]).hex(' ')}{' …' if len(value) > 16 else ''}"
    return str(plain(value))[:LONGEST_SHOWN]


def _without_secrets(value: dict[object, object] | Sequence[object]) -> object:
    if not isinstance(value, dict):
        return list(value)
    return {str(name): "(hidden)" if is_secret_name(str(name)) else item for name, item in value.items()}


def _list_of(value: Sequence[object]) -> str:
    return f"a list of {plural(len(value), 'element')}"


def _values(value: dict[object, object] | Sequence[object]) -> Sequence[object]:
    return list(value.values()) if isinstance(value, dict) else value
