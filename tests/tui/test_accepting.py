"""`a` accepts a difference: it asks why and until when, shows what it will write, and writes it only after a yes."""

from __future__ import annotations

import json
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from repro_tui.audit.folder import AuditFolder
from repro_tui.model.finding import Accepted
from repro_tui.support.plain import write_json
from repro_tui.tui.accept_dialog import AcceptDialog
from repro_tui.tui.app import Auditor
from repro_tui.tui.dialogs import MessageDialog, QuestionDialog
from repro_tui.tui.screens.area import AreaScreen
from repro_tui.tui.screens.predictions import PredictionsScreen
from tests.tui.driving import press, until, written
from tests.tui.folders import finished

POLICY = "# the policy\n[gate]  # of all audits\nrepeat = 3\n"
DAY = "2099-01-31"


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    file = tmp_path / "repro.toml"
    file.write_text(POLICY)
    return file


@pytest.fixture
def audit(tmp_path: Path, policy: Path) -> AuditFolder:
    """A finished audit of a project with this policy file, whose predictions drift."""
    folder = finished(tmp_path / "audit")
    request = json.loads((folder.path / "audit.json").read_text())
    (folder.path / "audit.json").write_text(json.dumps(request | {"policy_file": str(policy)}))
    return folder


def entries(policy: Path) -> list[dict[str, object]]:
    text = policy.read_text()
    assert text.startswith(POLICY)
    accepted: list[dict[str, object]] = tomllib.loads(text).get("accepted", [])
    return accepted


async def answer(pilot: object, reason: str, day: str = DAY) -> None:
    """Types the reason and the last day, and goes on to what will be written."""
    await press(pilot, *reason.replace(" ", "_"), "enter")
    await press(pilot, *["backspace"] * 10, *day, "enter", "enter")


async def test_a_finding_is_accepted_with_reason_and_day_after_it_was_shown(audit: AuditFolder, policy: Path) -> None:
    app = Auditor(audit)
    async with app.run_test(size=(120, 40)) as pilot:
        await press(pilot, "3", "a")
        assert isinstance(app.screen, AcceptDialog)
        name = app.screen.pattern
        assert name.startswith("parameters.")
        await answer(pilot, "agreed")
        assert isinstance(app.screen, QuestionDialog)
        assert "[[accepted]]" in written(app)
        assert f"until = {DAY}" in written(app)
        assert entries(policy) == []  # nothing is written before the yes
        await press(pilot, "w")
        await until(pilot, lambda: entries(policy))
        (entry,) = entries(policy)
        assert (entry["path"], entry["reason"], str(entry["until"])) == (name, "agreed", DAY)
        await until(pilot, lambda: f"accepted until {DAY}: agreed" in written(app))


@pytest.mark.parametrize("leaves", [("escape",), ("dialog", "escape")])
async def test_nothing_is_written_without_a_yes(audit: AuditFolder, policy: Path, leaves: tuple[str, ...]) -> None:
    app = Auditor(audit)
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, "3", "a")
        if "dialog" in leaves:
            await answer(pilot, "agreed")
            assert isinstance(app.screen, QuestionDialog)
        await press(pilot, "escape")
        assert isinstance(app.screen, AreaScreen)
        assert policy.read_text() == POLICY


async def test_without_a_reason_or_a_day_the_dialog_says_so_and_stays(audit: AuditFolder, policy: Path) -> None:
    app = Auditor(audit)
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, "3", "a", "enter", "enter", "enter")
        assert isinstance(app.screen, AcceptDialog)
        assert "say why the change is accepted" in written(app)
        await press(pilot, *"why", "enter", *["backspace"] * 10, *"soon", "enter", "enter")
        assert "expected YYYY-MM-DD" in written(app)
        await press(pilot, *["backspace"] * 4, *"2020-01-01", "enter", "enter")
        assert isinstance(app.screen, MessageDialog)
        assert "2020-01-01 is over" in written(app)
        assert policy.read_text() == POLICY


async def test_a_drift_is_accepted_within_a_bound(audit: AuditFolder, policy: Path) -> None:
    report = audit.report()
    assert report is not None
    noise = replace(report.areas.predictions.noise, deterministic_a=True, deterministic_b=True)
    areas = replace(report.areas, predictions=replace(report.areas.predictions, noise=noise))
    write_json(audit.path / "report.json", replace(report, areas=areas))
    app = Auditor(audit)
    async with app.run_test(size=(120, 40)) as pilot:
        await press(pilot, "5", "a", *"agreed", "enter", *["backspace"] * 10, *DAY, "enter", "enter")
        bound = "different_<=_400".replace("_", " ")
        await press(
            pilot, *[{" ": "space", "<": "less_than_sign", "=": "equals_sign"}.get(c, c) for c in bound], "enter"
        )
        assert isinstance(app.screen, QuestionDialog), written(app)
        await press(pilot, "w")
        await until(pilot, lambda: entries(policy))
        (entry,) = entries(policy)
        assert (entry["path"], entry["bounds"]) == ("predictions", ["different <= 400"])
        await until(pilot, lambda: "drift (accepted)" in written(app))
        assert isinstance(app.screen, PredictionsScreen)


async def test_what_was_accepted_is_shown_with_its_reason(audit: AuditFolder) -> None:
    report = audit.report()
    assert report is not None
    mark = Accepted("record", "numpy 2 is released", "ada", "2027-01-31")
    first, *rest = report.areas.parameters.findings
    area = replace(report.areas.parameters, findings=(replace(first, accepted=mark), *rest))
    write_json(audit.path / "report.json", replace(report, areas=replace(report.areas, parameters=area)))
    app = Auditor(audit)
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot)
        assert "1 accepted or known" in written(app)
        await press(pilot, "3")
        screen = app.screen
        assert isinstance(screen, AreaScreen)
        while screen.pane.finding is not None and screen.pane.finding.path != first.path:
            await press(pilot, "down")
        assert "accepted by ada until 2027-01-31" in " ".join(written(app).split())


async def test_what_is_unknown_is_not_accepted(audit: AuditFolder, policy: Path) -> None:
    report = audit.report()
    assert report is not None
    unknown = replace(report.areas.parameters.findings[0], change="unknown", note="unread")
    area = replace(report.areas.parameters, findings=(unknown,))
    write_json(audit.path / "report.json", replace(report, areas=replace(report.areas, parameters=area)))
    app = Auditor(audit)
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, "3", "a")
        assert isinstance(app.screen, MessageDialog)
        assert "is unknown, and what is not known" in written(app)
        assert policy.read_text() == POLICY
