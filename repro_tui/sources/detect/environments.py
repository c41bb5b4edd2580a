"""The files that describe an environment: the nearest to the code first, and of those the most exact."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from repro_tui.model.record import EnvironmentKind
from repro_tui.sources.detect.tree import ProjectTree, basename, depth_first, distance, parent

NO_ENVIRONMENT = (
    "the commit has no lock file, requirements file, environment.yml, Dockerfile, pyproject.toml or setup.py that "
    "names packages"
)
# Names and patterns of names, each with its kind, the most exact first.
_PATTERNS: tuple[tuple[EnvironmentKind, str], ...] = (
    ("lock", r"uv\.lock"),
    ("lock", r"pylock(\.[A-Za-z0-9_-]+)?\.toml"),
    ("lock", r"poetry\.lock"),
    ("lock", r"pdm\.lock"),
    ("lock", r"Pipfile\.lock"),
    ("lock", r"pixi\.lock"),
    ("lock", r"([\w.-]+[.-])?conda-lock\.ya?ml"),
    ("requirements", r"requirements\.txt"),
    ("requirements", r"[\w.-]*requirements[\w.-]*\.txt"),
    ("conda", r"environment\.ya?ml"),
    ("conda", r"(env|[\w.-]*(conda|environment|dependencies)[\w.-]*)\.ya?ml"),
    ("dockerfile", r"Dockerfile"),
    ("dockerfile", r"Dockerfile\.[\w-]+|[\w-]+\.[Dd]ockerfile|Containerfile"),
    ("project", r"pyproject\.toml"),
    ("project", r"setup\.cfg"),
    ("project", r"setup\.py"),
)
_NAMES = tuple((kind, re.compile(pattern)) for kind, pattern in _PATTERNS)
_REQUIREMENTS_FOLDER = re.compile(r"(^|/)requirements/[\w.-]+\.txt$")
_FOR_OTHERS = re.compile(r"(^|[^a-z])(dev|devel|test|tests|testing|docs?|lint|ci|build|style|examples?)([^a-z]|$)")
# Kinds that are chosen only where there is no better one, however near they are.
_CLASSES: dict[EnvironmentKind, int] = {"dockerfile": 1, "project": 2}


@dataclass(frozen=True, slots=True)
class EnvironmentFile:
    """A file that can describe the environment: the field of the record, and its path in the project's folder.

    `rank` sorts: the lower, the likelier.
    """

    kind: EnvironmentKind
    path: str
    rank: tuple[int, int, int, tuple[int, str]] = (0, 0, 0, (0, ""))


def environment_files(tree: ProjectTree, code: str = ".") -> list[EnvironmentFile]:
    """The files that describe an environment of code in the folder `code`, the likeliest first."""
    return sorted(_candidates(tree, code), key=lambda file: file.rank)


def _candidates(tree: ProjectTree, code: str) -> Iterator[EnvironmentFile]:
    for path in tree.files:
        kind, exactness = kind_of(path)
        if kind is None or not _describes(tree, kind, path):
            continue
        folder = parent(path)
        if _REQUIREMENTS_FOLDER.search(path):
            folder = parent(folder)
        others = 4 if _FOR_OTHERS.search(path.lower()) else 0
        group = others + _CLASSES.get(kind, 0)
        yield EnvironmentFile(kind, path, (group, distance(folder, code), exactness, depth_first(path)))


def kind_of(path: str) -> tuple[EnvironmentKind | None, int]:
    """The field of the record for a file of this name, and how exact it is (0: the most); None for any other file."""
    name = basename(path)
    for exactness, (kind, pattern) in enumerate(_NAMES):
        if pattern.fullmatch(name):
            return kind, exactness
    return ("requirements", 8) if _REQUIREMENTS_FOLDER.search(path) else (None, 0)


def _describes(tree: ProjectTree, kind: EnvironmentKind, path: str) -> bool:
    """Whether a file with an ambiguous name is what its name suggests."""
    if kind == "conda":
        return isinstance(tree.table(path).get("dependencies"), list)
    name = basename(path)
    if name == "pyproject.toml":
        return _names_packages(tree.table(path))
    if name == "setup.cfg":
        return "install_requires" in tree.text(path)
    return name != "setup.py" or "setup(" in tree.text(path)


def _names_packages(document: dict[str, object]) -> bool:
    """Whether a pyproject.toml names a project's dependencies, and not only the settings of tools."""
    project, tool = document.get("project"), document.get("tool")
    poetry = tool.get("poetry") if isinstance(tool, dict) else None
    return isinstance(project, dict) or (isinstance(poetry, dict) and "dependencies" in poetry)
