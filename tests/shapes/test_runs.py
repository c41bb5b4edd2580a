"""What a predict step leaves behind, and what a commit holds: told with status 3, and nothing is left over."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from repro_tui.audit.folder import AuditFolder
from repro_tui.audit.journal import MOST_JOURNAL, Journal
from repro_tui.clients.git import Repository
from repro_tui.clients.git.checkout import write_out
from repro_tui.formats.wandb_log import _json as as_json
from repro_tui.model.errors import Inconclusive
from repro_tui.model.event import Event
from repro_tui.rebuild.environments.contents.inventory import FolderView
from repro_tui.sources.mlflow.signature import _as_written as as_written
from repro_tui.support.cache import remove_tree
from repro_tui.support.context import Context
from repro_tui.support.redact import Redactor
from repro_tui.support.walks import DEEPEST, walk
from repro_tui.tui.screens.artifacts import FileRows
from repro_tui.tui.store import AuditStore
from tests.conftest import GIT_ENVIRONMENT, GitRepository
from tests.execute.test_local import Execute, runner
from tests.shapes.makers import ODD_NAMES, SPECIAL, in_seconds, nested_folders


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    remove_tree(tmp_path)


@pytest.fixture
def execute(here: Path, context: Context) -> Execute:
    return runner("bubblewrap", here, context)


WRITE = "open(output, 'w').write('id,v\\n1,2\\n')\n"
NEST = """\
os.chdir(os.path.dirname(output))
for _ in range(3000): os.mkdir("d"); os.chdir("d")
open("f", "w").write("x" * 100_000)
"""
OUTPUTS = {
    "a socket": ("import socket\nsocket.socket(socket.AF_UNIX).bind(output)\n", "it is a socket"),
    "a pipe": ("os.mkfifo(output)\n", "it is a pipe"),
    "an endless device": ("os.symlink('/dev/zero', output)\n", "it is a symbolic link"),
    "a loop": ("os.symlink(output, output)\n", "it is a symbolic link"),
    "a folder": ("os.mkdir(output)\n", "it is a folder"),
    "holes": ("os.truncate(os.open(output, os.O_CREAT | os.O_WRONLY), 8 << 30)\n", "of which only 0 bytes are on disk"),
    "columns": ("open(output, 'w').write(','.join(f'c{n}' for n in range(20000)) + '\\n')\n", "20,000 columns"),
    "nested JSON": ("open(output, 'w').write('{\"a\":' * 100000)\n", "line 1 is nested deeper than 64"),
    "nested folders": (WRITE + NEST, "nested deeper than 200 levels"),
}


@pytest.mark.parametrize(("program", "reason"), OUTPUTS.values(), ids=OUTPUTS)
def test_an_output_that_is_none(program: str, reason: str, execute: Execute, context: Context) -> None:
    with in_seconds():
        run = execute(program)
    assert run.status != "succeeded"
    assert reason in run.what
    assert "\n" not in run.what
    assert not [name for name, _ in walk(context.folder) if not name.startswith("run-")]


def test_what_a_run_leaves_beside_its_output(execute: Execute, context: Context) -> None:
    """Pipes, sockets and odd names beside the output and in the working copy are removed, and its output is read."""
    names = [name for name in ODD_NAMES if name.isascii()]
    beside = f"""\
for folder in (".", os.path.dirname(output)):
    for name in {names!r}: open(f"{{folder}}/{{name}}", "w").close()
    os.mkfifo(f"{{folder}}/pipe")
    os.symlink("/dev/zero", f"{{folder}}/zero")
    os.mkdir(f"{{folder}}/closed", 0)
"""
    run = execute(WRITE + beside)
    assert (run.status, run.rows) == ("succeeded", 1), run.what
    assert not [file.path for file in run.written if "\n" in file.path or "\x1b" in file.path]
    assert not [name for name, _ in walk(context.folder) if not name.startswith("run-")]


@pytest.mark.parametrize("path", ["d/" * (DEEPEST + 1), ("x" * 200 + "/") * 25], ids=["depth", "length"])
def test_a_commit_with_a_path_that_nobody_makes(path: str, here: Path, context: Context) -> None:
    """Written by git's fast-import, since no path can name its file."""
    repository = GitRepository(here / "project")
    head = "commit refs/heads/main\ncommitter A <a@example.org> 0 +0000\ndata 1\nx\n"
    stream = f"{head}M 100644 inline {path}file\ndata 1\nx\n"
    importing = ["git", "fast-import", "--quiet"]
    subprocess.run(importing, cwd=repository.folder, env=GIT_ENVIRONMENT, input=stream.encode(), check=True)
    commit = repository.git("rev-parse", "main")
    (here / "out").mkdir()
    with in_seconds(), pytest.raises(Inconclusive, match="a path that is too long or deeper than 200 folders"):
        write_out(Repository.open(str(repository.folder), context), commit, here / "out")


NESTED = "[" * 900 + "]" * 900


def test_nested_values_of_a_tracker_stay_text() -> None:
    """They would be too deep for what hides secrets in them and writes them, which calls itself for each level."""
    assert as_written(NESTED) == NESTED
    assert as_json(NESTED) == NESTED
    assert as_json("[[1]]") == as_written("[[1]]") == [[1]]


def test_an_environment_with_something_else(here: Path, context: Context) -> None:
    (here / "site").mkdir()
    for number, make in enumerate(SPECIAL.values()):
        make(here / "site" / str(number))
    (here / "site" / "file").write_text("x")
    with in_seconds():
        view = FolderView(here / "site", context.cache.hashes)
    assert list(view.paths()) == ["file"]
    nested_folders(here / "site" / "deep", DEEPEST + 1)
    with pytest.raises(Inconclusive, match="nested deeper"):
        FolderView(here / "site", context.cache.hashes)


# -- the interface on an audit from somebody else -------------------------------------------------------------------

AREAS = ('{"kind": "area", "step": "code"}', '{"kind": "area", "step": "code", "detail": {"area": 3}}')
STEP = '{"kind": "step", "step": "code", "text": "x"}'
LEDGER = '{"kind": "log", "step": "x", "detail": {"ledger": [1]}}'


def test_the_interface_reads_a_hostile_journal(here: Path) -> None:
    (here / "journal.jsonl").write_text("\n".join([*AREAS, LEDGER, STEP, ""]))
    store = AuditStore(AuditFolder(here))
    assert store.read()
    assert (store.areas, store.ledger, store.state) == ({}, [], "stopped")
    assert store.steps["", "code"].text == "x"


@pytest.mark.parametrize("make", SPECIAL.values(), ids=SPECIAL)
def test_the_interface_tells_of_a_journal_that_is_none(make: Callable[[Path], None], here: Path) -> None:
    make(here / "journal.jsonl")
    store = AuditStore(AuditFolder(here))
    with in_seconds():
        store.read()
    assert "journal.jsonl cannot be read" in store.problem


def test_the_list_of_files_has_regular_ones_only(here: Path) -> None:
    (here / "file").write_text("x")
    for number, make in enumerate(SPECIAL.values()):
        make(here / str(number))
    assert [path.name for path in FileRows(here).paths] == ["file"]
    nested_folders(here / "deep", DEEPEST + 1)
    assert len(FileRows(here)) == 0


def test_a_journal_never_becomes_too_long_to_be_read(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = sys.modules[Journal.__module__]  # the package's function `audit` hides the folder of this name
    monkeypatch.setattr(module, "MOST_JOURNAL", 40_000)
    monkeypatch.setattr(module, "MOST_LINE", 2_000)
    journal = Journal(here / "journal.jsonl", Redactor())
    journal.emit(Event("area", step="code", detail={"area": "x" * 5_000}))
    for _ in range(1000):
        journal.emit(Event("log", step="run 1", text="x" * 100))
    journal.emit(Event("end", detail={"exit_status": 0}))
    journal.close()
    events, size = AuditFolder(here).events()
    assert 25_000 < size == os.stat(here / "journal.jsonl").st_size < 40_000 < MOST_JOURNAL  # noqa: PTH116
    assert (events[0].kind, events[0].detail, events[-1].kind) == ("area", {}, "end")
