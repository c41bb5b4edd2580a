"""The example of a third-party package: built, installed next to this checkout, and used in an audit."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from repro_tui.rebuild.environments.pythons.interpreters import uv_binary
from tests.audit.project import ROWS, Project, sandbox_works
from tests.conftest import need

ROOT = Path(__file__).parents[2]


def uv(*arguments: str) -> None:
    done = subprocess.run([uv_binary(), *arguments], capture_output=True, text=True, check=False)
    need("network", done.returncode == 0 or "onnect" not in done.stderr, done.stderr)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("third-party")
    uv("build", "--quiet", "--wheel", "--out-dir", str(folder), str(ROOT / "docs" / "example-plugin"))
    uv("venv", "--quiet", "--python", sys.executable, str(folder / "venv"))
    python = str(folder / "venv" / "bin" / "python")
    (wheel,) = folder.glob("repro_tui_ledger-*.whl")
    uv("pip", "install", "--quiet", "--python", python, str(ROOT), str(wheel))
    return Path(python)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    project = Project(tmp_path / "project")
    commit = project.repository.commit({"model.json": json.dumps({"weight": 2.0})})
    command = ["python3", "predict.py", "{inputs}", "{output}", "{params}"]
    common = {"repository": "code", "commit": commit, "requirements": "requirements.txt", "inputs": "inputs.csv"}
    entries = [
        common | {"id": name, "command": command, "parameters": {"threshold": 5.0, "shift": shift}}
        for name, shift in (("prod", 0.0), ("next", 0.25))
    ]
    (project.folder / "deployments.jsonl").write_text("\n".join(map(json.dumps, entries)))
    return project


def run(program: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(program), "-m", "repro_tui", *arguments],
        cwd=folder,
        env=os.environ | {"PYTHONSAFEPATH": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def test_an_audit_goes_through_its_source_runner_and_reporter(program: Path, project: Project) -> None:
    need("bubblewrap", sandbox_works(), "no sandbox works here")
    references = [f"ledger:deployments.jsonl#{name}" for name in ("prod", "next")]
    done = run(program, project.folder, *references, "--report", "--format", "tsv=areas.tsv", "--runner", "timed")
    assert done.returncode == 1, done.stderr
    report = json.loads(done.stdout)
    assert report["verdict"] == "drift", report["summary"]
    assert report["areas"]["predictions"]["rows"]["matched"] == ROWS
    (column,) = (c for c in report["areas"]["predictions"]["columns"] if c["name"] == "score")
    assert (column["different"], column["max_abs"]) == (ROWS, pytest.approx(0.25))
    lines = (project.folder / "areas.tsv").read_text().splitlines()
    assert lines[0] == "verdict\tdrift"
    assert "parameters\tdifferent\tshift" in lines
    assert "environment\tsame\t" in lines
    record = report["sides"]["a"]["record"]
    assert record["provenance"]["code.commit"] == "deployments.jsonl, line 1"
    assert [item["field"] for item in report["sides"]["a"]["missing"]] == ["code.dirty"]
    assert "timed: " in (project.audits()[-1] / "a" / "run-1.log").read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("ledger:absent#prod", "ledger:absent#prod", "--report"), "the ledger cannot be read"),
        (("ledger:deployments.jsonl#x", "ledger:deployments.jsonl#x", "--report"), "no such deployment"),
        (("x", "y", "--format", "absent=f"), "one of dotenv, github, gitlab, html, json, junit, markdown, p"),
        (("x", "y", "--format", "tsv"), "is not NAME=FILE"),
    ],
)
def test_its_mistakes_are_refused_as_ours_are(
    program: Path, project: Project, arguments: tuple[str, ...], message: str
) -> None:
    done = run(program, project.folder, *arguments)
    assert done.returncode == 2
    assert message in " ".join(done.stderr.split())
    assert not project.audits()
