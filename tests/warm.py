"""Environments that are built once per test run: audits that do not test building them start with them in the cache."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from repro_tui.model.record import Environment, Record
from repro_tui.rebuild.environments.python import rebuild_python_environment
from repro_tui.rebuild.environments.pythons.interpreters import uv_binary
from repro_tui.support.cache import Cache
from repro_tui.support.context import Context
from tests.templates import Templates

NOTES = ("interpreters", "inventory", "resolutions")


def lend_environments(source: Path, target: Path) -> None:
    """Copies the environments of one cache to another, with their notes, but no data.

    The folders are links, so that no environment is copied; their manifests are checked as those of any other.
    """
    folders = source / "folders" / "environments"
    own = target / "folders" / "environments"
    own.mkdir(parents=True, exist_ok=True)
    for manifest in folders.glob("*.manifest"):
        shutil.copy2(manifest, own)
        (own / manifest.stem).symlink_to(folders / manifest.stem)
    for kind in NOTES:
        if (source / "notes" / kind).is_dir():
            shutil.copytree(source / "notes" / kind, target / "notes" / kind, dirs_exist_ok=True)


def share_downloads(cache: Path) -> None:
    """Lets a cache that is to be made have what uv has downloaded on this machine: packages of hundreds of megabytes,
    which the tests' own environment has as well."""
    done = subprocess.run([uv_binary(), "--no-config", "cache", "dir"], capture_output=True, text=True, check=True)
    downloads = Path(done.stdout.strip())
    downloads.mkdir(parents=True, exist_ok=True)
    cache.mkdir(mode=0o700)
    (cache / "uv").symlink_to(downloads)


def lend_empty_environment(templates: Templates, target: Path) -> None:
    """Adds the empty environment of this machine's Python to a cache."""
    lend_environments(templates.folder("environment-without-packages", _without_packages) / "cache", target)


def _without_packages(folder: Path) -> None:
    (folder / "requirements.txt").touch()
    record = Record("x", "x", environment=Environment(requirements="file:requirements.txt"), base=str(folder))
    rebuild_python_environment(record, None, Context(cache=Cache(folder / "cache"), here=folder))
