"""The operator in a DAG that a real Airflow runs by `airflow dags test`, of the versions that are installed."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.audit.project import Project
from tests.conftest import need
from tests.templates import Templates
from tests.warm import lend_empty_environment

INSTALLED = Path("/opt/repro-tui-airflow")  # by .ci/airflow
HERE = Path(__file__).parent


@pytest.fixture(params=["3", "2"])
def programs(request: pytest.FixtureRequest) -> Path:
    """The folder with the programs of an Airflow of this major version."""
    folder = INSTALLED / request.param / "bin"
    if request.param == "2" and not folder.exists():
        pytest.skip("Airflow 2 is not installed: .ci/airflow 2")
    need("airflow", folder.exists(), f"Airflow {request.param} is not installed: .ci/airflow {request.param}")
    return folder


@dataclass
class DagRun:
    """How a run of the DAG ended: each task's state and tries, the values that the last task saw, and the log."""

    states: dict[str, tuple[str, int]]
    values: dict[str, Any]
    log: str


@pytest.fixture
def ended(programs: Path, templates: Templates, tmp_path: Path) -> DagRun:
    lend_empty_environment(templates, Path(os.environ["REPRO_TUI_CACHE"]))
    project, home = audited(tmp_path / "project"), tmp_path / "home"
    (home / "dags").mkdir(parents=True)
    shutil.copy(HERE / "dags.py", home / "dags")
    program = home / "repro-tui"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m repro_tui "$@"\n')
    program.chmod(0o755)
    variables = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "PYTEST"))},
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "PYTHONPATH": str(HERE.parents[2]),  # which has repro_tui
        "AUDITED_FOLDER": str(project.folder),
        "AUDIT_PROGRAM": str(program),
    }
    log = ""
    for arguments in (["db", "migrate"], ["dags", "test", "audits", "2026-11-24"]):
        command = [programs / "airflow", *arguments]
        done = subprocess.run(command, env=variables, cwd=project.folder, capture_output=True, text=True, check=False)
        log += done.stdout + done.stderr
    with closing(sqlite3.connect(home / "airflow.db")) as database:
        rows = database.execute("select task_id, state, try_number from task_instance").fetchall()
    seen = project.folder / "seen.json"
    return DagRun(
        {name: (state, tries) for name, state, tries in rows},
        json.loads(seen.read_text()) if seen.exists() else {},
        log,
    )


def audited(folder: Path) -> Project:
    project = Project(folder)
    values = {"same": {"threshold": 5.0}, "drifts": {"threshold": 6.0}, "crashes": {"threshold": 5.0, "crash": True}}
    sides = {name: project.deployment(parameters={"values": value}) for name, value in values.items()}
    project.record(a=project.deployment(), **sides)
    shutil.copy(folder / "inputs.csv", folder / "audits.csv")
    return project


def test_each_outcome_is_a_state_of_its_task_and_its_value_is_there(ended: DagRun) -> None:
    assert {name: state for name, state in ended.states.items() if name != "see"} == {
        "same": ("success", 1),
        "drifts": ("failed", 1),  # a second try would say the same
        "unsure": ("skipped", 1),
        "unsure_fails": ("failed", 2),
        "refused": ("failed", 1),
    }, ended.log
    same, drifts, unsure = (ended.values[name] for name in ("same", "drifts", "unsure"))
    assert (same["verdict"], same["exit_status"]) == ("identical", 0)
    for format_, file in same["reports"].items():
        assert Path(file).stat().st_size, format_
        assert "/reports/same/" in file  # the folder is a template
    assert (drifts["verdict"], drifts["exit_status"]) == ("drift", 1)
    assert any("threshold" in sentence for sentence in drifts["summary"])
    assert unsure["exit_status"] == ended.values["unsure_fails"]["exit_status"] == 3
    assert ended.values["refused"] is None
    assert "has no deployment 'absent'" in ended.log
