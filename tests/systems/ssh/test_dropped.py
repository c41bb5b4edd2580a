"""A real SSH connection that is cut in the middle of an audit: the audit finishes, and `show` attaches to it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from repro_tui.audit.folder import AuditFolder
from repro_tui.support.cache import Cache
from tests.audit.project import Project
from tests.audit.project import warm_cache as warm_cache
from tests.orphans import orphans
from tests.processes import BOUND_S, children_of, wait_until
from tests.systems.ssh.server import SshServer, ssh_server

STOPPED = "import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)\n"


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[SshServer]:
    with ssh_server(tmp_path / "server") as server:
        yield server


def views_in(folder: Path) -> list[Path]:
    """The processes of this program that were started in a folder."""
    views = []
    for path in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if (path / "cwd").readlink() == folder and b"repro_tui" in (path / "cmdline").read_bytes():
                views.append(path)
    return views


@pytest.mark.parametrize("options", [("-tt",), ("-T",)], ids=["interface", "headless"])
def test_the_audit_finishes_and_show_attaches(
    connection: SshServer, tmp_path: Path, warm_cache: None, options: tuple[str, ...]
) -> None:
    """Each run stops itself, and continues when the connection is gone and another view is open."""
    project = Project(tmp_path / "project")
    program = STOPPED + (project.folder / "code/predict.py").read_text()
    side = project.deployment(code={"repository": "code", "commit": project.repository.commit({"predict.py": program})})
    project.record(a=side, b=side)
    command = [sys.executable, "-m", "repro_tui", "record.json#a", "record.json#b", *project.options()]
    client = connection.run(project.folder, command, *options)
    wait_until(lambda: bool(project.audits()) or client.poll() is not None, "the audit's folder is there")
    assert project.audits(), client.returncode
    folder = AuditFolder(project.audits()[0])
    wait_until(folder.engine_alive, "its engine is at work")
    engine = folder.engine_pid()
    assert engine is not None
    wait_until(lambda: any(child.stopped for child in children_of(engine)), "the predict step runs")
    client.send_signal(signal.SIGKILL)
    client.wait(BOUND_S)
    if options == ("-tt",):  # the lost terminal ends the view
        wait_until(lambda: not views_in(project.folder), "the end of the view")
    assert folder.state() == "running"
    shown = [sys.executable, "-m", "repro_tui", "show", folder.path.name, "--report"]
    with subprocess.Popen(shown, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as view:
        while view.poll() is None:
            for child in children_of(engine):
                child.send(signal.SIGCONT)
            time.sleep(0.05)
        output, errors = view.communicate()
    assert (view.returncode, json.loads(output)["verdict"]) == (0, "identical"), errors
    with contextlib.suppress(ProcessLookupError):
        assert not children_of(engine)


@pytest.mark.parametrize("report", [("--report", "result.json"), ("--report",)], ids=["file", "output"])
@pytest.mark.parametrize("engine_dies", [False, True], ids=["goes on", "dies later"])
def test_a_headless_audit_in_a_lost_terminal_writes_its_files_and_leaves_nothing(
    connection: SshServer, tmp_path: Path, warm_cache: None, report: tuple[str, ...], engine_dies: bool
) -> None:
    """With `--report`, `ssh -tt` has a terminal but no interface: its loss ends the command, and not the audit."""
    project = Project(tmp_path / "project")
    program = STOPPED + (project.folder / "code/predict.py").read_text()
    side = project.deployment(code={"repository": "code", "commit": project.repository.commit({"predict.py": program})})
    project.record(a=side, b=side)
    command = [sys.executable, "-m", "repro_tui", "record.json#a", "record.json#b", *project.options(), *report]
    client = connection.run(project.folder, command, "-tt")
    wait_until(lambda: bool(project.audits()) or client.poll() is not None, "the audit's folder is there")
    assert project.audits(), client.returncode
    folder = AuditFolder(project.audits()[0])
    wait_until(folder.engine_alive, "its engine is at work")
    engine = folder.engine_pid()
    assert engine is not None
    wait_until(lambda: any(child.stopped for child in children_of(engine)), "the predict step runs")
    views = views_in(project.folder)
    client.send_signal(signal.SIGKILL)
    client.wait(BOUND_S)
    wait_until(lambda: not any(view.exists() for view in views if view.name != str(engine)), "the end of the command")
    assert folder.state() == "running"
    file = project.folder / "result.json"
    assert not file.exists()
    if engine_dies:
        os.kill(engine, signal.SIGKILL)
    while folder.engine_alive():
        for child in children_of(engine):
            child.send(signal.SIGCONT)
        time.sleep(0.05)
    wait_until(lambda: not views_in(project.folder), "the end of what wrote the files")
    if not engine_dies and len(report) == 2:
        assert json.loads(file.read_text())["verdict"] == "identical"
    else:
        assert not file.exists()
    shown = subprocess.run(
        [sys.executable, "-m", "repro_tui", "show", folder.path.name, "--report"], capture_output=True, check=False
    )
    expected = (3, "not-comparable") if engine_dies else (0, "identical")
    assert (shown.returncode, json.loads(shown.stdout)["verdict"]) == expected, shown.stderr
    cache = Cache(Path(os.environ["REPRO_TUI_CACHE"]))
    cache.sweep()
    assert [left for left in orphans(cache.root, folder.path) if cache.owner.name not in left] == []
