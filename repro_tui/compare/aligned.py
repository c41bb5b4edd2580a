"""Cuts two nested values down to what differs: equal subtrees are skipped by content hash, lists are aligned first.

The idea: two subtrees with the same content hash are equal, and need not be walked. Where hashes differ, tables are
descended key by key. The elements of two lists are first aligned (difflib's SequenceMatcher over their hashes), so that
an element inserted at the front is one added element, and not a change of every element.

Invariants: what is cut away is equal on both sides, types included (1, 1.0 and true differ; NaN equals NaN, -0.0 equals
0.0), and its leaves are returned, so that nothing is lost. Aligned lists become tables with `ListIndex` keys, the same
on both sides for paired elements.

Cost: a subtree is hashed once. Lists of more than 2,000 elements in both sides
together are aligned only by their common beginning and end, as the matcher takes quadratic time.

Example: {"steps": ["scale", "fit"], "seed": 1} and {"steps": ["fit"], "seed": 1} are cut down to {"steps": {0 (A's):
"scale"}} and {"steps": {}}; the leaves ("steps", 1) and ("seed",) are the same.
"""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Literal, TypeVar

Key = TypeVar("Key")
MOST_TO_ALIGN = 2_000


@dataclass(frozen=True, slots=True, order=True)
class ListIndex:
    """The index of a list's element: paired elements share one; an element of one side alone has one of that side."""

    index: int
    side: Literal["both", "a", "b"] = "both"

    def __str__(self) -> str:
        return str(self.index)


ParameterPath = tuple[object, ...]  # keys of tables, and a ListIndex for each list
Leaf = tuple[ParameterPath, object]
Nested = Mapping[Key, object]


def differing(a: Nested[Key], b: Nested[Key]) -> tuple[dict[Key, object], dict[Key, object], list[Leaf]]:
    """Both values cut down to what differs (lists as tables by `ListIndex`), and the leaves that are the same."""
    same: list[Leaf] = []
    cut_a, cut_b = _cut(a, b, (), same, {})
    return cut_a, cut_b, same


def leaves(value: object, path: ParameterPath = ()) -> list[Leaf]:
    """Every value below `value`, with its path; an empty table or list is a leaf."""
    if isinstance(value, dict) and value:
        return [leaf for key, item in value.items() for leaf in leaves(item, (*path, key))]
    if isinstance(value, list | tuple) and value:
        return [leaf for index, item in enumerate(value) for leaf in leaves(item, (*path, ListIndex(index)))]
    return [(path, value)]


Hashes = dict[int, bytes]  # of tables and lists by their ids, which are theirs as long as the compared values live


def content_hash(value: object, known: Hashes | None = None) -> bytes:
    """A hash that only values with the same content and types share; all NaN are one value, and so are both zeros.

    `known` has the hashes of tables and lists that were hashed before, and gets those of this one.
    """
    known = {} if known is None else known
    if isinstance(value, dict | list | tuple):
        if id(value) not in known:
            known[id(value)] = _nested_hash(value, known)
        return known[id(value)]
    if isinstance(value, set | frozenset):
        return _hash(b"(", *sorted(map(content_hash, value)))
    if isinstance(value, datetime.datetime) and value.tzinfo is not None:
        return _hash(b"t", value.astimezone(datetime.UTC).isoformat().encode())  # one moment, whatever its zone
    if isinstance(value, float):
        return _hash(b"f", repr(value + 0.0).encode())  # -0.0 + 0.0 is 0.0
    return _hash(type(value).__name__.encode(), repr(value).encode("utf-8", "surrogatepass"))


def _nested_hash(value: object, known: Hashes) -> bytes:
    if isinstance(value, dict):
        return _hash(b"{", *sorted(content_hash(key) + content_hash(item, known) for key, item in value.items()))
    assert isinstance(value, list | tuple)
    return _hash(b"[", *(content_hash(item, known) for item in value))


def _hash(*parts: bytes) -> bytes:
    state = hashlib.blake2b(digest_size=16)
    for part in parts:
        state.update(len(part).to_bytes(8, "big") + part)
    return state.digest()


def _cut(
    a: Nested[Key], b: Nested[Key], path: ParameterPath, same: list[Leaf], known: Hashes
) -> tuple[dict[Key, object], dict[Key, object]]:
    cut_a: dict[Key, object] = {}
    cut_b: dict[Key, object] = {}
    for key in dict.fromkeys((*a, *b)):
        if key in a and key in b:
            here = (*path, key)
            if content_hash(a[key], known) == content_hash(b[key], known):
                same += leaves(b[key], here)
            else:
                cut_a[key], cut_b[key] = _cut_pair(a[key], b[key], here, same, known)
        elif key in a:
            cut_a[key] = a[key]
        else:
            cut_b[key] = b[key]
    return cut_a, cut_b


def _cut_pair(a: object, b: object, path: ParameterPath, same: list[Leaf], known: Hashes) -> tuple[object, object]:
    if isinstance(a, dict) and isinstance(b, dict):
        return _cut(a, b, path, same, known)
    if isinstance(a, list | tuple) and isinstance(b, list | tuple):
        return _cut(*align(a, b, known), path, same, known)
    return a, b


def align(
    a: Sequence[object], b: Sequence[object], known: Hashes | None = None
) -> tuple[dict[ListIndex, object], dict[ListIndex, object]]:
    """Both lists as tables whose keys pair the elements that belong together, by A's index where both have one."""
    table_a: dict[ListIndex, object] = {}
    table_b: dict[ListIndex, object] = {}
    for from_a, to_a, from_b, to_b in _blocks(a, b, {} if known is None else known):
        paired = min(to_a - from_a, to_b - from_b)
        for offset in range(paired):
            key = ListIndex(from_a + offset)
            table_a[key], table_b[key] = a[from_a + offset], b[from_b + offset]
        table_a.update({ListIndex(index, "a"): a[index] for index in range(from_a + paired, to_a)})
        table_b.update({ListIndex(index, "b"): b[index] for index in range(from_b + paired, to_b)})
    return table_a, table_b


def _blocks(a: Sequence[object], b: Sequence[object], known: Hashes) -> Iterator[tuple[int, int, int, int]]:
    """Ranges of elements that correspond: from and to in A, from and to in B."""
    hashes_a, hashes_b = ([content_hash(item, known) for item in side] for side in (a, b))
    if len(a) + len(b) > MOST_TO_ALIGN:
        yield from _long_blocks(hashes_a, hashes_b)
        return
    matcher = SequenceMatcher(None, hashes_a, hashes_b, False)
    yield from (block[1:] for block in matcher.get_opcodes())


def _long_blocks(a: list[bytes], b: list[bytes]) -> Iterator[tuple[int, int, int, int]]:
    """The common beginning, the middle and the common end: quick for long lists, and right for a single edit."""
    shorter = min(len(a), len(b))
    head = next((index for index in range(shorter) if a[index] != b[index]), shorter)
    rest = shorter - head
    tail = next((index for index in range(rest) if a[-1 - index] != b[-1 - index]), rest)
    yield 0, head, 0, head
    yield head, len(a) - tail, head, len(b) - tail
    yield len(a) - tail, len(a), len(b) - tail, len(b)
