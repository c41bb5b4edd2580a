"""An offline run of the real client, with a secret among its configuration."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tests.contract.case import CANARY, Case
from tests.wandb_runs.runs import WandbProject


def make(folder: Path) -> Iterator[Case]:
    project = WandbProject(folder)
    run = project.train(weight=2.0, config={"factor": 1.5, "api_key": CANARY})
    yield Case(f"wandb:{run}", project.folder, ("wandb:nowhere", "wandb:../x", f"wandb:{folder}"))
