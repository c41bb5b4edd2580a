"""The version of Python that a commit names, exactly or as a range, and the one that a range most likely meant."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import date

from repro_tui.formats.locks.poetry_versions import allows as poetry_allows
from repro_tui.formats.projects import declared_project
from repro_tui.formats.python_versions import RELEASED, mature_from, pinned_version
from repro_tui.model.errors import Inconclusive
from repro_tui.sources.detect.tree import ProjectTree, basename, depth_first, distance, parent

_PROJECTS = ("pyproject.toml", "setup.cfg", "setup.py")  # these say what is allowed; .python-version, what is used
_FROM = re.compile(r"^\s*FROM\s+(?:--\S+\s+)*(?:\S*/)?python:(3\.[0-9]+(?:\.[0-9]+)?)", re.IGNORECASE | re.MULTILINE)
_BARE = re.compile(r"[0-9]+(\.[0-9]+)?")
_CONDA = re.compile(r"python\s*={1,2}\s*(3\.[0-9]+(?:\.[0-9]+)?)(\.\*)?(=\S*)?")
_POETRY_LOCK = re.compile(r'^python-versions\s*=\s*"([^"]*)"', re.MULTILINE)


@dataclass(frozen=True, slots=True)
class NamedPython:
    """What one file says of the version: `version` where it names exactly one, else the `range` that it allows."""

    path: str
    version: str | None = None
    range: str = ""


def named_pythons(tree: ProjectTree, code: str = ".", environment: str = "") -> list[NamedPython]:
    """What the files say of the version: exact ones first, and of those the nearest to the code.

    A file that describes the whole `environment` goes before its neighbours: a Dockerfile may name another version.
    """

    def rank(item: NamedPython) -> tuple[bool, bool, int, tuple[int, str]]:
        is_own = item.path == environment and basename(item.path) not in _PROJECTS
        return item.version is None, not is_own, distance(parent(item.path), code), depth_first(item.path)

    return sorted(_all(tree), key=rank)


def likely_python(ranges: list[NamedPython], day: date, installed: Collection[str] = ()) -> str:
    """The newest version that all ranges allow and that had matured on that day.

    Of `installed` versions that are allowed as well, the nearest to it.
    """
    versions = list(RELEASED)
    allowed = [version for version in versions if all(allows(item.range, version) for item in ranges)]
    mature = [version for version in allowed if (ready := mature_from(version)) and day >= ready]
    likely = (mature or allowed[:1] or ["3.12"])[-1]
    here = [version for version in allowed if version in installed]
    return min(here, key=lambda version: abs(versions.index(version) - versions.index(likely)), default=likely)


def exact_version(text: str) -> str | None:
    """A version of Python such as 3.11 or 3.11.7; None where the text is anything else."""
    numbers = text.split(".")
    return text if 2 <= len(numbers) <= 3 and numbers[0] == "3" and all(n.isdecimal() for n in numbers) else None


def allows(text: str, version: str) -> bool:
    """Whether a range (PEP 440, or Poetry's notation) allows some release of a version such as 3.11."""
    constraint = f"{text.strip()}.*" if _BARE.fullmatch(text.strip()) else text
    try:
        return any(poetry_allows(constraint, f"{version}.{patch}") for patch in (0, 5, 10, 30))
    except ValueError:
        return True


# -- the files ------------------------------------------------------------------------------------------------------


def _all(tree: ProjectTree) -> Iterator[NamedPython]:
    for path in list(tree.files):
        reader = _READERS.get(basename(path)) or _reader_of_ending(path)
        text = reader(tree, path) if reader else ""
        if text:
            yield _named(path, text)


def _named(path: str, text: str) -> NamedPython:
    version = exact_version(text.removeprefix("===").removeprefix("==").strip().removesuffix(".*"))
    return NamedPython(path, version, text)


def _reader_of_ending(path: str) -> Callable[[ProjectTree, str], str] | None:
    name = basename(path).lower()
    if name.endswith((".yml", ".yaml")) and re.search(r"conda|env|dependencies", name) and "lock" not in name:
        return _conda
    return _dockerfile if name.startswith("dockerfile") else None


def _pinned(tree: ProjectTree, path: str) -> str:
    return pinned_version(tree.text(path)) or ""


def _pyproject(tree: ProjectTree, path: str) -> str:
    document = tree.table(path)
    project = document.get("project")
    if isinstance(project, dict) and isinstance(project.get("requires-python"), str):
        return str(project["requires-python"])
    tool = document.get("tool")
    poetry = tool.get("poetry") if isinstance(tool, dict) else None
    dependencies = poetry.get("dependencies") if isinstance(poetry, dict) else None
    python = dependencies.get("python") if isinstance(dependencies, dict) else None
    return python if isinstance(python, str) else ""


def _setup(tree: ProjectTree, path: str) -> str:
    try:
        return declared_project({basename(path): tree.content(path)}).python
    except Inconclusive:
        return ""


def _poetry_lock(tree: ProjectTree, path: str) -> str:
    matches = _POETRY_LOCK.findall(tree.text(path)[-4000:])
    return str(matches[-1]) if matches else ""


def _pipfile(tree: ProjectTree, path: str) -> str:
    requires = tree.table(path, ".toml").get("requires")
    return _of_requires(requires)


def _pipfile_lock(tree: ProjectTree, path: str) -> str:
    meta = tree.table(path, ".json").get("_meta")
    return _of_requires(meta.get("requires") if isinstance(meta, dict) else None)


def _of_requires(requires: object) -> str:
    table = requires if isinstance(requires, dict) else {}
    return str(table.get("python_full_version") or table.get("python_version") or "")


def _conda(tree: ProjectTree, path: str) -> str:
    dependencies = tree.table(path).get("dependencies")
    for item in dependencies if isinstance(dependencies, list) else []:
        if isinstance(item, str) and (match := _CONDA.fullmatch(item.strip().rpartition("::")[2])):
            return match.group(1)
        if isinstance(item, str) and (match := re.fullmatch(r"python\s*([<>!].*)", item.strip())):
            return match.group(1)
    return ""


def _dockerfile(tree: ProjectTree, path: str) -> str:
    versions = _FROM.findall(tree.text(path))
    return str(versions[-1]) if versions else ""


def _python_env(tree: ProjectTree, path: str) -> str:
    return exact_version(str(tree.table(path).get("python", ""))) or ""


_READERS: dict[str, Callable[[ProjectTree, str], str]] = {
    ".python-version": _pinned,
    "runtime.txt": _pinned,
    "pyproject.toml": _pyproject,
    "setup.cfg": _setup,
    "setup.py": _setup,
    "poetry.lock": _poetry_lock,
    "Pipfile": _pipfile,
    "Pipfile.lock": _pipfile_lock,
    "python_env.yaml": _python_env,
}
