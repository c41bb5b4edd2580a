"""safetensors: a length, a header of JSON, and the bytes of the arrays (https://huggingface.co/docs/safetensors)."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from typing import cast

from repro_tui.compare.files.arrays import StoredArray, compare_arrays
from repro_tui.compare.files.base import FileContent, FileDifferences, UnreadableError
from repro_tui.compare.files.documents import compare_values, json_of, read_with
from repro_tui.support.text import show

LONGEST_HEADER = 64 << 20
METADATA = "__metadata__"
EQUAL = "the arrays are equal, only the bytes differ (their order or alignment)"
_KINDS = {
    "F64": ("<f8", "float64"),
    "F32": ("<f4", "float32"),
    "F16": ("<f2", "float16"),
    "BF16": ("<u2", "bfloat16"),
    "I64": ("<i8", "int64"),
    "I32": ("<i4", "int32"),
    "I16": ("<i2", "int16"),
    "I8": ("|i1", "int8"),
    "U64": ("<u8", "uint64"),
    "U32": ("<u4", "uint32"),
    "U16": ("<u2", "uint16"),
    "U8": ("|u1", "uint8"),
    "BOOL": ("|b1", "bool"),
    "C64": ("<c8", "complex64"),
    "F8_E4M3": ("|V1", "float8_e4m3"),
    "F8_E5M2": ("|V1", "float8_e5m2"),
}


@dataclass(frozen=True, slots=True)
class Safetensors:
    """Arrays by name, with texts beside them."""

    name: str = "safetensors"

    def matches(self, content: FileContent) -> bool:
        """By the length of the header and the bracket that begins it."""
        if len(content.head) < 10 or content.head[8:9] != b"{":
            return False
        (length,) = struct.unpack("<Q", content.head[:8])
        return 2 <= int(length) <= min(content.size - 8, LONGEST_HEADER)

    def compare(self, a: FileContent, b: FileContent, differences: FileDifferences) -> str:
        """Adds a difference for each array and each text beside them that differs."""
        (arrays_a, texts_a), (arrays_b, texts_b) = _read(a), _read(b)
        compare_values({METADATA: texts_a}, {METADATA: texts_b}, differences)
        for name in dict.fromkeys((*arrays_a, *arrays_b)):
            left, right = arrays_a.get(name), arrays_b.get(name)
            if left is not None and right is not None:
                compare_arrays((name,), left, right, differences)
            elif left is not None:
                differences.add((name,), "removed", str(left), None)
            else:
                differences.add((name,), "added", None, str(right))
        if not differences.count and any(
            _has_gaps(arrays.values(), side) for arrays, side in ((arrays_a, a), (arrays_b, b))
        ):
            raise UnreadableError("it has bytes that are in no array")
        return "" if differences.count else EQUAL


def _has_gaps(arrays: Iterable[StoredArray], content: FileContent) -> bool:
    """Whether bytes after the header are in none of the arrays."""
    with content.stream() as stream:
        (length,) = struct.unpack("<Q", stream.read(8))
    covered = 8 + int(length)
    for array in sorted(arrays, key=lambda array: array.start):
        if array.start > covered:
            return True
        covered = max(covered, array.end)
    return covered < content.size


def _read(content: FileContent) -> tuple[dict[str, StoredArray], object]:
    with content.stream() as stream:
        (length,) = struct.unpack("<Q", stream.read(8))
        header = read_with(json_of, stream.read(length))
    if not isinstance(header, dict):
        raise UnreadableError("its header is not a table")
    texts = header.pop(METADATA, {})
    return {str(name): _array(entry, content, 8 + length) for name, entry in header.items()}, texts


def _array(entry: object, content: FileContent, body: int) -> StoredArray:
    try:
        table = cast("dict[str, object]", entry)
        begin, end = cast("list[int]", table["data_offsets"])
        shape = tuple(cast("list[int]", table["shape"]))
        dtype = str(table["dtype"])
        whole = all(type(number) is int and number >= 0 for number in (begin, end, *shape))
    except (TypeError, KeyError, ValueError) as error:
        raise UnreadableError("its header is not valid safetensors") from error
    kind, shown = _KINDS.get(dtype, ("", ""))
    if not whole or begin > end or body + end > content.size:
        raise UnreadableError("an array lies outside the file")
    if not kind:  # a type of later versions: by its bytes
        shown = f"{show(dtype, 40)} of {' x '.join(map(str, shape)) or 'one value'}"
        return StoredArray("|V1", shown, (end - begin,), content, body + begin)
    array = StoredArray(kind, shown, shape, content, body + begin)
    if array.count * int(kind[2:]) != end - begin:
        raise UnreadableError("the size of an array does not match its shape")
    return array
