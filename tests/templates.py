"""What is slow to make and then only read or copied: made once a test run, by whichever worker asks first.

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
    """Folders that are built once a test run, by name. Tests read them in place, or change a copy of their own."""

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir(parents=True, exist_ok=True)

    def folder(self, name: str, build: Build) -> Path:
        """The template of that name, which `build` fills where no test of this run has done so. It is not written to.

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
        """A copy of the template at `target`, which the test may change. Times and links are kept."""
        return copy_folder(self.folder(name, build), target)


def copy_folder(source: Path, target: Path) -> Path:
    """Copies what is in a folder to a place, with its times and links; returns that place."""
    target.mkdir(parents=True, exist_ok=True)
    subprocess.run(["cp", "--archive", "--reflink=auto", f"{source}/.", str(target)], check=True)
    return target


def shared_root(factory: pytest.TempPathFactory) -> Path:
    """The folder that all workers of this test run see: the parent of each worker's own, where there are workers."""
    base = factory.getbasetemp()
    return (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "templates"
