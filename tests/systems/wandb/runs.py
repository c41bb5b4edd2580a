"""Real runs of W&B for tests: a project in git, trained by the real client, offline."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from repro_tui.model.record import Record
from repro_tui.rebuild.environments.pythons.interpreters import uv_binary
from repro_tui.sources.resolve import load_record
from repro_tui.support.cache import Cache
from repro_tui.support.context import Context
from tests.audit.project import Result, expected_scores, run_program, sandbox_works
from tests.conftest import GitRepository, need
from tests.repositories import ExistingRepository
from tests.templates import Templates
from tests.warm import share_downloads

TRAIN = """\
import json, sys
import wandb
given = json.loads(sys.argv[1])
config = given.get("config", {})
settings = wandb.Settings(save_code=True, console="off")
run = wandb.init(project="credit", entity="acme", name="ridge", config=config, mode="offline", settings=settings)
for step in range(given.get("steps", 3)):
    run.log({"accuracy": 0.9 + step / 100, "loss": 1.0 / (step + 1), "note": "x" * given.get("padding", 0)})
run.summary["nested"] = {"deep": 1.5, "text": "t"}
for key, value in given.get("summary", {}).items():
    run.summary[key] = float(value)
if "weight" in given:
    with open("weights.json", "w") as file:
        json.dump({"weight": given["weight"]}, file)
    artifact = wandb.Artifact("model", type="model")
    artifact.add_file("weights.json")
    artifact.add_file("weights.json", name="copies/weights.json")
    run.log_artifact(artifact)
if "reference" in given:
    artifact = wandb.Artifact("dataset", type="dataset")
    artifact.add_reference(given["reference"], checksum=given.get("checksum", True))
    run.log_artifact(artifact)
run.config.update({"late": True})
run.finish(exit_code=given.get("exit", 0))
"""
PREDICT = """\
import csv, json, sys
weight = json.load(open("artifacts/model/weights.json"))["weight"]
factor = json.load(open(sys.argv[3]))["factor"]
rows = list(csv.DictReader(open(sys.argv[1])))
with open(sys.argv[2], "w", newline="") as target:
    out = csv.writer(target)
    out.writerow(["id", "score"])
    out.writerows([row["id"], weight * factor * float(row["x"])] for row in rows)
"""
COMMAND = "python predict.py {inputs} {output} {params}"


@dataclass
class WandbProject:
    """A repository whose train.py logs to W&B; `python` is the interpreter that trains it."""

    folder: Path
    python: str = sys.executable
    runs: list[Path] = field(default_factory=list)

    def __post_init__(self) -> None:
        need("wandb", importlib.util.find_spec("wandb") is not None, "wandb is not installed here")
        self.root = self.folder / "project"
        if self.root.exists():  # a copy of an earlier one
            self.git = ExistingRepository(self.root)
            self.commit = self.git.git("rev-parse", "HEAD")
            self.runs += sorted((self.root / "wandb").glob("offline-run-*"))
            return
        self.git = GitRepository(self.root)
        rows = "".join(f"r{n:03},{n / 10}\n" for n in range(40))
        ignored = "wandb/\nweights.json\n"
        files = {"train.py": TRAIN, "predict.py": PREDICT, "inputs.csv": f"id,x\n{rows}", ".gitignore": ignored}
        self.commit = self.git.commit(dict(files))

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("WANDB")}
        folders = {f"WANDB_{name}_DIR": str(self.folder / name.lower()) for name in ("DATA", "CACHE", "CONFIG")}
        return kept | folders | {"HOME": str(self.folder), "WANDB_ERROR_REPORTING": "false", "DO_NOT_TRACK": "1"}

    def train(self, **given: Any) -> Path:
        """Trains a new run; returns its folder."""
        done = subprocess.run(
            [self.python, "-W", "ignore", "train.py", json.dumps(given)],
            cwd=self.root,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
        (made,) = set((self.root / "wandb").glob("offline-run-*")) - set(self.runs)
        self.runs.append(made)
        return made

    def load(self, reference: str) -> Record:
        return load_record(reference, Context(cache=Cache(self.folder / "own-cache"), here=self.root))

    def options(self) -> tuple[str, ...]:
        return () if sandbox_works() else ("--isolation", "none")

    def audit(self, *arguments: str, **variables: str) -> Result:
        return self.run(*arguments, "--report", *self.options(), **variables)

    def run(self, *arguments: str, **variables: str) -> Result:
        return run_program(self.root, *arguments, environment=self.environment | variables)

    def expected(self, factor: float) -> Any:
        return expected_scores(self.root / "inputs.csv", factor)


def log_file(run: Path) -> Path:
    (log,) = run.glob("*.wandb")
    return log


# -- what is made once a test run ---------------------------------------------------------------------------------


def trained_project(folder: Path, templates: Templates) -> tuple[WandbProject, Path]:
    """The test's own project with a run whose factor is 2 and whose model weight is 2.0.

    It is a copy: in the run's log, its folder and the files of its artifact are where they were made.
    """
    need("wandb", importlib.util.find_spec("wandb") is not None, "wandb is not installed here")
    project = WandbProject(templates.copy("wandb-run", _trained, folder))
    (run,) = project.runs
    return project, run


def _trained(folder: Path) -> None:
    WandbProject(folder).train(config={"factor": 2}, weight=2.0)


def lean_python(templates: Templates, *packages: str) -> str:
    """An interpreter with W&B and little else, whose packages are all on an index."""
    name = f"python-with-{'-'.join(packages).translate(str.maketrans('=<', '--'))}"
    return str(templates.folder(name, lambda folder: _installed(folder, packages)) / "bin" / "python")


def _installed(folder: Path, packages: tuple[str, ...]) -> None:
    install = ["pip", "install", "--quiet", "--python", str(folder / "bin" / "python"), *packages]
    for arguments in (["venv", "--quiet", "--allow-existing", str(folder)], install):
        done = subprocess.run([uv_binary(), *arguments], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


def lean_project(folder: Path, templates: Templates) -> WandbProject:
    """A project that is trained in an environment with few packages."""
    return WandbProject(folder, lean_python(templates, "wandb==0.31.0"))


@dataclass(frozen=True)
class WandbAudit:
    """An audit that started with an empty cache, and its results."""

    result: Result
    project: WandbProject
    audits: Path
    cache: Path


def first_audit(templates: Templates) -> WandbAudit:
    """Two lean runs, audited. Done once, since it builds an environment that later audits start with."""
    folder = templates.folder("wandb-audit", lambda made: _first_audit(made, templates))
    outcome = json.loads((folder / "outcome.json").read_text())
    return WandbAudit(Result(**outcome), WandbProject(folder / "runs"), folder / "audits", folder / "cache")


def _first_audit(folder: Path, templates: Templates) -> None:
    (folder / "runs").mkdir()
    share_downloads(folder / "cache")
    project = lean_project(folder / "runs", templates)
    runs = [f"wandb:{project.train(weight=2.0, config={'factor': factor})}" for factor in (1.0, 1.5)]
    places = {f"REPRO_TUI_{name.upper()}": str(folder / name) for name in ("cache", "audits")}
    given = ("--inputs", "inputs.csv", "--key", "id", "--predict", COMMAND)
    result = project.audit(*runs, *given, **places)
    (folder / "outcome.json").write_text(json.dumps(asdict(result)))
