"""Environments from a requirements file, and what it includes: resolved as of a time where it does not pin all."""

from __future__ import annotations

from pathlib import Path

from repro_tui.formats.locks.misplaced import misplaced
from repro_tui.formats.requirements import RequirementsFile, read_requirements
from repro_tui.model.errors import Inconclusive, Refused
from repro_tui.model.record import Record
from repro_tui.model.workspace import BuiltEnvironment, CodeTree, Part
from repro_tui.rebuild.environments.python import (
    Making,
    PythonContents,
    applicable,
    folder_of,
    python_environment,
    read_file,
)
from repro_tui.support.context import Context
from repro_tui.support.paths import resolve_inside
from repro_tui.support.regular import MOST_DECLARED, read_regular
from repro_tui.support.text import show


class RequirementsBuilder:
    """Rebuilds `environment.requirements`."""

    def rebuild(self, record: Record, code: CodeTree | None, context: Context) -> tuple[BuiltEnvironment, Part]:
        """See base.EnvironmentBuilder."""
        name = record.environment.requirements or ""
        return python_environment(name, lambda making: _contents(name, making), record, code, context)


def _contents(name: str, making: Making) -> PythonContents:
    if reason := misplaced(read_file(name, making.record, making.code), "requirements"):
        raise Inconclusive(f"{show(name, 120)} {reason[0]}", reason[1])
    file = _read(name, making)
    if file.mistakes:
        raise Refused.all(file.mistakes)
    return PythonContents(
        applicable(file.lines, name, making.interpreter),
        applicable(file.constraints, name, making.interpreter),
        projects={project.folder: project.extras for project in file.projects},
        needed=True,
        seeded=True,
        left_out=[*file.ignored, *_groups(making)],
    )


def _read(name: str, making: Making) -> RequirementsFile:
    """The file with what it includes; a file that the call named elsewhere on this machine includes from its folder."""
    root, path = folder_of(name, making.record, making.code), name.removeprefix("file:")
    if path.startswith("/"):
        root, path = Path(path).parent, Path(path).name
    return read_requirements(path, lambda included: read_regular(resolve_inside(root, included), most=MOST_DECLARED))


def _groups(making: Making) -> list[str]:
    groups = ", ".join(making.record.environment.groups)
    return [f"environment.groups ({show(groups, 120)}): a requirements file has no groups"] if groups else []
