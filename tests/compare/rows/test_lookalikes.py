"""Tables that look the same and are not, and tables that look different and are the same: each was once a bug."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import repro_tui
from repro_tui.model.errors import Refused
from repro_tui.model.predictions import SAME_VERDICTS

ROWS = 60
IDS = list(range(ROWS))
HUGE = float(np.finfo(np.float32).min)


def table(**columns: Any) -> pa.Table:
    return pa.table({"id": list(range(len(next(iter(columns.values()))))), **columns})


def text(form: str, content: str) -> Callable[[Path, str], Path]:
    """Writes a file of that format to the folder that a test gives."""

    def write(folder: Path, name: str) -> Path:
        path = folder / f"{name}.{form}"
        path.write_text(content)
        return path

    return write


def csv(*cells: str) -> Callable[[Path, str], Path]:
    return text("csv", "id,x\n" + "".join(f"{number},{cell}\n" for number, cell in enumerate(cells)))


def jsonl(*cells: str) -> Callable[[Path, str], Path]:
    return text("jsonl", "".join(f'{{"id":{number},"x":{cell}}}\n' for number, cell in enumerate(cells)))


def compared(folder: Path, a: Any, b: Any, **options: Any) -> repro_tui.compare.tables.Comparison:  # type: ignore[name-defined]
    sides = [side(folder, name) if callable(side) else side for name, side in (("a", a), ("b", b))]
    return repro_tui.compare(*sides, key="id", folder=folder / "out", **options)


def wide(*values: str) -> pa.Array:
    return pa.array([Decimal(value) for value in values], pa.decimal256(60, 2))


def masked(*values: float) -> pa.Table:
    return table(x=pa.array([[HUGE, HUGE, HUGE, *values]] * 20, pa.list_(pa.float32())))


def tensors(*shape: int) -> pa.Table:
    storage = pa.array([[1.0, 2, 3, 4, 5, 6]] * 2, pa.list_(pa.float64(), 6))
    return table(x=pa.ExtensionArray.from_storage(pa.fixed_shape_tensor(pa.float64(), shape), storage))


def periods(frequency: str) -> pd.DataFrame:
    return pd.DataFrame({"id": [1, 2], "x": pd.PeriodIndex.from_ordinals([600, 601], freq=frequency)})


HUGE_ONES = [1e17 * (1 + number / 1_000) for number in range(60)]
ORDINARY = [number / 40 for number in range(1, 41)]
MASKS = [-1e30, -1e31] * 30


def float32(*values: float) -> pa.Table:
    return table(x=pa.array(values, pa.float32()))


DIFFERENT: dict[str, tuple[Any, Any, dict[str, Any]]] = {
    "beside numbers that stand for masked": (masked(1.0, 2.0), masked(9.0, -7.0), {}),
    "beside one that most are": (
        float32(*[-1e9] * 11, *[0.5] * 9),
        float32(*[-1e9] * 11, *[300.0] * 9),
        {},
    ),
    "digits that no database has": (table(x=wide("1" * 45, "2")), table(x=wide("1" * 44 + "2", "2")), {}),
    "a long number beside another": (csv("0.5", "12345678901234567"), csv("0.5", "12345678901234568.0"), {}),
    "a long number with a point": (csv("12345678901234567.0", "8"), csv("12345678901234568.0", "8"), {}),
    "beyond a float and endless": (csv("0.5", "1e400"), csv("0.5", "inf"), {}),
    "nearer to 0 than a float": (csv("0.5", "1e-400"), csv("0.5", "0.0"), {}),
    "beyond a float in JSON Lines": (jsonl("1e400", "1.5"), jsonl("1e500", "1.5"), {}),
    "beyond a float in a list": (jsonl("[1e400,1.5]"), jsonl("[1e401,1.5]"), {}),
    "beyond a float in a document": (table(x=['{"a":1e400}'] * 5), table(x=['{"a":1e500}'] * 5), {}),
    "a key that stands twice in a document": (table(x=['{"a":1,"a":2}']), table(x=['{"a":3,"a":2}']), {}),
    "rounding of eight bits and other signs": (
        table(x=np.linspace(1, 9, 5)),
        table(x=-np.linspace(1, 9, 5)),
        {"columns": {"x": {"compute_type": "fp8", "reduction": True}}},
    ),
    "rounding that flips decisions": (
        table(x=pa.array([0.5] * 5, pa.float16())),
        table(x=pa.array([0.4985] * 5, pa.float16())),
        {},
    ),
    "periods of another frequency": (periods("M"), periods("D"), {}),
    "tensors of another shape": (tensors(2, 3), tensors(3, 2), {}),
    "moments that Python has no date for": (
        table(x=pa.array([2**63 - 1], pa.timestamp("us"))),
        table(x=pa.array([2**63 - 2], pa.timestamp("us"))),
        {},
    ),
    "moments of a zone that is none": (
        table(x=pa.array([1], pa.timestamp("us", "Mars/X"))),
        table(x=pa.array([2], pa.timestamp("us", "Mars/X"))),
        {},
    ),
    "odd cells and long numbers": (
        csv("n/a", "18446744073709551615", "5"),
        csv("7", "18446744073709551614", "5"),
        {},
    ),
    "a long number that became a float": (
        jsonl("10000000000000000001", "1.5"),
        jsonl("1e19", "1.5"),
        {},
    ),
    "a text that ends as other values are marked": (jsonl('"a"', "1"), jsonl('"a"', '"1 (not text)"'), {}),
    "a text that is all there is and ends so": (jsonl('"a (not text)"', "1"), jsonl('"a (not text)"', '"1"'), {}),
    "a document and its text": (jsonl('{"a": 1}', '{"a": 2}'), jsonl(*[f'"{{\\"a\\": {n}}}"' for n in (1, 2)]), {}),
    "a struct and its text": (table(x=[{"a": 1}] * 9), table(x=['{"a": 1}'] * 9), {}),
    "bytes and their digits": (table(x=[b"ab"] * 9), table(x=["0x6162"] * 9), {}),
    "a number beyond a float and its text": (jsonl("1e400", "1e401"), jsonl('"1e400"', '"1e401"'), {}),
    "numbers and their text": (jsonl("1", "2"), jsonl('"1"', '"2"'), {}),
    "truths and their text": (jsonl("true", "false"), jsonl('"true"', '"false"'), {}),
    "lists and their text": (jsonl("[1, 2]", "[3, 4]"), jsonl('"[1, 2]"', '"[3, 4]"'), {}),
    "lists of texts and their text": (jsonl('["a"]', '["b"]'), jsonl(*[f'"[\\"{letter}\\"]"' for letter in "ab"]), {}),
    "the largest floats and their opposites": (table(x=[1e308] * 40), table(x=[-1e308] * 40), {}),
    "the largest floats and nothing": (table(x=[float(np.finfo(np.float64).max)] * 40), table(x=[0.0] * 40), {}),
    "small values beside many huge ones": (table(x=HUGE_ONES + ORDINARY), table(x=HUGE_ONES + ORDINARY[::-1]), {}),
    "the same by a tolerance of their own": (
        table(x=[*HUGE_ONES, *ORDINARY]),
        table(x=[*HUGE_ONES, *ORDINARY[::-1]]),
        {"atol": 1e-9, "rtol": 0},
    ),
    "values beside two that mask": (table(x=MASKS + ORDINARY), table(x=MASKS + [-value for value in ORDINARY]), {}),
    "a fraction with zeros before it": (csv("007.5", "1.5"), csv("7.5", "1.5"), {}),
    "zeros before an exponent": (csv("00e5", "1.5"), csv("0.0", "1.5"), {}),
    "a fraction with zeros before it beside text": (csv("00.5", "n/a", "1"), csv("0.5", "n/a", "1"), {}),
    "a number beyond a float in a document and its text": (jsonl('{"a": 1e400}'), jsonl('{"a": "1e400"}'), {}),
    "a number beyond a float in a list and its text": (jsonl("[1e400, 2]"), jsonl('["1e400", 2]'), {}),
    "bytes in a struct and their digits": (table(x=[{"a": b"\1"}] * 9), table(x=[{"a": "0x01"}] * 9), {}),
    "a decimal of many digits and its text": (table(x=wide("1" * 45, "2")), table(x=["1" * 45, "2"]), {}),
    "the smallest float and twice it": (table(x=[5e-324] * 40), table(x=[1e-323] * 40), {}),
    "a missing whole number and the text None": (csv("1", "2", ""), csv("1", "2", "None"), {}),
    "four hundred digits": (csv("9" * 400, "5.5"), csv("inf", "5.5"), {}),
}


@pytest.mark.parametrize("name", DIFFERENT)
def test_tables_that_differ_are_not_called_the_same(tmp_path: Path, name: str) -> None:
    a, b, options = DIFFERENT[name]
    for first, second in ((a, b), (b, a)):
        assert compared(tmp_path, first, second, **options).verdict in ("drift", "not-comparable")


def test_keys_of_more_digits_than_the_database_has_identify_their_rows(tmp_path: Path) -> None:
    table_a = pa.table({"id": wide("1" * 45, "2"), "x": [1, 2]})
    changed = pa.table({"id": wide("2", "1" * 44 + "2"), "x": [2, 1]})
    assert compared(tmp_path, table_a, changed).verdict == "not-comparable"
    reordered = pa.table({"id": wide("2", "1" * 45), "x": [2, 1]})
    assert compared(tmp_path, table_a, reordered).verdict == "identical"


def test_a_decimal_with_more_digits_than_the_float_is_not_equal(tmp_path: Path) -> None:
    exact = pa.array([Decimal("9007199254740993"), Decimal("1.5")], pa.decimal128(38, 10))
    assert compared(tmp_path, table(x=exact), table(x=[9007199254740992.0, 1.5])).verdict == "equal-to-rounding"


SAME: dict[str, tuple[Any, Any]] = {
    "the same odd cell in both": (
        csv(*["n/a", *map(str, range(20))]),
        csv(*["n/a", *(f"{n}.0" for n in range(20))]),
    ),
    "NaN of a frame": (
        pd.DataFrame({"id": [0, 1], "x": [1.0, np.nan]}),
        table(x=[1.0, float("nan")]),
    ),
    "sixteen digits that a float keeps": (csv("0.5", "1234567890123456"), table(x=[0.5, 1234567890123456.0])),
}


@pytest.mark.parametrize("name", SAME)
def test_tables_that_are_the_same_are_called_so(tmp_path: Path, name: str) -> None:
    assert compared(tmp_path, *SAME[name]).verdict in ("identical", "equal")


@pytest.mark.parametrize(
    "given",
    [
        None,
        np.arange(3),
        pd.DataFrame({"id": [1, 2], "x": [1, "a"]}),
        pd.DataFrame({"id": [1, 2], "x": [1j, 2]}),
        pa.table({"id": [1], "y\x01": [1.0], "y\\u{1}": [2.0]}),
    ],
    ids=["nothing", "an array", "mixed", "complex", "names that look the same"],
)
def test_an_invalid_table_is_refused_with_a_reason(tmp_path: Path, given: Any) -> None:
    with pytest.raises(Refused, match="cannot be read"):
        compared(tmp_path, given, given)


# -- runs -----------------------------------------------------------------------------------------------------------

Draw = Callable[[np.random.Generator, bool], pa.Table]


def noisy(g: np.random.Generator) -> Any:
    return g.normal(size=ROWS)


def documents(values: Any, g: np.random.Generator) -> list[str]:
    return [f'{{"latency": {g.random()}, "score": {value}}}' for value in values]


def odd_one(values: Any, kind: Any) -> pa.Array:
    return pa.array(list(values), kind)


BIG = 2**53
SHIFTED: dict[str, Draw] = {
    "three of four documents": lambda g, b: table(
        y=documents([1000.0 if b and n % 4 else 0.5 for n in IDS], g),
    ),
    "one unit of a large number of another type": lambda g, b: table(
        x=noisy(g),
        y=pa.array([BIG + b] + [BIG] * (ROWS - 1), pa.uint64() if b else pa.int64()),
    ),
    "one unit of a large number in a document": lambda g, b: table(y=documents([BIG + b] * ROWS, g)),
    "from one end of the whole numbers to the other": lambda g, b: table(
        y=pa.array([2**63 - 1 if b else -(2**63), *g.integers(0, 100, ROWS - 1).tolist()], pa.int64()),
    ),
    "text of every fifth row": lambda g, b: table(
        y=[" ".join(f"{'xw'[not (b and n % 5 == 2)]}{g.integers(50)}" for _ in range(8)) for n in range(1_000)]
    ),
}
UNCHANGED: dict[str, Draw] = {
    "a shift within the tolerance": lambda g, b: table(x=noisy(g), y=np.arange(ROWS) * 1.0 + 1e-12 * b),
    "one noisy row among such": lambda g, b: table(y=np.r_[g.normal(), np.arange(1.0, ROWS) + 1e-12 * b]),
    "keys in another order": lambda g, b: table(x=noisy(g), y=['{"b":2,"a":1}' if b else '{"a":1,"b":2}'] * ROWS),
    "labels of another type": lambda g, b: table(
        x=noisy(g), y=pa.array([3, 0] * 30, pa.float64() if b else pa.int64())
    ),
}


def runs_of(draw: Draw, seed: int, count: int = 10) -> list[list[pa.Table]]:
    g = np.random.default_rng(seed)
    return [[draw(g, b) for _ in range(count)] for b in (False, True)]


@pytest.mark.parametrize("name", SHIFTED)
def test_a_difference_in_all_runs_is_drift(tmp_path: Path, name: str) -> None:
    comparison = repro_tui.compare(*runs_of(SHIFTED[name], 3), key="id", folder=tmp_path)
    assert comparison.verdict == "drift", comparison.predictions.noise


@pytest.mark.parametrize("name", UNCHANGED)
def test_a_column_that_is_the_same_in_all_runs_is_never_blamed(tmp_path: Path, name: str) -> None:
    """One of seven audits may be a false alarm about the noisy column; the other column is the same in all of them."""
    drifts = 0
    for seed in range(7):
        comparison = repro_tui.compare(*runs_of(UNCHANGED[name], seed), key="id", folder=tmp_path / str(seed))
        drifted = comparison.verdict == "drift"
        drifts += drifted
        for column in comparison.predictions.columns:
            assert column.name == "x" or column.verdict in SAME_VERDICTS | {"undecided"} or drifted
            assert column.name == "x" or name.startswith("one noisy") or column.verdict in SAME_VERDICTS
    assert drifts <= 2


def test_ids_with_one_row_that_repeats_itself_show_nothing(tmp_path: Path) -> None:
    def draw(g: np.random.Generator, b: bool) -> pa.Table:
        return table(y=[f"{'xy'[b]}{g.integers(2**60)}" for _ in range(199)] + [["ok", "err"][g.integers(2)]])

    comparison = repro_tui.compare(*runs_of(draw, 1), key="id", folder=tmp_path)
    assert comparison.verdict in ("undecided", "drift")


def test_one_column_of_many_that_scatters_far_more_is_not_within_noise(tmp_path: Path) -> None:
    def draw(g: np.random.Generator, b: bool) -> pa.Table:
        return pa.table({f"v{n}": [g.normal() * (20.0 if b and n == 7 else 1.0)] for n in range(20)})

    verdicts = [repro_tui.compare(*runs_of(draw, seed), folder=tmp_path / str(seed)).verdict for seed in range(5)]
    assert "within-noise" not in verdicts
