"""A clock that is a year off, or jumps by a year in an audit: durations hold, and nothing that is used is removed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from repro_tui.audit.folder import AuditFolder
from tests.audit.project import Project
from tests.audit.shifted_clock import Clock
from tests.conftest import NIGHTLY
from tests.processes import BOUND_S, children_of, wait_until

STOPPED = "import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)\n"
YEAR = 365 * 86400


@pytest.fixture
def project(tmp_path: Path, warm_cache: None) -> Project:
    return Project(tmp_path / "project")


def durations(report: dict[str, object]) -> list[float]:
    """Every duration of a report, in seconds."""
    audit, sides = report["audit"], report["sides"]
    assert isinstance(audit, dict)
    assert isinstance(sides, dict)
    parts = [part for side in sides.values() for part in (*side["rebuild"], *side["runs"])]
    return [audit["seconds"], *audit["seconds_by_stage"].values(), *(part["seconds"] for part in parts)]


@pytest.mark.parametrize("offset", [YEAR, -YEAR] if NIGHTLY else [YEAR])
def test_an_audit_goes_on_while_the_clock_jumps(project: Project, clock: Clock, offset: int) -> None:
    """Another start on the same cache, and one with the jumped clock, remove nothing that the audit needs."""
    commit = project.repository.commit({"predict.py": STOPPED + (project.folder / "code/predict.py").read_text()})
    side = project.deployment(code={"repository": "code", "commit": commit})
    project.record(a=side, b=side, c=project.deployment())
    variables = clock.set(0)
    command = [sys.executable, "-m", "repro_tui", "record.json#a", "record.json#b", "--report", "--quiet"]
    with subprocess.Popen(
        [*command, *project.options()],
        cwd=project.folder,
        env=os.environ | variables,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as view:
        wait_until(lambda: bool(project.audits()) or view.poll() is not None, "the audit's folder is there")
        assert project.audits(), view.communicate()
        folder = AuditFolder(project.audits()[0])
        wait_until(folder.engine_alive, "its engine is at work")
        engine = folder.engine_pid()
        assert engine is not None
        wait_until(lambda: any(child.stopped for child in children_of(engine)), "the predict step runs")
        clock.set(offset)
        again = project.audit(a="c", b="c", **variables)
        assert (again.status, again.report["verdict"]) == (0, "identical"), again.stderr
        assert max(durations(again.report)) < BOUND_S
        assert min(durations(again.report)) >= 0
        refused = project.run("cache", "prune", "--older-than", "30", **variables)
        assert (refused.status, "an audit is running" in refused.stderr) == (2, True), refused.stderr
        while view.poll() is None:
            for child in children_of(engine):
                child.send(signal.SIGCONT)
            time.sleep(0.05)
        output, errors = view.communicate()
    assert view.returncode == 0, errors
    report = json.loads(output)
    assert report["verdict"] == "identical"
    assert 0 <= min(durations(report)) <= max(durations(report)) < BOUND_S


def test_everything_is_pruned_though_the_clock_was_set_back(project: Project, clock: Clock) -> None:
    project.record(a=project.deployment(), b=project.deployment())
    assert project.audit().status == 0
    result = project.run("cache", "prune", "--all", **clock.set(-YEAR))
    assert result.status == 0, result.stderr
    kept = [
        path for kind in ("folders/*/*", "objects/*/*") for path in (Path(os.environ["REPRO_TUI_CACHE"])).glob(kind)
    ]
    assert kept == []


def test_the_clock_of_these_tests_is_off(clock: Clock) -> None:
    command = [sys.executable, "-c", "import time; print(time.time(), time.monotonic())"]
    done = subprocess.run(command, env=os.environ | clock.set(YEAR), capture_output=True, text=True, check=True)
    wall, monotonic = map(float, done.stdout.split())
    assert abs(wall - time.time() - YEAR) < 600
    assert abs(monotonic - time.monotonic()) < 600
