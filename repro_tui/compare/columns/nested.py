"""Lists of numbers within lists, of any depth: the shape of each row, and the numbers at the innermost level."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from repro_tui.compare.rows.arrays import Indices, Mask


def leaf_type(kind: pa.DataType) -> pa.DataType:
    """The type of the innermost values."""
    while pa.types.is_list(kind):
        kind = kind.value_type
    return kind


def single(array: pa.Array) -> pa.Array:
    """The array, with half-precision numbers as single precision: Arrow can neither compare nor count halves."""
    return array.cast(pa.float32()) if pa.types.is_float16(array.type) else array


def leaves(array: pa.Array) -> pa.Array:
    """All numbers of all rows, in order."""
    while pa.types.is_list(array.type):
        array = array.flatten()
    return array


def counts(array: pa.Array) -> Indices:
    """How many numbers each row holds in total, over all of its nested lists."""
    own = _lengths(array)
    if not pa.types.is_list(array.type.value_type):
        return own
    below = np.concatenate(([0], np.cumsum(counts(array.flatten()))))
    ends = np.cumsum(own)
    return np.asarray(below[ends] - below[ends - own], dtype=np.int64)


def mask(array: pa.Array) -> Mask:
    """A Boolean Arrow array without nulls, as a NumPy array that may be written to."""
    return np.array(array.to_numpy(zero_copy_only=False), dtype=np.bool_)


def same_shape(a: pa.Array, b: pa.Array) -> Mask:
    """The rows whose lists have the same shape on both sides; a row that is null on either side has no shape.

    Nested lists are compared level by level: `[[1, 2], [3]]` has the shape of `[[4, 5], [6]]`, and not that of
    `[[4], [5, 6]]`. The cost is linear in the number of lists.
    """
    sizes = _lengths(a)
    same = mask(a.is_valid()) & mask(b.is_valid()) & (sizes == _lengths(b))
    deeper = [pa.types.is_list(side.type.value_type) for side in (a, b)]
    if not any(deeper):
        return np.asarray(same)
    if not all(deeper):
        return np.zeros(len(a), dtype=np.bool_)
    rows = np.flatnonzero(same)
    inner_a, inner_b = (side.take(pa.array(rows)).flatten() for side in (a, b))
    unlike = ~(same_shape(inner_a, inner_b) | (mask(inner_a.is_null()) & mask(inner_b.is_null())))
    same[rows[np.repeat(np.arange(len(rows)), sizes[rows])[unlike]]] = False
    return np.asarray(same)


def shape(array: pa.Array, row: int) -> str:
    """The shape of one row, such as 2x3; of a ragged row, that of its first entries."""
    value, sizes = array[row].as_py(), []
    while isinstance(value, list):
        sizes.append(str(len(value)))
        value = value[0] if value else None
    return "x".join(sizes)


def _lengths(array: pa.Array) -> Indices:
    return np.asarray(pc.fill_null(pc.list_value_length(array), 0).to_numpy(zero_copy_only=False), dtype=np.int64)
