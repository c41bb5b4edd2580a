"""The engine that gets ready while an audit is planned: what becomes of it with a request, and without."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from repro_tui.audit.begin import begin
from repro_tui.audit.launch import waiting_engine
from repro_tui.model.errors import Inconclusive, Refused
from repro_tui.model.overrides import Overrides
from repro_tui.model.record import Record
from repro_tui.model.request import Request, Settings
from tests.processes import children_of, process, wait_until_gone

WAITING = """\
import os, sys, time
from repro_tui.audit.launch import waiting_engine
with waiting_engine() as engine:
    print(engine.process.pid, flush=True)
    time.sleep(600)
"""


def test_a_refused_audit_leaves_no_engine_and_writes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REPRO_TUI_AUDITS", str(tmp_path / "audits"))
    monkeypatch.chdir(tmp_path)
    before = children_of(os.getpid())
    with pytest.raises(Refused, match=r"repro\.toml"):
        begin("nowhere", "nothing", Settings(), Overrides())
    assert children_of(os.getpid()) == before
    assert not (tmp_path / "audits").exists()


def test_an_engine_without_a_request_has_ended_after_the_block() -> None:
    with waiting_engine() as engine:
        assert engine.process.poll() is None
    assert engine.process.returncode == -signal.SIGKILL


def test_a_waiting_engine_ends_by_itself_if_its_program_is_killed() -> None:
    """Nobody is left to end it: it reads the end of its standard input."""
    with subprocess.Popen([sys.executable, "-c", WAITING], stdout=subprocess.PIPE) as program:
        assert program.stdout is not None
        engine = process(int(program.stdout.readline()))
        assert engine.alive
        program.kill()
    wait_until_gone([engine])


def test_what_an_engine_writes_before_it_has_a_log_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine that cannot even be imported, such as one of a broken installation."""
    monkeypatch.setenv("REPRO_TUI_AUDITS", str(tmp_path / "audits"))
    broken = tmp_path / "broken" / "repro_tui"
    broken.mkdir(parents=True)
    (broken / "__init__.py").write_text("raise ImportError('half of it is missing')\n")
    monkeypatch.setenv("PYTHONPATH", str(broken.parent))
    with waiting_engine() as engine, pytest.raises(Inconclusive, match="engine did not start") as error:
        engine.begin(Request("id", Record("a", "a"), Record("b", "b")))
    log = tmp_path / "audits" / "id" / "engine.log"
    assert "half of it is missing" in log.read_text()
    assert f"see {log}, and run the audit again" in error.value.do
