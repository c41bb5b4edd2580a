"""Projects of a commit, built to wheels: the project itself, and members of its workspace."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from email.parser import HeaderParser
from pathlib import Path, PurePosixPath

from packaging.utils import canonicalize_name

from repro_tui.formats.projects import DeclaredProject, build_requirements, declared_project, package_of_poetry
from repro_tui.model.errors import Inconclusive
from repro_tui.model.workspace import CodeTree
from repro_tui.rebuild.environments.builds.wheel import BuildSource, built_wheel
from repro_tui.rebuild.environments.pythons.interpreters import Interpreter
from repro_tui.rebuild.environments.venv import PROJECT_WHEELS, wheel_of
from repro_tui.support.context import Context, Step
from repro_tui.support.paths import resolve_inside
from repro_tui.support.regular import MOST_DECLARED, read_regular
from repro_tui.support.text import show

DECLARATIONS = ("pyproject.toml", "setup.cfg", "setup.py")
LARGEST_METADATA = 16 << 20
# A commit's tree has no tags, from which these would read the version.
UNTAGGED = "0.0.0"
_VERSIONS_OF_TAGS = ("setuptools-scm", "setuptools_scm", "hatch-vcs", "pdm-backend", "pbr", "dynamic-versioning")
_VARIABLES = dict.fromkeys(
    ("SETUPTOOLS_SCM_PRETEND_VERSION", "PDM_BUILD_SCM_VERSION", "PBR_VERSION", "POETRY_DYNAMIC_VERSIONING_BYPASS"),
    UNTAGGED,
)


@dataclass(frozen=True, slots=True)
class BuiltProject:
    """A project of the commit as it is installed: its pin, and what its metadata says that it needs and has."""

    pin: str
    name: str
    requires: tuple[str, ...] = ()
    extras: tuple[str, ...] = ()


def read_project(code: CodeTree, folder: str) -> dict[str, bytes]:
    """The files by which the project in a folder of the commit declares itself, by name.

    `folder` is relative to the folder of the code. Raises Inconclusive where there is none.
    """
    root = Path(code.folder) / code.subdirectory
    files = {}
    for name in DECLARATIONS:
        try:
            files[name] = read_regular(resolve_inside(root, str(PurePosixPath(folder) / name)), most=MOST_DECLARED)
        except (OSError, ValueError):
            continue
    if not files:
        where = "the folder of the code" if folder == "." else show(folder, 120)
        raise Inconclusive(
            f"there is no project in {where} of commit {code.commit[:12]}: it has none of {', '.join(DECLARATIONS)}",
            "commit one, or correct the record",
        )
    return files


def without_package(folder: str, code: CodeTree) -> str:
    """Why the project in a folder of the commit is not installed, as Poetry does not; "" where it is.

    Raises Inconclusive where it cannot be read.
    """
    files = read_project(code, folder)
    package = package_of_poetry(files)
    root = Path(code.folder) / code.subdirectory / folder
    places = [f"{prefix}{package}{suffix}" for prefix in ("", "src/") for suffix in ("", ".py")]
    if package is None or any((root / place).exists() for place in places):
        return ""
    name = show(declared_project(files).name, 80)
    return (
        f"the project {name} has no package {show(package, 80)}, so only its dependencies are installed, as by Poetry"
    )


def built_project(
    folder: str, code: CodeTree, as_of: str | None, interpreter: Interpreter, step: Step, context: Context
) -> BuiltProject:
    """The wheel of the project in a folder of the commit, from the cache or built now.

    A version that comes from the tags of the repository is 0.0.0, which is a warning. Raises Inconclusive where it
    cannot be built, with the last words of the build.
    """
    files = read_project(code, folder)
    declared, requires = declared_project(files), build_requirements(files)
    described = f"the project {show(declared.name, 80)}".rstrip() if declared.name else f"the project in {folder}"
    if folder != "." and declared.name:
        described += f" in {show(folder, 120)}"
    source = BuildSource(
        described,
        Path(code.folder),
        code.commit,
        PROJECT_WHEELS,
        requires,
        as_of,
        str(PurePosixPath(code.subdirectory) / folder),
        _VARIABLES if _is_untagged(declared, requires) else {},
    )
    pin = built_wheel(source, interpreter, step, context)
    if source.variables:
        step.warn(f"the version of {described} comes from the tags of its repository: it is {UNTAGGED} here")
    return _with_metadata(pin)


def _is_untagged(declared: DeclaredProject, requires: tuple[str, ...]) -> bool:
    named = any(tool in text for text in requires for tool in _VERSIONS_OF_TAGS if tool != "pdm-backend")
    return named or (declared.dynamic_version and any("pdm-backend" in text for text in requires))


def _with_metadata(pin: str) -> BuiltProject:
    """The project of a wheel, whose metadata is read as data."""
    wheel = wheel_of(pin)
    assert wheel is not None
    with zipfile.ZipFile(wheel) as archive:
        for info in _infos(archive):
            headers = HeaderParser().parsestr(archive.read(info).decode("utf-8", "replace"), headersonly=True)
            extras = tuple(canonicalize_name(extra) for extra in headers.get_all("Provides-Extra") or ())
            requires = tuple(headers.get_all("Requires-Dist") or ())
            return BuiltProject(pin, canonicalize_name(headers.get("Name", "")), requires, extras)
    raise Inconclusive(f"the wheel {wheel.name} has no metadata", "correct the project's build")


def _infos(archive: zipfile.ZipFile) -> Iterator[zipfile.ZipInfo]:
    for info in archive.infolist():
        if info.filename.endswith(".dist-info/METADATA") and info.file_size <= LARGEST_METADATA:
            yield info
