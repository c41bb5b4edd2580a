"""Pairs of numbers, compared exactly first and then by tolerance: the traps of numeric comparison are handled here.

Equality is decided in the numbers' own types, before anything becomes a float64: 2**53 and 2**53 + 1 are different
numbers and the same float64, a uint8 difference wraps around, a signed and an unsigned integer are compared by NumPy as
floats, and a decimal has more digits than any float. Whole numbers therefore go through two's complement arithmetic,
whole numbers against floats through Python's integers where they are large, and decimals through 256-bit decimals.

With d = b - a and m = max(|a|, |b|), a pair that is not equal is

- equal to rounding where |d| <= units * epsilon * max(m, scale), where `epsilon` is the unit of rounding of the type
  and `scale` the typical size of the column: in a sum of large terms, a small result is rounded in units of the terms.
  The bound is at most m / 8, so that a small value next to large ones is not rounded away;
- within the tolerance where |d| <= atol + rtol * m, which, unlike `numpy.isclose`, is symmetric in a and b.

Two nulls are equal, and so are two NaN; infinite values are equal to themselves only. The order of the sides changes
only the sign of d. The cost is linear, except that pairs of large values that float64 cannot separate are looked at
one by one.

Example: 100.0 and 110.5 with rtol = 0.1 are within the tolerance, since 10.5 <= 0.1 * 110.5, whichever comes first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from repro_tui.compare.columns.nested import mask
from repro_tui.compare.columns.tolerance import Rule
from repro_tui.compare.rows.arrays import Floats, Mask

MOST_ROUNDING = 2.0**-3  # relative to the value: one unit of the coarsest type
LARGEST = float(np.finfo(np.float64).max)
WIDEST = 75  # digits of the widest decimals whose difference is still a decimal of Arrow
Native = npt.NDArray[Any]  # numbers in their own type


@dataclass(frozen=True, slots=True)
class Numbers:
    """One batch of one numeric column: both sides as floats, masks over the rows, and the differences.

    `same` marks rows that are equal bit for bit, `equal` those equal by value (or both null, or both NaN), `rounding`
    and `within` those that pass by the rule. `delta` is b - a (NaN where it is not finite) and `scale` max(|a|, |b|).
    Nulls are 0 in `a` and `b`, and marked in `null_a` and `null_b`.
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
    """Compares two arrays of numbers of one length; the types may differ. See the module for the definitions."""
    null_a, null_b = (mask(array.is_null()) for array in (a, b))
    both = ~null_a & ~null_b
    decimal = pa.types.is_decimal(a.type) and pa.types.is_decimal(b.type)
    native_a, native_b = (_values(array) for array in (a, b))
    with np.errstate(all="ignore"):
        equal_values, delta = _decimals(a, b) if decimal else _exactly(native_a, native_b)
        floats_a, floats_b = native_a.astype(np.float64), native_b.astype(np.float64)
        if delta is None:
            delta = floats_b - floats_a
            for row in np.flatnonzero(both & ~equal_values & (floats_a == floats_b)):  # float64 cannot tell them apart
                delta[row] = float(int(native_b[row]) - int(native_a[row]))
        nan = both & np.isnan(floats_a) & np.isnan(floats_b)
        equal = (both & equal_values) | nan | (null_a & null_b)
        same = (both & equal_values if decimal else _same_bits(native_a, native_b, nan, both)) | (null_a & null_b)
        scale = np.maximum(np.abs(floats_a), np.abs(floats_b))
        finite = both & np.isfinite(floats_a) & np.isfinite(floats_b)
        distance = np.abs(delta)
        rounding_unit = min(rule.units * rule.epsilon, MOST_ROUNDING) * np.maximum(scale, rule.scale)
        largest = MOST_ROUNDING * scale  # so that a value next to much larger ones is not rounded away
        rounding = equal | (finite & (distance <= np.minimum(rounding_unit, largest)) & (rule.epsilon > 0))
        within = equal | (finite & (distance <= rule.atol + rule.rtol * scale))
    delta = np.where(finite, np.clip(delta, -LARGEST, LARGEST), np.nan)
    return Numbers(floats_a, floats_b, same, equal, rounding, within, delta, scale, null_a, null_b)


def _values(array: pa.Array) -> Native:
    """The values in their own type, decimals as floats; nulls become 0 and are masked by the caller."""
    if pa.types.is_decimal(array.type):
        array = array.cast(pa.float64())
    if pa.types.is_float16(array.type):
        raw = array.to_numpy(zero_copy_only=False)
        return np.where(mask(array.is_null()), np.float16(0), raw).astype(np.float16)
    if array.null_count:
        array = pc.fill_null(array, pa.scalar(0, array.type))
    return np.asarray(array.to_numpy(zero_copy_only=False))


def _exactly(a: Native, b: Native) -> tuple[Mask, Floats | None]:
    """Equality without lossy conversions and, for whole numbers, the difference without wrap-around (or None)."""
    if a.dtype.kind in "iu" and b.dtype.kind in "iu":
        if a.dtype.kind != b.dtype.kind:
            high, low = _mixed(a, b)
            return np.asarray(~high & ~low), None
        high, low = np.greater(a, b), np.less(a, b)
        wide_a, wide_b = (
            a.astype(np.uint64),
            b.astype(np.uint64),
        )  # two's complement: the difference is right modulo 2^64
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
    """Equality of decimals by all of their digits, and their difference, computed before it becomes a float."""
    wide_a, wide_b = (array.cast(pa.decimal256(WIDEST, array.type.scale), safe=False) for array in (a, b))
    equal = pc.fill_null(pc.equal(wide_a, wide_b), False)
    delta = pc.fill_null(pc.subtract(wide_b, wide_a).cast(pa.float64()), 0.0)
    return np.array(equal.to_numpy(zero_copy_only=False), dtype=np.bool_), np.array(delta.to_numpy())


def _mixed(a: Native, b: Native) -> tuple[Mask, Mask]:
    """Where a > b and where a < b, of a signed and an unsigned array: NumPy would compare them as floats."""
    if a.dtype.kind == "u":
        low, high = _mixed(b, a)
        return high, low
    negative = a < 0
    unsigned = a.astype(np.uint64)
    return ~negative & (unsigned > b), negative | (unsigned < b)


def _same_bits(a: Native, b: Native, nan: Mask, both: Mask) -> Mask:
    if a.dtype != b.dtype:
        return np.zeros(len(a), dtype=np.bool_)
    if a.dtype.kind != "f":
        return np.asarray(both & np.equal(a, b))
    bits = np.dtype(f"u{a.dtype.itemsize}")
    same = np.equal(np.ascontiguousarray(a).view(bits), np.ascontiguousarray(b).view(bits))
    return np.asarray(both & (same | nan))
