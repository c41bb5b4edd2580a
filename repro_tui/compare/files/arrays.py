"""Two arrays in files, element by element, read in blocks: how many differ, by how much, and the first that does.

NaN equals NaN, and both zeros differ, as their bytes do. Distances are of 64-bit floats: no type of integers wraps.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from io import BufferedReader
from typing import TYPE_CHECKING

from repro_tui.compare.files.base import FileContent, FileDifferences, UnreadableError, plain
from repro_tui.support.text import part

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Values = npt.NDArray[np.generic]

BLOCK = 1 << 18  # elements that are read together
WIDEST = 1 << 20  # bytes of one element
MOST_REORDERED = 64 << 20
Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StoredArray:
    """An array as it is stored: its type by numpy's name (`<f4`), the name that is shown, its shape, and where its
    bytes are: `start` bytes into a content. `by_column`: its first index runs fastest."""

    kind: str
    shown: str
    shape: tuple[int, ...]
    content: FileContent
    start: int
    by_column: bool = False

    @property
    def count(self) -> int:
        """The number of elements."""
        return math.prod(self.shape)

    @property
    def end(self) -> int:
        """The place in the content after its last byte."""
        import numpy as np

        return self.start + self.count * np.dtype(self.kind).itemsize

    def __str__(self) -> str:
        return described(self.shown, self.shape)


def described(kind: str, shape: tuple[int, ...]) -> str:
    """An array by its type and shape, such as `float32, 3 x 4`."""
    return f"{kind}, {' x '.join(f'{size:,}' for size in shape) or 'one value'}"


def compare_arrays(path: Path, a: StoredArray, b: StoredArray, differences: FileDifferences) -> None:
    """Adds at most one difference: another type or shape, else the elements that differ.

    Raises UnreadableError where the bytes of an array are missing.
    """
    if a.shape != b.shape:
        differences.add(path, "changed", str(a), str(b), "other shape" + ("" if a.shown == b.shown else " and type"))
        return
    types = "" if a.shown == b.shown else f"other type: {a.shown} became {b.shown}"
    if a.by_column != b.by_column and len(a.shape) > 1:
        orders = "stored by row on one side and by column on the other: not compared element by element"
        differences.add(path, "changed", str(a), str(b), "; ".join(filter(None, (types, orders))))
        return
    counted = _counted(a, b)
    if counted is None:
        note = "; ".join(filter(None, (types, "values of this type are not compared")))
        if types:
            differences.add(path, "changed", str(a), str(b), note)
    elif counted.differing:
        index = _index(counted.first, a)
        note = "; ".join(filter(None, (types, counted.note(a, index))))
        differences.add(path, "changed", plain(counted.a), plain(counted.b), note)
    elif types:
        same = "values" if counted.numbers else "bytes"
        differences.add(path, "changed", str(a), str(b), f"same {same}, {types}")


@dataclass(slots=True)
class _Counted:
    numbers: bool
    differing: int = 0
    first: int = 0
    a: object = None
    b: object = None
    largest: float | None = None

    def note(self, array: StoredArray, index: tuple[int, ...]) -> str:
        share = part(self.differing / array.count)
        distance = f", max |Δ| {self.largest:.4g}" if self.largest is not None else ""
        shape = described(array.shown, array.shape)
        count = f"{self.differing:,} of {array.count:,} {'differs' if self.differing == 1 else 'differ'} ({share})"
        return f"{count}{distance}; the first at {list(index)} ({shape})"


def _index(flat: int, array: StoredArray) -> tuple[int, ...]:
    index: list[int] = []
    for size in array.shape if array.by_column else reversed(array.shape):
        flat, rest = divmod(flat, size)
        index.append(rest)
    return tuple(index if array.by_column else reversed(index))


def _counted(a: StoredArray, b: StoredArray) -> _Counted | None:
    """The elements that differ; None where two types cannot be compared by value."""
    import numpy as np

    types = [np.dtype(side.kind) for side in (a, b)]
    if any(kind.itemsize > WIDEST or not kind.itemsize for kind in types):
        raise UnreadableError("the elements of an array have no bytes, or too many")
    numbers = all(kind.kind in "biufc" for kind in types)
    if types[0] != types[1] and not numbers:
        return None
    counted = _Counted(numbers)
    with a.content.stream() as stream_a, b.content.stream() as stream_b:
        stream_a.seek(a.start)
        stream_b.seek(b.start)
        block = max(1, min(BLOCK, (16 << 20) // max(kind.itemsize for kind in types)))
        for start in range(0, a.count, block):
            size = min(block, a.count - start)
            raw_a, raw_b = _read(stream_a, size * types[0].itemsize), _read(stream_b, size * types[1].itemsize)
            if raw_a == raw_b and a.kind == b.kind and a.shown == b.shown:
                continue
            values = (_values(raw_a, types[0], a.shown), _values(raw_b, types[1], b.shown))
            _add(counted, start, *values, numbers)
    return counted


def _read(stream: BufferedReader, size: int) -> bytes:
    raw = stream.read(size)
    if len(raw) < size:
        raise UnreadableError("it ends within an array")
    return raw


def _values(raw: bytes, kind: np.dtype[np.generic], shown: str) -> Values:
    import numpy as np

    if shown == "bfloat16":  # the upper half of a float32
        return (np.frombuffer(raw, "<u2").astype("<u4") << 16).view("<f4")
    if kind.kind in "biufcMmUS":
        return np.frombuffer(raw, kind)
    return np.frombuffer(raw, f"V{kind.itemsize}")


def _add(counted: _Counted, start: int, a: Values, b: Values, numbers: bool) -> None:
    import numpy as np

    with np.errstate(all="ignore"):
        differs = _differs(a, b)
        indexes = np.flatnonzero(differs)
        if not len(indexes):
            return
        if not counted.differing:
            counted.first = start + int(indexes[0])
            counted.a, counted.b = (_item(side[indexes[0]]) for side in (a, b))
        counted.differing += len(indexes)
        if numbers:
            distance = float(np.max(_distances(a[indexes], b[indexes])))
            counted.largest = max(counted.largest or 0.0, distance)


def _differs(a: Values, b: Values) -> npt.NDArray[np.bool_]:
    import numpy as np

    if a.dtype.kind == b.dtype.kind == "c":
        return _differs(a.real, b.real) | _differs(a.imag, b.imag)
    differs: npt.NDArray[np.bool_] = np.asarray(a != b)
    if a.dtype.kind == b.dtype.kind == "f":
        differs &= ~(np.isnan(a) & np.isnan(b))
        differs |= (a == 0) & (b == 0) & (np.signbit(a) != np.signbit(b))
    for whole, real in ((a, b), (b, a)):
        if whole.dtype.kind in "iu" and real.dtype.kind in "fc":  # they were compared as floats, which round integers
            differs |= whole != real.real.astype(whole.dtype)
    return differs


def _distances(a: Values, b: Values) -> npt.NDArray[np.float64]:
    """|a - b| of each pair; infinite where one alone is NaN."""
    import numpy as np

    if a.dtype.kind == b.dtype.kind and a.dtype.kind in "iu":  # as floats, two large integers could be one
        larger, smaller = np.maximum(a, b).astype("u8"), np.minimum(a, b).astype("u8")
        return np.asarray((larger - smaller).astype("f8"))  # exact before, as unsigned integers wrap
    wide = np.promote_types(np.result_type(a.dtype, b.dtype), "f8")
    distances = np.abs(a.astype(wide) - b.astype(wide))
    return np.where(np.isnan(distances), np.inf, distances)


def _item(value: object) -> object:
    item = value.item() if hasattr(value, "item") else value
    if isinstance(item, bytes):
        return item[:16].hex(" ")
    return item if isinstance(item, float | int) else str(item)
