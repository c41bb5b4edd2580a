"""Repositories that were not made by the test that uses them."""

from __future__ import annotations

from pathlib import Path

from tests.conftest import GitRepository


class ExistingRepository(GitRepository):
    """A repository that is there already, such as a copy."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
