"""Real runs of W&B for tests: a project in git, trained by the real client, offline."""

from __future__ import annotations

import csv
import importlib.util
import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from repro_tui.model.record import Record
from repro_tui.sources.resolve import load_record
from repro_tui.support.cache import Cache
from repro_tui.support.context import Context
from tests.audit.project import Result, sandbox_works
from tests.conftest import GitRepository, need

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
    """A repository whose train.py logs to W&B; `python` is the interpreter it is trained with."""

    folder: Path
    python: str = sys.executable
    runs: list[Path] = field(default_factory=list)

    def __post_init__(self) -> None:
        need("wandb", importlib.util.find_spec("wandb") is not None, "wandb is not installed here")
        self.git = GitRepository(self.folder / "project")
        self.root = self.git.folder
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
        """The folder of a new run."""
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
        done = subprocess.run(
            [sys.executable, "-m", "repro_tui", *arguments],
            cwd=self.root,
            env=self.environment | variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        return Result(done.returncode, done.stdout, done.stderr)

    def expected(self, factor: float) -> Any:
        with (self.root / "inputs.csv").open() as stream:
            return pytest.approx({row["id"]: factor * float(row["x"]) for row in csv.DictReader(stream)})


def log_file(run: Path) -> Path:
    (found,) = run.glob("*.wandb")
    return found
