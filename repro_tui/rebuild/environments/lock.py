"""Environments from a lock file: its pins and hashes as they stand, and its projects, from the commit."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from repro_tui.formats.locks import Locked, locked
from repro_tui.model.errors import Inconclusive
from repro_tui.model.record import Record
from repro_tui.model.workspace import BuiltEnvironment, CodeTree, Part
from repro_tui.rebuild.environments.python import Making, PythonContents, python_environment, read_file
from repro_tui.support.context import Context

# Pipenv and Poetry 1 make their environments with virtualenv, which adds setuptools; a lock of Poetry 2 has 2.1.
_POETRY_1 = re.compile(rb'^lock-version = "(1\.\d+|2\.0)"$', re.MULTILINE)


class LockBuilder:
    """Rebuilds `environment.lock`."""

    def rebuild(self, record: Record, code: CodeTree | None, context: Context) -> tuple[BuiltEnvironment, Part]:
        """See base.EnvironmentBuilder."""
        from repro_tui.rebuild.environments.conda.builder import CondaBuilder, is_conda

        if is_conda(record, code):
            return CondaBuilder().rebuild(record, code, context)
        name = record.environment.lock or ""
        return python_environment(name, lambda making: _contents(name, making), record, code, context)


def _contents(name: str, making: Making) -> PythonContents:
    lock = _locked(name, making)
    folder = PurePosixPath(name.removeprefix("file:")).parent
    if folder.is_absolute():  # a file of this machine that the call names: its projects are those of the commit
        folder = PurePosixPath()
    projects: dict[str, tuple[str, ...]] = {str(folder / member): () for member in lock.members}
    return PythonContents(
        pins=lock.pins,
        projects=projects,
        seeded=_is_seeded(name, making),
        left_out=list(lock.left_out),
    )


def _is_seeded(name: str, making: Making) -> bool:
    """Whether the tool that wrote a lock adds setuptools to its environments."""
    kind = PurePosixPath(name.removeprefix("file:")).name
    if kind != "poetry.lock":
        return kind == "Pipfile.lock"
    return _POETRY_1.search(read_file(name, making.record, making.code)) is not None


def _locked(name: str, making: Making) -> Locked:
    content = read_file(name, making.record, making.code)
    groups = making.record.environment.groups
    return locked(content, name, making.interpreter.markers, groups, _pyproject(name, making))


def _pyproject(name: str, making: Making) -> bytes:
    """The pyproject.toml next to a lock; empty where there is none."""
    beside = PurePosixPath(name.removeprefix("file:")).with_name("pyproject.toml")
    prefix = "file:" if name.startswith("file:") else ""
    try:
        return read_file(f"{prefix}{beside}", making.record, making.code)
    except Inconclusive:
        return b""
