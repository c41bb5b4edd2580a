"""Which Python an environment has: the recorded one, else what the commit says, else one of its time."""

from __future__ import annotations

import platform
from pathlib import Path, PurePosixPath

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import Version

from repro_tui.formats.projects import declared_project
from repro_tui.formats.python_versions import MATURES_WORDS, RELEASED, pinned_version, release_of
from repro_tui.model.errors import Inconclusive
from repro_tui.model.record import Record
from repro_tui.model.workspace import CodeTree
from repro_tui.rebuild.environments.builds.project import read_project
from repro_tui.rebuild.environments.pythons.dates import was_settled
from repro_tui.rebuild.environments.pythons.interpreters import (
    Interpreter,
    find_interpreter,
    installed,
    installed_versions,
)
from repro_tui.support.context import Context, Step
from repro_tui.support.paths import resolve_inside
from repro_tui.support.regular import read_regular
from repro_tui.support.text import show


def chosen_interpreter(
    record: Record, code: CodeTree | None, as_of: str | None, step: Step, context: Context
) -> tuple[Interpreter, str]:
    """The interpreter of an environment, and where its version comes from, as an addition to it in words.

    Without a recorded version it is that of `.python-version`, else the newest on this machine that `requires-python`
    allows, else that of this program; of the last two, one that had matured at `as_of`. Raises
    Inconclusive where there is none.
    """
    if record.environment.python is not None:
        return find_interpreter(record.environment.python, context), ""
    folders = _folders(record) if code else ()
    for folder in folders:
        version = _version_file(code, folder) if code else None
        if version:
            return _of_file(version, step, context), ", of .python-version"
    for folder in folders:
        allowed = _requires_python(code, folder) if code else ""
        if allowed:
            return _allowed(allowed, as_of, step, context), f", of requires-python {show(allowed, 60)}"
    return _own(as_of, step, context), ""


def _folders(record: Record) -> tuple[str, ...]:
    """The folder of the recorded file, then that of the code."""
    environment = record.environment
    name = environment.project or environment.lock or environment.requirements or environment.conda or ""
    parent = "." if name.startswith("file:") else str(PurePosixPath(name).parent)
    return tuple(dict.fromkeys((parent, ".")))


def _version_file(code: CodeTree, folder: str) -> str | None:
    try:
        root = Path(code.folder) / code.subdirectory
        path = resolve_inside(root, str(PurePosixPath(folder) / ".python-version"))
        text = read_regular(path, most=1 << 16).decode("utf-8", "replace")
    except (OSError, ValueError):
        return None
    return pinned_version(text)


def _of_file(version: str, step: Step, context: Context) -> Interpreter:
    """The version of the file; of a patch release that is not installed, another one of the same release."""
    release = release_of(version)
    try:
        return find_interpreter(version, context)
    except Inconclusive:
        if release == version:
            raise
        interpreter = find_interpreter(release, context)
    step.warn(f".python-version says {version}, which is not installed: Python {interpreter.version} is used")
    return interpreter


def _requires_python(code: CodeTree, folder: str) -> str:
    try:
        python = declared_project(read_project(code, folder)).python
        SpecifierSet(python)
    except (Inconclusive, InvalidSpecifier):
        return ""
    return python


def _allowed(specifiers: str, as_of: str | None, step: Step, context: Context) -> Interpreter:
    allowed = SpecifierSet(specifiers)
    fitting = [it for it in _usual(context) if allowed.contains(it.version)]
    if not fitting:
        releases = [release for release in RELEASED if allowed.contains(f"{release}.99")]
        install = f"install one (uv python install {releases[-1]})" if releases else "correct requires-python"
        raise Inconclusive(
            f"the commit's requires-python is {show(specifiers, 80)}, which allows none of the Pythons of this "
            f"machine: {installed_versions(context)}",
            f"{install}, or record environment.python",
        )
    interpreter = _of_its_time(fitting, as_of)
    of_its_time = f" and that had been out for {MATURES_WORDS} by {as_of[:10]}" if as_of else ""
    step.warn(
        f"the record does not name a version of Python: {interpreter.version} is used, the newest here that "
        f"requires-python {show(specifiers, 80)} allows{of_its_time}"
    )
    return interpreter


def _own(as_of: str | None, step: Step, context: Context) -> Interpreter:
    version = release_of(platform.python_version())
    if was_settled(version, as_of):
        step.warn(f"the record does not name a version of Python: {version}, which repro-tui runs on, is used")
        return find_interpreter(version, context)
    interpreter = _of_its_time(_usual(context), as_of)
    step.warn(
        f"the record does not name a version of Python: {interpreter.version} is used, because the commit is older "
        f"than {version}, which repro-tui runs on"
    )
    return interpreter


def _usual(context: Context) -> list[Interpreter]:
    """The released CPythons of this machine from 3.6, the newest first."""
    return [
        it
        for it in installed(context)
        if it.implementation == "CPython"
        and Version(it.version) >= Version("3.6")
        and not Version(it.version).is_prerelease
    ]


def _of_its_time(interpreters: list[Interpreter], as_of: str | None) -> Interpreter:
    """The newest that had settled at that time, else the oldest."""
    return next((it for it in interpreters if was_settled(it.version, as_of)), interpreters[-1])
