"""Fixtures for all test modules: a private cache and context, real git repositories, and checks for engines."""

from __future__ import annotations

import gc
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from repro_tui.support.cache import Cache
from repro_tui.support.context import Context
from tests.lanes import arrange
from tests.templates import Templates, shared_root

ENGINES = frozenset(
    {
        *("act", "airflow", "apptainer", "azurite", "bubblewrap", "compiler", "docker", "dvc", "gcs", "git-lfs"),
        *("mlflow", "network", "pre-commit", "sshd", "tmux", "wandb"),
    }
)
REQUIRED = frozenset(filter(None, os.environ.get("REPRO_TUI_REQUIRE", "").split(",")))
# `make test-nightly` proves more than there is time for at every landing, `make test-fast` less.
NIGHTLY = os.environ.get("REPRO_TUI_NIGHTLY") == "1"
FAST = os.environ.get("REPRO_TUI_FAST") == "1"
EXAMPLES = 250 if NIGHTLY else 5 if FAST else 25
GIT_ENVIRONMENT = {
    "PATH": os.environ["PATH"],
    "HOME": "/nonexistent",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_SYSTEM": "/dev/null",
    "GIT_AUTHOR_NAME": "Ada",
    "GIT_AUTHOR_EMAIL": "ada@example.org",
    "GIT_AUTHOR_DATE": "2026-01-05T10:00:00Z",
    "GIT_COMMITTER_NAME": "Ada",
    "GIT_COMMITTER_EMAIL": "ada@example.org",
    "GIT_COMMITTER_DATE": "2026-01-05T10:00:00Z",
}


def need(engine: str, present: bool, reason: str) -> None:
    """Skips the test if an engine is absent; fails if REPRO_TUI_REQUIRE names that engine."""
    assert engine in ENGINES, engine
    if not present:
        if engine in REQUIRED:
            pytest.fail(f"{engine} is required here: {reason}")
        pytest.skip(reason)


def pytest_configure() -> None:
    """Rejects unknown names in REPRO_TUI_REQUIRE, which would have no effect."""
    if unknown := REQUIRED - ENGINES:
        raise pytest.UsageError(f"REPRO_TUI_REQUIRE names no engine of these tests: {', '.join(sorted(unknown))}")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Adds groups for workers and marks for lanes, before pytest-xdist reads the groups and `-m` the marks."""
    arrange(items)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Builds what takes minutes before the time limit of any test starts."""
    needed = any(item.get_closest_marker(name) for item in session.items for name in ("docker", "apptainer"))
    if needed and not session.config.getoption("collectonly"):
        from tests.engines import prepare_base_image

        prepare_base_image()
    gc.freeze()  # the collected tests stay until the end: the garbage collector need not scan them again and again


@pytest.fixture(autouse=True)
def own_folders(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keeps tests away from the user's own cache, audits and configuration."""
    root = tmp_path_factory.mktemp("home")
    for name in ("CACHE", "AUDITS", "CONFIG"):
        monkeypatch.setenv(f"REPRO_TUI_{name}", str(root / name.lower()))
    return root


@pytest.fixture(scope="session")
def templates(tmp_path_factory: pytest.TempPathFactory) -> Templates:
    """Repositories, stores and environments that are built once per test run and copied by each test."""
    return Templates(shared_root(tmp_path_factory))


@pytest.fixture(autouse=True)
def read_images(request: pytest.FixtureRequest, own_folders: Path, templates: Templates) -> Iterator[None]:
    """Reads each image only once per test run."""
    if not any(request.node.get_closest_marker(name) for name in ("docker", "apptainer")):
        yield
        return
    from tests.engines import read_once

    with read_once(own_folders / "cache", templates):
        yield


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache")


@pytest.fixture
def context(cache: Cache, tmp_path: Path) -> Context:
    folder = tmp_path / "side"
    folder.mkdir()
    return Context(cache=cache, side="a", folder=folder, audit_id="test", here=tmp_path)


class GitRepository:
    """Creates a real, empty repository."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        self.git("init", "--quiet", "--initial-branch=main", "--template=")

    def git(self, *arguments: str) -> str:
        done = subprocess.run(
            ["git", *arguments],
            cwd=self.folder,
            env=GIT_ENVIRONMENT,
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.strip()

    def commit(self, files: dict[str, str | bytes], message: str = "change") -> str:
        for name, content in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        self.git("add", "--all", "--force")
        self.git("commit", "--quiet", "--allow-empty", "--message", message)
        return self.git("rev-parse", "HEAD")


@pytest.fixture
def git_repository(tmp_path: Path) -> Callable[[str], GitRepository]:
    return lambda name="project": GitRepository(tmp_path / name)
