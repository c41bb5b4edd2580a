"""Templates that are slow to build and then only read or copied: built once per test run by the first worker to ask.

Workers of one run share a folder. A template is built under a file lock and marked when it is whole, so that no
worker sees half of one, and one that failed is built again by the next test that asks.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock

Build = Callable[[Path], object]


class Templates:
    """Folders by name that are built once per test run. Tests read them in place, or change their own copy."""

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir(parents=True, exist_ok=True)

    def folder(self, name: str, build: Build) -> Path:
        """The template of that name; `build` fills it if no test of this run has done so. It must not be changed.

        It is built at its final path, so that what stores absolute paths (databases, remotes) stays valid.
        """
        target, done = self.root / name, self.root / f"{name}.done"
        with FileLock(self.root / f"{name}.lock"):
            if not done.exists():
                shutil.rmtree(target, ignore_errors=True)
                target.mkdir()
                build(target)
                done.touch()
        return target

    def copy(self, name: str, build: Build, target: Path) -> Path:
        """A copy of the template at `target`, which the test may change. Times and links are preserved."""
        return copy_folder(self.folder(name, build), target)


def copy_folder(source: Path, target: Path) -> Path:
    """Copies the contents of a folder, with times and links; returns the target."""
    target.mkdir(parents=True, exist_ok=True)
    subprocess.run(["cp", "--archive", "--reflink=auto", f"{source}/.", str(target)], check=True)
    return target


def shared_root(factory: pytest.TempPathFactory) -> Path:
    """The folder that all workers of this test run share: the parent of each worker's own, if there are workers."""
    base = factory.getbasetemp()
    return (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "templates"
