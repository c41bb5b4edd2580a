"""An offline run with uncommitted changes and a model, with a secret in its configuration and in its git remote."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tests.contract.case import CANARY, SourceCase
from tests.systems.wandb.runs import WandbProject
from tests.templates import Templates


def build_case(folder: Path, templates: Templates) -> Iterator[SourceCase]:
    project = WandbProject(folder)
    project.git.git("remote", "add", "origin", f"https://ada:{CANARY}@example.org/acme/credit.git")
    with (project.root / "predict.py").open("a") as file:
        file.write("# another\n")
    run = project.train(weight=2.0, config={"factor": 1.0, "api_key": CANARY})
    yield SourceCase(
        f"wandb:{run}", project.root, ("wandb:run", "wandb:a/b/c?x", "wandb:..", "wandb:/etc", "wandb:a/b")
    )
