"""A DVC project whose commit holds its repro.toml, with a secret in its remote's local configuration."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tests.contract.case import CANARY, Case
from tests.dvc.test_dvc import DvcProject


def make(folder: Path) -> Iterator[Case]:
    project = DvcProject(folder)
    project.model(2.0, "model")
    (project.folder / ".dvc" / "config.local").write_text(f"['remote \"store\"']\n    password = {CANARY}\n")
    yield Case("dvc:main", project.folder, ("dvc:no-such-branch", "dvc:main#no-such"))
