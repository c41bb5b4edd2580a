"""Faults of the machine during a real audit: a full disk, an engine killed at any moment, and hostile output."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from functools import cache
from pathlib import Path
from xml.etree import ElementTree

import pytest

from repro_tui.audit.folder import AuditFolder
from repro_tui.audit.journal import Journal
from repro_tui.model.event import Event
from repro_tui.support.redact import Redactor
from tests.audit.project import PREDICT, Project
from tests.conftest import NIGHTLY, need
from tests.orphans import orphans
from tests.processes import BOUND_S, Process, children_of, process, wait_until, wait_until_gone
from tests.report.test_hostile import HIDDEN, HOSTILE

KILLS = 300 if NIGHTLY else 8


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path / "project")


@cache
def can_mount() -> bool:
    """Whether a small disk can be mounted in a private mount namespace."""
    command = ["unshare", "--mount", "sh", "-c", "mount -t tmpfs tmpfs /mnt"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def on_a_small_disk(project: Project, tmp_path: Path, name: str, size: str) -> tuple[int, int, str]:
    """Runs an audit on a disk of that size, then again with more space; returns both exit statuses and the errors."""
    disk = tmp_path / "disk"
    disk.mkdir()
    command = " ".join([sys.executable, "-m", "repro_tui", "record.json#a", "record.json#b", "--quiet"])
    command += " ".join(["", *project.options()])
    script = (
        f"mount -t tmpfs -o size={size} tmpfs {disk} || exit 99\n{command} --report old.json; first=$?\n"
        f"mount -o remount,size=512m {disk}; {command} --report new.json; echo $first $?"
    )
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", script],
        cwd=project.folder,
        env=os.environ | {f"REPRO_TUI_{name}": str(disk / "x")},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
    )
    first, second = done.stdout.split()
    return int(first), int(second), done.stderr


@pytest.mark.parametrize("size", ["16k", "64k", "128k", "256k"])
def test_a_full_cache_is_told_as_that_and_goes_on_once_there_is_room(
    project: Project, tmp_path: Path, size: str
) -> None:
    need("bubblewrap", can_mount(), "no disk can be mounted here")
    project.record(a=project.deployment(), b=project.deployment())
    first, second, errors = on_a_small_disk(project, tmp_path, "CACHE", size)
    assert (first, second) == (3, 0), errors
    report = project.folder / "old.json"
    if not report.exists():  # there was no space even for the inputs
        assert "free up space on the disk" in errors.lower()
        return
    lost = [side for side in json.loads(report.read_text())["sides"].values() if side["failed"]]
    assert lost
    for side in lost:
        assert "free up space" in side["do"], side
        assert "space" in side["what"], side


@pytest.mark.parametrize("size", ["16k", "64k"])
def test_a_full_disk_of_audits_leaves_the_old_report(project: Project, tmp_path: Path, size: str) -> None:
    need("bubblewrap", can_mount(), "no disk can be mounted here")
    project.record(a=project.deployment(), b=project.deployment())
    (project.folder / "old.json").write_text("old")
    first, second, errors = on_a_small_disk(project, tmp_path, "AUDITS", size)
    assert (first, second) == (3, 0), errors
    assert "free up space on the disk" in errors.lower()
    assert (project.folder / "old.json").read_text() == "old"


def test_a_line_that_the_disk_cut_does_not_swallow_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Simulates a disk that fills up in the middle of a line, always at the same byte."""
    journal = Journal(tmp_path / "journal.jsonl", Redactor())
    write = os.write
    with monkeypatch.context() as patched:
        patched.setattr(os, "write", lambda file, content: write(file, content[: len(content) // 2]))
        journal.emit(Event("warning", text="lost"))
    journal.emit(Event("end", text="no space is left"))
    journal.close()
    assert [event.text for event in AuditFolder(tmp_path).events()[0]] == ["no space is left"]


def test_an_engine_killed_anywhere_corrupts_nothing_and_leaves_nothing(project: Project) -> None:
    project.record(a=project.deployment(), b=project.deployment())
    began = time.monotonic()
    expected = project.audit()
    assert expected.status == 0, expected.stderr
    longest = time.monotonic() - began
    chance, families = random.Random(7), list[Process]()
    for number in range(KILLS):
        if number % 4 == 0:
            assert project.run("cache", "prune", "--all").status == 0  # the engine is also killed during the build
        families += killed(project, chance.uniform(0, longest))
    after = project.audit()
    assert (after.status, after.report["areas"]) == (0, expected.report["areas"]), after.stderr
    wait_until_gone(families)
    cache_folder = Path(os.environ["REPRO_TUI_CACHE"])
    assert list((cache_folder / "leases").iterdir()) == []
    assert orphans(cache_folder, Path(os.environ["REPRO_TUI_AUDITS"])) == []


def killed(project: Project, after_s: float) -> list[Process]:
    """Starts an audit and kills its engine after so many seconds; returns the children that it had then."""
    known = set(project.audits())
    view = project.start("record.json#a", "record.json#b", "--report", "out.json")
    wait_until(lambda: set(project.audits()) > known or view.poll() is not None, "the audit's folder is there")
    new = set(project.audits()) - known
    time.sleep(after_s)  # a random moment
    pid = AuditFolder(new.pop()).engine_pid() if new else None
    family = children_of(pid) if pid else []
    if pid:
        process(pid).send(signal.SIGKILL)
    _, errors = view.communicate(timeout=BOUND_S)
    assert view.returncode in (0, 2, 3), errors
    assert b"Traceback" not in errors
    return family


def test_hostile_last_words_are_inert_wherever_they_are_told(project: Project) -> None:
    lines = [
        text.encode("utf-8", "surrogateescape" if "\udfff" not in text else "surrogatepass")
        for text in HOSTILE.values()
    ]
    program = f"import sys\nfor words in {lines!r}:\n    sys.stdout.buffer.write(words + b'\\n')\nsys.exit(5)\n"
    commit = project.repository.commit({"predict.py": program + PREDICT})
    bad = project.deployment(code={"repository": "code", "commit": commit}, description="[/red]\x1b]52;c;aGk=\x07")
    project.record(a=project.deployment(), b=bad)
    result = project.audit("--junit", "out.xml", "--markdown", "out.md", "--html", "out.html")
    assert result.status == 3, result.stderr
    assert result.stdout.isascii()
    assert "[/red]" in json.dumps(result.report["sides"]["b"]["record"])
    shown = project.run("show", str(project.audits()[0]))
    log = project.audits()[0] / result.report["sides"]["b"]["runs"][0]["log"]
    assert log.stat().st_size < 1 << 20
    ElementTree.parse(project.folder / "out.xml")
    files = [(project.folder / f"out.{kind}").read_text("utf-8") for kind in ("xml", "md", "html")]
    for text in (*files, result.stderr, shown.stdout, shown.stderr):
        assert not HIDDEN.search(text)
        assert not any(line.lstrip().startswith(("::", "##vso")) for line in text.splitlines())
        assert "<script>" not in text or text in (result.stderr, shown.stdout, shown.stderr)
    assert "Traceback" not in result.stderr + shown.stderr
