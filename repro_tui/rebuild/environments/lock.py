"""Environments from a lock file: its pins and hashes as they stand, and its projects, from the commit."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from repro_tui.formats.lock_files import locked
from repro_tui.model.errors import Inconclusive
from repro_tui.model.record import Record
from repro_tui.model.workspace import BuiltEnvironment, CodeTree, Part
from repro_tui.rebuild.environments.python import Making, PythonContents, python_environment, read_file
from repro_tui.support.context import Context
from repro_tui.support.text import show

SEEDED = ("Pipfile.lock",)  # pipenv makes its environments with virtualenv, which adds setuptools


@dataclass(frozen=True, slots=True)
class LockContents:
    """What a lock installs: complete pins, folders below its own whose projects are installed, and what is left out."""

    pins: tuple[str, ...]
    members: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()


class LockBuilder:
    """Rebuilds `environment.lock`."""

    def rebuild(self, record: Record, code: CodeTree | None, context: Context) -> tuple[BuiltEnvironment, Part]:
        """See base.EnvironmentBuilder."""
        name = record.environment.lock or ""
        return python_environment(name, lambda making: _contents(name, making), record, code, context)


def _contents(name: str, making: Making) -> PythonContents:
    lock = _locked(name, making)
    folder = PurePosixPath(name.removeprefix("file:")).parent
    projects: dict[str, tuple[str, ...]] = {str(folder / member): () for member in lock.members}
    return PythonContents(
        pins=lock.pins,
        projects=projects,
        seeded=PurePosixPath(name).name in SEEDED,
        left_out=list(lock.left_out),
    )


def _locked(name: str, making: Making) -> LockContents:
    content = read_file(name, making.record, making.code)
    pins = tuple(locked(content, name, making.interpreter.markers))
    groups = show(", ".join(making.record.environment.groups), 120)
    left_out = (f"the groups {groups} are not installed",) if groups else ()
    return LockContents(pins, tuple(_members(content)), left_out)


def _members(content: bytes) -> Iterator[str]:
    """The folders whose projects a uv.lock installs; those of virtual projects are only depended on."""
    for package in tomllib.loads(content.decode("utf-8")).get("package", ()):
        source = package.get("source", {})
        folder = source.get("editable", source.get("directory"))
        if folder is not None:
            yield str(folder)


def _pyproject(name: str, making: Making) -> bytes:
    """The pyproject.toml next to a lock; empty where there is none."""
    beside = PurePosixPath(name.removeprefix("file:")).with_name("pyproject.toml")
    prefix = "file:" if name.startswith("file:") else ""
    try:
        return read_file(f"{prefix}{beside}", making.record, making.code)
    except Inconclusive:
        return b""
