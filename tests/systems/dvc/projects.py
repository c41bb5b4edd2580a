"""Real DVC projects for tests, created once per test run by DVC itself; whole copies work, as remotes are relative."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from repro_tui.model.record import Record
from repro_tui.sources.resolve import load_record
from repro_tui.support.cache import Cache, remove_tree
from repro_tui.support.context import Context
from tests.audit.project import Result, expected_scores, run_program, sandbox_works
from tests.conftest import GIT_ENVIRONMENT, GitRepository, need
from tests.repositories import ExistingRepository
from tests.templates import Templates

DVC = Path(sys.executable).parent / "dvc"
PREDICT = """\
import csv, json, sys
weight = json.load(open("model/weights.json"))["weight"]
factor = json.load(open("params.json"))["factor"]
rows = list(csv.DictReader(open(sys.argv[1])))
with open(sys.argv[2], "w", newline="") as target:
    out = csv.writer(target)
    out.writerow(["id", "score"])
    out.writerows([row["id"], weight * factor * float(row["x"])] for row in rows)
"""
STAGE = "python3 predict.py inputs.csv scores.csv"
RECORD = """\
schema = 1
[validation]
inputs = "inputs.csv"
key = ["id"]
[deployments.default.code]
repository = "."
commit = "0000000000000000000000000000000000000000"
[deployments.default.environment]
requirements = "requirements.txt"
[[deployments.default.data]]
path = "model"
source = "dvc"
[deployments.default.predict]
command = ["python3", "predict.py", "{inputs}", "{output}"]
"""
MODELS = {"first": 2.0, "second": 3.0}
REMOTE = "../../remote"  # from the folder of the configuration


class DvcProject:
    """A repository with a real DVC project in `folder`/project, and its remote in `folder`/remote."""

    def __init__(self, folder: Path) -> None:
        self.git = ExistingRepository(folder / "project")
        self.folder, self.remote = self.git.folder, folder / "remote"

    def dvc(self, *arguments: str) -> str:
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        git = {name: value for name, value in GIT_ENVIRONMENT.items() if not name.endswith("_DATE")}
        environment = git | {"PATH": path, "HOME": str(self.folder.parent), "DVC_NO_ANALYTICS": "1"}
        done = subprocess.run(
            [str(DVC), *arguments], cwd=self.folder, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def commit(self, message: str, files: dict[str, str] | None = None) -> str:
        """Commits everything that DVC does not exclude from git."""
        for name, content in (files or {}).items():
            (self.folder / name).write_text(content)
        self.git.git("add", "--all")
        self.git.git("commit", "--quiet", "--allow-empty", "--message", message)
        return self.git.git("rev-parse", "HEAD")

    def lay_model(self, weight: float, card: str) -> None:
        """Writes the model's files as a checkout would."""
        (self.folder / "model").mkdir(exist_ok=True)
        (self.folder / "model" / "weights.json").write_text(json.dumps({"weight": weight}))
        (self.folder / "model" / "card.txt").write_text(card)

    def second_model(self) -> None:
        """Commits a model with the weight 3.0 on top of the existing commits."""
        self.git.git("cherry-pick", "second")

    def without_record(self) -> DvcProject:
        """The same project without a record."""
        (self.folder / "repro.toml").unlink()
        self.commit("no record")
        return self

    def store_at(self, url: str) -> None:
        """Sets another URL in DVC's configuration."""
        config = self.folder / ".dvc" / "config"
        text = config.read_text()
        assert REMOTE in text
        config.write_text(text.replace(REMOTE, url))

    def forget(self) -> None:
        """Removes DVC's own cache and the checked-out data, so that only the remote has the data."""
        remove_tree(self.folder / ".dvc" / "cache")
        remove_tree(self.folder / "model")

    def load(self, reference: str) -> Record:
        return load_record(reference, Context(cache=Cache(self.folder.parent / "own-cache"), here=self.folder))

    def audit(self, *arguments: str) -> Result:
        return self.run(*arguments, "--report", *(() if sandbox_works() else ("--isolation", "none")))

    def run(self, *arguments: str) -> Result:
        return run_program(self.folder, *arguments)

    def expected(self, weight: float) -> Any:
        return expected_scores(self.folder / "inputs.csv", weight)


# -- templates ----------------------------------------------------------------------------------------------------


def project_at(tag: str, folder: Path, templates: Templates) -> DvcProject:
    """The test's own project: `start` has no data yet, `first` a model with the weight 2.0, `second` one with 3.0.

    All models are in the remote, and in DVC's own cache.
    """
    need("dvc", DVC.exists(), "dvc is not installed here")
    project = DvcProject(templates.copy("dvc-models", _models, folder))
    project.git.git("reset", "--quiet", "--hard", tag)
    if tag in MODELS:
        project.lay_model(MODELS[tag], tag)
    else:
        project.forget()
        remove_tree(project.remote)
    return project


def staged_project(folder: Path, templates: Templates) -> DvcProject:
    """The test's own project without a record, whose stage `score` has run."""
    need("dvc", DVC.exists(), "dvc is not installed here")
    return DvcProject(templates.copy("dvc-stage", lambda made: _stage(made, templates), folder))


def _models(folder: Path) -> None:
    GitRepository(folder / "project")
    project = DvcProject(folder)
    project.dvc("init", "--quiet")
    project.dvc("config", "core.analytics", "false")
    project.dvc("remote", "add", "--quiet", "--default", "store", str(project.remote))
    files = {"predict.py": PREDICT, "requirements.txt": "", "params.json": '{"factor": 1.0}', "repro.toml": RECORD}
    rows = "".join(f"r{n:03},{n / 10}\n" for n in range(40))
    config = project.folder / ".dvc" / "config"
    config.write_text(config.read_text().replace(str(project.remote), REMOTE))
    project.commit("project", files | {"inputs.csv": f"id,x\n{rows}"})
    project.git.git("tag", "start")
    for name, weight in MODELS.items():
        project.lay_model(weight, name)
        project.dvc("add", "--quiet", "model")
        project.dvc("push", "--quiet")
        project.commit(name)
        project.git.git("tag", name)


INPUTS = ("--deps", "predict.py", "--deps", "inputs.csv", "--deps", "model", "--outs", "scores.csv")


def _stage(folder: Path, templates: Templates) -> None:
    folder.rmdir()
    project = project_at("first", folder, templates).without_record()
    project.dvc("stage", "add", "--quiet", "--run", "--name", "score", "--params", "params.json:factor", *INPUTS, STAGE)
    project.commit("a stage")
