"""In a real terminal: start, resize, drill down, a signal, and attaching again."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from repro_tui.audit.folder import AuditFolder
from tests.audit.project import PREDICT, Project
from tests.conftest import NIGHTLY, need
from tests.tui.folders import finished

WAIT = """\
import time
while not os.path.exists(os.path.join(os.path.dirname(output), "go")):
    time.sleep(0.05)
"""


class Terminal:
    """One tmux session of its own."""

    def __init__(self, socket: Path) -> None:
        self.socket = str(socket)

    def tmux(self, *arguments: str) -> str:
        done = subprocess.run(["tmux", "-S", self.socket, *arguments], capture_output=True, text=True, check=True)
        return done.stdout

    def start(self, command: str, width: int = 80, height: int = 24) -> None:
        variables = [
            word
            for name in ("REPRO_TUI_CACHE", "REPRO_TUI_AUDITS", "REPRO_TUI_CONFIG", "VISUAL", "TERM")
            for word in ("-e", f"{name}={os.environ.get(name, '')}")
        ]
        size = ("-x", str(width), "-y", str(height))
        self.tmux(
            "-f",
            "/dev/null",
            "new-session",
            "-d",
            "-s",
            "t",
            *variables,
            *size,
            f"{command}; echo status=$?; exec sleep 600",
        )

    def until(self, *texts: str, meanwhile: Callable[[], None] = lambda: None) -> str:
        """The screen as soon as all texts are on it: what is drawn or printed comes in pieces."""
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            meanwhile()
            seen = self.tmux("capture-pane", "-p", "-t", "t")
            if all(text in seen for text in texts):
                return seen
            time.sleep(0.1)
        raise AssertionError(f"{texts} are not on the screen:\n{seen}")

    def until_not(self, text: str) -> None:
        """Waits until the text is gone from the screen."""
        deadline = time.monotonic() + 120
        while text in (seen := self.tmux("capture-pane", "-p", "-t", "t")):
            assert time.monotonic() < deadline, f"{text} is still on the screen:\n{seen}"
            time.sleep(0.1)

    def keys(self, *keys: str) -> None:
        self.tmux("send-keys", "-t", "t", *keys)


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    need("tmux", shutil.which("tmux") is not None, "tmux is not installed")
    session = Terminal(tmp_path / "tmux")
    yield session
    with contextlib.suppress(subprocess.CalledProcessError):
        session.tmux("kill-server")


def test_start_resize_drill_down_and_quit(terminal: Terminal, tmp_path: Path) -> None:
    finished(tmp_path / "audit")
    terminal.start(f"{sys.executable} -m repro_tui show {tmp_path / 'audit'}")
    terminal.until("58 of 400 decision values flip")
    terminal.tmux("resize-window", "-t", "t", "-x", "120", "-y", "40")
    terminal.keys("2")
    terminal.until("major release")
    terminal.keys("Enter")
    terminal.until("major release   important", "1.26.4", "2.1.3")
    terminal.keys("q")
    terminal.until("status=1")


@pytest.mark.parametrize(("number", "status"), [(signal.SIGHUP, 129), (signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_restores_the_terminal_and_the_audit_can_be_opened_again(
    terminal: Terminal, tmp_path: Path, number: int, status: int
) -> None:
    finished(tmp_path / "audit")
    command = f"{sys.executable} -m repro_tui show {tmp_path / 'audit'}"
    terminal.start(f"sh -c 'echo $$ > {tmp_path / 'pid'}; exec {command}'")
    terminal.until("58 of 400 decision values flip")
    os.kill(int((tmp_path / "pid").read_text()), number)
    seen = terminal.until(f"status={status}")
    assert "decision values flip" not in seen  # the screen that was there before is back
    again = subprocess.run(command.split(), capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    assert again.returncode == 1
    assert "58 of 400 decision values flip" in again.stdout


def test_closing_the_view_leaves_the_audit_running_and_show_attaches(terminal: Terminal, tmp_path: Path) -> None:
    """The connection is lost during a run: the audit keeps running, and another view follows it to its end."""
    project = Project(tmp_path / "project")
    commit = project.repository.commit({"predict.py": PREDICT.replace("settings = ", WAIT + "settings = ", 1)})
    same = project.deployment(code={"repository": "code", "commit": commit})
    same["predict"]["timeout_s"] = 600
    project.record(a=same, b=same)

    def let_it_run() -> None:
        for output in (path for audit in project.audits() for path in audit.glob("*/output-*")):
            with contextlib.suppress(FileNotFoundError):  # it has run
                (output / "out" / "go").touch()

    command = shlex.join(
        [sys.executable, "-m", "repro_tui", "record.json#a", "record.json#b", "--repeat", "1", *project.options()]
    )
    terminal.start(f"cd {project.folder}; sh -c 'echo $$ > {tmp_path / 'pid'}; exec {command}'")
    terminal.until("run 1")
    terminal.until("leaves it running")
    os.kill(int((tmp_path / "pid").read_text()), signal.SIGHUP)
    terminal.until("status=129")
    (folder,) = [AuditFolder(path) for path in project.audits()]
    assert folder.state() == "running"
    again = Terminal(tmp_path / "again")
    try:
        again.start(f"{sys.executable} -m repro_tui show {folder.path.name}")
        again.until("leaves it running")
        again.keys("3")  # what is finished can be opened while the rest runs
        again.until("Parameters")
        again.keys("l")
        again.until("Identical", meanwhile=let_it_run)
        again.keys("q")
        again.until("status=0")
    finally:
        with contextlib.suppress(subprocess.CalledProcessError):
            again.tmux("kill-server")


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_to_the_view_stops_its_audit(terminal: Terminal, tmp_path: Path, number: int, status: int) -> None:
    if number == signal.SIGINT and not NIGHTLY:
        pytest.skip("the same handler: make test-nightly")
    project = Project(tmp_path / "project")
    commit = project.repository.commit({"predict.py": PREDICT.replace("settings = ", WAIT + "settings = ", 1)})
    same = project.deployment(code={"repository": "code", "commit": commit})
    project.record(a=same, b=same)
    command = shlex.join([sys.executable, "-m", "repro_tui", "record.json#a", "record.json#b", *project.options()])
    terminal.start(f"cd {project.folder}; sh -c 'echo $$ > {tmp_path / 'pid'}; exec {command}'")
    terminal.until("leaves it running")
    os.kill(int((tmp_path / "pid").read_text()), number)
    terminal.until(f"status={status}")
    (path,) = project.audits()
    assert AuditFolder(path).state() == "stopped"
    seen = "".join(terminal.until(f"status={status}").split())  # it wraps
    assert f"Theaudit{path.name}wasstopped:repro-tuishow{path.name}opensit." in seen


def test_the_editor_gets_the_terminal_and_gives_it_back(
    terminal: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    editor = tmp_path / "editor"
    editor.write_text('#!/bin/sh\necho IN THE EDITOR; cat "$1"; read line\n')
    editor.chmod(0o755)
    monkeypatch.setenv("VISUAL", str(editor))
    finished(tmp_path / "audit")
    terminal.start(f"{sys.executable} -m repro_tui show {tmp_path / 'audit'}")
    terminal.until("58 of 400 decision values flip")
    terminal.keys("3")
    terminal.until("Parameters", "threshold")
    terminal.keys("e")
    terminal.until("IN THE EDITOR", '"threshold"')
    terminal.keys("Enter")
    assert "IN THE EDITOR" not in terminal.until("1 changed")
    terminal.keys("q")
    terminal.until("status=1")


def test_without_a_capable_terminal_it_is_plain(terminal: Terminal, tmp_path: Path) -> None:
    """TERM=dumb, in a terminal that could do more: the summary as lines, and no escape sequence."""
    finished(tmp_path / "audit")
    terminal.start(f"TERM=dumb {sys.executable} -m repro_tui show {tmp_path / 'audit'} > {tmp_path / 'out'}")
    seen = terminal.until("status=1")
    written = (tmp_path / "out").read_bytes()
    assert b"58 of 400 decision values flip" in written
    assert b"\x1b" not in written
    assert "Traceback" not in seen


@pytest.mark.parametrize(("number", "status"), [(signal.SIGHUP, 129), (signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_the_picker(terminal: Terminal, tmp_path: Path, number: int, status: int) -> None:
    command = f"{sys.executable} -m repro_tui"
    terminal.start(f"cd {tmp_path}; sh -c 'echo $$ > {tmp_path / 'pid'}; exec {command}'")
    terminal.until("Choose A and B", "Past audits")
    os.kill(int((tmp_path / "pid").read_text()), number)
    assert "Choose A and B" not in terminal.until(f"status={status}")


def test_ctrl_z_suspends_and_fg_brings_the_screen_back(terminal: Terminal, tmp_path: Path) -> None:
    """From a shell with job control: its prompt is usable in between, and the keys work again afterwards."""
    finished(tmp_path / "audit")
    terminal.start("PS1='ready> ' bash --norc --noprofile -i")
    terminal.until("ready>")
    terminal.keys(f"{sys.executable} -m repro_tui show {tmp_path / 'audit'}", "Enter")
    terminal.until("58 of 400 decision values flip")
    for screen, key in (("58 of 400 decision values flip", "2"), ("major release", "1")):
        terminal.keys("C-z")
        assert screen not in terminal.until("Stopped", "ready>")
        terminal.keys("echo $((40 + 2)) is the answer", "Enter")
        terminal.until("42 is the answer")
        terminal.keys("clear; fg", "Enter")
        terminal.until(screen)
        terminal.keys(key)
    terminal.until("58 of 400 decision values flip")
    terminal.keys("q")
    terminal.until("ready>")
    terminal.keys("echo status=$?", "Enter")
    terminal.until("status=1")


def test_without_utf8_the_screen_is_ascii(terminal: Terminal, tmp_path: Path) -> None:
    finished(tmp_path / "audit")
    terminal.start(f"LC_ALL=C LANG=C {sys.executable} -m repro_tui show {tmp_path / 'audit'}")
    terminal.until("58 of 400 decision values flip")
    for key, text in (("2", "major release"), ("5", "cells over tolerance"), ("6", "predict.py"), ("1", "Drift")):
        terminal.keys(key)
        seen = terminal.until(text)
        assert seen.isascii(), {character for character in seen if not character.isascii()}
    terminal.keys("5")
    assert "!=" in terminal.until("!=")
    terminal.keys("q")
    assert terminal.until("status=1").isascii()


@pytest.mark.parametrize("way", ["keys", "paste"])
def test_the_picker_audits_what_was_typed_at_once(terminal: Terminal, tmp_path: Path, way: str) -> None:
    """Both names and both Enters in one write, and as a bracketed paste, in a folder whose first deployment is good."""
    project = Project(tmp_path / "project")
    commit = project.repository.commit({"predict.py": PREDICT})
    same = project.deployment(code={"repository": "code", "commit": commit})
    project.record(good=same, shift=same, crash=same)
    need("bubblewrap", not project.options(), "no sandbox works here, and the picker has no --isolation")
    terminal.start(f"cd {project.folder}; {sys.executable} -m repro_tui")
    terminal.until("Choose A and B", "Past audits")
    if way == "keys":
        terminal.keys("-l", "record.json#shift\rrecord.json#crash\r")
    else:
        terminal.tmux("set-buffer", "record.json#shift\nrecord.json#crash\n")
        terminal.tmux("paste-buffer", "-p", "-t", "t")
        terminal.until("Enter audits A record.json#shift against B record.json#crash")
        terminal.keys("Enter")
    terminal.until("A shift@", "B crash@")
    terminal.until("Identical")
    terminal.keys("q")
    terminal.until("status=0")
    (path,) = project.audits()
    request = AuditFolder(path).request()
    assert (request.a.name, request.b.name) == ("shift", "crash")
