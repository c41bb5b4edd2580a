"""Columns with the same values in different types are equal, and one odd cell is one differing cell."""

from __future__ import annotations

import datetime
import json
import uuid
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import repro_tui
from repro_tui.compare.tables import Comparison
from repro_tui.model.predictions import Column
from tests.conftest import EXAMPLES

UTC = datetime.UTC
NOON = datetime.datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
WALL = NOON.replace(tzinfo=None)
DAY = datetime.date(2026, 5, 1)
IDS = ["r1", "r2", "r3"]


def written(folder: Path, name: str, array: pa.Array, key: pa.Array | None = None) -> Path:
    path = folder / f"{name}.parquet"
    pq.write_table(pa.table({"id": IDS[: len(array)] if key is None else key, "v": array}), path)
    return path


def both(folder: Path, a: pa.Array, b: pa.Array, **options: Any) -> Comparison:
    paths = [written(folder, name, array) for name, array in (("a", a), ("b", b))]
    return repro_tui.compare(*paths, key="id", folder=folder / "out", **options)


def column(comparison: Comparison) -> Column:
    (compared,) = comparison.predictions.columns
    return compared


def three(*values: Any, kind: pa.DataType) -> pa.Array:
    return pa.array(values, kind)


DECIMALS = [Decimal("10.00"), Decimal("0.10"), None]
MOMENTS = [NOON, NOON + datetime.timedelta(milliseconds=5), None]
SPANS = [datetime.timedelta(seconds=3), datetime.timedelta(milliseconds=7), None]
BYTES = [uuid.UUID(int=7).bytes, uuid.UUID(int=8).bytes, None]
DOCUMENTS = [[("x", 1.5), ("y", 2.0)], [("x", 0.0)], None]
EQUAL = {
    "decimals of another scale": (
        three(*DECIMALS, kind=pa.decimal128(9, 2)),
        three(*DECIMALS, kind=pa.decimal128(12, 4)),
    ),
    "decimals of another width": (
        three(*DECIMALS, kind=pa.decimal128(9, 2)),
        three(*DECIMALS, kind=pa.decimal256(60, 30)),
    ),
    "decimals and whole numbers": (
        three(Decimal("10.00"), Decimal("3.00"), None, kind=pa.decimal128(9, 2)),
        three(10, 3, None, kind=pa.int64()),
    ),
    "decimals and floats": (
        three(Decimal("0.50"), Decimal("0.10"), None, kind=pa.decimal128(9, 2)),
        three(0.5, 0.1, None, kind=pa.float64()),
    ),
    "moments in another unit": (
        three(*MOMENTS, kind=pa.timestamp("ns", "UTC")),
        three(*MOMENTS, kind=pa.timestamp("us", "UTC")),
    ),
    "moments in another zone": (
        three(*MOMENTS, kind=pa.timestamp("us", "UTC")),
        three(*MOMENTS, kind=pa.timestamp("ms", "Europe/Berlin")),
    ),
    "days and midnights": (
        three(DAY, None, kind=pa.date32()),
        three(WALL.replace(hour=0), None, kind=pa.timestamp("us")),
    ),
    "days in another width": (three(DAY, None, kind=pa.date32()), three(DAY, None, kind=pa.date64())),
    "spans in another unit": (three(*SPANS, kind=pa.duration("ns")), three(*SPANS, kind=pa.duration("ms"))),
    "times of day": (
        three(datetime.time(10, 30), None, kind=pa.time32("s")),
        three(datetime.time(10, 30), None, kind=pa.time64("ns")),
    ),
    "bytes of a fixed size": (three(*BYTES, kind=pa.binary(16)), three(*BYTES, kind=pa.large_binary())),
    "UUIDs and bytes": (
        pa.ExtensionArray.from_storage(pa.uuid(), three(*BYTES, kind=pa.binary(16))),
        three(*BYTES, kind=pa.binary()),
    ),
    "text in another encoding": (
        three("x", "y", None, kind=pa.string()),
        three("x", "y", None, kind=pa.large_string()).dictionary_encode(),
    ),
    "a map in another order": (
        three(*DOCUMENTS, kind=pa.map_(pa.string(), pa.float64())),
        three([("y", 2.0), ("x", 1.5)], [("x", 0.0)], None, kind=pa.map_(pa.string(), pa.float64())),
    ),
    "floats and nothing": (three(None, None, kind=pa.float64()), pa.nulls(2)),
    "text and nothing": (three(None, None, kind=pa.string()), three(None, None, kind=pa.float32())),
    "numbers of another width": (three(1, 2, None, kind=pa.int8()), three(1, 2, None, kind=pa.uint64())),
    "floats of another width": (three(0.5, 2.0, None, kind=pa.float16()), three(0.5, 2.0, None, kind=pa.float64())),
}


@pytest.mark.parametrize("swapped", [False, True])
@pytest.mark.parametrize("pair", EQUAL.values(), ids=EQUAL)
def test_the_same_values_in_another_type_are_equal(
    tmp_path: Path, pair: tuple[pa.Array, pa.Array], swapped: bool
) -> None:
    a, b = reversed(pair) if swapped else pair
    comparison = both(tmp_path, a, b)
    assert comparison.verdict in ("identical", "equal"), column(comparison)
    assert column(comparison).different == 0
    assert column(comparison).equal == len(a)


@pytest.mark.parametrize("pair", EQUAL.values(), ids=EQUAL)
def test_another_value_in_another_type_is_reported(tmp_path: Path, pair: tuple[pa.Array, pa.Array]) -> None:
    a, b = pair
    if a.null_count == len(a):
        pytest.skip("there is no value")
    changed = pa.concat_arrays(
        [b.take(pa.array([1])) if b.take(pa.array([1])) != b.take(pa.array([0])) else b[:1], b[1:]]
    )
    if changed.equals(b):
        pytest.skip("there is one value only")
    comparison = both(tmp_path, a, changed)
    assert comparison.verdict == "drift"
    assert column(comparison).different == 1


def test_the_types_are_reported(tmp_path: Path) -> None:
    comparison = both(tmp_path, *EQUAL["moments in another zone"])
    assert (column(comparison).type_a, column(comparison).type_b) == (
        "timestamp[us, tz=UTC]",
        "timestamp[ms, tz=Europe/Berlin]",
    )
    assert "the types differ" in column(comparison).note
    assert comparison.verdict == "equal"


def test_timestamps_with_and_without_a_zone_are_not_compared(tmp_path: Path) -> None:
    comparison = both(tmp_path, three(NOON, kind=pa.timestamp("us", "UTC")), three(WALL, kind=pa.timestamp("us")))
    assert comparison.verdict == "not-comparable"


@pytest.mark.parametrize("name", ["moments in another unit", "decimals of another scale", "days and midnights"])
def test_keys_in_another_type_identify_the_same_rows(tmp_path: Path, name: str) -> None:
    a, b = (side.drop_null() for side in EQUAL[name])
    values = pa.array(range(len(a)), pa.int64())
    paths = [written(tmp_path, side, values, key) for side, key in (("a", a), ("b", b))]
    comparison = repro_tui.compare(*paths, key="id", folder=tmp_path / "out")
    assert (comparison.verdict, comparison.predictions.rows.matched) == ("equal", len(a))
    assert "the key id is" in comparison.predictions.rule


def test_a_decimal_has_the_tolerance_that_is_printed(tmp_path: Path) -> None:
    a = three(Decimal("10.00"), Decimal("5.00"), kind=pa.decimal128(9, 2))
    b = three(Decimal("10.01"), Decimal("5.00"), kind=pa.decimal128(9, 2))
    assert both(tmp_path, a, b).verdict == "drift"
    comparison = both(tmp_path, a, b, atol=0.05, rtol=0.0)
    assert (comparison.verdict, column(comparison).within_tolerance) == ("within-tolerance", 1)
    assert column(comparison).max_abs == pytest.approx(0.01)


def test_a_decimal_is_compared_by_all_of_its_digits(tmp_path: Path) -> None:
    a, b = (three(Decimal(f"12345678901234567890.{last}"), kind=pa.decimal128(30, 2)) for last in ("01", "02"))
    comparison = both(tmp_path, a, b)
    assert (comparison.verdict, column(comparison).different) == ("drift", 1)
    assert column(comparison).max_abs == pytest.approx(0.01)


# -- documents ------------------------------------------------------------------------------------------------------

SCORED = pa.struct([("score", pa.float64()), ("n", pa.int64()), ("label", pa.string())])


def test_a_number_in_a_struct_has_the_tolerance_that_is_printed(tmp_path: Path) -> None:
    a = three({"score": 0.5, "n": 1, "label": "x"}, kind=SCORED)
    near = three({"score": 0.5 + 1e-9, "n": 1, "label": "x"}, kind=SCORED)
    comparison = both(tmp_path, a, near)
    assert comparison.verdict == "within-tolerance"
    assert "numbers with a fraction" in column(comparison).rule
    assert "all else exact" in column(comparison).rule
    for changed in ({"score": 0.6, "n": 1, "label": "x"}, {"score": 0.5, "n": 2, "label": "x"}):
        assert both(tmp_path, a, three(changed, kind=SCORED)).verdict == "drift"


def test_a_number_in_a_struct_cannot_pass_by_being_small(tmp_path: Path) -> None:
    a, b = (three({"score": value, "n": 1, "label": "x"}, kind=SCORED) for value in (4e-9, 4e-12))
    assert both(tmp_path, a, b).verdict == "drift"
    assert both(tmp_path, a, b, atol=1e-7).verdict == "within-tolerance"


# -- formats without types ------------------------------------------------------------------------------------------


def csv_of(folder: Path, name: str, values: list[str]) -> Path:
    path = folder / f"{name}.csv"
    path.write_text("id,v\n" + "".join(f"{number},{value}\n" for number, value in enumerate(values)))
    return path


def lines_of(folder: Path, name: str, values: list[Any]) -> Path:
    path = folder / f"{name}.jsonl"
    path.write_text("".join(json.dumps({"id": f"r{number}", "v": value}) + "\n" for number, value in enumerate(values)))
    return path


def test_one_odd_cell_among_numbers_is_one_differing_cell(tmp_path: Path) -> None:
    values = [repr(number / 7) for number in range(1_000)]
    odd = [*values[:500], "n/a", *values[501:]]
    comparison = repro_tui.compare(
        csv_of(tmp_path, "a", values), csv_of(tmp_path, "b", odd), key="id", folder=tmp_path / "out"
    )
    assert (comparison.verdict, column(comparison).different) == ("drift", 1)
    assert "1 of its values is not a number ('n/a')" in column(comparison).note
    assert column(comparison).type_b == "string"
    assert list(comparison.to_pandas()["key"]) == ["[500]"]


def test_the_same_odd_cells_are_equal_and_others_are_not(tmp_path: Path) -> None:
    values = [repr(number / 7) for number in range(20)]
    odd = [*values, "n/a", "none"]
    a = csv_of(tmp_path, "a", odd)
    assert repro_tui.compare(a, csv_of(tmp_path, "b", odd), key="id", folder=tmp_path / "x").verdict == "identical"
    b = csv_of(tmp_path, "c", [*values, "n/a", "1.5"])
    comparison = repro_tui.compare(a, b, key="id", folder=tmp_path / "y")
    assert column(comparison).different == 1
    swapped = csv_of(tmp_path, "d", [*values, "none", "n/a"])
    assert column(repro_tui.compare(a, swapped, key="id", folder=tmp_path / "z")).different == 2


@pytest.mark.parametrize(
    ("a", "b"), [([1, 2], [1, "2"]), ([True, 2], ["true", 2]), ([1, "x"], ["1", "x"]), ([None, 1], ["null", 1])]
)
def test_numbers_and_texts_that_look_like_them_differ_in_json_lines(tmp_path: Path, a: list[Any], b: list[Any]) -> None:
    rest: list[Any] = [3, 4, 5]
    sides = [lines_of(tmp_path, name, [*values, *rest]) for name, values in (("a", a), ("b", b))]
    for first, second in (sides, reversed(sides)):
        comparison = repro_tui.compare(first, second, key="id", folder=tmp_path / "out")
        assert comparison.verdict not in ("identical", "equal"), column(comparison)
        if comparison.verdict == "drift":
            assert column(comparison).different == 1
    assert repro_tui.compare(sides[0], sides[0], key="id", folder=tmp_path / "own").verdict == "identical"


def test_an_empty_column_is_compared_with_any_other(tmp_path: Path) -> None:
    comparison = repro_tui.compare(
        csv_of(tmp_path, "a", ["", "", ""]), csv_of(tmp_path, "b", ["", "1.5", ""]), key="id", folder=tmp_path / "out"
    )
    assert (comparison.verdict, column(comparison).different) == ("drift", 1)


# -- laws -----------------------------------------------------------------------------------------------------------

ANY = {
    pa.int32(): st.integers(-1000, 1000),
    pa.float64(): st.floats(-1e6, 1e6),
    pa.decimal128(20, 3): st.decimals(-1000, 1000, places=3),
    pa.string(): st.text(max_size=5),
    pa.bool_(): st.booleans(),
    pa.timestamp("ms", "UTC"): st.integers(0, 10**12),
    pa.duration("s"): st.integers(0, 10**6),
    pa.binary(): st.binary(max_size=4),
    pa.list_(pa.float64()): st.lists(st.floats(-1, 1), max_size=3),
    pa.struct([("x", pa.float64()), ("y", pa.string())]): st.fixed_dictionaries(
        {"x": st.floats(-1, 1), "y": st.text(max_size=3)}
    ),
    pa.map_(pa.string(), pa.int64()): st.dictionaries(st.text(max_size=2), st.integers(0, 9), max_size=2).map(
        lambda d: list(d.items())
    ),
}


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
@pytest.mark.parametrize("kind", ANY, ids=str)
def test_every_type_is_identical_to_itself(
    tmp_path_factory: pytest.TempPathFactory, kind: pa.DataType, data: st.DataObject
) -> None:
    values = data.draw(st.lists(st.none() | ANY[kind], min_size=1, max_size=3))
    array = pa.array(values, kind)
    comparison = both(tmp_path_factory.mktemp("same"), array, array)
    assert comparison.verdict == "identical"


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.lists(st.decimals(-1000, 1000, places=3), min_size=1, max_size=3), st.integers(0, 6))
def test_decimals_differ_by_value_alone(
    tmp_path_factory: pytest.TempPathFactory, values: list[Decimal], places: int
) -> None:
    narrow = pa.array(values, pa.decimal128(20, 3))
    wide = pa.array(values, pa.decimal128(30, 3 + places))
    assert both(tmp_path_factory.mktemp("decimals"), narrow, wide).verdict in ("identical", "equal")
    moved = pa.array([values[0] + Decimal("0.001"), *values[1:]], pa.decimal128(30, 3 + places))
    comparison = both(tmp_path_factory.mktemp("decimals"), narrow, moved)
    assert (comparison.verdict, column(comparison).different) == ("drift", 1)
    assert column(comparison).max_abs == pytest.approx(0.001)
    assert np.isfinite(column(comparison).max_abs or 0.0)


# -- every type -----------------------------------------------------------------------------------------------------

ALIKE: dict[str, pa.Array] = {
    **{str(kind): pa.array([0, 1, None, 3], kind) for kind in (pa.int8(), pa.int64(), pa.uint8(), pa.uint32())},
    "uint64": pa.array([0, 2**64 - 1, None, 3], pa.uint64()),
    **{
        str(kind): pa.array([float("nan"), -0.0, None, float("-inf")], kind)
        for kind in (pa.float16(), pa.float32(), pa.float64())
    },
    "bool": pa.array([True, False, None, True]),
    "null": pa.nulls(4),
    "string": pa.array(["", "é", None, "e\u0301"]),
    "large_string": pa.array(["", "é", None, "x"], pa.large_string()),
    "string_view": pa.array(["", "é", None, "x"], pa.string_view()),
    "binary": pa.array([b"", b"\xff", None, b"x"]),
    "fixed binary": pa.array([b"ab", b"\xff\x00", None, b"xy"], pa.binary(2)),
    "dictionary": pa.array(["x", "y", None, "x"]).dictionary_encode(),
    "dictionary of numbers": pa.array([5, 7, None, 5]).dictionary_encode(),
    "decimal128": pa.array([Decimal("1.10"), Decimal("-0.01"), None, Decimal(0)], pa.decimal128(38, 2)),
    "decimal256": pa.array([Decimal("1.10"), Decimal("-0.01"), None, Decimal(0)], pa.decimal256(76, 30)),
    "date32": pa.array([DAY, None, DAY, DAY], pa.date32()),
    "date64": pa.array([DAY, None, DAY, DAY], pa.date64()),
    "time32": pa.array([datetime.time(1), None, datetime.time(2), datetime.time(3)], pa.time32("ms")),
    "time64": pa.array([datetime.time(1), None, datetime.time(2), datetime.time(3)], pa.time64("ns")),
    **{f"timestamp {unit}": pa.array([WALL, None, WALL, WALL], pa.timestamp(unit)) for unit in ("s", "ms", "us", "ns")},
    "zoned": pa.array([NOON, None, NOON, NOON], pa.timestamp("us", "America/St_Johns")),
    "duration": pa.array([*SPANS, SPANS[0]], pa.duration("us")),
    "list": pa.array([[1.0, None], [], None, [float("nan")]], pa.list_(pa.float32())),
    "large list": pa.array([[1, 2], [], None, [3]], pa.large_list(pa.int16())),
    "fixed list": pa.array([[1.0, 2.0], [0.0, 0.0], [3.0, 4.0], [0.0, -0.0]], pa.list_(pa.float64(), 2)),
    "list of lists": pa.array([[[1.0], []], [], None, [[2.0]]], pa.list_(pa.list_(pa.float64()))),
    "list of text": pa.array([["x", None], [], None, ["y"]]),
    "struct": pa.array([{"score": 0.5, "n": 1, "label": "x"}, None, {"score": None}, {"n": 2}], SCORED),
    "map": pa.array([[("x", 1.0)], [], None, [("y", None)]], pa.map_(pa.string(), pa.float64())),
}


@pytest.mark.parametrize("form", ["parquet", "arrow"])
@pytest.mark.parametrize("name", ALIKE)
def test_a_column_is_identical_to_itself(tmp_path: Path, name: str, form: str) -> None:
    table = pa.table({"id": [*IDS, "r4"], "v": ALIKE[name]})
    path = tmp_path / f"x.{form}"
    if form == "parquet":
        pq.write_table(table, path)
    else:
        with pa.ipc.new_file(path, table.schema) as writer:
            writer.write_table(table)
    comparison = repro_tui.compare(path, path, key="id", folder=tmp_path / "out")
    assert (comparison.verdict, column(comparison).equal) == ("identical", 4)
    runs = repro_tui.compare([path] * 2, [path, path], key="id", folder=tmp_path / "runs")
    assert runs.verdict == "identical"


@pytest.mark.parametrize("name", [name for name in ALIKE if name != "null"])
def test_one_changed_cell_of_any_type_is_one_differing_cell(tmp_path: Path, name: str) -> None:
    values = ALIKE[name]
    takeable = values.cast(pa.string()) if name == "string_view" else values  # Arrow cannot take rows of these
    last = next(n for n in (0, 1, 2) if not values[n].equals(values[3]))
    changed = takeable.take(pa.array([0, 1, 2, last])).cast(values.type)
    comparison = repro_tui.compare(
        *(pa.table({"id": [*IDS, "r4"], "v": v}) for v in (values, changed)), key="id", folder=tmp_path
    )
    assert column(comparison).equal == 3
    assert comparison.verdict not in ("identical", "equal")
