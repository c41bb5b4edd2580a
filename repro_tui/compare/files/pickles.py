"""Pickles, joblib's among them: NOTHING is unpickled. Their operations are read as data, and what they describe is
compared: classes by name, attributes by path, arrays element by element."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from repro_tui.compare.files.arrays import StoredArray, compare_arrays
from repro_tui.compare.files.base import FileContent, FileDifferences, UnreadableError
from repro_tui.compare.files.nested import ValuePlace, Walk, brief
from repro_tui.compare.files.pickle_nodes import NDARRAY, ArrayNode, GlobalNode, ObjectNode, fields_of
from repro_tui.compare.files.pickle_stream import read_pickle
from repro_tui.support.sizes import size_over
from repro_tui.support.text import plural

LARGEST = 512 << 20
SUFFIXES = (".pkl", ".pickle", ".joblib", ".p")
EQUAL = (
    "no difference is seen in the classes, values and arrays that it describes, only in the bytes (memo, framing, "
    "protocol or the order of entries)"
)
MOST_COUNTED = 1_000_000


@dataclass(frozen=True, slots=True)
class Pickle:
    """A pickle: of protocol 2 or later by its first bytes, of an earlier one by its name."""

    name: str = "pickle"

    def matches(self, content: FileContent) -> bool:
        """A protocol's byte, or the name of a pickle whose first byte is an operation of protocol 0 or 1."""
        head = content.head
        if head[:1] == b"\x80" and head[1:2] in (b"\2", b"\3", b"\4", b"\5"):
            return True
        return content.suffix in SUFFIXES and head[:1] in tuple(bytes([byte]) for byte in b"(]}cIFLVSN")

    def compare(self, a: FileContent, b: FileContent, differences: FileDifferences) -> str:
        """Adds the classes, values and arrays that differ; the note says that nothing was unpickled."""
        return compare_pickles(a, b, differences)


def compare_pickles(
    a: FileContent,
    b: FileContent,
    differences: FileDifferences,
    skipped: Callable[[FileContent], int] | None = None,
) -> str:
    """Compares what two pickles describe, after the first `skipped` bytes of each. Raises UnreadableError."""
    values = [_read(side, skipped(side) if skipped else 0) for side in (a, b)]
    walk = Walk(differences, fields_of, _special, aligns=False)
    left, right = (side[0] if len(side) == 1 else side for side in values)
    walk.compare(left, right)
    amount = " and ".join(dict.fromkeys(_arrays(value) for value in (left, right)))
    note = f"read without unpickling, {amount}"
    return note if differences.count else f"{note}: {EQUAL}"


def _read(content: FileContent, start: int) -> list[object]:
    if content.size > LARGEST:
        raise UnreadableError("it has {}, and at most {} are read".format(*size_over(content.size, LARGEST)))
    with content.stream() as stream:
        stream.seek(start)
        return read_pickle(stream)


def _special(place: ValuePlace, a: object, b: object, differences: FileDifferences) -> bool:
    """Compares two arrays, two names of classes, two runs of bytes, or two values of different kinds."""
    a, b = _opened(a), _opened(b)
    if isinstance(a, ArrayNode) and isinstance(b, ArrayNode):
        _compare_arrays(place.path, a, b, differences)
        return True
    if isinstance(a, GlobalNode) and isinstance(b, GlobalNode):
        if a.dotted != b.dotted:
            differences.add(place.path, "changed", a.dotted, b.dotted, "a different class or function")
        return True
    if isinstance(a, ObjectNode) and isinstance(b, ObjectNode) and a.type_name != b.type_name:
        differences.add(place.path, "changed", a.type_name, b.type_name, "other class")
        return True
    if isinstance(a, bytes | bytearray) and type(a) is type(b):
        if a != b:
            left, right = (ArrayNode("|u1", "bytes", (len(raw),), bytes(raw)) for raw in (a, b))
            _compare_arrays(place.path, left, right, differences)
        return True
    nodes = (ArrayNode, GlobalNode, ObjectNode)
    if (isinstance(a, nodes) or isinstance(b, nodes)) and type(a) is not type(b):
        differences.add(place.path, "changed", brief(a), brief(b), "a different kind of value")
        return True
    return False


def _opened(value: object) -> object:
    if isinstance(value, ObjectNode) and value.array is not None and not (value.items or value.table or value.calls):
        return value.array
    return value


def _compare_arrays(path: tuple[str, ...], a: ArrayNode, b: ArrayNode, differences: FileDifferences) -> None:
    if a.layout != b.layout:
        note = f"other class, fields or unit: {a.layout or NDARRAY} became {b.layout or NDARRAY}"
        differences.add(path, "changed", str(a), str(b), note)
        return
    if (a.kind, a.shown, a.shape, a.by_column) == (b.kind, b.shown, b.shape, b.by_column) and a.data == b.data:
        return
    with tempfile.TemporaryDirectory(dir=differences.scratch) as folder:
        compare_arrays(path, _stored(a, Path(folder, "a")), _stored(b, Path(folder, "b")), differences)


def _stored(array: ArrayNode, file: Path) -> StoredArray:
    file.write_bytes(array.data)
    return StoredArray(array.kind, array.shown, array.shape, FileContent(file, file.name), 0, array.by_column)


def _arrays(value: object) -> str:
    """How many arrays a value has, and their bytes."""
    count = size = 0
    for array in _found(value):
        count += 1
        size += len(array.data)
    return f"{plural(count, 'array')} of {size:,} bytes" if count else "no array"


def _found(value: object) -> Iterator[ArrayNode]:
    seen: set[int] = set()
    stack = [value]
    while stack and len(seen) < MOST_COUNTED:
        node = stack.pop()
        if isinstance(node, ArrayNode):
            if id(node) not in seen and math.prod(node.shape) > 1:
                yield node
            seen.add(id(node))
        elif isinstance(node, dict | list | tuple | ObjectNode) and id(node) not in seen:
            seen.add(id(node))
            stack += _below(node)


def _below(node: object) -> list[object]:
    if isinstance(node, dict):
        return list(node.values())
    if isinstance(node, ObjectNode):
        return [node.made_by, node.arguments, node.state, node.items, node.table, node.calls, node.array]
    return list(node) if isinstance(node, list | tuple) else []
