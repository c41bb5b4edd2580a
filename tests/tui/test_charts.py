"""Charts: what is drawn where, by known answers."""

from __future__ import annotations

import re

import pytest

from repro_tui.model.predictions import Column
from repro_tui.tui.screens.charts import kinds_of, measures
from repro_tui.tui.widgets.charts import FINEST, Mark, bars, flip_matrix, histogram, scatter

RULER = Mark(1e-3, "tolerance", "┃", "")


def drawn(content: object) -> list[str]:
    return content.plain.split("\n")  # type: ignore[attr-defined, no-any-return]


def test_a_histogram_stands_over_its_decades() -> None:
    bins = [(-4 * FINEST, 10), (-2 * FINEST, 40)]
    lines = drawn(histogram(bins, [RULER], 48, 10))
    assert len(lines) == 10
    axis = lines[8]
    assert re.findall(r"1e-?\d", axis) == ["1e-4", "1e-3", "1e-2"]
    offsets = {name: axis.index(name) for name in ("1e-4", "1e-3", "1e-2")}
    assert lines[7][offsets["1e-4"]] == "█"
    assert lines[0].ljust(48)[offsets["1e-2"]] == "█", "the most frequent bin reaches the top"
    assert lines[0].ljust(48)[offsets["1e-4"]] == " ", "a quarter of it does not"
    assert all(line.ljust(48)[offsets["1e-3"]] == "┃" for line in lines[:8]), "the tolerance stands at its decade"
    assert lines[9] == "┃ tolerance 0.001   █ at most 40 cells"


def test_one_cell_among_a_million_is_still_seen() -> None:
    lines = drawn(histogram([(-16, 1), (-8, 1_000_000)], [], 40, 8))
    assert lines[5].startswith("▁")


def test_a_narrow_histogram_shows_fewer_bins_and_loses_no_cell() -> None:
    lines = drawn(histogram([(number, 1) for number in range(-16 * FINEST, 0)], [], 20, 6))
    assert max(map(len, lines[:5])) <= 20
    assert set(lines[3][:16]) == {"█"}


def test_an_empty_histogram_is_a_sentence() -> None:
    assert drawn(histogram([], [RULER], 40, 8)) == ["no cell has a numeric difference"]


def test_the_text_of_a_bar_stands_below_it() -> None:
    lines = drawn(bars([("region = north", 0.98, "98% of the rows that flip are in region = north")], 40, below=True))
    assert lines[0].rstrip().endswith("98.0 %")
    assert lines[1:] == ["  98% of the rows that flip are in", "  region = north"]


def test_measures_stand_in_two_columns_where_there_is_room() -> None:
    """Down the left, then down the right; what is long stands alone, and none is lost."""
    values = {"mean_abs": 0.25, "p99_abs": 0.5, "kappa": 0.75, "sample": "the first 100,000 rows of each side"}
    column = Column("x", "value", "drift", measures=values, rule="exact", type_a="double", type_b="double")
    narrow, wide = (drawn(measures(column, width)) for width in (60, 78))
    assert [line.split()[-1] for line in narrow[-4:]] == ["0.25", "0.5", "0.75", "side"]
    assert [line.split("  ")[0] for line in wide[-3:]] == ["mean |Δ|", "p99 |Δ|", "measured on"]
    assert wide[-3].endswith("0.75")


@pytest.mark.parametrize(
    ("kind", "rule", "type", "charts"),
    [
        ("value", "|a-b| <= 1e-07", "double", ["histogram", "scatter", "slices"]),
        ("embedding", "|a-b| <= 1e-07", "list<element: double>", ["histogram", "slices"]),
        ("ranking", "exact (whole numbers)", "list<element: double>", ["slices"]),
        ("ranking", "|a-b| <= 1e-07", "double", ["histogram", "scatter", "slices"]),
    ],
)
def test_a_kind_has_the_charts_that_say_something_of_it(kind: str, rule: str, type: str, charts: list[str]) -> None:
    column = Column("x", kind, "drift", max_abs=1.0, rule=rule, type_a=type, type_b=type)
    assert kinds_of(None, column) == charts


def test_a_scatter_has_a_to_the_right_and_b_upwards() -> None:
    corners = [(0, 0, 1, 0), (39, 31, 1, 1)]
    content = scatter(0.0, 1.0, corners, 20, 10)
    lines = drawn(content)
    assert lines[8][0] == "⡀"
    assert lines[1][19] == "⠈"
    assert lines[0].startswith("B ↑ 1")
    assert lines[9].startswith("0")
    assert lines[9].endswith("1 → A")
    flipped = [span for span in content.spans if "error" in str(span.style) and span.end - span.start == 1]
    assert len(flipped) == 1, "only the dot with a flip has the colour of errors"


def test_a_flip_matrix_has_a_down_and_b_across() -> None:
    lines = drawn(flip_matrix([("decline", "review", 46), ("review", "approve", 12)], 60, 8))
    assert lines[0].split() == ["A", "\\", "B", "review", "approve"]
    assert lines[1].split() == ["decline", "46", "·"]
    assert lines[2].split() == ["review", "·", "12"]


def test_a_flip_matrix_that_is_too_wide_says_what_is_left_out() -> None:
    flips = [("a", f"label {n}", 100 - n) for n in range(20)]
    lines = drawn(flip_matrix(flips, 60, 30))
    assert max(map(len, lines)) <= 60
    assert re.match(r"\d+ more labels of B", lines[-1])


def test_bars_are_as_long_as_their_shares() -> None:
    lines = drawn(bars([("code", 0.5, ""), ("parameters", -0.25, "against it")], 60))
    full = lines[0].count("█") + lines[0].count("░")
    assert lines[0].count("█") == round(full / 2)
    assert "50.0 %" in lines[0]
    assert lines[1].count("█") == round(full / 4)
    assert "-25.0 % against it" in lines[1]
