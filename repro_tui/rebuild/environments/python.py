"""Python environments of every kind, once it is known what they contain: resolved, built where need be, and installed.

1. A builder of a kind (requirements.py, lock.py, project.py) says what the environment contains: requirements to be
   resolved or complete pins, and projects of the commit.
2. What has no wheel is built in the sandbox, and so are the projects of the commit.
3. uv installs the pins, the modules are compiled once, and the inventory is read from the installed files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from repro_tui.formats.requirements import RequirementLine
from repro_tui.model.errors import Inconclusive, Refused
from repro_tui.model.inventory import Inventory
from repro_tui.model.record import Record
from repro_tui.model.workspace import BuiltEnvironment, CodeTree, Match, Part
from repro_tui.rebuild.environments.base import rebuild_environment
from repro_tui.rebuild.environments.builds.project import BuiltProject, built_project, without_package
from repro_tui.rebuild.environments.moment import resolved_at
from repro_tui.rebuild.environments.python_choice import chosen_interpreter
from repro_tui.rebuild.environments.pythons.interpreters import Interpreter
from repro_tui.rebuild.environments.resolution import ResolvedAt, declared_lines, extra_of, resolved_pins, with_wheels
from repro_tui.rebuild.environments.seeds import seed_pin
from repro_tui.rebuild.environments.venv import inventory_of_venv, made_environment, pin_name, pin_version
from repro_tui.support.context import Context, Step
from repro_tui.support.paths import beside_record, resolve_inside
from repro_tui.support.regular import MOST_DECLARED, NotRegularError, read_regular
from repro_tui.support.text import plural, show

__all__ = ["made_environment", "pin_name", "rebuild_python_environment"]


@dataclass(slots=True)
class PythonContents:
    """What a Python environment contains.

    `lines` are requirements to be resolved with all that they need, within the `constraints`; or `pins` are complete.
    `projects` are folders, relative to that of the code, whose projects are installed, each with its extras; `needed`:
    what they need is resolved as well. `seeded`: the tool that makes such environments adds setuptools below Python
    3.12. `left_out` are sentences about what is not honoured.
    """

    lines: list[RequirementLine] = field(default_factory=list)
    constraints: list[RequirementLine] = field(default_factory=list)
    pins: tuple[str, ...] = ()
    projects: dict[str, tuple[str, ...]] = field(default_factory=dict)
    needed: bool = False
    seeded: bool = False
    left_out: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Making:
    """What one environment is made with."""

    record: Record
    code: CodeTree | None
    interpreter: Interpreter
    time: ResolvedAt
    step: Step
    context: Context


ReadContents = Callable[[Making], PythonContents]


def rebuild_python_environment(
    record: Record, code: CodeTree | None, context: Context
) -> tuple[BuiltEnvironment, Part]:
    """The environment of a record, by the builder of its kind. Raises Inconclusive, Refused and Cancelled."""
    return rebuild_environment(record, code, context)


def python_environment(
    name: str, read: ReadContents, record: Record, code: CodeTree | None, context: Context
) -> tuple[BuiltEnvironment, Part]:
    """The environment whose contents `read` finds in the file `name`, and how it was obtained.

    Raises Inconclusive where the file, the interpreter or a package is not available, and Refused for a file with lines
    that could redirect or execute something.
    """
    with context.step("environment", f"rebuilding it from {show(name, 120)}") as step:
        time = resolved_at(record, code, step, context)
        interpreter, chosen = chosen_interpreter(record, code, time.as_of, step, context)
        making = Making(record, code, interpreter, time, step, context)
        contents = read(making)
        _leave_out(contents, making)
        for sentence in contents.left_out:
            step.warn(sentence)
        pins, notes = _all_pins(contents, making)
        built = made_environment(pins, interpreter, step, context, compiled=True)
        inventory = inventory_of_venv(built, interpreter, record.environment.variables, context)
        step.key, step.matches = built.key, _matches(pins, inventory, step)
        packages = f"{plural(len(inventory.python_packages), 'package')} from {show(name, 120)}"
        step.how = "; ".join([f"{packages}, Python {interpreter.version}{chosen}", *notes])
    built = replace(built, inventory=inventory, variables=record.environment.variables)
    return replace(built, projects=tuple(contents.projects), as_of=time.as_of), step.part()


def _leave_out(contents: PythonContents, making: Making) -> None:
    """Leaves out the projects that their own tool does not install either."""
    for folder in list(contents.projects):
        why = without_package(folder, making.code) if making.code and not contents.needed else ""
        if why:
            del contents.projects[folder]
            contents.left_out.append(why)


def _all_pins(contents: PythonContents, making: Making) -> tuple[list[str], list[str]]:
    """The pins of everything that is installed, and what the step says of it."""
    step, context = making.step, making.context
    projects = [_project(folder, making) for folder in contents.projects]
    notes = [f"{', '.join(project.name for project in projects)} built from the commit"] if projects else []
    own = {pin_name(project.pin) for project in projects}
    if contents.pins:
        pins = with_wheels(contents.pins, making.time, making.interpreter, step, context)
    else:
        lines = [*contents.lines, *_needed(contents, projects, making)]
        lines = [line for line in lines if pin_name(line.requirement.name) not in own]
        _warn_unpinned(lines, step)
        pins = resolved_pins(lines, contents.constraints, making.time, making.interpreter, step, context)
    pins = [pin for pin in pins if pin_name(pin) not in own] + [project.pin for project in projects]
    seed = seed_pin(pins, making.interpreter) if contents.seeded else None
    if seed:
        notes.append(f"setuptools {pin_version(seed)} as venv adds it")
    return sorted([*pins, *([seed] if seed else [])]), notes


def _project(folder: str, making: Making) -> BuiltProject:
    if making.code is None:
        raise Inconclusive(
            "the environment contains a project of the commit, but the record has no code",
            "record code.repository and code.commit",
        )
    return built_project(folder, making.code, making.time.as_of, making.interpreter, making.step, making.context)


def _needed(contents: PythonContents, projects: list[BuiltProject], making: Making) -> Iterable[RequirementLine]:
    """What the projects of the commit need, by the metadata of their wheels, with the extras that are asked for."""
    if not contents.needed:
        return
    for project, extras in zip(projects, contents.projects.values(), strict=True):
        _check_extras(project, extras)
        try:
            lines = declared_lines(project.requires)
        except ValueError as error:
            raise Inconclusive(f"{project.name} cannot be installed: {error}", "correct its dependencies") from error
        for line in lines:
            if extra_of(line.requirement, extras, making.interpreter.markers):
                line.requirement.marker = None  # uv would not know of the extras
                yield line


def _check_extras(project: BuiltProject, extras: tuple[str, ...]) -> None:
    absent = [extra for extra in extras if canonicalize_name(extra) not in project.extras]
    if absent:
        has = f"it has {show(', '.join(project.extras), 300)}" if project.extras else "it has none"
        raise Inconclusive(
            f"the project {project.name} has no group or extra {show(', '.join(absent), 120)}: {has}",
            "correct the names of its extras",
        )


def _warn_unpinned(lines: list[RequirementLine], step: Step) -> None:
    for line in lines:
        if not line.pinned:
            place = f"{line.file}: line {line.number}: " if line.number else ""
            step.warn(f"{place}{show(str(line.requirement), 120)} is not pinned")


def applicable(lines: Iterable[RequirementLine], name: str, interpreter: Interpreter) -> list[RequirementLine]:
    """The lines whose markers hold for an interpreter. Raises Refused for a marker that compares what has no order."""
    try:
        return [line for line in lines if extra_of(line.requirement, (), interpreter.markers)]
    except ValueError as error:
        raise Refused(f"{name}: {show(error, 300)}") from error


def read_file(name: str, record: Record, code: CodeTree | None) -> bytes:
    """A file of the commit, or below the record's folder (`file:PATH`). Raises Inconclusive where it is not there."""
    path = name.removeprefix("file:")
    try:
        if name.startswith("file:"):
            return read_regular(beside_record(record.base, path), most=MOST_DECLARED)
        return read_regular(resolve_inside(folder_of(name, record, code), path), most=MOST_DECLARED)
    except NotRegularError as error:
        raise Inconclusive(f"{show(name, 200)} cannot be read: {error.strerror}", "record another file") from error
    except (OSError, ValueError) as error:
        if name.startswith("file:"):
            raise Inconclusive(
                f"{path} cannot be read below {record.base}", "restore it there, or correct the record"
            ) from error
        commit = code.commit if code else ""
        raise Inconclusive(f"{name} is not in the commit {commit}", "commit it, or correct the record") from error


def folder_of(name: str, record: Record, code: CodeTree | None) -> Path:
    """The folder that the path of a recorded file is relative to."""
    if name.startswith("file:"):
        return Path(record.base)
    if code is None:
        raise Inconclusive(
            f"{name} is in the commit's tree, but the record has no code", "record code.repository and code.commit"
        )
    return Path(code.folder) / code.subdirectory


def _matches(pins: list[str], inventory: Inventory, step: Step) -> Match:
    """Whether the installed versions are the pinned ones."""
    pinned = {pin_name(pin): pin_version(pin) for pin in pins}
    installed = {name: package.version for name, package in inventory.python_packages.items()}
    mismatches = [
        f"{name} {installed.get(name, 'absent')}"
        for name, version in pinned.items()
        if not _is_version(installed.get(name), version)
    ]
    if mismatches:
        step.warn(f"installed versions differ from the recorded ones: {show(', '.join(mismatches), 300)}")
        return "differs"
    return "unknown" if step.warnings else "matches"


def _is_version(installed: str | None, version: str) -> bool:
    try:
        return installed is not None and Version(installed) == Version(version)
    except InvalidVersion:
        return installed == version
