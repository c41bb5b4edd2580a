"""The overview's summary and its last line, what to do next; the summary to share; the screen of the cause."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from repro_tui.audit.folder import AuditFolder
from repro_tui.model.causes import Causes
from repro_tui.report.channel import MOST_LINES
from repro_tui.tui.app import Auditor
from tests.report import kinds
from tests.tui.driving import press, written
from tests.tui.folders import CAUSES, finished, running, verified

SIZES = ((80, 24), (120, 40), (200, 50))


def same(path: Path) -> AuditFolder:
    return finished(path, own_predictions=kinds.predictions("identical"))


def explained(path: Path, causes: Causes = CAUSES) -> AuditFolder:
    return finished(path, causes=causes)


NEXT = {
    "drift": (finished, "E searches for the cause of the drift; 5 opens the rows that moved"),
    "drift with a cause": (explained, "revert numpy to 1.26.4 in staging; 7 opens the cause, S copies a summary"),
    "the same": (same, "nothing to do for the predictions; S copies a summary to share"),
    "verified": (verified, "S copies a summary to share"),
}


@pytest.mark.parametrize("state", NEXT)
@pytest.mark.parametrize("size", SIZES, ids=str)
async def test_verdict_areas_and_what_is_next_are_seen_at_every_size(
    state: str, size: tuple[int, int], tmp_path: Path
) -> None:
    make_folder, expected = NEXT[state]
    build: Callable[[Path], AuditFolder] = make_folder
    app = Auditor(build(tmp_path / "audit"))
    async with app.run_test(size=size) as pilot:
        await press(pilot)
        seen = " ".join(written(app).split())
        assert expected in seen
        assert "Next: " in seen
        for area in ("predictions", "parameters", "environment", "data", "code"):
            assert f" {area} " in seen, area


async def test_the_sentences_stand_beside_the_areas_where_there_is_room(tmp_path: Path) -> None:
    app = Auditor(explained(tmp_path / "audit"))
    async with app.run_test(size=(200, 50)) as pilot:
        await press(pilot)
        (line,) = [line for line in written(app).split("\n") if "• Reverting numpy alone restores A." in line]
        assert "different" in line
        assert written(app).count("Next: ") == 1
        await pilot.resize_terminal(80, 24)
        await press(pilot)
        lines = written(app).split("\n")
        (row,) = [number for number, line in enumerate(lines) if "Reverting numpy alone" in line]
        assert "different" not in lines[row]


async def test_a_cause_that_was_found_has_its_own_glyph(tmp_path: Path) -> None:
    app = Auditor(explained(tmp_path / "audit"))
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot)
        (line,) = [line for line in written(app).split("\n") if " cause " in line and "found" in line]
        assert line.startswith("✓")


async def test_a_summary_to_share_is_shown_as_it_was_copied(tmp_path: Path) -> None:
    app = Auditor(explained(tmp_path / "audit"))
    async with app.run_test(size=(120, 40)) as pilot:
        await press(pilot, "S")
        text = app.clipboard
        assert len(text.split("\n")) <= MOST_LINES
        assert "Next: " in text
        assert "repro-tui show " in text
        assert "prod against staging" in written(app)


async def test_a_running_audit_has_nothing_to_share(tmp_path: Path) -> None:
    app = Auditor(running(tmp_path / "audit"))
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, "S")
        assert app.clipboard == ""
        (notice,) = app._notifications
        assert "There is no report to share yet." in notice.message


@pytest.mark.parametrize("size", SIZES, ids=str)
async def test_the_cause_has_one_number_a_factor_and_both_values_of_a_culprit(
    size: tuple[int, int], tmp_path: Path
) -> None:
    app = Auditor(explained(tmp_path / "audit", kinds.CAUSE))
    async with app.run_test(size=size) as pilot:
        await press(pilot, "7")
        seen = " ".join(written(app).split())
        assert "explains 66.4 % of the change" in seen
        (bar,) = [line for line in written(app).split("\n") if line.strip().startswith("model ")]
        assert "66.4 %" in bar
        assert "taken from B" in seen
        if size[1] > 24:
            assert "-0.86 → -0.81" in seen
            assert "intercept" in seen
