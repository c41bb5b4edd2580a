"""Laws of the comparison, for every kind of output and in every format that can hold it.

What is compared with itself is identical; swapping the sides mirrors every count; the order of keyed rows changes
nothing; and a planted difference is found where it is, and nowhere else.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from repro_tui.model.predictions import Column, PredictionsArea
from tests.compare.kinds_of_output import IDS, PAIRS, Case, compared

HEALTH = [HealthCheck.function_scoped_fixture]
# Shrinking a failure would take minutes: the tables are small as they are.
PHASES = (Phase.explicit, Phase.reuse, Phase.generate)
QUICK = settings(max_examples=4, deadline=None, suppress_health_check=HEALTH, phases=PHASES)
THREE = settings(QUICK, max_examples=3)
every_case = pytest.mark.parametrize(("case", "form"), PAIRS, ids=IDS)
# An .npy file is one array, and has no column for a key.
keyed_cases = pytest.mark.parametrize(
    ("case", "form"),
    [pair for pair in PAIRS if pair[1] != "npy"],
    ids=[name for name in IDS if not name.endswith("npy")],
)
# Sums over rows in another order differ in their last digits.
CLOSE = 1e-9


def main_column(area: PredictionsArea, case: Case, form: str) -> Column:
    wanted = "value" if form == "npy" else case.column
    (found,) = (column for column in area.columns if column.name == wanted)
    return found


def keyed(case: Case, values: list[Any], order: list[int] | None = None) -> dict[str, list[Any]]:
    order = list(range(len(values))) if order is None else order
    return {"id": [f"r{n}" for n in order]} | case.table([values[n] for n in order])


def near(value: Any) -> Any:
    """The same, with its fractions held to nine digits."""
    return _each(value, lambda found: pytest.approx(found, rel=CLOSE, abs=1e-12, nan_ok=True))


def agree(one: dict[str, Any], other: dict[str, Any]) -> None:
    """Two columns say the same; told by the first thing in which they do not."""
    expected, found = near(one), plain(other)
    for name, value in expected.items():
        assert found[name] == value, name


def plain(value: Any) -> Any:
    """Lists in place of tuples."""
    return _each(value, lambda found: found)


def _each(value: Any, of_float: Callable[[float], Any]) -> Any:
    if isinstance(value, dict):
        return {name: _each(item, of_float) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_each(item, of_float) for item in value]
    return of_float(value) if isinstance(value, float) else value


@every_case
@QUICK
@given(data=st.data())
def test_anything_is_identical_to_itself(tmp_path: Path, case: Case, form: str, data: Any) -> None:
    table = case.table(data.draw(st.lists(case.values, min_size=1, max_size=12)))
    area = compared(tmp_path, case, form, table, table)
    assert (area.verdict, area.differences) == ("identical", 0)
    assert {column.verdict for column in area.columns} == {"identical"}
    assert {column.kind for column in area.columns} == {case.kind}


@every_case
@QUICK
@given(data=st.data())
def test_a_planted_difference_is_found_exactly(tmp_path: Path, case: Case, form: str, data: Any) -> None:
    values = data.draw(st.lists(case.values, min_size=2, max_size=12))
    planted = data.draw(st.sets(st.sampled_from(range(len(values))), min_size=1))
    other = [case.other(value) if place in planted else value for place, value in enumerate(values)]
    area = compared(tmp_path, case, form, case.table(values), case.table(other))
    found = main_column(area, case, form)
    assert (found.verdict, area.verdict) == ("drift", "drift")
    assert (found.kind, found.different, found.within_tolerance) == (case.kind, len(planted), 0)
    assert found.equal == len(values) - len(planted)
    assert found.flips == (len(planted) if case.flips else None)
    cells = pq.read_table(tmp_path / "differences.parquet").to_pylist()
    assert {cell["row_a"] for cell in cells} == planted
    assert {cell["row_a"] for cell in cells if cell["flip"]} == (planted if case.flips else set())
    assert {cell["verdict"] for cell in cells} == {"different"}


# Fewer rows than these have no ten neighbours.
FEWEST = {"embedding": 12}


@keyed_cases
@THREE
@given(data=st.data())
def test_the_order_of_keyed_rows_changes_nothing(tmp_path: Path, case: Case, form: str, data: Any) -> None:
    values = data.draw(st.lists(case.values, min_size=FEWEST.get(case.kind, 1), max_size=15))
    other = [case.other(value) if data.draw(st.booleans()) else value for value in values]
    orders = [data.draw(st.permutations(range(len(values)))) for _ in "ab"]
    straight = compared(tmp_path, case, form, keyed(case, values), keyed(case, other), ("id",))
    cells = cells_of(tmp_path)
    one, two = (keyed(case, side, order) for side, order in zip((values, other), orders, strict=True))
    shuffled = compared(tmp_path, case, form, one, two, ("id",))
    assert (shuffled.verdict, shuffled.rows, shuffled.differences) == (
        straight.verdict,
        straight.rows,
        straight.differences,
    )
    for one, other in zip(straight.columns, shuffled.columns, strict=True):
        agree(asdict(one), asdict(other))
    assert cells_of(tmp_path) == cells


def cells_of(folder: Path) -> set[tuple[Any, ...]]:
    """The differing cells, without the numbers of their rows."""
    table = pq.read_table(folder / "differences.parquet").drop_columns(["row_a", "row_b"])
    return {tuple(row.values()) for row in table.to_pylist()}


SIDES = ("only_a", "only_b", "duplicate_a", "duplicate_b", "a", "b")
OPPOSITE = {name: name[:-1] + ("b" if name[-1] == "a" else "a") for name in SIDES}


def mirrored(column: Column) -> dict[str, Any]:
    """What a column should say where the sides are swapped."""
    told = asdict(column)
    told["nulls_a"], told["nulls_b"] = told["nulls_b"], told["nulls_a"]
    told["type_a"], told["type_b"] = told["type_b"], told["type_a"]
    told["flip_matrix"] = sorted([b, a, rows] for a, b, rows in told["flip_matrix"])
    measures = told["measures"]
    if "bias" in measures:
        measures["bias"] = -measures["bias"]
    if "tied_a" in measures:
        measures["tied_a"], measures["tied_b"] = measures["tied_b"], measures["tied_a"]
    if "paths" in measures:
        measures["paths"] = sorted([path, changed, b, a] for path, changed, a, b in measures["paths"])
        measures["missing_paths"], measures["extra_paths"] = measures["extra_paths"], measures["missing_paths"]
    return told


# These are of A's own scale: the standard deviation of A, and distances relative to A.
OF_A = ("rmse_over_sd", "wasserstein_over_sd", "relative_l2_max")


def told_of(column: Column) -> dict[str, Any]:
    told = asdict(column)
    told["flip_matrix"] = sorted(list(row) for row in told["flip_matrix"])
    if "paths" in told["measures"]:
        told["measures"]["paths"] = sorted(told["measures"]["paths"])
    return told


def without(told: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return told | {"measures": {name: value for name, value in told["measures"].items() if name not in names}}


@every_case
@THREE
@given(data=st.data())
def test_swapping_the_sides_mirrors_every_count(tmp_path: Path, case: Case, form: str, data: Any) -> None:
    """Rows are missing, and stand twice, on both sides; values change, and are null (an array has but its rows)."""
    values = data.draw(st.lists(case.values, min_size=3, max_size=12))
    other = [case.other(value) if data.draw(st.booleans()) else value for value in values]
    if form == "npy":
        one, two, key = case.table(values), case.table(other), ()
    else:
        one, two, key = *_with_gaps(case, values, other, data), ("id",)
    there = compared(tmp_path, case, form, one, two, key)
    back = compared(tmp_path, case, form, two, one, key)
    assert there.verdict == back.verdict
    assert asdict(back.rows) == {OPPOSITE.get(name, name): n for name, n in asdict(there.rows).items()}
    for one, other in zip(there.columns, back.columns, strict=True):
        agree(without(mirrored(one), OF_A), without(told_of(other), OF_A))


def _with_gaps(case: Case, values: list[Any], other: list[Any], data: Any) -> list[dict[str, list[Any]]]:
    """Both sides with nulls, and with rows that are missing or stand twice."""
    if not case.split:
        blank = st.integers(0, 5).map(lambda n: n == 0)
        values, other = ([None if data.draw(blank) else value for value in side] for side in (values, other))
        values[0], other[-1] = (side if side is not None else spare for side, spare in
                                ((values[0], data.draw(case.values)), (other[-1], data.draw(case.values))))  # fmt: skip
    rows = st.lists(st.sampled_from(range(len(values))), min_size=1, max_size=15)
    return [keyed(case, side, data.draw(rows)) for side in (values, other)]


def test_the_same_bytes_have_their_kinds(tmp_path: Path) -> None:
    """Where nothing needs to be compared, the kinds are told all the same."""
    from repro_tui import compare

    lines = [{"id": n, "label": "yes", "p_0": 0.25, "p_1": 0.75, "doc": {"a": n}} for n in range(3)]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    found = compare(tmp_path / "a.jsonl", tmp_path / "a.jsonl", key="id", folder=tmp_path / "out")
    assert {column.name: column.kind for column in found.predictions.columns} == {
        "label": "label",
        "p_0": "probability",
        "p_1": "probability",
        "doc": "json",
    }
    assert found.verdict == "identical"
