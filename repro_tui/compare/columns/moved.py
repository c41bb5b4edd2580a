"""Which rows of two columns are not the same bits: the rest is equal whatever the rule, and needs no further look."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from repro_tui.compare.columns.nested import counts, leaves, same_shape

Rows = np.ndarray[Any, np.dtype[np.int64]]


def moved(a: pa.Array, b: pa.Array) -> Rows:
    """The rows (0-based) in which two arrays of one length are not bit for bit the same.

    A row may be named that is the same after all, such as two kinds of NaN; none is left out that differs.
    """
    if a.type != b.type:
        return np.arange(len(a), dtype=np.int64)
    if pa.types.is_list(a.type):
        return _lists(a, b)
    if not _width(a.type) and a.equals(b):
        return np.zeros(0, dtype=np.int64)
    return np.flatnonzero(_differ(a, b))


def _differ(a: pa.Array, b: pa.Array) -> np.ndarray[Any, np.dtype[np.bool_]]:
    values = _values(a, b)
    if not (a.null_count or b.null_count):
        return values
    valid_a, valid_b = (np.asarray(x.is_valid().to_numpy(zero_copy_only=False)) for x in (a, b))
    return np.asarray((valid_a != valid_b) | (values & valid_a & valid_b))


def _values(a: pa.Array, b: pa.Array) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Where the values differ; what stands at a null is anything."""
    bits = _bits(a), _bits(b)
    if bits[0] is not None and bits[1] is not None:
        return np.asarray(bits[0] != bits[1])
    unequal = pc.fill_null(pc.not_equal(a, b), True)
    return np.asarray(unequal.to_numpy(zero_copy_only=False), dtype=np.bool_)


def _bits(array: pa.Array) -> np.ndarray[Any, Any] | None:
    """The raw bits of a fixed-width array, without a copy; None for other types."""
    width = _width(array.type)
    data = array.buffers()[1] if width else None
    if data is None or not width:
        return None
    return np.frombuffer(data, np.dtype(f"u{width}"), len(array), array.offset * width)


def _width(kind: pa.DataType) -> int:
    fixed = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_date(kind)
    return kind.bit_width // 8 if fixed or pa.types.is_timestamp(kind) else 0


def _lists(a: pa.Array, b: pa.Array) -> Rows:
    """Lists of one shape in every row are compared as one row of numbers; of others all rows are looked at."""
    everything = np.arange(len(a), dtype=np.int64)
    if a.null_count or b.null_count or not len(a) or not same_shape(a, b).all():
        return everything
    differ = _differ(leaves(a), leaves(b))
    if not differ.any():
        return everything[:0]
    return np.unique(np.repeat(everything, counts(a))[differ])
