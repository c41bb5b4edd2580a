"""In a real terminal: an audit that fails is followed live; its log is opened and searched, and ends with the error."""

from __future__ import annotations

import contextlib
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import need
from tests.tui.failed import failing_project
from tests.tui.test_terminal import Terminal


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    need("tmux", shutil.which("tmux") is not None, "tmux is not installed")
    session = Terminal(tmp_path / "tmux")
    yield session
    with contextlib.suppress(subprocess.CalledProcessError):
        session.tmux("kill-server")


@pytest.mark.parametrize(
    ("kind", "first", "error", "searched"),
    [
        ("crash", "B failed at run 1", "RuntimeError: the weights have no decoder", "epoch 99999"),
        ("build", "B failed at environment", "RuntimeError: nvcc was not found", "kernel_7"),
    ],
)
def test_a_failure_is_seen_its_log_opened_and_searched(
    terminal: Terminal, tmp_path: Path, kind: str, first: str, error: str, searched: str
) -> None:
    project = failing_project(tmp_path / "project", kind)
    command = shlex.join([sys.executable, "-m", "repro_tui", "record.json#a", "record.json#b", *project.options()])
    terminal.start(f"cd {project.folder}; {command}")
    terminal.until("Failed", first, error, "→")
    terminal.keys("l")
    terminal.until("Progress", "log of B", error)
    terminal.keys("Enter")
    terminal.until(" Log ", error)
    terminal.keys("/")
    terminal.until("search")
    terminal.keys("-l", searched)
    terminal.keys("Enter")
    terminal.until(searched, "match 1 of")
    terminal.keys("G")
    terminal.until(error if kind == "crash" else "cause")
    terminal.keys("1")
    terminal.until("Failed", first)
    terminal.keys("q")
    terminal.until("status=3")
