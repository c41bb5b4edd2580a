"""Environments from a project without a lock: its dependencies resolved as of the commit, and the project itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath

from packaging.utils import canonicalize_name

from repro_tui.formats.projects import DeclaredProject, declared_project
from repro_tui.formats.requirements import RequirementLine
from repro_tui.model.errors import Inconclusive
from repro_tui.model.record import Record
from repro_tui.model.workspace import BuiltEnvironment, CodeTree, Part
from repro_tui.rebuild.environments.builds.project import DECLARATIONS, read_project
from repro_tui.rebuild.environments.python import Making, PythonContents, applicable, python_environment, read_file
from repro_tui.rebuild.environments.resolution import declared_lines
from repro_tui.support.context import Context
from repro_tui.support.text import show


class ProjectBuilder:
    """Rebuilds `environment.project`."""

    def rebuild(self, record: Record, code: CodeTree | None, context: Context) -> tuple[BuiltEnvironment, Part]:
        """See base.EnvironmentBuilder."""
        name = record.environment.project or ""
        return python_environment(name, lambda making: _contents(name, making), record, code, context)


def _contents(name: str, making: Making) -> PythonContents:
    folder = str(PurePosixPath(name.removeprefix("file:")).parent)
    is_committed = not name.startswith("file:")
    declared = declared_project(_files(name, folder, making))
    contents = PythonContents(seeded=True)
    groups: list[str] = [canonicalize_name(group) for group in making.record.environment.groups]
    if declared.dynamic and not (is_committed and declared.installable):
        raise Inconclusive(
            f"the dependencies of {show(name, 120)} are only known to its build, which it does not name",
            "commit a lock file or a requirements file, and record it",
        )
    if is_committed and declared.installable:
        contents.projects = {folder: tuple(group for group in groups if group not in declared.groups)}
        contents.needed = declared.dynamic
    else:
        contents.left_out.append(
            f"{show(name, 120)} does not say how it is built, so the project itself is not installed"
        )
    contents.lines = applicable(project_lines(name, declared, groups), name, making.interpreter)
    return contents


def _files(name: str, folder: str, making: Making) -> dict[str, bytes]:
    content = read_file(name, making.record, making.code)
    if making.code is not None and not name.startswith("file:"):
        files = read_project(making.code, folder)
        if PurePosixPath(name).name in files:
            return files
    base = PurePosixPath(name.removeprefix("file:")).name
    if base not in DECLARATIONS:
        raise Inconclusive(
            f"{show(name, 120)} is none of {', '.join(DECLARATIONS)}", "record one of these as environment.project"
        )
    return {base: content}


def project_lines(name: str, declared: DeclaredProject, groups: Sequence[str]) -> list[RequirementLine]:
    """The requirements of a project and of the groups, by their normalised names, that are asked for.

    Raises Inconclusive for a group that it does not have, and for what is not a requirement from an index.
    """
    unknown = [group for group in groups if group not in declared.groups]
    if unknown and not declared.dynamic:
        names = ", ".join(sorted(declared.groups)) or "none"
        raise Inconclusive(
            f"{show(name, 120)} has no group or extra {show(', '.join(unknown), 120)}: it has {show(names, 300)}",
            "correct environment.groups",
        )
    texts = [] if declared.dynamic else [*declared.dependencies]
    texts += [text for group in groups for text in declared.groups.get(group, ())]
    try:
        return list(_expanded(declared_lines(list(dict.fromkeys(texts))), declared))
    except ValueError as error:
        raise Inconclusive(f"{show(name, 120)}: {error}", "record what an index has, or an image") from error


def _expanded(lines: list[RequirementLine], declared: DeclaredProject) -> Iterator[RequirementLine]:
    """The lines, with those that name extras of the project itself (`NAME[test]`) replaced by what these contain."""
    own, pending, seen = canonicalize_name(declared.name), list(lines), set[str]()
    while pending:
        line = pending.pop(0)
        if canonicalize_name(line.requirement.name) != own:
            yield line
            continue
        for extra in sorted(map(canonicalize_name, line.requirement.extras - seen)):
            seen.add(extra)
            pending += declared_lines(declared.groups.get(extra, ()))
