"""The traps of comparison.md, each through every format that can hold it: none lets a difference pass."""

from __future__ import annotations

import hashlib
import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from repro_tui.compare.predictions import compare_predictions
from repro_tui.formats.tables import normalise
from repro_tui.model.predictions import Column, PredictionsArea
from repro_tui.model.record import ColumnRule, Validation
from repro_tui.model.request import Settings, Tolerance
from repro_tui.model.run import Run
from repro_tui.support.cache import Cache
from repro_tui.support.context import Context
from tests.compare.kinds_of_output import WRITERS

NUMBERS = itertools.count()
STORED = ("parquet", "arrow", "stream")
TYPED = (*STORED, "npy")
NULLABLE = ("csv", "jsonl", *STORED)
EVERY = ("csv", "jsonl", *TYPED)
LISTS = ("jsonl", *TYPED)
VALUE = {"v": ColumnRule("value")}
LARGEST = float(np.finfo(np.float64).max)


def judged(
    folder: Path, form: str, a: list[Any], b: list[Any], kind: Any = None, rules: Any = None, **options: Any
) -> tuple[PredictionsArea, Column]:
    """Compares one column by key; `kind` is its type, or the types of both sides, and `order` that of B's rows."""
    sides, order = [], options.pop("order", range(len(b)))
    kinds = kind if isinstance(kind, list) else [kind] * 2
    for values, rows, side_kind in zip((a, b), (range(len(a)), order), kinds, strict=True):
        number = next(NUMBERS)
        raw, read = folder / f"{number}.{form}", folder / f"{number}.parquet.read"
        WRITERS[form](raw, {"id": [f"r{n}" for n in rows], "v": [values[n] for n in rows]}, {"v": side_kind})
        count, format_name = normalise(raw, read)
        digest = hashlib.sha256(str(number).encode()).hexdigest()
        sides.append([Run(1, "succeeded", 0.0, 0, str(read), digest, format_name, count)] * 3)
    validation = Validation("x", ("id",), None, VALUE if rules is None else rules)
    area = compare_predictions(*sides, validation, Settings(**options), folder, Context(cache=Cache(folder / "cache")))
    (column,) = area.columns
    return area, column


@pytest.mark.parametrize("form", EVERY)
@pytest.mark.parametrize(("a", "b"), [(100.0, 110.5), (110.5, 100.0)])
def test_the_tolerance_is_symmetric(tmp_path: Path, form: str, a: float, b: float) -> None:
    """np.isclose(100, 110.5, rtol=0.1) is False, and with the arguments swapped True."""
    assert judged(tmp_path, form, [a], [b], tolerance=Tolerance(0.0, 0.1))[0].verdict == "within-tolerance"


@pytest.mark.parametrize("form", EVERY)
def test_whole_numbers_beyond_2_53_differ(tmp_path: Path, form: str) -> None:
    area, column = judged(tmp_path, form, [2**53, 7], [2**53 + 1, 7])
    assert (area.verdict, column.different, column.max_abs) == ("drift", 1, 1.0)


@pytest.mark.parametrize("form", TYPED)
@pytest.mark.parametrize(("a", "b"), [(200, 210), (210, 200), (0, 255)])
def test_small_unsigned_numbers_do_not_wrap(tmp_path: Path, form: str, a: int, b: int) -> None:
    column = judged(tmp_path, form, [a, 7], [b, 7], pa.uint8())[1]
    assert (column.max_abs, column.different) == (float(abs(a - b)), 1)


@pytest.mark.parametrize("form", EVERY)
def test_the_smallest_int64_has_a_size(tmp_path: Path, form: str) -> None:
    column = judged(tmp_path, form, [-(2**63), 7], [0, 7], pa.int64())[1]
    assert (column.max_abs, column.verdict) == (2.0**63, "drift")


@pytest.mark.parametrize("form", EVERY)
def test_the_largest_float_is_not_infinity(tmp_path: Path, form: str) -> None:
    column = judged(tmp_path, form, [LARGEST, 1.5], [float("inf"), 1.5], tolerance=Tolerance(1e300, 1.0))[1]
    assert (column.verdict, column.different, column.non_finite) == ("drift", 1, 1)


@pytest.mark.parametrize("form", NULLABLE)
def test_a_value_that_is_missing_on_one_side_is_seen(tmp_path: Path, form: str) -> None:
    """The result of a nullable == is NA there, which all() skips."""
    b = ["" if form == "csv" else None, 2.5]
    column = judged(tmp_path, form, [1.5, 2.5], b)[1]
    assert (column.verdict, column.different, column.nulls_a, column.nulls_b) == ("drift", 1, 0, 1)


@pytest.mark.parametrize("form", NULLABLE)
def test_missing_is_not_nan(tmp_path: Path, form: str) -> None:
    """Series.equals takes them to be equal."""
    a = ["" if form == "csv" else None, 2.5]
    column = judged(tmp_path, form, a, [float("nan"), 2.5])[1]
    assert (column.verdict, column.different, column.nulls_a, column.nulls_b) == ("drift", 1, 1, 0)


@pytest.mark.parametrize("form", EVERY)
def test_text_that_looks_like_something_else_stays_text(tmp_path: Path, form: str) -> None:
    """Readers of CSV often turn NA into NaN and 007 into 7."""
    for a, b in ((["NA", "x"], ["nan", "x"]), (["007", "x1"], ["7", "x1"]), (["1e3", "x"], ["1000", "x"])):
        column = judged(tmp_path, form, a, b, rules={})[1]
        assert (column.verdict, column.different, column.type_a) == ("drift", 1, "string")


@pytest.mark.parametrize("form", EVERY)
def test_no_digit_of_a_float_is_lost(tmp_path: Path, form: str) -> None:
    """One unit in the last place is found, and nothing is found where there is none."""
    a = [0.1, 1 / 3, 5e-324, LARGEST, 2.2250738585072011e-308, 123456.789e-7]
    assert judged(tmp_path, form, a, a)[0].verdict == "identical"
    b = [*a[:1], float(np.nextafter(a[1], 1)), *a[2:]]
    column = judged(tmp_path, form, a, b)[1]
    assert (column.verdict, column.equal) == ("equal-to-rounding", len(a) - 1)


@pytest.mark.parametrize("form", EVERY)
def test_the_sign_of_zero_is_equal_and_not_identical(tmp_path: Path, form: str) -> None:
    assert judged(tmp_path, form, [0.0, 1.5], [-0.0, 1.5])[0].verdict == "equal"


@pytest.mark.parametrize("form", TYPED)
def test_signed_and_unsigned_numbers_are_compared_by_value(tmp_path: Path, form: str) -> None:
    """NumPy compares them as floats: 2^63 - 1 and 2^63 would be equal."""
    kinds = [pa.int64(), pa.uint64()]
    column = judged(tmp_path, form, [2**63 - 1, 7], [2**63, 7], kinds)[1]
    assert (column.verdict, column.different, column.max_abs) == ("drift", 1, 1.0)
    assert judged(tmp_path, form, [5, 7], [5, 7], kinds)[0].verdict == "equal"


@pytest.mark.parametrize("form", TYPED)
@pytest.mark.parametrize("kind", ["value", "probability", "ranking", "label"])
def test_half_precision_is_compared_like_any_other_type(tmp_path: Path, form: str, kind: Any) -> None:
    """Arrow cannot compare such numbers, and Parquet stores their range as bytes."""
    a, b = [0.25, 0.4, 0.75, 1.0], [0.25, 0.6, 0.75, 1.0]
    column = judged(tmp_path, form, a, b, pa.float16(), {"v": ColumnRule(kind)})[1]
    assert (column.verdict, column.different, column.type_a) == ("drift", 1, "halffloat")
    assert column.flips == (1 if kind in ("probability", "label") else None)
    inferred = judged(tmp_path, form, a, a[::-1], pa.float16(), {})[1]
    assert (inferred.kind, inferred.different) == ("probability", 4)
    shuffled = judged(tmp_path, form, a, b, pa.float16(), {"v": ColumnRule(kind)}, order=[3, 1, 0, 2])[1]
    assert (shuffled.different, shuffled.flips, shuffled.measures) == (1, column.flips, column.measures)


@pytest.mark.parametrize("form", STORED)
def test_half_precision_may_be_missing(tmp_path: Path, form: str) -> None:
    column = judged(tmp_path, form, [0.25, None], [0.25, 0.5], pa.float16())[1]
    assert (column.verdict, column.different, column.nulls_a) == ("drift", 1, 1)
    assert judged(tmp_path, form, [0.25, None], [0.25, None], pa.float16())[0].verdict == "identical"


EMBEDDING = {"v": ColumnRule("embedding")}


@pytest.mark.parametrize("form", LISTS)
@pytest.mark.parametrize("deep", [False, True], ids=["lists", "tensors"])
@pytest.mark.parametrize(
    ("a", "b", "kind", "size"),
    [
        (2**53, 2**53 + 1, pa.int64(), 1.0),
        (-(2**63), 0, pa.int64(), 2.0**63),
        (200, 210, pa.uint8(), 10.0),
        (LARGEST, float("inf"), pa.float64(), 0.0),
        (float("nan"), 1.0, pa.float64(), 0.0),
    ],
    ids=["2^53", "int64", "uint8", "infinity", "nan"],
)
def test_the_traps_of_numbers_are_avoided_within_lists(
    tmp_path: Path, form: str, deep: bool, a: Any, b: Any, kind: pa.DataType, size: float
) -> None:
    rows = [[[[value, 7], [7, 7]] if deep else [value, 7], [[7, 7], [7, 7]] if deep else [7, 7]] for value in (a, b)]
    list_kind = pa.list_(pa.list_(kind)) if deep else pa.list_(kind)
    loose = Tolerance(1e300, 1.0) if pa.types.is_floating(kind) else Tolerance()
    column = judged(tmp_path, form, *rows, list_kind, EMBEDDING, tolerance=loose)[1]
    assert (column.verdict, column.different, column.max_abs) == ("drift", 1, size)
    assert judged(tmp_path, form, rows[0], rows[0], list_kind, EMBEDDING)[0].verdict == "identical"


@pytest.mark.parametrize("form", ["jsonl", *STORED])
def test_missing_is_not_nan_within_lists(tmp_path: Path, form: str) -> None:
    a, b = [[None, 2.5], [1.5, 2.5]], [[float("nan"), 2.5], [1.5, 2.5]]
    for first, second in ((a, b), (b, a)):
        column = judged(tmp_path, form, first, second, pa.list_(pa.float64()), EMBEDDING)[1]
        assert (column.verdict, column.different) == ("drift", 1)


@pytest.mark.parametrize("form", LISTS)
@pytest.mark.parametrize(("a", "b"), [(100.0, 110.5), (110.5, 100.0)])
def test_the_tolerance_is_symmetric_within_lists(tmp_path: Path, form: str, a: float, b: float) -> None:
    lists = [[[value, 7.5]] for value in (a, b)]
    area = judged(tmp_path, form, *lists, pa.list_(pa.float64()), EMBEDDING, tolerance=Tolerance(0.0, 0.1))[0]
    assert area.verdict == "within-tolerance"


def test_tensors_of_different_shapes_are_not_comparable(tmp_path: Path) -> None:
    """They are the same numbers in the same order."""
    import repro_tui

    numbers = np.arange(24, dtype=np.float32)
    for name, shape in (("a", (4, 2, 3)), ("b", (4, 3, 2))):
        np.save(tmp_path / f"{name}.npy", numbers.reshape(shape))
    comparison = repro_tui.compare(tmp_path / "a.npy", tmp_path / "b.npy", folder=tmp_path / "out")
    (column,) = comparison.predictions.columns
    assert (comparison.verdict, column.note) == ("not-comparable", "the shapes differ: 2x3 in A and 3x2 in B")


def test_large_items_of_a_ranking_are_exact(tmp_path: Path) -> None:
    """As floats, 300,000,000 and 300,000,001 are within the tolerance of float64."""
    a, b = [[300_000_000, 1]], [[300_000_001, 1]]
    column = judged(tmp_path, "jsonl", a, b, rules={"v": ColumnRule("ranking")})[1]
    assert (column.verdict, column.flips, column.different) == ("drift", 1, 1)


def test_scores_that_swap_ranks_within_the_tolerance_flip(tmp_path: Path) -> None:
    rules = {"v": ColumnRule("ranking", atol=0.01)}
    a, b = [[0.501, 0.500, 0.1]], [[0.500, 0.501, 0.1]]
    column = judged(tmp_path, "parquet", a, b, rules=rules)[1]
    assert (column.verdict, column.flips, column.within_tolerance) == ("drift", 1, 1)
    assert judged(tmp_path, "parquet", a, [[0.502, 0.500, 0.1]], rules=rules)[0].verdict == "within-tolerance"


def test_keys_with_dots_are_not_tables(tmp_path: Path) -> None:
    column = judged(tmp_path, "parquet", ['{"a.b": 1}'], ['{"a": {"b": 1}}'], rules={})[1]
    assert (column.kind, column.verdict) == ("json", "drift")
    assert sorted(column.measures["paths"]) == [['"a.b"', 0, 1, 0], ["a.b", 0, 0, 1]]


def test_a_class_overtakes_without_crossing_a_half(tmp_path: Path) -> None:
    """0.40 against 0.35 turns into 0.35 against 0.40: no column crosses 0.5, but the decision changes."""
    import pandas as pd

    import repro_tui

    a = pd.DataFrame({"p_a": [0.40, 0.1], "p_b": [0.35, 0.1], "p_c": [0.25, 0.8]})
    b = a.assign(p_a=[0.35, 0.1], p_b=[0.40, 0.1])
    grouped = repro_tui.compare(a, b, folder=tmp_path, atol=0.1).predictions
    assert [(c.name, c.verdict, c.flips) for c in grouped.columns] == [
        ("p_*", "drift", 1),
        ("p_a", "within-tolerance", None),
        ("p_b", "within-tolerance", None),
        ("p_c", "identical", None),
    ]
    separate = repro_tui.compare(a, b, folder=tmp_path, atol=0.1, columns={"p_a": {"threshold": 0.5}}).predictions
    assert [column.name for column in separate.columns] == ["p_a", "p_b", "p_c"]
