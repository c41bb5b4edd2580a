"""Rebuilds environments from small repositories, with packages from a folder of the test instead of an index."""

from __future__ import annotations

import platform
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from repro_tui.model.event import Event
from repro_tui.model.record import Code, Environment, Record
from repro_tui.model.request import Settings
from repro_tui.model.workspace import BuiltEnvironment, Part
from repro_tui.rebuild.code import rebuild_code
from repro_tui.rebuild.environments.base import rebuild_environment
from repro_tui.rebuild.environments.pythons.interpreters import find_interpreter
from repro_tui.support.cache import Cache
from repro_tui.support.context import Context
from tests.conftest import GitRepository
from tests.templates import Templates

OWN = ".".join(platform.python_version_tuple()[:2])


def find_python(folder: Path) -> None:
    """Fills the cache of interpreters: where Pythons are pyenv shims, a search takes a second."""
    find_interpreter(OWN, Context(Cache(folder)))


@dataclass
class Rebuilding:
    """A repository, and a cache that knows this machine's Python."""

    repository: GitRepository
    context: Context
    templates: Templates
    events: list[Event] = field(default_factory=list)

    def __post_init__(self) -> None:
        known = self.templates.folder("interpreters", find_python)
        shutil.copytree(known / "notes", self.context.cache.root / "notes", dirs_exist_ok=True)

    def commit(self, files: Mapping[str, str | bytes]) -> str:
        return self.repository.commit(dict(files))

    def __call__(
        self, files: Mapping[str, str | bytes], settings: Settings | None = None, **environment: Any
    ) -> tuple[BuiltEnvironment, Part]:
        commit = self.commit(files)
        record = Record(
            "a",
            "a",
            code=Code(str(self.repository.folder), commit),
            environment=Environment(**{"python": OWN, **environment}),
        )
        context = replace(self.context, settings=settings or Settings(), emit=self.events.append)
        code, _ = rebuild_code(record, context)
        return rebuild_environment(record, code, context)


def versions(built: BuiltEnvironment) -> dict[str, str]:
    """The versions of the packages, without the setuptools that `venv` adds."""
    packages = {name: package.version for name, package in built.inventory.python_packages.items()}
    packages.pop("setuptools", None)
    return packages


def site(built: BuiltEnvironment) -> Path:
    """The folder of the packages."""
    (folder,) = Path(built.folder).glob("lib/python3*/site-packages")
    return folder
