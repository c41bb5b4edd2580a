"""Pairs of numbers, compared exactly and then by tolerance. Every trap of numeric comparison is met here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from repro_tui.compare.columns.tolerance import Rule

MOST_ROUNDING = 2.0**-3  # of the value: one unit of the coarsest type
LARGEST = float(np.finfo(np.float64).max)
WIDEST = 75  # digits of the widest decimals whose difference is still one
Floats = np.ndarray[Any, np.dtype[np.float64]]
Mask = np.ndarray[Any, np.dtype[np.bool_]]


@dataclass(frozen=True, slots=True)
class Numbers:
    """One batch of one numeric column: masks over its rows, and the differences.

    `same` bit for bit, `equal` by value (or both null, or both NaN), `rounding` and `within` by the rule; `delta` is
    b - a (NaN where it is not finite), `scale` max(|a|, |b|).
    """

    a: Floats
    b: Floats
    same: Mask
    equal: Mask
    rounding: Mask
    within: Mask
    delta: Floats
    scale: Floats
    null_a: Mask
    null_b: Mask


def compare_numbers(a: pa.Array, b: pa.Array, rule: Rule) -> Numbers:
    """Compares two arrays of numbers of one length."""
    null_a, null_b = (_mask(array.is_null()) for array in (a, b))
    both = ~null_a & ~null_b
    decimal = pa.types.is_decimal(a.type) and pa.types.is_decimal(b.type)
    one, other = (_values(array) for array in (a, b))
    with np.errstate(all="ignore"):
        equal_values, delta = _decimals(a, b) if decimal else _exactly(one, other)
        x, y = one.astype(np.float64), other.astype(np.float64)
        if delta is None:
            delta = y - x
            for row in np.flatnonzero(both & ~equal_values & (x == y)):  # blurred by float64
                delta[row] = float(int(other[row]) - int(one[row]))
        nan = both & np.isnan(x) & np.isnan(y)
        equal = (both & equal_values) | nan | (null_a & null_b)
        same = (both & equal_values if decimal else _same_bits(one, other, nan, both)) | (null_a & null_b)
        scale = np.maximum(np.abs(x), np.abs(y))
        finite = both & np.isfinite(x) & np.isfinite(y)
        distance = np.abs(delta)
        unit = min(rule.units * rule.epsilon, MOST_ROUNDING) * np.maximum(scale, rule.scale)
        own = MOST_ROUNDING * scale  # a value that stands beside much larger ones is not rounded away
        rounding = equal | (finite & (distance <= np.minimum(unit, own)) & (rule.epsilon > 0))
        within = equal | (finite & (distance <= rule.atol + rule.rtol * scale))
    delta = np.where(finite, np.clip(delta, -LARGEST, LARGEST), np.nan)
    return Numbers(x, y, same, equal, rounding, within, delta, scale, null_a, null_b)


def _mask(array: pa.Array) -> Mask:
    return np.asarray(array.to_numpy(zero_copy_only=False), dtype=np.bool_)


def _values(array: pa.Array) -> np.ndarray[Any, Any]:
    """The values in their own type, decimals as floats; nulls become 0 and are masked elsewhere."""
    if pa.types.is_decimal(array.type):
        array = array.cast(pa.float64())
    if pa.types.is_float16(array.type):
        raw = array.to_numpy(zero_copy_only=False)
        return np.where(_mask(array.is_null()), np.float16(0), raw).astype(np.float16)
    if array.null_count:
        array = pc.fill_null(array, pa.scalar(0, array.type))
    return np.asarray(array.to_numpy(zero_copy_only=False))


def _exactly(a: np.ndarray[Any, Any], b: np.ndarray[Any, Any]) -> tuple[Mask, Floats | None]:
    """Equality that no conversion can blur, and for whole numbers the difference without wrap-around."""
    if a.dtype.kind in "iu" and b.dtype.kind in "iu":
        if a.dtype.kind != b.dtype.kind:
            high, low = _mixed(a, b)
            return np.asarray(~high & ~low), None
        high, low = np.greater(a, b), np.less(a, b)
        wide_a, wide_b = a.astype(np.uint64), b.astype(np.uint64)  # two's complement: the difference comes out right
        size = np.where(high, wide_a - wide_b, wide_b - wide_a).astype(np.float64)
        return np.asarray(~high & ~low), np.where(high, -size, size)
    if a.dtype.kind in "iu" or b.dtype.kind in "iu":
        whole, floats = (a, b) if a.dtype.kind in "iu" else (b, a)
        exact = np.equal(whole.astype(np.float64), floats)
        large = np.abs(floats) >= 2.0**53
        for row in np.flatnonzero(exact & large & np.isfinite(floats)):
            exact[row] = int(whole[row]) == int(floats[row])
        return exact, None
    return np.equal(a, b), None


def _decimals(a: pa.Array, b: pa.Array) -> tuple[Mask, Floats]:
    """Decimals by all of their digits: equality, and the difference before it becomes a float."""
    wide_a, wide_b = (array.cast(pa.decimal256(WIDEST, array.type.scale), safe=False) for array in (a, b))
    equal = pc.fill_null(pc.equal(wide_a, wide_b), False)
    delta = pc.fill_null(pc.subtract(wide_b, wide_a).cast(pa.float64()), 0.0)
    return np.array(equal.to_numpy(zero_copy_only=False), dtype=np.bool_), np.array(delta.to_numpy())


def _mixed(a: np.ndarray[Any, Any], b: np.ndarray[Any, Any]) -> tuple[Mask, Mask]:
    """Signed against unsigned: numpy would compare them as floats."""
    if a.dtype.kind == "u":
        low, high = _mixed(b, a)
        return high, low
    negative = a < 0
    unsigned = a.astype(np.uint64)
    return ~negative & (unsigned > b), negative | (unsigned < b)


def _same_bits(a: np.ndarray[Any, Any], b: np.ndarray[Any, Any], nan: Mask, both: Mask) -> Mask:
    if a.dtype != b.dtype:
        return np.zeros(len(a), dtype=np.bool_)
    if a.dtype.kind != "f":
        return np.asarray(both & np.equal(a, b))
    bits = np.dtype(f"u{a.dtype.itemsize}")
    same = np.equal(np.ascontiguousarray(a).view(bits), np.ascontiguousarray(b).view(bits))
    return np.asarray(both & (same | nan))
