"""Known answers of the comparison: every trap of numeric comparison, and laws that hold for any input."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from repro_tui.compare.predictions import compare_predictions
from repro_tui.model.predictions import Column, PredictionsArea
from repro_tui.model.record import ColumnRule, Validation
from repro_tui.model.request import Settings, Tolerance
from repro_tui.model.run import Run
from repro_tui.support.cache import Cache
from repro_tui.support.context import Context

Compare = Callable[..., PredictionsArea]
NUMBERS = itertools.count()


def run_of(folder: Path, table: pa.Table) -> Run:
    path = folder / f"{next(NUMBERS)}.parquet"
    pq.write_table(table, path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return Run(1, "succeeded", 0.1, 0, str(path), digest, "Parquet", table.num_rows)


def compare_in(folder: Path) -> Compare:
    context = Context(cache=Cache(folder / "cache"))

    def compare(
        a: Any, b: Any, *, key: tuple[str, ...] = (), columns: dict[str, ColumnRule] | None = None, **options: Any
    ) -> PredictionsArea:
        tables = [side if isinstance(side, list) else [side] * 3 for side in (a, b)]
        runs = [[run_of(folder, table) for table in side] for side in tables]
        return compare_predictions(
            *runs, Validation("x", key, None, columns or {}), Settings(**options), folder, context
        )

    return compare


@pytest.fixture
def compare(tmp_path: Path) -> Compare:
    return compare_in(tmp_path)


def column(values: Any, kind: Any = None, name: str = "v") -> pa.Table:
    return pa.table({name: pa.array(values, kind)})


def only(area: PredictionsArea) -> Column:
    (column,) = area.columns
    return column


def test_the_same_bytes_are_identical(compare: Compare) -> None:
    area = compare(column([1.0, float("nan")]), column([1.0, float("nan")]))
    assert (area.verdict, area.status, area.rows.matched) == ("identical", "same", 2)


def test_the_sign_of_zero_is_equal_and_not_identical(compare: Compare) -> None:
    assert compare(column([0.0]), column([-0.0])).verdict == "equal"


def test_nan_payloads_are_canonical(compare: Compare) -> None:
    payload = np.array([0x7FF8000000000001], dtype=np.uint64).view(np.float64)
    assert compare(column([float("nan"), 1.0]), column([payload[0], 1.0])).verdict == "identical"


def test_a_lossless_type_is_equal(compare: Compare) -> None:
    area = compare(column([1.0, 2.5], pa.float32()), column([1.0, 2.5], pa.float64()))
    assert area.verdict == "equal"
    assert "float" in only(area).note


def test_rounding_is_measured_in_units_of_the_column(compare: Compare) -> None:
    a = np.array([1000.0, 1e-9])
    area = compare(column(a), column(a + np.array([0.0, 1e-13])), columns={"v": ColumnRule(kind="value")})
    assert area.verdict == "equal-to-rounding"  # many ulp of 1e-9, but nothing compared with the size of the column


def test_the_tolerance_is_symmetric(compare: Compare) -> None:
    a, b = column([100.0]), column([110.5])
    verdicts = {compare(x, y, tolerance=Tolerance(0.0, 0.1)).verdict for x, y in ((a, b), (b, a))}
    assert verdicts == {"within-tolerance"}  # np.isclose(a, b) and np.isclose(b, a) disagree here


@pytest.mark.parametrize(
    ("a", "b", "kind", "size"),
    [
        (2**53, 2**53 + 1, pa.int64(), 1.0),
        (200, 210, pa.uint8(), 10.0),
        (-(2**63), 2**63 - 1, pa.int64(), 2.0**64),
        (0, 2**64 - 1, pa.uint64(), 2.0**64),
        (-1, 1, pa.int8(), 2.0),
    ],
)
def test_whole_numbers_are_exact_and_do_not_wrap(compare: Compare, a: int, b: int, kind: Any, size: float) -> None:
    result = only(compare(column([a, 7], kind), column([b, 7], kind), columns={"v": ColumnRule(kind="value")}))
    assert (result.verdict, result.different, result.equal) == ("drift", 1, 1)
    assert result.max_abs == pytest.approx(size)


@pytest.mark.parametrize(
    ("a", "type_a", "b", "type_b", "rule"),
    [
        ([1, 2], pa.int64(), [1.0, 2 + 1e-8], pa.float64(), "whole numbers"),
        ([[1, 2]], pa.list_(pa.int64()), [[1.0, 2 + 1e-8]], pa.list_(pa.float64()), "whole numbers"),
        ([1.0, 2.0], pa.float32(), [1.0, 2 + 1e-6], pa.float64(), "default for float32"),
    ],
)
def test_types_that_differ_have_one_rule_whichever_side_is_a(
    compare: Compare, a: Any, type_a: Any, b: Any, type_b: Any, rule: str
) -> None:
    left, right = column(a, type_a), column(b, type_b)
    there, back = (only(compare(*sides)) for sides in ((left, right), (right, left)))
    assert there.verdict == back.verdict == ("drift" if "whole" in rule else "within-tolerance")
    assert (there.rule, there.kind) == (back.rule, back.kind)
    assert rule in there.rule


def test_decisions_and_probabilities_are_one_kind_whichever_side_is_a(compare: Compare) -> None:
    """Whole numbers 0 and 1 on one side alone are not labels: the other side has values between them."""
    a, b = column([0, 1, 1]), column([0.25, 0.75, 0.5])
    there, back = (only(compare(*sides)) for sides in ((a, b), (b, a)))
    assert (
        (there.kind, there.flips, there.verdict) == (back.kind, back.flips, back.verdict) == ("probability", 0, "drift")
    )


def test_signed_and_unsigned_are_compared_by_value(compare: Compare) -> None:
    rule = {"v": ColumnRule(kind="value")}
    assert compare(column([5], pa.int64()), column([5], pa.uint64()), columns=rule).verdict == "equal"
    assert compare(column([-1], pa.int64()), column([2**64 - 1], pa.uint64()), columns=rule).verdict == "drift"


def test_a_whole_number_beyond_2_53_is_not_equal_to_a_near_float(compare: Compare) -> None:
    rule = {"v": ColumnRule(kind="value", atol=0, rtol=0)}
    assert compare(column([2**53 + 1], pa.int64()), column([2.0**53]), columns=rule).verdict == "drift"


@pytest.mark.parametrize("b", [float("inf"), float("-inf"), float("nan"), None])
def test_what_is_not_finite_never_passes(compare: Compare, b: float | None) -> None:
    largest = float(np.finfo(np.float64).max)
    result = only(compare(column([largest, 1.0]), column([b, 1.0], pa.float64()), tolerance=Tolerance(1e300, 1.0)))
    assert (result.verdict, result.different, result.smallest_passing) == ("drift", 1, None)


def test_null_and_nan_are_not_alike(compare: Compare) -> None:
    result = only(compare(column([None, 1.0], pa.float64()), column([float("nan"), 1.0])))
    assert (result.verdict, result.nulls_a, result.nulls_b) == ("drift", 1, 0)


def test_text_against_numbers_cannot_be_compared(compare: Compare) -> None:
    area = compare(column(["1"]), column([1]))
    assert (area.verdict, area.status) == ("not-comparable", "unknown")


def test_a_column_on_one_side_cannot_be_compared(compare: Compare) -> None:
    area = compare(pa.table({"v": [1], "w": [1]}), pa.table({"v": [1]}))
    assert area.verdict == "not-comparable"
    assert "only A" in area.what


def test_zero_rows_are_never_the_same(compare: Compare) -> None:
    for options in ({}, {"key": ("v",)}):
        area = compare(column([], pa.int64()), column([], pa.int64()), **options)
        assert (area.verdict, area.status) == ("not-comparable", "unknown")


def test_a_decision_that_flips_is_over_any_tolerance(compare: Compare) -> None:
    a, b = column([0.4999999, 0.1], name="p"), column([0.5000001, 0.1], name="p")
    area = compare(a, b)
    assert (area.verdict, only(area).flips) == ("drift", 1)
    rule = {"p": ColumnRule(kind="probability", threshold=0.9)}
    assert compare(a, b, columns=rule).verdict == "within-tolerance"


def test_the_smallest_tolerance_that_passes_does(compare: Compare) -> None:
    a, b = column([1.0, 2.0, 3.0]), column([1.0, 2.0003, 3.00101])
    passing = only(compare(a, b)).smallest_passing
    assert passing is not None
    assert compare(a, b, tolerance=Tolerance(passing["atol"], passing["rtol"])).verdict == "within-tolerance"
    assert compare(a, b, tolerance=Tolerance(passing["atol"] * 0.98, passing["rtol"])).verdict == "drift"


def test_rules_of_the_command_line_override_the_record(compare: Compare) -> None:
    a, b, rule = column([1.0]), column([1.01]), {"v": ColumnRule(atol=1.0)}
    assert compare(a, b, columns=rule).verdict == "within-tolerance"
    assert compare(a, b, columns=rule, tolerance=Tolerance(1e-9, 0.0)).verdict == "drift"
    assert compare(a, b, columns=rule, column_tolerances={"v": Tolerance(1e-9, 0.0)}).verdict == "drift"


class TestKeys:
    def rows(self, order: list[int]) -> pa.Table:
        return pa.table(
            {"id": [f"{n:03}" for n in order], "v": [float(n) for n in order], "label": [str(n % 3) for n in order]}
        )

    def test_another_order_changes_nothing(self, compare: Compare) -> None:
        order = list(range(50))
        area = compare(self.rows(order), self.rows(order[::-1]), key=("id",))
        assert (area.verdict, area.rows.matched) == ("identical", 50)

    def test_missing_rows_are_counted_and_the_rest_compared(self, compare: Compare) -> None:
        area = compare(self.rows(list(range(50))), self.rows([*range(3, 50), 99]), key=("id",))
        assert (area.verdict, area.rows.only_a, area.rows.only_b, area.rows.matched) == ("not-comparable", 3, 1, 47)
        assert {(c.verdict, c.equal) for c in area.columns} == {("not-comparable", 47)}
        assert "000" in area.what

    def test_duplicate_keys_are_reported(self, compare: Compare) -> None:
        """On either side or on both: no row with such a key is matched."""
        twice, once, both = self.rows([1, 2, 2, 3]), self.rows([3, 2, 1]), self.rows([2, 3, 2, 1])
        for sides, duplicates in (((twice, once), (2, 0)), ((once, twice), (0, 2)), ((twice, both), (2, 2))):
            area = compare(*sides, key=("id",))
            assert (area.verdict, area.rows.duplicate_a, area.rows.duplicate_b) == ("not-comparable", *duplicates)
            assert (area.rows.matched, area.rows.only_a, area.rows.only_b) == (2, 0, 0)

    @pytest.mark.parametrize(("a", "b", "subject"), [(0, 0, "both sides have"), (0, 2, "A has"), (2, 0, "B has")])
    def test_sides_without_rows_are_named(self, compare: Compare, a: int, b: int, subject: str) -> None:
        table = self.rows([1, 2])
        area = compare(table.slice(0, a), table.slice(0, b), key=("id",))
        assert (area.verdict, area.what) == ("not-comparable", f"{subject} no rows")

    def test_rows_without_a_key_are_reported_for_their_side(self, compare: Compare) -> None:
        gap, full = (pa.table({"id": ids, "v": [1.0, 2.0]}) for ids in (["a", None], ["a", "b"]))
        assert "A has 1 row without a key" in compare(gap, full, key=("id",)).what
        assert "B has 1 row without a key" in compare(full, gap, key=("id",)).what

    def test_composite_whole_number_keys(self, compare: Compare) -> None:
        a = pa.table({"x": [1, 1, 2], "y": [1, 2, 1], "v": [1.0, 2.0, 3.0]})
        assert compare(a, a.take([2, 0, 1]), key=("x", "y")).verdict == "identical"

    @pytest.mark.parametrize("key", ["absent", "v"])
    def test_a_key_that_cannot_identify_rows_is_reported(self, compare: Compare, key: str) -> None:
        area = compare(self.rows([1, 2]), self.rows([2, 1]), key=(key,))
        assert area.verdict == "not-comparable"
        assert key in area.what

    def test_without_a_key_counts_must_agree(self, compare: Compare) -> None:
        area = compare(self.rows([1, 2]), self.rows([1]))
        assert area.verdict == "not-comparable"
        assert "validation.key" in area.do


def test_labels_have_their_flips_interval_and_matrix(compare: Compare) -> None:
    a = column(["x"] * 90 + ["y"] * 10, name="label")
    b = column(["x"] * 85 + ["y"] * 15, name="label")
    label = only(compare(a, b))
    assert (label.kind, label.flips, label.flip_matrix) == ("label", 5, (("x", "y", 5),))
    assert label.measures["flip_rate"] == 0.05
    assert label.measures["flip_rate_low"] < 0.05 < label.measures["flip_rate_high"]


def test_vectors_flip_by_their_largest(compare: Compare) -> None:
    a, b = column([[0.6, 0.4], [0.2, 0.8]]), column([[0.4, 0.6], [0.2, 0.8]])
    vector = only(compare(a, b, columns={"v": ColumnRule(kind="probability")}))
    assert (vector.flips, vector.different) == (1, 1)
    assert only(compare(a, column([[0.6, 0.4, 0.0], [0.2, 0.8]]))).verdict == "drift"


def test_json_is_compared_by_value(compare: Compare) -> None:
    rule = {"v": ColumnRule(kind="json")}
    assert compare(column(['{"a": 1, "b": 2}']), column(['{"b":2,"a":1}']), columns=rule).verdict == "equal"
    assert compare(column(['{"a": 1}']), column(['{"a": 2}']), columns=rule).verdict == "drift"


def test_every_differing_cell_is_kept(compare: Compare, tmp_path: Path) -> None:
    a = pa.table({"id": ["r0", "r1", "r2"], "v": [1.0, 2.0, 3.0], "w": ["x", None, "z"]})
    b = pa.table({"id": ["r2", "r1", "r0"], "v": [3.0, 2.5, 1.0], "w": ["z", "y", "q"]})
    area = compare(a, b, key=("id",))
    rows = pq.read_table(tmp_path / "differences.parquet").to_pylist()
    cells = {(row["key"], row["column"]): row for row in rows}
    assert area.differences == 3
    assert set(cells) == {('["r1"]', "v"), ('["r1"]', "w"), ('["r0"]', "w")}
    assert (cells['["r1"]', "v"]["row_a"], cells['["r1"]', "v"]["row_b"], cells['["r1"]', "v"]["abs_delta"]) == (
        1,
        1,
        0.5,
    )
    assert cells['["r1"]', "w"]["change"] == "added"


# -- laws ---------------------------------------------------------------------------------------------------------

values = st.lists(st.one_of(st.none(), st.floats(width=64, allow_nan=True)), min_size=1, max_size=30)
LAWS = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@LAWS
@given(values)
def test_anything_is_identical_to_itself(tmp_path: Path, drawn: list[float | None]) -> None:
    area = compare_in(tmp_path)(column(drawn, pa.float64()), column(drawn, pa.float64()))
    assert (area.verdict, area.differences) == ("identical", 0)


@LAWS
@given(values, st.randoms())
def test_swapping_the_sides_mirrors_the_counts(tmp_path: Path, drawn: list[float | None], random: Any) -> None:
    changed = [random.choice([value, None, 0.0, 1e-9]) for value in drawn]
    a, b = column(drawn, pa.float64()), column(changed, pa.float64())
    rule = {"v": ColumnRule(kind="value")}
    compare = compare_in(tmp_path)
    there, back = (only(compare(x, y, columns=rule)) for x, y in ((a, b), (b, a)))
    assert (there.equal, there.within_tolerance, there.different) == (back.equal, back.within_tolerance, back.different)
    assert (there.nulls_a, there.nulls_b, there.max_abs) == (back.nulls_b, back.nulls_a, back.max_abs)


@LAWS
@given(st.integers(2, 200), st.randoms())
def test_a_planted_difference_is_found_exactly(tmp_path: Path, rows: int, random: Any) -> None:
    order = list(range(rows))
    random.shuffle(order)
    moved = set(random.sample(range(rows), rows // 2))
    a = pa.table({"id": list(range(rows)), "v": [float(n) for n in range(rows)]})
    b = pa.table({"id": order, "v": [float(n) + (n in moved) for n in order]})
    result = only(compare_in(tmp_path)(a, b, key=("id",)))
    assert (result.different, result.equal) == (len(moved), rows - len(moved))


def test_rows_that_moved_equally_are_listed_in_their_order(compare: Compare) -> None:
    a = pa.table({"x": ["p", "p"], "y": ["p", "p"]})
    b = pa.table({"x": ["q", "q"], "y": ["p", "q"]})
    worst = compare(a, b).worst
    assert [(row.column, row.key["row"]) for row in worst] == [("x", 0), ("x", 1), ("y", 1)]


def test_a_key_of_lists_names_no_rows(compare: Compare) -> None:
    table = pa.table({"k": [[1, 2], [3]], "v": [1.0, 2.0]})
    area = compare(table, table.set_column(1, "v", pa.array([1.0, 3.0])), key=("k",))
    assert area.verdict == "not-comparable"
    assert area.what == "the key column k of A holds lists, which cannot identify rows"
