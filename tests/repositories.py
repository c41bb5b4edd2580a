"""Repositories that already exist."""

from __future__ import annotations

from pathlib import Path

from tests.conftest import GitRepository


class ExistingRepository(GitRepository):
    """An existing repository, such as a copy."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
