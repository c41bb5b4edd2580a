"""A repository whose commit has a repro.toml, with a file-system monitor that would leave a marker."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tests.conftest import GitRepository
from tests.contract.case import SourceCase
from tests.contract.cases_recordfile import fill
from tests.templates import Templates


def build_case(folder: Path, templates: Templates) -> Iterator[SourceCase]:
    repository = GitRepository(folder / "project")
    first = repository.commit({"predict.py": "", "requirements.txt": "", "params.yaml": "a: 1\n"})
    fill(repository.folder, first)
    repository.commit({})
    marker = folder / "executed"
    repository.git("config", "core.fsmonitor", f"touch {marker}")
    yield SourceCase("git:main", repository.folder, ("git:no-such-branch", "git:main#no-such"))
    assert not marker.exists()
