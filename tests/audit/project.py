"""A small real deployment that the end-to-end tests record, change and audit through the command line."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from repro_tui.model.errors import Refused
from repro_tui.model.request import Settings
from repro_tui.support.isolation import choose
from tests.conftest import REQUIRED, GitRepository, need
from tests.processes import wait_until
from tests.templates import Templates, copy_folder

ROWS = 60
PREDICT = '''\
"""Scores rows: everything that a test wants to vary is a parameter, a model weight or a line of this file."""
import csv, json, os, random, sys

inputs, output, params = sys.argv[1:4]
settings = json.load(open(params))
model = json.load(open("model.json"))
rows = list(csv.DictReader(open(inputs)))
noise = random.gauss(0, settings.get("noise", 0.0)) + settings.get("shift", 0.0)
print("scoring", len(rows), "rows")
if settings.get("crash"):
    sys.exit("the model cannot be loaded: weights are missing")
with open(output, "w", newline="") as target:
    out = csv.writer(target)
    out.writerow(["id", "score", "label"])
    written = rows[: len(rows) - settings.get("drop", 0)]
    for row in reversed(written) if settings.get("reverse") else written:
        score = model["weight"] * float(row["x"]) + noise
        out.writerow([row["id"], repr(score), "yes" if score >= settings["threshold"] else "no"])
'''


@cache
def sandbox_works() -> bool:
    """Whether a local sandbox works on this machine."""
    try:
        choose(Settings())
    except Refused:
        return False
    return True


@dataclass
class Result:
    """The result of one call of the program."""

    status: int
    stdout: str
    stderr: str

    @property
    def report(self) -> dict[str, Any]:
        return json.loads(self.stdout)


def run_program(
    folder: Path, *arguments: str, environment: dict[str, str] | None = None, timeout: float | None = None
) -> Result:
    """`repro-tui` with these arguments in a folder, as a user runs it, but without a terminal."""
    done = subprocess.run(
        [sys.executable, "-m", "repro_tui", *arguments],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=timeout,
        check=False,
    )
    return Result(done.returncode, done.stdout, done.stderr)


def expected_scores(inputs: Path, weight: float) -> Any:
    """The expected score of every row by id, for a model that multiplies x."""
    with inputs.open() as stream:
        return pytest.approx({row["id"]: weight * float(row["x"]) for row in csv.DictReader(stream)})


@dataclass
class Project:
    """A folder with a repository, a model, validation inputs and a repro.toml."""

    folder: Path
    environment: dict[str, Any] = field(default_factory=lambda: {"requirements": "requirements.txt"})

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True)
        self.repository = GitRepository(self.folder / "code")
        self.commit = self.repository.commit({"predict.py": PREDICT, "requirements.txt": "", "note.txt": "one\n"})
        self.model("model.json", 2.0)
        with (self.folder / "inputs.csv").open("w", newline="") as stream:
            out = csv.writer(stream)
            out.writerow(["id", "x"])
            out.writerows([f"r{number:03}", number / 10] for number in range(ROWS))

    def model(self, name: str, weight: float) -> str:
        (self.folder / name).write_text(json.dumps({"weight": weight}))
        return hashlib.sha256((self.folder / name).read_bytes()).hexdigest()

    def deployment(self, **changes: Any) -> dict[str, Any]:
        """A complete deployment; keyword arguments replace its sections."""
        sha256 = hashlib.sha256((self.folder / "model.json").read_bytes()).hexdigest()
        whole = {
            "code": {"repository": "code", "commit": self.commit},
            "environment": dict(self.environment),
            "parameters": {"values": {"threshold": 5.0}},
            "data": [{"path": "model.json", "source": "file", "sha256": sha256}],
            "predict": {"command": ["python3", "predict.py", "{inputs}", "{output}", "{params}"], "timeout_s": 60},
        }
        return whole | changes

    def record(self, **deployments: dict[str, Any]) -> None:
        """Writes repro.json with the deployments; rows are identified by id."""
        document = {
            "schema": 1,
            "validation": {"inputs": "inputs.csv", "key": ["id"]},
            "deployments": deployments,
        }
        (self.folder / "record.json").write_text(json.dumps(document, indent=1))

    def audit(self, *options: str, a: str = "a", b: str = "b", timeout: float = 600, **variables: str) -> Result:
        """`repro-tui A B --report`, as a user runs it."""
        references = [f"record.json#{name}" for name in (a, b)]
        return self.run(*references, "--report", *options, *self.options(), timeout=timeout, **variables)

    def options(self) -> list[str]:
        """The option to run the tests' own code without a sandbox, if none works on this machine."""
        if "requirements" not in self.environment or sandbox_works():
            return []
        need("bubblewrap", "bubblewrap" not in REQUIRED, "no sandbox works here")
        return ["--isolation", "none"]

    def start(self, *arguments: str, terminal: int | None = None) -> subprocess.Popen[bytes]:
        """A headless audit in the background, with its errors in a pipe, or shown on a terminal of its own."""
        leads = () if terminal is None else ("setsid", "--ctty")
        return subprocess.Popen(
            [*leads, sys.executable, "-m", "repro_tui", *arguments, *([] if leads else ["--quiet"]), *self.options()],
            cwd=self.folder,
            stdin=subprocess.DEVNULL if terminal is None else terminal,
            stdout=subprocess.PIPE if terminal is None else terminal,
            stderr=subprocess.PIPE if terminal is None else terminal,
        )

    def run(self, *arguments: str, timeout: float = 600, **variables: str) -> Result:
        return run_program(self.folder, *arguments, environment=os.environ | variables, timeout=timeout)

    def audits(self) -> list[Path]:
        root = Path(os.environ["REPRO_TUI_AUDITS"])
        return sorted(root.iterdir()) if root.is_dir() else []


def fill_cache(folder: Path) -> None:
    """A cache after the first audit of a project: the Python is found, and its empty environment exists."""
    variables = {f"REPRO_TUI_{name}": str(folder / name.lower()) for name in ("CACHE", "AUDITS")}
    project = Project(folder / "project")
    project.record(a=project.deployment(), b=project.deployment())
    done = project.audit(**variables)
    assert done.status == 0, done.stderr
    wait_until(lambda: not (folder / "cache" / "hashes.sqlite-wal").exists(), "the engine's end")
    shutil.rmtree(folder / "cache" / "git")  # clones of a repository that is no other test's


@pytest.fixture
def warm_cache(own_folders: Path, templates: Templates) -> None:
    """Makes the test's own cache a copy of one in which an audit of a Project has ended."""
    template = templates.folder("cache", fill_cache)
    copy_folder(template / "cache", own_folders / "cache")
