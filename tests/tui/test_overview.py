"""The overview of a large terminal uses its room; and no factor of unknown effect looks as if it had none."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from repro_tui.model.causes import Causes, Hybrid
from repro_tui.report.cause_rows import cause_rows, effects
from repro_tui.tui.app import Auditor
from repro_tui.tui.widgets.charts import bars
from tests.tui.driving import press, written
from tests.tui.folders import CAUSES, finished

UNTRIED = replace(CAUSES, shares={"code": 0.96, "parameters": 0.04, "environment": 0.0}, smallest=("code",))
TRIED = replace(
    UNTRIED,
    hybrids=(Hybrid(("environment",), 0.0, 0.0, "A"), Hybrid(("code", "parameters"), 1.0, 1.0, "B")),
)


def test_a_factor_that_no_hybrid_had_alone_is_not_known_to_do_nothing() -> None:
    assert effects(UNTRIED) == [("code", 0.96), ("parameters", 0.04), ("environment", None)]
    assert effects(TRIED) == [("code", 0.96), ("parameters", 0.04), ("environment", 0.0)]
    assert ("share", "environment", "not known") in cause_rows(UNTRIED)
    assert ("share", "environment", "0 %") in cause_rows(TRIED)


def test_factors_that_cannot_be_told_apart_are_not_left_out() -> None:
    assert effects(replace(UNTRIED, shares={"code": 0.4})) == [
        ("code", 0.4),
        ("environment", None),
        ("parameters", None),
    ]
    assert effects(Causes()) == []


def test_the_bar_of_an_unknown_share_has_words_and_no_bar() -> None:
    known, unknown = bars([("code", 0.0, ""), ("data", None, "")], 60).plain.split("\n")
    assert "░" in known
    assert "0 %" in known
    assert "not known" in unknown
    assert unknown.rstrip().endswith("?")
    assert not {"░", "█", "%"} & set(unknown)


@pytest.mark.parametrize("screen", ["1", "7"])
async def test_the_screens_say_that_an_effect_is_not_known(screen: str, tmp_path: Path) -> None:
    app = Auditor(finished(tmp_path / "audit", causes=UNTRIED))
    async with app.run_test(size=(200, 50)) as pilot:
        await press(pilot, screen)
        rows = [line for line in written(app).splitlines() if "environment" in line and "not known" in line]
        assert rows, written(app)
        assert " 0 %" not in "".join(rows)


async def test_a_large_overview_has_the_outputs_and_what_causes_the_change(tmp_path: Path) -> None:
    app = Auditor(finished(tmp_path / "audit", causes=CAUSES))
    async with app.run_test(size=(200, 50)) as pilot:
        await press(pilot)
        seen = written(app)
        for text in ("Outputs", "58 rows differ", "max |Δ| 0.0683", "How far probability moved", "1e-2 to 1e-1"):
            assert text in seen, seen
        assert "Share of the change" in seen
        assert "75.0 % 300 cells" in seen
        await pilot.resize_terminal(120, 40)
        await press(pilot)
        assert "Outputs" not in written(app)
