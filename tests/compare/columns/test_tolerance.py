"""The rule of a column: the defaults of docs/comparison.md, which tolerance overrides which, and how it is printed."""

from __future__ import annotations

import itertools

import pyarrow as pa
import pytest

from repro_tui.compare.columns.tolerance import Rule, rule_for, ruling
from repro_tui.model.record import ColumnRule
from repro_tui.model.request import Settings, Tolerance

TYPES = {"float16": pa.float16(), "float32": pa.float32(), "float64": pa.float64()}


def rule(
    kind: str = "value", arrow: pa.DataType | None = None, declared: ColumnRule | None = None, **more: object
) -> Rule:
    settings = more.pop("settings", Settings())
    return rule_for("x", arrow or pa.float64(), kind, declared or ColumnRule(), settings, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("compute", "rtol", "atol", "epsilon"),
    [
        ("float16", 1e-3, 1e-5, 2**-10),
        ("bfloat16", 1.6e-2, 1e-5, 2**-7),
        ("float32", 1.3e-6, 1e-5, 2**-23),
        ("float64", 1e-7, 1e-7, 2**-52),
        ("fp8", 1e-1, 1e-1, 2**-3),
    ],
)
def test_every_compute_type_has_its_default(compute: str, rtol: float, atol: float, epsilon: float) -> None:
    declared = rule(declared=ColumnRule(compute_type=compute))  # type: ignore[arg-type]
    assert (declared.rtol, declared.atol, declared.epsilon) == (rtol, atol, epsilon)
    assert declared.words == f"|a-b| <= {atol:g} + {rtol:g}*max(|a|,|b|) (default for {compute})"
    if compute in TYPES:
        assert rule(arrow=TYPES[compute]) == declared
        assert rule(arrow=pa.list_(pa.list_(TYPES[compute]))).atol == atol


def test_types_other_than_floats_are_exact() -> None:
    for arrow in (pa.int64(), pa.string(), pa.bool_(), pa.date32()):
        assert rule(arrow=arrow).words == "exact (whole numbers, text and dates are exact)"
        assert rule(arrow=arrow).epsilon == 0.0  # and is not rounded
    assert rule("ranking", pa.list_(pa.float64()), whole=True).words.startswith("exact")
    assert not rule("ranking", pa.list_(pa.float64()), whole=True).no_flips
    assert rule("ranking", pa.list_(pa.float64())).no_flips


def test_a_default_shrinks_with_the_values_and_never_grows() -> None:
    assert rule(typical=1e-3).atol == 1e-10
    assert rule(typical=1e-3).words.endswith("(default for float64, for values about 0.001)")
    for size in (0.0, 1.0, 1.5, 2.0, 1e6):
        assert rule(typical=size).atol == 1e-7
        assert rule(typical=size).words.endswith("(default for float64)")
        assert rule(typical=size).scale == size
    assert rule().scale == 0.0
    assert rule("probability").words == "|a-b| <= 1e-05, and no decision flips (default for probabilities)"
    assert rule("probability", typical=1e-3).atol == 1e-8
    assert rule("probability", pa.int64()).words.startswith("exact")


def test_the_command_line_overrides_the_record_and_both_override_the_default() -> None:
    recorded = ColumnRule(atol=0.5)
    assert rule(declared=recorded).words == "|a-b| <= 0.5 + 1e-07*max(|a|,|b|) (from the record)"
    everywhere = Settings(tolerance=Tolerance(None, 0.25))
    assert rule(declared=recorded, settings=everywhere).words == (
        "|a-b| <= 0.5 + 0.25*max(|a|,|b|) (from the command line)"
    )
    here = Settings(tolerance=Tolerance(1.0, 1.0), column_tolerances={"x": Tolerance(2.0, 0.0), "y": Tolerance(9.0)})
    assert rule(declared=recorded, settings=here).words == "|a-b| <= 2 (from the command line)"
    assert rule(typical=1e-3, declared=recorded).atol == 0.5  # what is given is not scaled
    exact = Settings(tolerance=Tolerance(0.0, 0.0))
    assert rule(settings=exact).words == "exact (from the command line)"
    for atol, rtol in itertools.product((0.0, 1e-3), repeat=2):
        printed = rule(settings=Settings(tolerance=Tolerance(atol, rtol))).words
        assert printed.startswith("exact") == (atol == rtol == 0), "an exact rule, and no other, is called so"


def test_documents_are_judged_by_the_size_of_each_path_unless_a_tolerance_is_given() -> None:
    size = " * min(1, the size of its path's values)"
    assert rule("json", pa.string()).words == (
        f"numbers with a fraction: |a-b| <= 1e-07{size} + 1e-07*max(|a|,|b|); all else exact (default for float64)"
    )
    assert rule("json", pa.string()).by_size
    assert rule("json", pa.string(), settings=Settings(tolerance=Tolerance(None, 1e-3))).by_size
    given = rule("json", pa.string(), settings=Settings(tolerance=Tolerance(1e-3, None)))
    assert not given.by_size
    assert size not in given.words
    assert not rule("value").by_size
    assert not rule("value", settings=Settings(tolerance=Tolerance(None, 1e-3))).by_size


def test_a_reduction_is_rounded_in_more_units() -> None:
    assert (rule().units, rule(declared=ColumnRule(reduction=True)).units) == (4, 32)


def test_the_type_with_fewer_digits_sets_the_tolerance() -> None:
    by_digits = [pa.int64(), pa.float16(), pa.float32(), pa.float64()]
    for index, fewer in enumerate(by_digits):
        for more in by_digits[index:]:
            assert ruling((fewer, more)) == ruling((more, fewer)) == fewer
