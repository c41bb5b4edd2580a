"""Faults of the machine during a real audit: engines killed at any moment, and hostile output."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import random
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from repro_tui.audit.folder import AuditFolder
from repro_tui.audit.journal import Journal
from repro_tui.audit.launch import start
from repro_tui.audit.plan import plan
from repro_tui.model.event import Event
from repro_tui.model.overrides import Overrides
from repro_tui.model.request import Settings
from repro_tui.support.cache import Cache
from repro_tui.support.cancel import CancelToken
from repro_tui.support.context import Context
from repro_tui.support.manifest import DamagedFolder, read_manifest, verify_folder
from repro_tui.support.redact import Redactor
from tests.audit.project import PREDICT, Project
from tests.conftest import NIGHTLY
from tests.orphans import orphans
from tests.processes import Process, children_of, process, wait_until, wait_until_gone
from tests.report.test_hostile import HIDDEN, HOSTILE

# With the forty kills of two writers in tests/support/test_cache.py, 60 at every merge.
KILLS = 300 if NIGHTLY else 20


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path / "project")


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


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_engines_killed_anywhere_corrupt_nothing_and_leave_nothing(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two engines at a time work on one cache, and are killed at random moments."""
    monkeypatch.chdir(project.folder)
    project.record(a=project.deployment(), b=project.deployment())
    began = time.monotonic()
    expected = project.audit()
    assert expected.status == 0, expected.stderr
    longest = min(3.0, time.monotonic() - began)  # on a busy machine, most of it is waiting
    isolation = "none" if project.options() else "auto"
    cache_folder = Path(os.environ["REPRO_TUI_CACHE"])
    context = Context(cache=Cache(cache_folder), settings=Settings(isolation=isolation))
    request = plan("record.json#a", "record.json#b", context.settings, Overrides(), context)
    chance, families = random.Random(7), list[Process]()
    for number in range(KILLS // 2):
        if number % 4 == 0:
            assert project.run("cache", "prune", "--all").status == 0  # they are also killed while they build
        engines = [start(replace(request, id=f"{request.id}-{number}-{side}")) for side in "ab"]
        with ThreadPoolExecutor(2) as pool:
            kills = [pool.submit(killed, engine, chance.uniform(0, longest)) for engine in engines]
        families += [member for kill in kills for member in kill.result()]
    after = project.audit()
    assert (after.status, after.report["areas"]) == (0, expected.report["areas"]), after.stderr
    wait_until_gone(families)
    wait_until(lambda: not at_work_in(cache_folder.parent), "the end of every process that names the cache")
    assert list((cache_folder / "leases").iterdir()) == []
    assert corrupt_objects(cache_folder) == []
    assert corrupt_folders(cache_folder) == []
    assert orphans(cache_folder, Path(os.environ["REPRO_TUI_AUDITS"])) == []


def killed(folder: AuditFolder, after_s: float) -> list[Process]:
    """Kills an engine after so many seconds; returns the children that it had then."""
    time.sleep(after_s)  # a random moment
    pid = folder.engine_pid()
    family = [process(pid), *children_of(pid)] if pid else []
    if pid:
        process(pid).send(signal.SIGKILL)
    wait_until(lambda: not folder.engine_alive(), "the engine's end")
    return family


def at_work_in(root: Path) -> list[str]:
    """The processes whose command names a file below this folder."""
    commands = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            commands.append(path.read_bytes().replace(b"\0", b" ").decode("utf-8", "replace"))
    return [command for command in commands if f"{root}/" in command]


def corrupt_objects(cache: Path) -> list[Path]:
    """The objects whose bytes are not those of their name."""
    objects = [path for path in (cache / "objects").rglob("*") if path.is_file()]
    return [path for path in objects if hashlib.sha256(path.read_bytes()).hexdigest() != path.parent.name + path.name]


def corrupt_folders(cache: Path) -> list[Path]:
    """The folders that count as complete, but have other files than their manifest."""
    corrupt = []
    for manifest in (cache / "folders").glob("*/*.manifest"):
        try:
            verify_folder(manifest.with_suffix(""), read_manifest(manifest), {}, CancelToken().check)
        except DamagedFolder:
            corrupt.append(manifest)
    return corrupt


@pytest.mark.parametrize("damage", ["object", "folder", "process"])
def test_the_checks_after_a_kill_can_fail(tmp_path: Path, damage: str) -> None:
    cache = Cache(tmp_path / "cache")
    stored = cache.add_object(io.BytesIO(b"x"), CancelToken())
    folder, _ = cache.folder("kind", "key", lambda folder: (folder / "file").write_text("x") and None, CancelToken())
    checks = {"object": corrupt_objects, "folder": corrupt_folders, "process": at_work_in}
    assert not any(check(tmp_path / "cache") for check in checks.values())
    stored.file.chmod(0o644)
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)", f"{tmp_path}/cache/file"]) as child:
        if damage != "process":
            (stored.file if damage == "object" else folder / "file").write_text("y")
        assert checks[damage](tmp_path / "cache")
        child.kill()


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
