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
QUICK = settings(max_examples=3, deadline=None, suppress_health_check=HEALTH, phases=PHASES)
# Of rows that are joined twice. Their first example is not a trivial one: every value differs, and B is turned round.
JOINED = settings(QUICK, max_examples=2)
every_case = pytest.mark.parametrize(("case", "form"), PAIRS, ids=IDS)
# Sums over rows in another order differ in their last digits.
CLOSE = 1e-9


def main_column(area: PredictionsArea, case: Case, form: str) -> Column:
    wanted = "value" if form == "npy" and not case.split else case.column
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


@every_case
@JOINED
@given(data=st.data())
def test_the_order_of_keyed_rows_changes_nothing(tmp_path: Path, case: Case, form: str, data: Any) -> None:
    values = data.draw(st.lists(case.values, min_size=FEWEST.get(case.kind, 4), max_size=15))
    other = [value if data.draw(st.booleans()) else case.other(value) for value in values]
    last = len(values) - 1
    orders = [data.draw(st.permutations(order)) for order in (range(last + 1), range(last, -1, -1))]
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
@JOINED
@given(data=st.data())
def test_swapping_the_sides_mirrors_every_count(tmp_path: Path, case: Case, form: str, data: Any) -> None:
    """Rows are missing, and stand twice, on both sides; values change, and are null (no array has those)."""
    values = data.draw(st.lists(case.values, min_size=3, max_size=12))
    other = [value if data.draw(st.booleans()) else case.other(value) for value in values]
    if not case.split and form != "npy":
        values, other = _with_nulls(case, values, other, data)
    rows = st.lists(st.sampled_from(range(len(values))), min_size=1, max_size=15)
    one, two = (keyed(case, side, data.draw(rows)) for side in (values, other))
    there = compared(tmp_path, case, form, one, two, ("id",))
    back = compared(tmp_path, case, form, two, one, ("id",))
    assert there.verdict == back.verdict
    assert asdict(back.rows) == {OPPOSITE.get(name, name): n for name, n in asdict(there.rows).items()}
    for one, other in zip(there.columns, back.columns, strict=True):
        agree(without(mirrored(one), OF_A), without(told_of(other), OF_A))


def _with_nulls(case: Case, values: list[Any], other: list[Any], data: Any) -> tuple[list[Any], list[Any]]:
    """Both sides with nulls, and each with a value."""
    blank = st.integers(0, 5).map(lambda n: n == 0)
    values, other = ([None if data.draw(blank) else value for value in side] for side in (values, other))
    if values[0] is None:
        values[0] = data.draw(case.values)
    if other[-1] is None:
        other[-1] = data.draw(case.values)
    return values, other


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
