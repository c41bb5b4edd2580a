"""A repository to rebuild environments of, and a folder of packages in place of an index."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from repro_tui.support.context import Context
from tests.builds import backend
from tests.conftest import GitRepository
from tests.rebuild.environments.rebuilding import Rebuilding
from tests.templates import Templates


@pytest.fixture
def rebuilding(git_repository: Callable[[str], GitRepository], context: Context, templates: Templates) -> Rebuilding:
    return Rebuilding(git_repository("project"), context, templates)


@pytest.fixture
def links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of packages, with the wheel of the tests' build backend; there is no network."""
    folder = tmp_path / "links"
    backend(folder)
    monkeypatch.setenv("UV_FIND_LINKS", str(folder))
    monkeypatch.setenv("UV_OFFLINE", "1")
    return folder
