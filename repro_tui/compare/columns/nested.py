"""Lists of numbers within lists, of any depth: their shapes, row by row, and the numbers at their ends."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

Mask = np.ndarray[Any, np.dtype[np.bool_]]
Counts = np.ndarray[Any, np.dtype[np.int64]]


def leaf_type(kind: pa.DataType) -> pa.DataType:
    """The type of the numbers at the end."""
    while pa.types.is_list(kind):
        kind = kind.value_type
    return kind


def single(array: pa.Array) -> pa.Array:
    """The array, its numbers of half precision as single ones: Arrow neither compares nor counts the others."""
    return array.cast(pa.float32()) if pa.types.is_float16(array.type) else array


def leaves(array: pa.Array) -> pa.Array:
    """All numbers of all rows, in their order."""
    while pa.types.is_list(array.type):
        array = array.flatten()
    return array


def counts(array: pa.Array) -> Counts:
    """How many numbers each row has in all."""
    own = _lengths(array)
    if not pa.types.is_list(array.type.value_type):
        return own
    below = np.concatenate(([0], np.cumsum(counts(array.flatten()))))
    ends = np.cumsum(own)
    return np.asarray(below[ends] - below[ends - own], dtype=np.int64)


def same_shape(a: pa.Array, b: pa.Array) -> Mask:
    """The rows that have lists of one shape on both sides; a row that is null on a side has none."""
    valid_a, valid_b = (np.asarray(x.is_valid().to_numpy(zero_copy_only=False), dtype=np.bool_) for x in (a, b))
    sizes = _lengths(a)
    same = valid_a & valid_b & (sizes == _lengths(b))
    deeper = [pa.types.is_list(x.type.value_type) for x in (a, b)]
    if not any(deeper):
        return np.asarray(same)
    if not all(deeper):
        return np.zeros(len(a), dtype=np.bool_)
    rows = np.flatnonzero(same)
    inner = [x.take(pa.array(rows)).flatten() for x in (a, b)]
    both_null = np.logical_and.reduce([np.asarray(x.is_null().to_numpy(zero_copy_only=False)) for x in inner])
    other = ~(same_shape(*inner) | both_null)
    same[rows[np.repeat(np.arange(len(rows)), sizes[rows])[other]]] = False
    return np.asarray(same)


def shape(array: pa.Array, row: int) -> str:
    """One row's shape in words, such as 2x3; that of its first entries where it is ragged."""
    value, sizes = array[row].as_py(), []
    while isinstance(value, list):
        sizes.append(str(len(value)))
        value = value[0] if value else None
    return "x".join(sizes)


def _lengths(array: pa.Array) -> Counts:
    return np.asarray(pc.fill_null(pc.list_value_length(array), 0).to_numpy(zero_copy_only=False), dtype=np.int64)
