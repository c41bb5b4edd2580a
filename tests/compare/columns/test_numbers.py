"""The traps of comparing numbers: wide whole numbers, mixed types, nulls, NaN, infinities and signed zero."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from repro_tui.compare.columns.number_pairs import compare_numbers
from repro_tui.compare.columns.tolerance import Rule

EXACT = Rule(0.0, 0.0, 0.0, 4, "exact")
LOOSE = Rule(1.0, 0.0, 0.0, 4, "one apart")
INT64, UINT64, DOUBLE = pa.int64(), pa.uint64(), pa.float64()
WIDE = [
    ([2**53], INT64, [2**53 + 1], INT64, 1),
    ([-(2**63)], INT64, [2**63 - 1], INT64, 2**64 - 1),
    ([2**63 - 1], INT64, [2**63], UINT64, 1),
    ([2**64 - 1], UINT64, [0], UINT64, -(2**64 - 1)),
    ([-1], INT64, [2**64 - 1], UINT64, 2**64),
    ([2**63 - 512], INT64, [float(2**63)], DOUBLE, 512),
    ([2**53 + 1], INT64, [float(2**53)], DOUBLE, -1),
]


@pytest.mark.parametrize(("a", "type_a", "b", "type_b", "delta"), WIDE)
def test_whole_numbers_that_float64_cannot_tell_apart(
    a: list[Any], type_a: Any, b: list[Any], type_b: Any, delta: int
) -> None:
    array_a, array_b = pa.array(a, type_a), pa.array(b, type_b)
    forward, backward = compare_numbers(array_a, array_b, LOOSE), compare_numbers(array_b, array_a, LOOSE)
    assert not forward.equal[0]
    assert not forward.same[0]
    assert forward.delta[0] == float(delta)
    assert backward.delta[0] == float(-delta)
    assert forward.within[0] == backward.within[0] == (abs(delta) <= 1)


def test_a_whole_number_equals_its_float_but_is_not_the_same() -> None:
    numbers = compare_numbers(pa.array([2**60], INT64), pa.array([float(2**60)], DOUBLE), EXACT)
    assert numbers.equal[0]
    assert not numbers.same[0]


@pytest.mark.parametrize(
    ("a", "b", "same", "equal"),
    [
        (0.0, -0.0, False, True),
        (float("nan"), float("nan"), True, True),
        (float("nan"), 0.0, False, False),
        (None, None, True, True),
        (None, 0.0, False, False),
        (None, float("nan"), False, False),
        (float("inf"), float("inf"), True, True),
        (float("inf"), float("-inf"), False, False),
        (float("inf"), 1.0, False, False),
    ],
)
def test_values_that_are_not_ordinary_numbers(a: float | None, b: float | None, same: bool, equal: bool) -> None:
    rule = Rule(1e300, 1.0, 2.0**-52, 4, "anything finite", scale=1.0)
    numbers = compare_numbers(pa.array([a], DOUBLE), pa.array([b], DOUBLE), rule)
    assert (numbers.same[0], numbers.equal[0], numbers.within[0]) == (same, equal, equal)


FLOATS = st.lists(st.none() | st.floats(width=32), min_size=1, max_size=20)


@given(FLOATS, st.sampled_from([pa.float32(), DOUBLE]))
def test_a_column_is_the_same_as_itself(values: list[float | None], kind: Any) -> None:
    column = pa.array(values, kind)
    numbers = compare_numbers(column, column, EXACT)
    assert numbers.same.all()
    assert numbers.equal.all()
    assert numbers.within.all()


@given(st.lists(st.tuples(st.none() | st.floats(), st.none() | st.floats()), min_size=1, max_size=20))
def test_swapping_the_sides_mirrors_the_result(pairs: list[tuple[float | None, float | None]]) -> None:
    a, b = (pa.array([pair[side] for pair in pairs], DOUBLE) for side in (0, 1))
    rule = Rule(0.5, 1e-3, 2.0**-52, 4, "some", scale=1.0)
    forward, backward = compare_numbers(a, b, rule), compare_numbers(b, a, rule)
    for name in ("same", "equal", "rounding", "within"):
        assert (getattr(forward, name) == getattr(backward, name)).all()
    assert np.array_equal(forward.delta, -backward.delta, equal_nan=True)
