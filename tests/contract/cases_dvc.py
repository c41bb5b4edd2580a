"""A DVC project whose commit has a repro.toml, with a secret in its remote's local configuration."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tests.contract.case import CANARY, SourceCase
from tests.systems.dvc.projects import project_at
from tests.templates import Templates


def build_case(folder: Path, templates: Templates) -> Iterator[SourceCase]:
    project = project_at("first", folder / "dvc", templates)
    (project.folder / ".dvc" / "config.local").write_text(f"['remote \"store\"']\n    password = {CANARY}\n")
    yield SourceCase("dvc:main", project.folder, ("dvc:no-such-branch", "dvc:main#no-such"))
