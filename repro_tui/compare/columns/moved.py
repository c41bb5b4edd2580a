"""Which rows of two columns do not have the same bits: all others are equal whatever the rule, and are only counted."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from repro_tui.compare.columns.nested import counts, leaves, mask, same_shape
from repro_tui.compare.rows.arrays import Indices, Mask


def moved(a: pa.Array, b: pa.Array) -> Indices:
    """The rows (0-based) in which two arrays of one length are not bit for bit the same.

    The answer errs on one side only: it may include a row that is the same after all, such as two NaN with different
    payloads, but it never omits a row that differs. The cost is one comparison of the raw buffers where the type has a
    fixed width, and one Arrow comparison otherwise.
    """
    if a.type != b.type:
        return np.arange(len(a), dtype=np.int64)
    if pa.types.is_list(a.type):
        return _lists(a, b)
    if not _width(a.type) and a.equals(b):
        return np.zeros(0, dtype=np.int64)
    return np.flatnonzero(_differ(a, b))


def _differ(a: pa.Array, b: pa.Array) -> Mask:
    values = _values_differ(a, b)
    if not (a.null_count or b.null_count):
        return values
    valid_a, valid_b = mask(a.is_valid()), mask(b.is_valid())
    return np.asarray((valid_a != valid_b) | (values & valid_a & valid_b))


def _values_differ(a: pa.Array, b: pa.Array) -> Mask:
    """Where the values differ; the answer for a null is arbitrary."""
    bits_a, bits_b = _bits(a), _bits(b)
    if bits_a is not None and bits_b is not None:
        return np.asarray(bits_a != bits_b)
    return mask(pc.fill_null(pc.not_equal(a, b), True))


def _bits(array: pa.Array) -> npt.NDArray[np.unsignedinteger] | None:
    """The raw bits of a fixed-width array, without a copy; None for other types."""
    width = _width(array.type)
    data = array.buffers()[1] if width else None
    if data is None or not width:
        return None
    return np.frombuffer(data, np.dtype(f"u{width}"), len(array), array.offset * width)


def _width(kind: pa.DataType) -> int:
    """The bytes per value of the types whose bits can be compared; 0 for the others."""
    fixed = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_date(kind)
    return kind.bit_width // 8 if fixed or pa.types.is_timestamp(kind) else 0


def _lists(a: pa.Array, b: pa.Array) -> Indices:
    """Where all rows have the same shape on both sides, the innermost numbers are compared; otherwise all rows are
    returned."""
    everything = np.arange(len(a), dtype=np.int64)
    if a.null_count or b.null_count or not len(a) or not same_shape(a, b).all():
        return everything
    differ = _differ(leaves(a), leaves(b))
    if not differ.any():
        return everything[:0]
    return np.unique(np.repeat(everything, counts(a))[differ])
