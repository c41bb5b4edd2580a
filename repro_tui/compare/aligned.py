"""Cuts two nested values down to what differs: equal subtrees are skipped by content hash, lists are aligned first."""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any, Literal

MOST_TO_ALIGN = 2_000


@dataclass(frozen=True, slots=True, order=True)
class At:
    """A place in a list: paired elements share one, an element that only A or only B has is that side's alone."""

    index: int
    side: Literal["both", "a", "b"] = "both"

    def __str__(self) -> str:
        return str(self.index)


Leaf = tuple[tuple[Any, ...], Any]


def differing(a: dict[Any, Any], b: dict[Any, Any]) -> tuple[dict[Any, Any], dict[Any, Any], list[Leaf]]:
    """Both values cut down to what differs (lists as tables by `At`), and the leaves that are the same."""
    same: list[Leaf] = []
    cut_a, cut_b = _cut(a, b, (), same)
    return cut_a, cut_b, same


def leaves(value: Any, path: tuple[Any, ...] = ()) -> list[Leaf]:
    """Every value below, with its path; an empty table or list is a leaf."""
    if isinstance(value, dict) and value:
        return [leaf for key, item in value.items() for leaf in leaves(item, (*path, key))]
    if isinstance(value, list | tuple) and value:
        return [leaf for at, item in enumerate(value) for leaf in leaves(item, (*path, At(at)))]
    return [(path, value)]


def content_hash(value: Any) -> bytes:
    """A hash that only values of one content and of the same types share; NaN is one value, and so is zero."""
    if isinstance(value, dict):
        inner = sorted(content_hash(key) + content_hash(item) for key, item in value.items())
        return _hash(b"{", *inner)
    if isinstance(value, list | tuple):
        return _hash(b"[", *map(content_hash, value))
    if isinstance(value, set | frozenset):
        return _hash(b"(", *sorted(map(content_hash, value)))
    if isinstance(value, datetime.datetime) and value.tzinfo is not None:
        return _hash(b"t", value.astimezone(datetime.UTC).isoformat().encode())  # one moment, whatever its zone
    if isinstance(value, float):
        return _hash(b"f", repr(value + 0.0).encode())  # -0.0 + 0.0 is 0.0
    return _hash(type(value).__name__.encode(), repr(value).encode("utf-8", "surrogatepass"))


def _hash(*parts: bytes) -> bytes:
    state = hashlib.blake2b(digest_size=16)
    for part in parts:
        state.update(len(part).to_bytes(8, "big") + part)
    return state.digest()


def _cut(
    a: dict[Any, Any], b: dict[Any, Any], path: tuple[Any, ...], same: list[Leaf]
) -> tuple[dict[Any, Any], dict[Any, Any]]:
    cut_a, cut_b = {}, {}
    for key in dict.fromkeys((*a, *b)):
        if key in a and key in b:
            here = (*path, key)
            if content_hash(a[key]) == content_hash(b[key]):
                same += leaves(b[key], here)
            else:
                cut_a[key], cut_b[key] = _cut_pair(a[key], b[key], here, same)
        elif key in a:
            cut_a[key] = a[key]
        else:
            cut_b[key] = b[key]
    return cut_a, cut_b


def _cut_pair(a: Any, b: Any, path: tuple[Any, ...], same: list[Leaf]) -> tuple[Any, Any]:
    if isinstance(a, dict) and isinstance(b, dict):
        return _cut(a, b, path, same)
    if isinstance(a, list | tuple) and isinstance(b, list | tuple):
        return _cut(*_align(list(a), list(b)), path, same)
    return a, b


def _align(a: list[Any], b: list[Any]) -> tuple[dict[At, Any], dict[At, Any]]:
    """Both lists as tables whose keys pair the elements that belong together: the place of A's, where both have it."""
    table_a: dict[At, Any] = {}
    table_b: dict[At, Any] = {}
    for from_a, to_a, from_b, to_b in _blocks(a, b):
        paired = min(to_a - from_a, to_b - from_b)
        for step in range(paired):
            at = At(from_a + step)
            table_a[at], table_b[at] = a[from_a + step], b[from_b + step]
        table_a.update({At(at, "a"): a[at] for at in range(from_a + paired, to_a)})
        table_b.update({At(at, "b"): b[at] for at in range(from_b + paired, to_b)})
    return table_a, table_b


def _blocks(a: list[Any], b: list[Any]) -> Iterator[tuple[int, int, int, int]]:
    if len(a) + len(b) > MOST_TO_ALIGN:
        yield from _long_blocks([content_hash(item) for item in a], [content_hash(item) for item in b])
        return
    matcher = SequenceMatcher(None, [content_hash(item) for item in a], [content_hash(item) for item in b], False)
    yield from (block[1:] for block in matcher.get_opcodes())


def _long_blocks(a: list[bytes], b: list[bytes]) -> Iterator[tuple[int, int, int, int]]:
    """A long list is aligned by its common beginning and end only: quick, and right for one edit."""
    shorter = min(len(a), len(b))
    head = next((at for at in range(shorter) if a[at] != b[at]), shorter)
    left = shorter - head
    tail = next((at for at in range(left) if a[-1 - at] != b[-1 - at]), left)
    yield 0, head, 0, head
    yield head, len(a) - tail, head, len(b) - tail
    yield len(a) - tail, len(a), len(b) - tail, len(b)
