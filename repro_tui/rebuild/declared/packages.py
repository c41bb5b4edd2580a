"""The packages that a requirements, lock, conda or project file declares: read as data, not resolved."""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from packaging.markers import Marker, default_environment
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from repro_tui.formats.lock_files import locked
from repro_tui.formats.parameter_files import parse
from repro_tui.formats.requirements import RequirementLine, parse_requirements
from repro_tui.model.errors import Inconclusive
from repro_tui.model.record import Environment
from repro_tui.support.redact import strip_urls
from repro_tui.support.text import plural, show

ANY = "any version"
_VERSION = re.compile(r"\d+\.\d+(\.\d+)?")
_CONDA = re.compile(r"(?:[\w./-]+::)?([A-Za-z0-9._-]+)\s*(.*)")
_CONDA_PIN = re.compile(r"={1,2}\s*([0-9][^=*,|<>! ]*)(=[^=]*)?")
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


@dataclass(frozen=True, slots=True)
class DeclaredPackages:
    """Packages by canonical name: the pinned version, else the requirement as it is declared.

    `unpinned` are those that a build may resolve to another version, and `left_out` says what could not be read.
    """

    versions: dict[str, str] = field(default_factory=dict)
    unpinned: frozenset[str] = frozenset()
    left_out: str = ""


Pairs = list[tuple[str, str | None, str]]  # name, pinned version or None, the requirement as declared


def declared_packages(kind: str, name: str, content: bytes, environment: Environment) -> DeclaredPackages:
    """The packages of the file that an environment of this kind is built from.

    Raises Inconclusive where the file cannot be read as what it is.
    """
    readers: dict[str, Callable[[str, bytes, Environment], tuple[Pairs, str]]] = {
        "lock": _of_lock,
        "requirements": _of_requirements,
        "conda": _of_conda,
        "project": _of_project,
    }
    pairs, left_out = readers[kind](name, content, environment)
    versions: dict[str, str] = {canonicalize_name(package): pin or declared or ANY for package, pin, declared in pairs}
    pinned = {canonicalize_name(package) for package, pin, _ in pairs if pin}
    return DeclaredPackages(versions, frozenset(versions.keys() - pinned), left_out)


def _of_lock(name: str, content: bytes, environment: Environment) -> tuple[Pairs, str]:
    """The pins of a lock file, as they apply to the recorded Python."""
    pins = (line.partition(" ")[0].partition("==") for line in locked(content, show(name, 120), _markers(environment)))
    return [(package, version, "") for package, _, version in pins], ""


def _markers(environment: Environment) -> dict[str, str]:
    """The markers of this machine with the recorded Python, where one is recorded."""
    markers = {str(key): str(value) for key, value in default_environment().items()}
    if environment.python and (match := _VERSION.search(environment.python)):
        full = match.group() if match.group(1) else f"{match.group()}.0"
        markers |= {"python_full_version": full, "python_version": ".".join(full.split(".")[:2])}
    return markers


def _of_requirements(name: str, content: bytes, environment: Environment) -> tuple[Pairs, str]:
    lines, mistakes = parse_requirements(_text(content), show(name, 120))
    markers = _markers(environment)
    pairs = [_pair(line.requirement, _pin(line)) for line in lines if _applies(line.requirement, markers)]
    shown = "; ".join(show(f"{mistake.place}: {mistake.message}", 200) for mistake in mistakes[:3])
    return pairs, f"{plural(len(mistakes), 'line')} could not be read ({shown})" if mistakes else ""


def _pin(line: RequirementLine) -> str | None:
    return next(iter(line.requirement.specifier)).version if line.pinned else None


def _pair(requirement: Requirement, pin: str | None) -> tuple[str, str | None, str]:
    return requirement.name, pin, show(str(requirement.specifier), 120)


def _applies(requirement: Requirement, markers: dict[str, str]) -> bool:
    marker: Marker | None = requirement.marker
    return marker is None or marker.evaluate({**markers, "extra": ""})


def _text(content: bytes) -> str:
    """The text of a requirements file: UTF-8 with or without a byte-order mark, or UTF-16 with one."""
    return content.decode("utf-16" if content.startswith(_UTF16) else "utf-8-sig", "replace")


def _of_conda(name: str, content: bytes, environment: Environment) -> tuple[Pairs, str]:
    """The conda packages of an environment.yml, and those of its list for pip."""
    dependencies = parse(content, ".yaml", show(name, 120)).get("dependencies")
    pairs: Pairs = []
    left_out = ""
    for entry in dependencies if isinstance(dependencies, list) else ():
        if isinstance(entry, dict):
            listed = entry.get("pip")
            text = "\n".join(map(str, listed)) if isinstance(listed, list) else ""
            own, left_out = _of_requirements(name, text.encode(), environment)
            pairs += own
        elif "://" not in str(entry) and (match := _CONDA.fullmatch(str(entry).strip())):
            package, rest = match.groups()
            exact = _CONDA_PIN.fullmatch(rest)
            pairs.append((package, exact.group(1) if exact else None, show(rest, 120)))
    return pairs, left_out


def _of_project(name: str, content: bytes, environment: Environment) -> tuple[Pairs, str]:
    """The dependencies of a pyproject.toml, with those of the recorded groups and extras."""
    if PurePosixPath(name.removeprefix("file:")).suffix != ".toml":
        raise Inconclusive(f"the dependencies of {show(name, 120)} are only known when it is built")
    document = parse(content, ".toml", show(name, 120))
    project = _table(document, "project")
    chosen = [project.get("dependencies")]
    for table in (_table(project, "optional-dependencies"), _table(document, "dependency-groups")):
        chosen += [table.get(group) for group in environment.groups]
    entries = [entry for listed in chosen if isinstance(listed, list) for entry in listed]
    dynamic = project.get("dynamic")
    if not project or (isinstance(dynamic, list) and "dependencies" in dynamic):
        raise Inconclusive(f"{show(name, 120)} does not list its dependencies under [project]")
    return _requirements(entries, _markers(environment))


def _requirements(entries: Iterable[object], markers: dict[str, str]) -> tuple[Pairs, str]:
    pairs: Pairs = []
    unread = []
    for entry in entries:
        try:
            requirement = Requirement(str(entry))
        except InvalidRequirement:
            unread.append(show(strip_urls(str(entry)), 80))
            continue
        if _applies(requirement, markers):
            pairs.append(_pair(requirement, _pin(RequirementLine(0, requirement))))
    return pairs, f"{plural(len(unread), 'requirement')} could not be read ({', '.join(unread[:3])})" if unread else ""


def _table(document: dict[str, object], name: str) -> dict[str, object]:
    table = document.get(name)
    return table if isinstance(table, dict) else {}
