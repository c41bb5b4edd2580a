"""`.npy`: the header is read as data; an array of Python objects is a pickle, and is read as one: never unpickled."""

from __future__ import annotations

import io
import tokenize
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

from repro_tui.compare.files.arrays import StoredArray, compare_arrays
from repro_tui.compare.files.base import FileContent, FileDifferences, UnreadableError
from repro_tui.compare.files.pickles import compare_pickles

if TYPE_CHECKING:
    import numpy as np

MAGIC = b"\x93NUMPY"
LONGEST_HEADER = 1 << 16
EQUAL = "the arrays are equal, only the bytes differ"


@dataclass(frozen=True, slots=True)
class Npy:
    """An array in numpy's own format."""

    name: str = "npy"

    def matches(self, content: FileContent) -> bool:
        """By its first bytes."""
        return content.head.startswith(MAGIC)

    def compare(self, a: FileContent, b: FileContent, differences: FileDifferences) -> str:
        """Adds at most one difference, or those of two arrays of objects."""
        array_a, array_b = stored(a), stored(b)
        if array_a is not None and array_b is not None:
            compare_arrays(("array",), array_a, array_b, differences)
            if not differences.count and any(array.end < side.size for array, side in ((array_a, a), (array_b, b))):
                raise UnreadableError("more follows its array")
            return "" if differences.count else EQUAL
        if array_a is not None or array_b is not None:
            shown_a, shown_b = (str(array) if array else "Python objects" for array in (array_a, array_b))
            differences.add(("array",), "changed", shown_a, shown_b, "other type")
            return ""
        return compare_pickles(a, b, differences, skipped=_header)


def stored(content: FileContent) -> StoredArray | None:
    """The array of a file; None where its elements are Python objects. Raises UnreadableError."""
    shape, by_column, kind, start = read_header(content)
    if kind.hasobject:
        return None
    if start + kind.itemsize * _product(shape) > content.size:
        raise UnreadableError("it ends within its array")
    return StoredArray(kind.str, str(kind), shape, content, start, by_column)


def _header(content: FileContent) -> int:
    return read_header(content)[3]


def read_header(content: FileContent) -> tuple[tuple[int, ...], bool, np.dtype[np.generic], int]:
    """Shape, whether it is stored by column, type, and where the elements begin. Raises UnreadableError."""
    import numpy as np

    with content.stream() as stream:
        start = io.BytesIO(stream.read(LONGEST_HEADER))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            version = np.lib.format.read_magic(start)
            read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            shape, by_column, kind = read(start)
    except (ValueError, TypeError, KeyError, SyntaxError, RecursionError, tokenize.TokenError) as error:
        raise UnreadableError("its header is not valid npy") from error
    if any(size < 0 or size > content.size + 1 for size in shape) or len(shape) > 64:
        raise UnreadableError("its shape is larger than the file")
    return shape, by_column, kind, start.tell()


def _product(shape: tuple[int, ...]) -> int:
    count = 1
    for size in shape:
        count *= size
    return count
