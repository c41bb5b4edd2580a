"""The parts for pipelines, driven by what they are made for: act runs the action, and pre-commit the hooks."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.audit.project import Project
from tests.audit.project import warm_cache as warm_cache
from tests.conftest import need

ROOT = Path(__file__).parents[3]
PROGRAMS = Path(sys.executable).parent
WORKFLOW = """\
name: audit
on: push
permissions: {contents: read}
jobs:
  audit:
    name: audit
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@11bd71901bbe5b1630ceea73d27597364c9af683 # v4.2.2
        with: {persist-credentials: false}
      - id: audit
        uses: ./
        continue-on-error: true
        with: {a: "record.json#a", b: "record.json#b", args: "--ignore 'environment.packages.my pkg' --isolation auto"}
      - env:
          VERDICT: ${{ steps.audit.outputs.verdict }}
          STATUS: ${{ steps.audit.outputs.status }}
          REPORT: ${{ steps.audit.outputs.report }}
          FOLDER: ${{ steps.audit.outputs.folder }}
          OUTCOME: ${{ steps.audit.outcome }}
        run: |
          ls "$FOLDER"
          test -s "$REPORT"
          echo "the verdict is $VERDICT with status $STATUS, and the step's outcome $OUTCOME"
"""


def program(name: str) -> Path:
    """A program of the tests' environment."""
    path = PROGRAMS / name
    need(name, path.exists(), f"{name} is not installed: make systems")
    return path


def commit(folder: Path, message: str) -> None:
    git = ["git", "-C", str(folder), "-c", "user.name=Ada", "-c", "user.email=ada@example.org"]
    for arguments in (["init", "--quiet"], ["add", "--all", "."], ["commit", "--quiet", "--message", message]):
        subprocess.run([*git, *arguments], check=True, capture_output=True)


def variables(**more: str) -> dict[str, str]:
    """The environment, with this tree's programs first."""
    return os.environ | {"PATH": f"{PROGRAMS}{os.pathsep}{os.environ['PATH']}"} | more


@pytest.fixture
def project(tmp_path: Path, warm_cache: None) -> Project:
    project = Project(tmp_path / "project")
    code = {"repository": str(project.folder / "code"), "commit": project.commit}
    drifted = project.deployment(code=code, parameters={"values": {"threshold": 6.0}})
    project.record(a=project.deployment(code=code), b=drifted)
    return project


def test_the_action_ends_as_the_audit_and_has_its_outputs(project: Project, tmp_path: Path) -> None:
    act = program("act")
    folder = project.folder
    (folder / ".gitignore").write_text("code/\n")
    (folder / "action.yml").write_bytes((ROOT / "action.yml").read_bytes())
    (folder / ".github" / "workflows").mkdir(parents=True)
    (folder / ".github" / "workflows" / "audit.yml").write_text(WORKFLOW)
    commit(folder, "records")
    subprocess.run(["git", "-C", folder, "remote", "add", "origin", "https://example.org/ada/credit.git"], check=True)
    command = [act, "push", "-P", "ubuntu-latest=-self-hosted", "--no-cache-server", "--action-offline-mode"]
    environment = variables(HOME=str(tmp_path), XDG_CACHE_HOME=str(tmp_path / "act"))
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    text = re.sub(r"\x1b\[[0-9;]*m", "", done.stdout + done.stderr)
    assert done.returncode == 0, text
    assert "the verdict is drift with status 1, and the step's outcome failure" in text
    for name in ("report.env", "report.html", "report.json", "report.md", "report.xml"):
        assert name in text
    assert "::error" in text or "❗" in text, text  # as act shows an annotation


def test_the_hook_refuses_a_record_that_cannot_be_read_and_names_what_is_missing(tmp_path: Path) -> None:
    pre_commit = program("pre-commit")
    hooks, folder = tmp_path / "hooks", tmp_path / "project"
    hooks.mkdir()
    text = (ROOT / ".pre-commit-hooks.yaml").read_text()
    (hooks / ".pre-commit-hooks.yaml").write_text(text.replace("language: python", "language: system"))
    commit(hooks, "hooks")  # ours, but with the program of this tree and not one that is installed from an index
    revision = subprocess.run(["git", "-C", hooks, "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
    folder.mkdir()
    config = f"repos:\n  - repo: {hooks}\n    rev: {revision.stdout.strip()}\n    hooks: [{{id: repro-tui-check}}]\n"
    (folder / ".pre-commit-config.yaml").write_text(config)
    record = folder / "repro.toml"
    environment = variables(PRE_COMMIT_HOME=str(tmp_path / "home"))

    def run(document: str) -> tuple[int, str]:
        record.write_text(document)
        commit(folder, document[:20])
        command = [pre_commit, "run", "--all-files"]
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr

    short = 'schema = 1\n[deployments.prod.environment]\nlock = "uv.lock"\n'
    status, output = run(short)
    assert status == 1, output
    assert "deployments.prod.predict: the record does not name a predict step" in output
    status, output = run("schema = 1\n[deployments.prod\n")
    assert (status, "repro.toml" in output) == (1, True), output
