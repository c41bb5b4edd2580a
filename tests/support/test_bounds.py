"""Bounds as they are typed: an exact number of one measure, or a part of the rows."""

from __future__ import annotations

from fractions import Fraction

import pytest

from repro_tui.support.bounds import Bound, parse_bound


@pytest.mark.parametrize(
    ("text", "bound", "limit"),
    [
        ("flips <= 0.5 %", Bound("flips", Fraction(1, 200), True), "0.5 %"),
        ("flips<=29%", Bound("flips", Fraction(29, 100), True), "29 %"),
        ("different <= 20", Bound("different", Fraction(20), False), "20"),
        ("max_abs <= 1e-3", Bound("max_abs", Fraction(1, 1000), False), "0.001"),
        ("flips <= 0", Bound("flips", Fraction(0), False), "0"),
    ],
)
def test_a_bound_is_exact(text: str, bound: Bound, limit: str) -> None:
    assert parse_bound(text) == bound
    assert bound.limit == limit


@pytest.mark.parametrize(
    "text",
    ["", "flips", "flips < 2", "flips >= 2", "flips <= ", "flips <= -1", "flips <= x", "flips <= 1.2.3", "rows <= 2"],
)
def test_what_is_no_bound_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a bound"):
        parse_bound(text)


@pytest.mark.parametrize("text", ["max_abs <= 1e999", "max_abs <= inf", "flips <= nan", "flips <= 2; different <= 3"])
def test_a_bound_needs_a_finite_number(text: str) -> None:
    with pytest.raises(ValueError, match="is not a bound"):
        parse_bound(text)


def test_a_size_has_no_percentage() -> None:
    with pytest.raises(ValueError, match="in the unit of its column"):
        parse_bound("max_abs <= 1 %")
