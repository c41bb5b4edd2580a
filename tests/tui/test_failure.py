"""A failure is a screen of the first class: real audits that fail, in every way in which one can."""

from __future__ import annotations

import os
import re
import shutil
import signal
from dataclasses import replace
from pathlib import Path

import pytest

from repro_tui.audit.folder import AuditFolder
from repro_tui.model.event import Event
from repro_tui.model.finding import area_of
from repro_tui.model.predictions import PredictionsArea
from repro_tui.support.plain import dumps, to_plain, write_json
from repro_tui.tui.app import Auditor
from repro_tui.tui.failure import ending, failures, why_not_compared
from repro_tui.tui.screens.failure import FailureScreen
from repro_tui.tui.screens.log import LogScreen
from repro_tui.tui.screens.overview import OverviewScreen
from repro_tui.tui.screens.progress import ProgressScreen
from repro_tui.tui.store import AuditStore
from repro_tui.tui.widgets.log_pane import LogPane
from tests.audit.project import fill_cache
from tests.processes import wait_until
from tests.templates import Templates, copy_folder
from tests.tui.driving import press, written
from tests.tui.failed import failing, failing_project, nothing_to_run
from tests.tui.folders import finished, running, verified

SIZES = [(80, 24), (120, 40), (200, 50)]
# The texts that the first screen has of each kind: which step, the error, and what to do.
FIRST_SCREEN = {
    "crash": (
        "B failed at run 1",
        "RuntimeError: the weights have no decoder",
        "caused by KeyError: 'decoder'",
        "See run-1.log",
    ),
    "timeout": ("B ran out of time at run 1", "time limit of 1.5 s", "predict.timeout_s"),
    "memory": ("B ran out of memory at run 1", "300 MiB", "aise the limit with --memory"),
    "silent": ("B wrote no output at run 1", "wrote no output", "→ "),
    "build": (
        "B failed at environment",
        "RuntimeError: nvcc was not found: set CUDA_HOME",
        "→ Install the CUDA toolkit",
    ),
    "commit": ("B failed at code", "9" * 12, "→ "),
    "both": ("A and B failed at run 1", "RuntimeError: the weights have no decoder", "See run-1.log"),
    "nothing": ("Nothing was run", "names validation inputs", "--inputs"),
}


def _audited(kind: str, folder: Path, warm: Path) -> None:
    copy_folder(warm / "cache", Path(os.environ["REPRO_TUI_CACHE"]))
    if kind == "nothing":
        project = nothing_to_run(folder / "project")
    else:
        project = failing(folder / "project", "crash" if kind == "both" else kind, both=kind == "both")
    copy_folder(project.audits()[-1], folder / "audit")


@pytest.fixture
def audit(kind: str, templates: Templates, tmp_path: Path) -> AuditFolder:
    """A real audit that failed in one way: it is made once, and each test has its own copy."""
    warm = templates.folder("cache", fill_cache)
    made = templates.folder(f"failed-{kind}", lambda folder: _audited(kind, folder, warm))
    return AuditFolder(copy_folder(made / "audit", tmp_path / "audit"))


@pytest.mark.parametrize("kind", FIRST_SCREEN)
async def test_the_first_screen_says_what_failed_and_what_to_do(kind: str, audit: AuditFolder) -> None:
    for size in SIZES:
        app = Auditor(audit)
        async with app.run_test(size=size) as pilot:
            await press(pilot)
            assert isinstance(app.screen, FailureScreen)
            text = " ".join(line.lstrip("█ ").rstrip() for line in written(app).splitlines())
            for part in FIRST_SCREEN[kind]:
                assert part in text, f"{size}\n{written(app)}"
            assert ("are the same as built." in text) == (kind == "both")
            if kind != "both":
                assert re.search(r"[─━]different( as declared| as built)?[─━]", text), written(app)
                assert "parameters ≠ 1" in text, written(app)
                assert "threshold" in text, written(app)
            assert "no differing cells" not in text


@pytest.mark.parametrize(
    ("kind", "sentence"),
    [
        ("nothing", "The audit has ended, and nothing was run: 1 shows why."),
        ("crash", "The audit has failed: 1 shows where."),
    ],
)
def test_the_end_of_an_audit_is_announced_as_what_it_is(kind: str, sentence: str, audit: AuditFolder) -> None:
    store = AuditStore(audit)
    store.read()
    assert ending(store) == sentence


def test_the_keys_that_it_names_are_those_of_the_user(tmp_path: Path) -> None:
    store = AuditStore(running(tmp_path / "audit"), keys={"audit.run-again": "A", "audit.show-overview": "0"})
    store.read()
    (failure,) = failures(store)
    assert "run the audit again (A)" in failure.do
    assert "0 shows where" in ending(store)
    done = AuditStore(finished(tmp_path / "done"))
    done.read()
    assert ending(done) == "The audit has finished: 1 shows its verdict."


def test_a_log_is_named_only_where_there_is_one_to_see(tmp_path: Path) -> None:
    folder = running(tmp_path / "audit")
    for content, is_named in (None, False), ("", False), ("Traceback\n", True):
        if content is not None:
            (folder.path / "engine.log").write_text(content)
        store = AuditStore(folder)
        store.read()
        (failure,) = failures(store)
        assert (f"see {folder.path}/engine.log" in failure.do) == is_named


@pytest.mark.parametrize("kind", ["crash", "build", "both"])
async def test_enter_and_l_go_to_the_failing_line(kind: str, audit: AuditFolder) -> None:
    ending = "END" if kind != "build" else "nvcc was not found: set CUDA_HOME"
    app = Auditor(audit)
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, "enter")
        assert isinstance(app.screen, LogScreen)
        pane = app.screen.query_one("#lines", LogPane)
        assert pane.text is not None
        assert pane.text.line(pane.marked).startswith("RuntimeError")
        assert any(place.line == pane.marked for place, _ in pane.places())
        assert ending in "".join(text for place, text in pane.places() if place.line == pane.marked)
        await press(pilot, "escape", "l")
        assert isinstance(app.screen, ProgressScreen)
        assert ending in "".join(text for _, text in app.screen.query_one("#log", LogPane).places())
        await press(pilot, "enter")
        assert app.screen.query_one("#lines", LogPane).marked == pane.marked


@pytest.mark.parametrize("kind", ["crash", "build", "nothing", "commit"])
async def test_predictions_that_were_never_made_say_so(kind: str, audit: AuditFolder) -> None:
    """Nothing reads as if something had been compared, and the remedy is readable whole at 80x24."""
    report = audit.report()
    assert report is not None
    app = Auditor(audit)
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, "5")
        text = written(app)
        assert "no differing cells" not in text
        assert "matched" not in text
        assert "the predictions were not compared" in text
        shown = " ".join(" ".join(line.split()) for line in text.splitlines())
        assert " ".join(report.areas.predictions.do.split()) in shown
    store = AuditStore(audit)
    store.read()
    assert why_not_compared(store).startswith("the predictions were not compared: ")


@pytest.mark.parametrize("kind", ["crash"])
async def test_what_is_declared_differently_opens(kind: str, audit: AuditFolder) -> None:
    app = Auditor(audit)
    async with app.run_test(size=(120, 40)) as pilot:
        await press(pilot, "tab")
        assert app.focused is app.screen.query_one("#declared")
        await press(pilot, "enter")
        text = written(app)
        assert "5.0" in text
        assert "6.0" in text
        await press(pilot, "escape", "escape")
        assert isinstance(app.screen, FailureScreen)


@pytest.mark.parametrize("kind", ["both"])
async def test_both_sides_logs_are_a_key_apart(kind: str, audit: AuditFolder) -> None:
    app = Auditor(audit)
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot)
        assert "log of A run 1" in written(app)
        await press(pilot, "b")
        assert "log of B run 1" in written(app)


@pytest.mark.parametrize("kind", ["crash"])
async def test_an_engine_that_was_lost_says_where(kind: str, audit: AuditFolder) -> None:
    """As after a power cut: no report, and a journal that ends in a run."""
    journal = audit.path / "journal.jsonl"
    lines = journal.read_text().splitlines()
    last = next(number for number, line in enumerate(lines) if '"run 1"' in line and '"started"' in line)
    journal.write_text("\n".join(lines[: last + 1]) + "\n")
    (audit.path / "report.json").unlink()
    for size in SIZES:
        app = Auditor(audit)
        async with app.run_test(size=size) as pilot:
            await press(pilot)
            assert isinstance(app.screen, FailureScreen)
            text = " ".join(line.lstrip("█ ").rstrip() for line in written(app).splitlines())
            assert "The audit ended without a report at" in text
            assert "run 1" in text
            assert "un the audit again (R)" in text
            assert ("engine.log" in text) == (audit.engine_log is not None), "a file to see is there"
            assert "R run again" in text
            await press(pilot, "5")
            assert "the predictions were not compared" in written(app)
            assert "no differing cells" not in written(app)


async def test_an_audit_that_was_stopped_says_so(tmp_path: Path) -> None:
    project = failing_project(tmp_path / "project", "timeout")
    record = (project.folder / "record.json").read_text().replace('"timeout_s": 1.5', '"timeout_s": 600')
    (project.folder / "record.json").write_text(record)
    engine = project.start("record.json#a", "record.json#b")
    wait_until(lambda: any("waiting" in log.read_text() for log in _logs(project.audits())), "the run")
    os.kill(engine.pid, signal.SIGINT)
    engine.communicate()
    store = AuditStore(AuditFolder(project.audits()[0]))
    store.read()
    (failure,) = failures(store)
    assert failure.title.startswith("The audit was stopped at ")
    assert failure.do.startswith("run the audit again (R)")
    assert ending(store) == "The audit was stopped: 1 shows where."
    app = Auditor(store.folder)
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot)
        assert written(app).startswith(" Stopped ")


def _logs(audits: list[Path]) -> list[Path]:
    return [log for audit in audits for log in audit.glob("*/run-1.log")]


@pytest.mark.parametrize("make", [finished, verified])
async def test_an_audit_that_did_not_fail_opens_with_its_verdict(make: object, tmp_path: Path) -> None:
    app = Auditor(make(tmp_path / "audit"))  # type: ignore[operator]
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot)
        assert isinstance(app.screen, OverviewScreen)


@pytest.mark.parametrize("kind", ["crash"])
async def test_a_log_that_is_gone_leaves_the_reason(kind: str, audit: AuditFolder) -> None:
    """A folder that was copied without its logs."""
    for log in audit.path.rglob("*.log"):
        log.unlink()
    shutil.rmtree(audit.path / "explain", ignore_errors=True)
    app = Auditor(audit)
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot)
        text = " ".join(line.lstrip("█ ").rstrip() for line in written(app).splitlines())
        assert "B failed at run 1" in text
        assert "RuntimeError: the weights have no decoder" in text


async def test_areas_of_which_nothing_is_known_are_not_called_the_same(tmp_path: Path) -> None:
    """An engine that ended early: two areas were compared, the others were not."""
    folder = running(tmp_path / "audit")
    journal = folder.path / "journal.jsonl"
    areas = [replace(Event("area", step=name), detail={"area": to_plain(area_of((), 3))}) for name in ("code", "data")]
    lines = [line for line in journal.read_text().splitlines() if '"area"' not in line]
    journal.write_text("\n".join([*lines, *map(dumps, areas)]) + "\n")
    app = Auditor(folder)
    async with app.run_test(size=(120, 40)) as pilot:
        await press(pilot)
        text = written(app)
        assert "Data and code are the same as built; parameters and environment could not be compared." in text


async def test_a_verification_that_fails_has_its_grade(tmp_path: Path) -> None:
    folder = verified(tmp_path / "audit")
    report = folder.report()
    assert report is not None
    assert report.grade is not None
    b = replace(report.sides.b, failed="run 1", what="predict ended with exit status 1", do="see run-1.log")
    area = PredictionsArea("unknown", "not-comparable", what="it failed at run 1", do="see run-1.log")
    summary = ("R2: it could be built, but it does not run.",)
    failed = replace(
        report,
        sides=replace(report.sides, b=b),
        areas=replace(report.areas, predictions=area),
        verdict="not-comparable",
        exit_status=3,
        grade=replace(report.grade, level="R2", sentence="it could be built, but it does not run"),
        summary=summary,
    )
    write_json(folder.path / "report.json", failed)
    app = Auditor(folder)
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot)
        assert isinstance(app.screen, FailureScreen)
        assert summary[0] in written(app)
        assert "B failed at run 1" in written(app)
