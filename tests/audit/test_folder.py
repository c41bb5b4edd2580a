"""The audit's folder: portable, readable while it grows, and honest about an engine that died."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import repro_tui
from repro_tui.audit import launch
from repro_tui.audit.folder import AuditFolder, engine_lock, list_audits, open_folder
from repro_tui.audit.journal import Journal
from repro_tui.audit.plan import plan_again
from repro_tui.model.errors import Inconclusive, Refused
from repro_tui.model.event import Event
from repro_tui.support.file_lock import locked_file
from repro_tui.support.redact import Redactor
from tests.audit.project import Project
from tests.processes import BOUND_S, children_of, process, wait_until, wait_until_gone

SLOW = 'import time\nprint("asleep", flush=True)\ntime.sleep(600)\n'
STOPPED = "import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)\n"


@pytest.fixture
def project(tmp_path: Path, warm_cache: None) -> Project:
    return Project(tmp_path / "project")


def started(project: Project, program: str, terminal: int | None = None) -> tuple[subprocess.Popen[bytes], AuditFolder]:
    """Starts a headless audit of that predict step with itself; returns when its engine is running.

    `terminal` is one for its errors, whose session it leads.
    """
    slow = project.deployment(code={"repository": "code", "commit": project.repository.commit({"predict.py": program})})
    slow["predict"]["timeout_s"] = 900
    project.record(a=slow, b=slow)
    view = project.start("record.json#a", "record.json#b", "--report", "out.json", terminal=terminal)
    wait_until(lambda: bool(project.audits()) or view.poll() is not None, "the audit's folder is there")
    assert project.audits(), view.communicate()[1]
    folder = AuditFolder(project.audits()[0])
    wait_until(lambda: folder.engine_alive() or view.poll() is not None, "its engine is at work")
    return view, folder


def asleep(project: Project) -> tuple[subprocess.Popen[bytes], AuditFolder]:
    """A headless audit whose predict step prints a line and then sleeps for ten minutes."""
    view, folder = started(project, SLOW)

    def said() -> bool:
        return any(event.kind == "log" and event.text == "asleep" for event in folder.events()[0])

    wait_until(lambda: said() or view.poll() is not None, "the predict step runs")
    assert said(), view.communicate()[1]
    return view, folder


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_the_audit_and_leaves_nothing_behind(project: Project, number: int, status: int) -> None:
    view, folder = asleep(project)
    engine = folder.engine_pid()
    assert engine is not None
    family = [process(engine), *children_of(engine)]
    assert len(family) > 1
    view.send_signal(number)
    _, errors = view.communicate(timeout=BOUND_S)
    assert view.returncode == status, errors
    wait_until_gone(family)
    assert folder.state() == "stopped"
    assert not (project.folder / "out.json").exists()


def test_a_killed_engine_is_told_and_leaves_no_orphan(project: Project) -> None:
    view, folder = asleep(project)
    engine = folder.engine_pid()
    assert engine is not None
    family = children_of(engine)
    assert family
    os.kill(engine, signal.SIGKILL)
    _, errors = view.communicate(timeout=BOUND_S)
    assert view.returncode == 3
    assert b"run 1" in errors
    assert folder.state() == "stopped"
    shown = project.run("show", str(folder.path))
    assert shown.status == 3
    assert "run 1" in shown.stdout + shown.stderr
    project.record(a=project.deployment(), b=project.deployment())
    assert project.audit().status == 0  # the next start reaps
    wait_until_gone(family)


@pytest.mark.parametrize("lost", [False, True], ids=["killed", "terminal lost"])
def test_a_view_that_ends_leaves_the_audit_to_finish(project: Project, lost: bool) -> None:
    """Each run stops itself, and continues when the view is gone; the files of a lost terminal are still written."""
    terminal, side = os.openpty()
    view, folder = started(project, STOPPED + (project.folder / "code/predict.py").read_text(), side)
    os.close(side)
    wait_until(folder.engine_pid, "its engine has said who it is")
    engine = folder.engine_pid()
    assert engine is not None
    wait_until(lambda: any(child.stopped for child in children_of(engine)), "the predict step runs")
    if not lost:
        view.kill()
    os.close(terminal)
    assert view.wait(BOUND_S) == (129 if lost else -signal.SIGKILL)
    assert folder.state() == "running"
    process(engine).send(signal.SIGHUP)
    command = [sys.executable, "-m", "repro_tui", "show", str(folder.path), "--report"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as shown:
        while shown.poll() is None:
            for child in children_of(engine):
                child.send(signal.SIGCONT)
            time.sleep(0.05)
        output, errors = shown.communicate()
    assert (shown.returncode, json.loads(output)["verdict"]) == (0, "identical"), errors
    if lost:
        written = project.folder / "out.json"
        wait_until(lambda: written.exists() and written.read_text() == output.decode(), "the requested file")
    else:
        assert not (project.folder / "out.json").exists()


def test_a_copied_folder_opens_elsewhere(project: Project, tmp_path: Path) -> None:
    project.record(a=project.deployment(), b=project.deployment(parameters={"values": {"threshold": 6.0}}))
    original = project.audit()
    (path,) = project.audits()
    copy = tmp_path / "elsewhere"
    shutil.copytree(path, copy)
    shutil.rmtree(path)
    shown = project.run("show", str(copy), "--report")
    assert (shown.status, shown.report) == (1, original.report)
    run = shown.report["sides"]["b"]["runs"][0]
    assert (copy / run["predictions"]).is_file()
    assert (copy / run["log"]).is_file()
    assert (copy / "differences.parquet").is_file()


def test_an_audit_opens_in_python_with_its_cells_as_a_frame(project: Project) -> None:
    project.record(a=project.deployment(), b=project.deployment(parameters={"values": {"threshold": 6.0}}))
    project.audit()
    (path,) = project.audits()
    audit = repro_tui.open_audit(path)
    frame = audit.to_pandas()
    report = audit.report()
    assert report is not None
    assert len(frame) == report.areas.predictions.differences == 5
    assert set(frame["a"]) == {"yes"}
    assert set(frame["b"]) == {"no"}


def test_an_audit_is_planned_again_from_where_it_was_asked(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    bare = project.deployment()
    predict = " ".join(bare.pop("predict")["command"])
    project.record(a=bare, b=bare)
    assert project.audit("--predict", predict).status == 0
    (path,) = project.audits()
    request = open_folder(path).request()
    monkeypatch.chdir("/")
    again = plan_again(request)
    assert again.a.predict is not None
    assert (again.id != request.id, " ".join(again.a.predict.command)) == (True, predict)


def test_an_engine_imports_nothing_large_that_it_does_not_use(project: Project) -> None:
    project.record(a=project.deployment(), b=project.deployment(parameters={"values": {"threshold": 6.0}}))
    assert project.audit(PYTHONPROFILEIMPORTTIME="1").status == 1
    log = (project.audits()[0] / "engine.log").read_text()
    imported = {line.rpartition("|")[2].strip() for line in log.splitlines() if line.startswith("import time:")}
    assert imported >= {"pyarrow", "duckdb"}
    assert imported & {"pandas", "scipy", "sklearn", "docker", "textual", "pygments"} == set()


def test_two_audits_at_once_on_one_cache_are_both_right(project: Project) -> None:
    project.record(a=project.deployment(), b=project.deployment(parameters={"values": {"threshold": 6.0}}))
    views = [project.start("record.json#a", f"record.json#{side}", "--report") for side in ("a", "b")]
    reports = [json.loads(view.communicate(timeout=BOUND_S)[0]) for view in views]
    assert [report["verdict"] for report in reports] == ["identical", "drift"]


def test_a_torn_line_of_the_journal_is_left_for_later(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.jsonl", Redactor())
    journal.emit(Event("step", side="a", step="code", status="started"))
    with (tmp_path / "journal.jsonl").open("ab") as stream:
        stream.write(b'{"kind": "st')
    folder = AuditFolder(tmp_path)
    events, offset = folder.events()
    assert [event.step for event in events] == ["code"]
    assert folder.events(offset) == ([], offset)
    journal.close()


def test_a_damaged_line_does_not_hide_the_next(tmp_path: Path) -> None:
    lines = [b"\x00\xff garbage", json.dumps({"kind": "warning", "text": "still here"}).encode()]
    (tmp_path / "journal.jsonl").write_bytes(b"\n".join(lines) + b"\n")
    assert [event.text for event in AuditFolder(tmp_path).events()[0]] == ["still here"]


def test_the_state_follows_the_lock(tmp_path: Path) -> None:
    folder = AuditFolder(tmp_path)
    assert folder.state() == "stopped"
    with engine_lock(tmp_path):
        assert folder.state() == "running"
        assert folder.engine_pid() == os.getpid()
    assert folder.state() == "stopped"


def test_what_is_not_an_audit_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="not an audit"):
        open_folder(tmp_path)
    with pytest.raises(Refused, match="neither"):
        open_folder(tmp_path / "absent")


def test_a_report_of_another_schema_is_refused(tmp_path: Path) -> None:
    (tmp_path / "report.json").write_text('{"schema": 2}')
    with pytest.raises(Refused, match="schema 1"):
        open_folder(tmp_path).report()


def test_no_audits_is_an_empty_list() -> None:
    assert list_audits() == []


def test_a_folder_of_others_cannot_have_a_process_of_ours_signalled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its lock is held, and names a process that has nothing to do with it."""
    monkeypatch.setattr(launch, "STOP_S", 0.0)
    with subprocess.Popen(["sleep", "600"]) as innocent:
        try:
            with locked_file(tmp_path / "engine.lock", str(innocent.pid)):
                folder = AuditFolder(tmp_path)
                assert folder.engine_alive()
                assert folder.engine_pid() is None
                with pytest.raises(Inconclusive, match="cannot be stopped from here"):
                    launch.stop(folder)
            assert innocent.poll() is None
        finally:
            innocent.kill()
