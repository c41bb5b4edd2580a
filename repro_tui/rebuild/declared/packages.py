"""The packages that a requirements, lock, conda or project file declares: read as data, not resolved."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from packaging.markers import default_environment
from packaging.utils import canonicalize_name

from repro_tui.formats.conda_files import named, parse_conda, parse_explicit
from repro_tui.formats.conda_locks import archive_package, machine_platform, read_conda_lock
from repro_tui.formats.locks import locked
from repro_tui.formats.locks.misplaced import conda_lock, misplaced
from repro_tui.formats.projects import declared_project
from repro_tui.formats.requirements import (
    LocalProject,
    RequirementLine,
    RequirementsFile,
    read_alone,
    read_requirements,
)
from repro_tui.model.errors import Inconclusive, Mistake
from repro_tui.model.record import Environment
from repro_tui.rebuild.declared.files import DeclaredFiles
from repro_tui.rebuild.environments.builds.project import DECLARATIONS
from repro_tui.rebuild.environments.project import project_lines
from repro_tui.rebuild.environments.resolution import extra_of
from repro_tui.support.redact import strip_urls
from repro_tui.support.text import plural, show

ANY = "any version"
MOST_SHOWN = 3
_VERSION = re.compile(r"\d+\.\d+(\.\d+)?")
# For conda, `=1.26` is any 1.26: only `==`, three numbers or a build name one version.
_CONDA_PIN = re.compile(r"(?:==\s*|=\s*(?=[^=]*(?:=|\.[^=]*\.)))([0-9][^=*,|<>! ]*)(=[^=]*)?")


@dataclass(frozen=True, slots=True)
class DeclaredPackages:
    """Packages by canonical name: the pinned version, else the requirement as it is declared.

    `unpinned` are those that a build may resolve to another version, `left_out` says what could not be read,
    `variables` are those that the file sets, `sources` says what packages of conda are installed from, and `projects`
    are the folders of the commit that are installed, with what is asked for of each.
    """

    versions: dict[str, str] = field(default_factory=dict)
    unpinned: frozenset[str] = frozenset()
    left_out: str = ""
    variables: dict[str, str] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)
    projects: dict[str, str] = field(default_factory=dict)


Pair = tuple[str, str | None, str]  # name, pinned version or None, the requirement as declared


@dataclass(slots=True)
class _Listed:
    """What one file lists."""

    pairs: list[Pair]
    left_out: list[str] = field(default_factory=list)
    variables: dict[str, str] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)
    projects: dict[str, str] = field(default_factory=dict)


def declared_packages(name: str, content: bytes, environment: Environment, files: DeclaredFiles) -> DeclaredPackages:
    """The packages of the file that a Python environment is built from; `files` has those that it includes.

    Raises Inconclusive and Refused where the file cannot be read as what it is, ValueError for a marker that cannot be
    evaluated.
    """
    kind = environment.kind
    readers: dict[str, Callable[[str, bytes, Environment, DeclaredFiles], _Listed]] = {
        "lock": _of_lock,
        "requirements": _of_requirements,
        "conda": _of_conda,
        "project": _of_project,
    }
    if kind in ("requirements", "conda") and (wrong := misplaced(content, kind)):
        raise Inconclusive(f"{show(name, 120)} {wrong[0]}", wrong[1])
    listed = readers[kind](name, content, environment, files)
    versions: dict[str, str] = {
        canonicalize_name(package): pin or declared or ANY for package, pin, declared in listed.pairs
    }
    pinned = {canonicalize_name(package) for package, pin, _ in listed.pairs if pin}
    left_out = "; ".join(listed.left_out)
    sources: dict[str, str] = {canonicalize_name(package): source for package, source in listed.sources.items()}
    unpinned = frozenset(versions.keys() - pinned)
    return DeclaredPackages(versions, unpinned, left_out, listed.variables, sources, listed.projects)


def _of_lock(name: str, content: bytes, environment: Environment, files: DeclaredFiles) -> _Listed:
    """The pins of a lock file, as they apply to the recorded Python."""
    if kind := conda_lock(content):
        return _of_conda_lock(kind, name, content, environment.groups)
    pyproject = files.beside(name, "pyproject.toml")
    lock = locked(content, show(name, 120), _markers(environment), environment.groups, pyproject)
    pins = (line.partition(" ")[0].partition("==") for line in lock.pins)
    return _Listed([(package, version, "") for package, _, version in pins], list(lock.left_out))


def _of_conda_lock(kind: str, name: str, content: bytes, groups: tuple[str, ...]) -> _Listed:
    """The packages of an explicit list by their file names; of other locks those for this machine's platform."""
    if kind == "explicit":
        archives = parse_explicit(content, show(name, 120))
        read = {item.url: archive_package(item.url, item.sha256 or item.md5) for item in archives}
        packages = [package for package in read.values() if package]
        unread = [url.rpartition("/")[2] for url, package in read.items() if package is None]
    else:
        packages = read_conda_lock(kind, content, show(name, 120), groups, machine_platform())
        unread = []
    sources = {package.name: package.source for package in packages}
    return _Listed([(package.name, package.version, "") for package in packages], unread, sources=sources)


def _markers(environment: Environment) -> dict[str, str]:
    """The markers of this machine with the recorded Python, where one is recorded."""
    markers = {str(key): str(value) for key, value in default_environment().items()}
    if environment.python and (match := _VERSION.search(environment.python)):
        full = match.group() if match.group(1) else f"{match.group()}.0"
        markers |= {"python_full_version": full, "python_version": ".".join(full.split(".")[:2])}
    return markers


# -- requirements -----------------------------------------------------------------------------------------------------


def _of_requirements(name: str, content: bytes, environment: Environment, files: DeclaredFiles) -> _Listed:
    """The requirements of a file and of those that it includes, within its constraints, and those of its projects."""
    file = read_requirements(name.removeprefix("file:"), _reader(name, files))
    markers = _markers(environment)
    listed = _Listed(list(_constrained(file, markers)), [*_unread(file.mistakes), *file.ignored])
    for project in file.projects:
        own = _project_in(project, files, markers)
        listed.pairs += own.pairs
        listed.left_out += own.left_out
    listed.projects = _installed(file.projects)
    return listed


def _installed(projects: Iterable[LocalProject]) -> dict[str, str]:
    """The projects of the commit that a file installs: a side that lacks one has another environment."""
    return {
        f"project {show(project.folder, 120)}": f"installed from the commit{extras_text(project.extras)}"
        for project in projects
    }


def extras_text(extras: Iterable[str]) -> str:
    """Extras as they are written after a name: " [a,b]"; "" for none."""
    names = ",".join(sorted(map(canonicalize_name, extras)))
    return f" [{show(names, 120)}]" if names else ""


def _reader(name: str, files: DeclaredFiles) -> Callable[[str], bytes]:
    prefix = "file:" if name.startswith("file:") else ""

    def read(path: str) -> bytes:
        try:
            return files.read(f"{prefix}{path}")
        except Inconclusive as error:
            raise OSError(error.what) from error

    return read


def _unread(mistakes: Sequence[Mistake]) -> list[str]:
    shown = "; ".join(show(f"{mistake.place}: {mistake.message}", 200) for mistake in mistakes[:MOST_SHOWN])
    return [f"{plural(len(mistakes), 'line')} could not be read ({shown})"] if mistakes else []


def _constrained(file: RequirementsFile, markers: dict[str, str]) -> Iterator[Pair]:
    """The requirements with the versions that constraints pin, and constraints on packages that others may need."""
    pairs = _pairs(file.lines, markers)
    limits = {canonicalize_name(name): (pin, text) for name, pin, text in _pairs(file.constraints, markers)}
    for name, pin, text in pairs:
        limit, limit_text = limits.pop(canonicalize_name(name), (None, ""))
        yield name, pin or limit, ", ".join(filter(None, (text, limit_text)))
    for name, (limit, text) in limits.items():
        limited = f"if needed, {text or ANY}"
        yield name, limited if limit else None, limited


def _pairs(lines: Iterable[RequirementLine], markers: dict[str, str]) -> list[Pair]:
    return [
        (line.requirement.name, _pin(line), _asked(line)) for line in lines if extra_of(line.requirement, (), markers)
    ]


def _pin(line: RequirementLine) -> str | None:
    """The one version that a line names, with its extras, which bring further packages; None where it names none."""
    if not line.pinned:
        return None
    return next(iter(line.requirement.specifier)).version + extras_text(line.requirement.extras)


def _asked(line: RequirementLine) -> str:
    """What a line asks for where it names no version: its limits or its address, and its extras."""
    requirement = line.requirement
    limits = strip_urls(requirement.url) if requirement.url else str(requirement.specifier)
    return show(limits + extras_text(requirement.extras), 200).strip()


# -- conda files and projects -----------------------------------------------------------------------------------------


def _of_conda(name: str, content: bytes, environment: Environment, files: DeclaredFiles) -> _Listed:
    """The conda packages of an environment.yml, and those of its list for pip."""
    file = parse_conda(content, show(name, 120))
    pip = read_alone(file.pip_text, show(name, 120))
    pairs: list[Pair] = []
    for package, rest in map(named, file.packages):
        exact = _CONDA_PIN.fullmatch(rest)
        pairs.append((package, exact.group(1) if exact else None, show(rest, 120)))
    unread = [*_unread(pip.mistakes), *pip.ignored]
    listed = _Listed([*pairs, *_pairs(pip.lines, _markers(environment))], unread, file.variables)
    listed.projects = _installed(pip.projects)
    return listed


def _of_project(name: str, content: bytes, environment: Environment, files: DeclaredFiles) -> _Listed:
    """The dependencies that a project's files list, with those of the recorded groups and extras."""
    own = {PurePosixPath(name.removeprefix("file:")).name: content}
    others = {} if name.startswith("file:") else {file: files.beside(name, file) for file in DECLARATIONS}
    groups = tuple(canonicalize_name(group) for group in environment.groups)
    return _Listed(_of_files({**{k: v for k, v in others.items() if v}, **own}, name, groups, _markers(environment)))


def _project_in(project: LocalProject, files: DeclaredFiles, markers: dict[str, str]) -> _Listed:
    """What a project in a folder of the commit needs, for a requirements file that installs it."""
    place = str(PurePosixPath(project.folder) / DECLARATIONS[0])
    read = {file: content for file in DECLARATIONS if (content := files.beside(place, file))}
    extras = tuple(map(canonicalize_name, project.extras))
    try:
        return _Listed(_of_files(read, place, extras, markers))
    except Inconclusive as error:
        return _Listed([], [error.what])


def _of_files(read: dict[str, bytes], name: str, groups: tuple[str, ...], markers: dict[str, str]) -> list[Pair]:
    declared = declared_project(read)
    if declared.dynamic or not read.keys() & set(DECLARATIONS):
        raise Inconclusive(f"the dependencies of {show(name, 120)} are only known when it is built")
    return _pairs(project_lines(name, declared, groups), markers)
