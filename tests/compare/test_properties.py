"""Laws of the comparison, for every kind of output.

A table is identical to itself; a planted difference is found where it is, and nowhere else; swapping the sides mirrors
every count; and the order of keyed rows changes nothing. The laws are tested in one format: that every format is read
as the same table is a law of its own.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from repro_tui.model.predictions import Column, PredictionsArea
from tests.compare.kinds_of_output import CASES, IDS, PAIRS, VALUES, OutputCase, as_read, compared
from tests.conftest import EXAMPLES

FORM = "parquet"
SEARCHED = settings(max_examples=EXAMPLES, deadline=None)
every_case = pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
# Sums over rows in another order differ in their last digits.
CLOSE = 1e-9


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Shared by all examples: each writes its own tables, and reads its differences before the next one begins."""
    return tmp_path_factory.mktemp("laws")


def main_column(area: PredictionsArea, case: OutputCase, form: str) -> Column:
    name = "value" if form == "npy" and not case.split else case.column
    (main,) = (column for column in area.columns if column.name == name)
    return main


def keyed(case: OutputCase, values: list[Any], order: list[int] | None = None) -> dict[str, list[Any]]:
    order = list(range(len(values))) if order is None else order
    return {"id": [f"r{n}" for n in order]} | case.table([values[n] for n in order])


def near(value: Any) -> Any:
    """The value, whose fractions are compared to nine digits."""
    return _each(value, lambda number: pytest.approx(number, rel=CLOSE, abs=1e-12, nan_ok=True))


def agree(left: dict[str, Any], right: dict[str, Any]) -> None:
    """Two columns are the same; a failure names the first field in which they are not."""
    expected, actual = near(left), plain(right)
    for name, value in expected.items():
        assert actual[name] == value, name


def plain(value: Any) -> Any:
    """The value with lists in place of tuples."""
    return _each(value, lambda number: number)


def _each(value: Any, of_float: Callable[[float], Any]) -> Any:
    if isinstance(value, dict):
        return {name: _each(item, of_float) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_each(item, of_float) for item in value]
    return of_float(value) if isinstance(value, float) else value


@every_case
@SEARCHED
@given(data=st.data())
def test_anything_is_identical_to_itself(folder: Path, case: OutputCase, data: Any) -> None:
    table = case.table(data.draw(st.lists(case.values, min_size=1, max_size=12)))
    area = compared(folder, case, FORM, table, table)
    assert (area.verdict, area.differences) == ("identical", 0)
    assert {column.verdict for column in area.columns} == {"identical"}
    assert {column.kind for column in area.columns} == {case.kind}


@every_case
@SEARCHED
@given(data=st.data())
def test_a_planted_difference_is_found_exactly(folder: Path, case: OutputCase, data: Any) -> None:
    values = data.draw(st.lists(case.values, min_size=2, max_size=12))
    planted = data.draw(st.sets(st.sampled_from(range(len(values))), min_size=1))
    assert_found(folder, case, FORM, values, planted)


@pytest.mark.parametrize(("case", "form"), PAIRS, ids=IDS)
def test_a_planted_difference_is_found_in_every_format(tmp_path: Path, case: OutputCase, form: str) -> None:
    assert_found(tmp_path, case, form, VALUES[case.name], {1, 3})


def assert_found(folder: Path, case: OutputCase, form: str, values: list[Any], planted: set[int]) -> None:
    """A difference in these rows is reported for these rows alone."""
    changed = [case.moved(value) if row in planted else value for row, value in enumerate(values)]
    area = compared(folder, case, form, case.table(values), case.table(changed))
    column = main_column(area, case, form)
    assert (column.verdict, area.verdict) == ("drift", "drift")
    assert (column.kind, column.different, column.within_tolerance) == (case.kind, len(planted), 0)
    assert column.equal == len(values) - len(planted)
    assert column.flips == (len(planted) if case.flips else None)
    cells = pq.read_table(folder / "differences.parquet").to_pylist()
    assert {cell["row_a"] for cell in cells} == planted
    assert {cell["row_a"] for cell in cells if cell["flip"]} == (planted if case.flips else set())
    assert {cell["verdict"] for cell in cells} == {"different"}


@every_case
@SEARCHED
@given(data=st.data())
def test_every_format_reads_as_the_same_table(folder: Path, case: OutputCase, data: Any) -> None:
    """With the same type, values and nulls, so that what holds for one format holds for all."""
    values = data.draw(st.lists(case.values, min_size=1, max_size=12))
    nullable = values if case.split else [values[0], *(v if data.draw(st.booleans()) else None for v in values[1:])]
    for table in (values, nullable):
        forms = [form for form in (*case.formats, "stream") if table is values or form != "npy"]
        read = {form: as_read(folder, keyed(case, table), form, case.types)[0] for form in forms}
        expected = pq.read_table(read[FORM])
        assert expected.to_pylist() == rows_of(keyed(case, table))
        for form, path in read.items():
            actual = pq.read_table(path)
            assert [(f.name, str(f.type)) for f in actual.schema] == [(f.name, str(f.type)) for f in expected.schema], (
                form
            )
            assert repr(actual.to_pylist()) == repr(expected.to_pylist()), form


def rows_of(table: dict[str, list[Any]]) -> list[dict[str, Any]]:
    return [dict(zip(table, row, strict=True)) for row in zip(*table.values(), strict=True)]


def cells_of(folder: Path) -> set[tuple[Any, ...]]:
    """The differing cells, without the numbers of their rows."""
    table = pq.read_table(folder / "differences.parquet").drop_columns(["row_a", "row_b"])
    return {tuple(row.values()) for row in table.to_pylist()}


SIDES = ("only_a", "only_b", "duplicate_a", "duplicate_b", "a", "b")
OPPOSITE = {name: name[:-1] + ("b" if name[-1] == "a" else "a") for name in SIDES}


def mirrored(column: Column) -> dict[str, Any]:
    """The expected fields of a column where the sides are swapped."""
    fields = asdict(column)
    fields["nulls_a"], fields["nulls_b"] = fields["nulls_b"], fields["nulls_a"]
    fields["type_a"], fields["type_b"] = fields["type_b"], fields["type_a"]
    fields["flip_matrix"] = sorted([b, a, rows] for a, b, rows in fields["flip_matrix"])
    measures = fields["measures"]
    if "bias" in measures:
        measures["bias"] = -measures["bias"]
    if "tied_a" in measures:
        measures["tied_a"], measures["tied_b"] = measures["tied_b"], measures["tied_a"]
    if "paths" in measures:
        measures["paths"] = sorted([path, changed, b, a] for path, changed, a, b in measures["paths"])
        measures["missing_paths"], measures["extra_paths"] = measures["extra_paths"], measures["missing_paths"]
    return fields


# These are relative to A: to its standard deviation, and to its size.
OF_A = ("rmse_over_sd", "wasserstein_over_sd", "relative_l2_max")


def fields_of(column: Column) -> dict[str, Any]:
    fields = asdict(column)
    fields["flip_matrix"] = sorted(list(row) for row in fields["flip_matrix"])
    if "paths" in fields["measures"]:
        fields["measures"]["paths"] = sorted(fields["measures"]["paths"])
    return fields


def without(fields: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return fields | {"measures": {name: value for name, value in fields["measures"].items() if name not in names}}


# With fewer rows than these, no row has ten neighbours.
FEWEST = {"embedding": 12}


@every_case
@SEARCHED
@given(data=st.data())
def test_swapping_the_sides_mirrors_every_count_and_the_order_of_rows_none(
    folder: Path, case: OutputCase, data: Any
) -> None:
    """Values change or are null, and rows may be missing or duplicated, on both sides."""
    values = data.draw(st.lists(case.values, min_size=FEWEST.get(case.kind, 3), max_size=15))
    changed = [value if data.draw(st.booleans()) else case.moved(value) for value in values]
    if not case.split and data.draw(st.booleans()):
        values, changed = _with_nulls(case, values, changed, data)
    whole, everything = data.draw(st.booleans()), range(len(values))
    left, right = (list(everything) if whole else data.draw(_some(everything)) for _ in "ab")

    def compared_in(orders: tuple[list[int], list[int]], *, swapped: bool = False) -> PredictionsArea:
        sides = [keyed(case, side, order) for side, order in zip((values, changed), orders, strict=True)]
        return compared(folder, case, FORM, *(reversed(sides) if swapped else sides), ("id",))

    there = compared_in((left, right))
    cells = cells_of(folder)
    back = compared_in((left, right), swapped=True)
    assert there.verdict == back.verdict
    assert asdict(back.rows) == {OPPOSITE.get(name, name): n for name, n in asdict(there.rows).items()}
    for column, swapped_column in zip(there.columns, back.columns, strict=True):
        agree(without(mirrored(column), OF_A), without(fields_of(swapped_column), OF_A))
    shuffled = compared_in((data.draw(st.permutations(left)), data.draw(st.permutations(right))))
    assert (shuffled.verdict, shuffled.rows, shuffled.differences) == (there.verdict, there.rows, there.differences)
    for column, shuffled_column in zip(there.columns, shuffled.columns, strict=True):
        agree(asdict(column), asdict(shuffled_column))
    assert cells_of(folder) == cells


def _some(rows: range) -> st.SearchStrategy[list[int]]:
    """Most of these rows, and a few of them twice."""
    missing, twice = (st.sets(st.sampled_from(rows), max_size=2) for _ in range(2))
    return st.tuples(missing, twice).map(lambda drawn: [n for n in rows if n not in drawn[0]] + sorted(drawn[1]))


def _with_nulls(case: OutputCase, values: list[Any], changed: list[Any], data: Any) -> tuple[list[Any], list[Any]]:
    """Both sides with nulls, and each with at least one value."""
    blank = st.integers(0, 5).map(lambda n: n == 0)
    values, changed = ([None if data.draw(blank) else value for value in side] for side in (values, changed))
    if values[0] is None:
        values[0] = data.draw(case.values)
    if changed[-1] is None:
        changed[-1] = data.draw(case.values)
    return values, changed


def test_the_same_bytes_have_their_kinds(tmp_path: Path) -> None:
    """The kinds are reported even where nothing needs to be compared."""
    from repro_tui import compare

    lines = [{"id": n, "label": "yes", "p_0": 0.25, "p_1": 0.75, "doc": {"a": n}} for n in range(3)]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    comparison = compare(tmp_path / "a.jsonl", tmp_path / "a.jsonl", key="id", folder=tmp_path / "out")
    assert {column.name: column.kind for column in comparison.predictions.columns} == {
        "label": "label",
        "p_0": "probability",
        "p_1": "probability",
        "doc": "json",
    }
    assert comparison.verdict == "identical"
