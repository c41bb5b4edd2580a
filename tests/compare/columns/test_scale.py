"""No value passes because it is small, nor because it is next to a large one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from repro_tui.model.record import ColumnRule
from repro_tui.model.request import Tolerance
from tests.compare.test_predictions import compare_in, only
from tests.conftest import EXAMPLES

DRAW = np.random.default_rng(1)
SMALL = {
    "float64 about 4e-9": (DRAW.normal(4e-9, 1e-9, 1_000), pa.float64(), "v"),
    "float32 up to 9e-6": (DRAW.uniform(1e-7, 9e-6, 1_000), pa.float32(), "v"),
    "float16 about 1e-6": (DRAW.uniform(1e-6, 3e-6, 1_000), pa.float16(), "v"),
    "probabilities about 1e-6": (DRAW.uniform(5e-7, 2e-6, 1_000), pa.float64(), "probability"),
}


def column(values: Any, kind: Any, name: str = "v") -> pa.Table:
    return pa.table({name: pa.array(values.astype(kind.to_pandas_dtype()), kind)})


@pytest.mark.parametrize("factor", [0.0, 0.001, 0.9], ids=str)
@pytest.mark.parametrize("swapped", [False, True], ids=["", "swapped"])
@pytest.mark.parametrize("case", SMALL)
def test_small_values_do_not_pass_because_they_are_small(
    tmp_path: Path, case: str, swapped: bool, factor: float
) -> None:
    values, kind, name = SMALL[case]
    sides = [column(values, kind, name), column(values * factor, kind, name)]
    area = compare_in(tmp_path)(*(reversed(sides) if swapped else sides))
    assert area.verdict == "drift", area.rule
    assert only(area).different > 990


@pytest.mark.parametrize("kind", [pa.float32(), pa.float64(), pa.float16()], ids=str)
@pytest.mark.parametrize("sentinel", [-1e9, 1e4, -65_504.0])
def test_one_large_value_does_not_set_the_scale_of_the_others(tmp_path: Path, kind: Any, sentinel: float) -> None:
    if kind == pa.float16() and abs(sentinel) > 65_504:
        sentinel = -65_504.0
    a, b = DRAW.normal(1, 0.1, 1_000), DRAW.normal(2, 0.1, 1_000)
    a[0] = b[0] = sentinel
    area = compare_in(tmp_path)(column(a, kind), column(b, kind))
    assert (area.verdict, only(area).different) == ("drift", 999)


def test_rounding_is_still_measured_by_the_column(tmp_path: Path) -> None:
    """A matrix product in another order: off by 14 units of the column's size, and by 23,808 of a small value's own."""
    values = DRAW.normal(size=2_000).astype(np.float32)
    values[::100] = 1e-6
    moved = (values + np.float32(2.0**-23)).astype(np.float32)
    area = compare_in(tmp_path)(column(values, pa.float32()), column(moved, pa.float32()))
    assert area.verdict == "equal-to-rounding", area.rule


def test_a_declared_tolerance_is_not_scaled(tmp_path: Path) -> None:
    values, kind, _ = SMALL["float64 about 4e-9"]
    sides = [column(values, kind), column(values * 0.5, kind)]
    assert compare_in(tmp_path)(*sides, tolerance=Tolerance(1e-7, None)).verdict == "within-tolerance"
    rule = {"v": ColumnRule("value", atol=1e-7)}
    assert compare_in(tmp_path)(*sides, columns=rule).verdict == "within-tolerance"


@pytest.mark.parametrize("values", [[0.0, 0.0], [float("nan"), 0.0]])
def test_a_column_without_size_has_the_tolerance_of_its_type(tmp_path: Path, values: list[float]) -> None:
    table = pa.table({"v": pa.array(values, pa.float64())})
    area = compare_in(tmp_path)(table, pa.table({"v": pa.array([-value for value in values], pa.float64())}))
    assert area.verdict == "equal"
    assert only(area).atol == 1e-7


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.floats(-1e6, 1e6, allow_subnormal=False), min_size=3, max_size=20),
    st.integers(-60, 0),
    st.sampled_from([1.0, 1 + 1e-15, 1 + 5e-8, 1.1]),
)
def test_the_unit_of_small_values_does_not_matter(tmp_path: Path, values: list[float], power: int, by: float) -> None:
    """Values below one, in other units: the verdict is that of the same numbers times a power of two."""
    numbers = np.asarray(values)
    scaled = numbers / max(1.0, float(np.abs(numbers).max()) * 2)
    rule = {"v": ColumnRule("value")}
    verdicts = [
        compare_in(tmp_path)(column(v, pa.float64()), column(v * by, pa.float64()), columns=rule).verdict
        for v in (scaled, scaled * 2.0**power)
    ]
    assert verdicts[0] == verdicts[1]


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.floats(-1e3, 1e3), st.floats(-1e-3, 1e-3)), min_size=1, max_size=20))
def test_the_rule_that_is_printed_is_the_one_that_was_applied(tmp_path: Path, pairs: Any) -> None:
    a, b = (np.asarray(side) for side in zip(*((x, x + d) for x, d in pairs), strict=True))
    compared = only(compare_in(tmp_path)(column(a, pa.float64()), column(b, pa.float64())))
    if compared.atol is None or compared.rtol is None:
        assert compared.verdict == "identical"
        return
    over = np.abs(a - b) > compared.atol + compared.rtol * np.maximum(np.abs(a), np.abs(b))
    flips = (a >= 0.5) != (b >= 0.5) if compared.kind == "probability" else np.zeros(len(a), dtype=bool)
    assert compared.different == np.count_nonzero(over | flips)
    assert f"{compared.atol:g}" in compared.rule
