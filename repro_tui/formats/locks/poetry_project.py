"""What a Poetry project's pyproject.toml requires, and which packages of an older poetry.lock that comes to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from repro_tui.formats.locks.base import Document, Wanted, applies
from repro_tui.formats.locks.closure import Candidate, Closure, Need
from repro_tui.formats.locks.poetry_versions import allows
from repro_tui.model.errors import Inconclusive

# Poetry left these out of its locks, whoever needed them.
UNSAFE = frozenset({"setuptools", "distribute", "pip", "wheel"})
PLATFORMS = {"linux": "sys_platform == 'linux'", "darwin": "sys_platform == 'darwin'"}


@dataclass(frozen=True)
class PoetryProject:
    """A parsed pyproject.toml."""

    document: Document

    @property
    def poetry(self) -> Document:
        """Its own table of Poetry."""
        table = self.document.get("tool", {}).get("poetry", {})
        if not isinstance(table, dict):
            raise TypeError("tool.poetry in pyproject.toml is not a table")
        return table

    @property
    def is_package(self) -> bool:
        """Whether Poetry installs the project itself."""
        named = self.poetry.get("name") or self.document.get("project", {}).get("name")
        return bool(named) and self.poetry.get("package-mode", True) is not False

    @property
    def groups(self) -> dict[str, Document]:
        """Its dependency groups and their dependencies, in Poetry's notation."""
        groups: dict[str, Document] = {}
        for name, group in self.poetry.get("group", {}).items():
            groups[canonicalize_name(name)] = group.get("dependencies", {})
        if "dev-dependencies" in self.poetry:
            groups.setdefault("dev", {})
            groups["dev"] = {**self.poetry["dev-dependencies"], **groups["dev"]}
        return groups

    @property
    def extras(self) -> dict[str, list[str]]:
        """Its extras, and the requirements or names of packages that each has."""
        standard = self.document.get("project", {}).get("optional-dependencies", {})
        extras = {**standard, **self.poetry.get("extras", {})}
        return {canonicalize_name(name): list(needs) for name, needs in extras.items()}

    def needed(self, packages: list[Document], wanted: Wanted) -> list[Document]:
        """The locked packages that the main dependencies need, with those of the wanted groups and extras."""
        if not self.poetry and not self.document.get("project"):
            raise Inconclusive(
                f"{wanted.name} is of an older version of Poetry, which does not say what the project itself requires",
                "commit its pyproject.toml next to it, or lock it with Poetry 2",
            )
        wanted.known({*self.groups, *self.extras})
        candidates: dict[str, list[Candidate]] = {}
        for package in packages:
            if _fits(package, wanted):
                candidate = Candidate(package["version"], package, _PoetryNeeds(package, wanted))
                candidates.setdefault(canonicalize_name(package["name"]), []).append(candidate)
        closure = Closure(wanted, candidates, "lock it again with  poetry lock", UNSAFE)
        return closure.packages(self._roots(wanted))

    def _roots(self, wanted: Wanted) -> Iterator[Need]:
        optional = {_bare(text) for extra in wanted.groups for text in self.extras.get(extra, ())}
        tables = [self.poetry.get("dependencies", {}), *(self.groups.get(group, {}) for group in wanted.groups)]
        for table in tables:
            for name, constraint in table.items():
                if canonicalize_name(name) != "python":
                    yield from _needs(name, constraint, wanted, (), optional)
        standard = self.document.get("project", {})
        texts = [*standard.get("dependencies", [])]
        texts += [text for extra in wanted.groups for text in standard.get("optional-dependencies", {}).get(extra, [])]
        for requirement in map(Requirement, texts):
            if applies(str(requirement.marker or ""), wanted.markers):
                yield Need(
                    canonicalize_name(requirement.name),
                    tuple(sorted(requirement.extras)),
                    partial(_satisfies, requirement),
                )


@dataclass(frozen=True)
class _PoetryNeeds:
    """What a locked package needs."""

    package: Document
    wanted: Wanted

    def __call__(self, extras: tuple[str, ...]) -> Iterable[Need]:
        named = {canonicalize_name(extra): texts for extra, texts in self.package.get("extras", {}).items()}
        optional = {_bare(text) for extra in extras for text in named.get(canonicalize_name(extra), ())}
        for name, constraint in self.package.get("dependencies", {}).items():
            yield from _needs(name, constraint, self.wanted, extras, optional)


def _needs(name: str, constraint: Any, wanted: Wanted, extras: Iterable[str], optional: set[str]) -> Iterator[Need]:
    """The parts of a dependency in Poetry's notation that apply: a constraint, a table of one, or a list of these."""
    for part in constraint if isinstance(constraint, list) else [constraint]:
        table = {"version": part} if isinstance(part, str) else part
        key = canonicalize_name(name)
        if table.get("optional") and key not in optional:
            continue
        python = wanted.markers.get("python_full_version")
        if python and not allows(table.get("python", "*"), python):
            continue
        platform = PLATFORMS.get(table.get("platform", ""), "")
        if not all(applies(marker, wanted.markers, extras) for marker in (table.get("markers"), platform)):
            continue
        yield Need(key, tuple(sorted(table.get("extras", ()))), partial(allows, table.get("version", "*")))


def _fits(package: Document, wanted: Wanted) -> bool:
    python = wanted.markers.get("python_full_version")
    marker = package.get("marker")  # the first version of the format had one
    fits = not python or allows(package.get("python-versions", "*"), python)
    return fits and applies(marker, wanted.markers)


def _bare(text: str) -> str:
    """The normalised name in `name`, `name (>=1)` or `name[extra]>=1`."""
    return canonicalize_name(Requirement(text).name)


def _satisfies(requirement: Requirement, version: str) -> bool:
    return requirement.specifier.contains(version, prereleases=True)
