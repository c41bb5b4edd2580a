"""Poetry, Pipenv, PDM and uv themselves: they lock and install small projects, for comparison with what we read."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name

from repro_tui.rebuild.environments.pythons.interpreters import uv_binary
from tests.templates import Templates

# PDM 2.29 declares no upper bound of hishel, and does not start with its version 2.
TOOLS = {"poetry": ("poetry",), "pipenv": ("pipenv",), "pdm": ("pdm", "hishel<2"), "uv": ()}
NOT_LOCKED = frozenset({"pip", "setuptools", "wheel", "score"})
STANDARD = """
[project]
name = "score"
version = "0.1.0"
requires-python = ">=3.11,<4"
dependencies = ["tabulate[widechars]<0.11", "python-dateutil<2.10", "colorama>=0.4; sys_platform == 'win32'"]
[project.optional-dependencies]
fast = ["h11<0.17"]
"""
PIPFILE = """
[[source]]
url = "https://pypi.org/simple"
verify_ssl = true
name = "pypi"
[packages]
tabulate = {version = "<0.11", extras = ["widechars"]}
python-dateutil = "<2.10"
colorama = {version = "*", markers = "sys_platform == 'win32'"}
[fast]
h11 = "<0.17"
[serve]
pluggy = "<1.7"
"""


@dataclass(frozen=True)
class ProjectTool:
    """A tool of Python projects: its project file with a main part, a group `serve`, an extra `fast` and a group `dev`,
    its lock, the command that locks, and the one that installs the main part with the group and the extra or not.
    """

    name: str
    file: str
    content: str
    lock: str
    locking: tuple[str, ...]
    installing: Callable[[bool], list[str]]

    @property
    def files(self) -> tuple[str, str]:
        return self.file, self.lock

    @property
    def is_toml(self) -> bool:
        return self.file == "pyproject.toml"


def _poetry(everything: bool) -> list[str]:
    groups = ["--only", "main,serve", "-E", "fast"] if everything else ["--only", "main"]
    return ["install", "-n", "--no-root", *groups]


def _uv(everything: bool) -> list[str]:
    chosen = ["--group", "serve", "--extra", "fast"] if everything else []
    return ["sync", "--frozen", "--no-default-groups", *chosen]


def _pipenv(everything: bool) -> list[str]:
    return ["sync", *(["--categories", "packages serve fast"] if everything else [])]


def _pdm(everything: bool) -> list[str]:
    return ["sync", "--no-self", *(["--without", "dev", "-G", "serve", "-G", "fast"] if everything else ["--prod"])]


POETRY_GROUPS = (
    '[tool.poetry.group.dev.dependencies]\niniconfig = "^2.0"\n'
    '[tool.poetry.group.serve.dependencies]\npluggy = "^1.5"\n[tool.poetry]\npackage-mode = false\n'
)
GROUPS = '[dependency-groups]\ndev = ["iniconfig"]\nserve = ["pluggy<1.7"]\n'
PDM = GROUPS + "[tool.pdm]\ndistribution = false\n"
_IN_PDM = ("lock", "-q", "-G", ":all")

KNOWN = (
    ProjectTool("poetry", "pyproject.toml", STANDARD + POETRY_GROUPS, "poetry.lock", ("lock", "-n"), _poetry),
    ProjectTool("uv", "pyproject.toml", STANDARD + GROUPS, "uv.lock", ("lock",), _uv),
    ProjectTool("pipenv", "Pipfile", PIPFILE, "Pipfile.lock", ("lock", "--categories", "packages serve fast"), _pipenv),
    ProjectTool("pdm", "pyproject.toml", STANDARD + PDM, "pdm.lock", _IN_PDM, _pdm),
    ProjectTool("pdm", "pyproject.toml", STANDARD + PDM, "pdm.lock", (*_IN_PDM, "-S", "no_inherit_metadata"), _pdm),
)


def program(name: str, templates: Templates) -> str:
    """The tool's program, installed once per test run; the test is skipped where the index does not have it."""
    if not TOOLS[name]:
        return uv_binary()
    folder = templates.folder(f"tool-{name}", lambda folder: _install(folder, TOOLS[name]))
    if (folder / "failed").exists():
        pytest.skip(f"{name} cannot be installed: {(folder / 'failed').read_text()[-300:]}")
    return str(folder / "bin" / name)


def _install(folder: Path, packages: tuple[str, ...]) -> None:
    subprocess.run([uv_binary(), "venv", "-q", "--clear", "--python", sys.executable, str(folder)], check=True)
    done = subprocess.run(
        [uv_binary(), "pip", "install", "-q", "--python", str(folder / "bin/python"), *packages],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        (folder / "failed").write_text(done.stderr)


def locked_by(tool: ProjectTool, folder: Path, templates: Templates) -> None:
    """Writes the tool's project into an empty folder, and locks it."""
    (folder / tool.file).write_text(tool.content)
    _run(tool, list(tool.locking), folder, templates)


def installed_by(tool: ProjectTool, folder: Path, everything: bool, templates: Templates) -> dict[str, str]:
    """The packages and their versions that the tool itself installs from its lock."""
    python = folder / ".venv/bin/python"
    subprocess.run(
        [uv_binary(), "venv", "-q", "--clear", "--python", sys.executable, str(folder / ".venv")], check=True
    )
    _run(tool, tool.installing(everything), folder, templates)
    listing = subprocess.run(
        [uv_binary(), "pip", "list", "--python", str(python), "--format", "json"],
        capture_output=True,
        text=True,
        check=True,
    )
    packages = {canonicalize_name(item["name"]): item["version"] for item in json.loads(listing.stdout)}
    return {name: version for name, version in packages.items() if name not in NOT_LOCKED}


def _run(tool: ProjectTool, arguments: list[str], folder: Path, templates: Templates) -> None:
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("VIRTUAL_ENV", "PYTHON", "PIPENV_"))
    }
    environment |= {
        "POETRY_VIRTUALENVS_IN_PROJECT": "true",
        "PIPENV_VENV_IN_PROJECT": "1",
        "PIPENV_NOSPIN": "1",
        "PIPENV_PYTHON": str(folder / ".venv/bin/python") if (folder / ".venv").exists() else sys.executable,
        "PDM_CHECK_UPDATE": "0",
        "PDM_IGNORE_ACTIVE_VENV": "1",
    }
    done = subprocess.run(
        [program(tool.name, templates), *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{tool.name} {' '.join(arguments)}: {done.stdout[-1500:]} {done.stderr[-1500:]}"


def this_python() -> str:
    """The version of Python that the tools run on."""
    return ".".join(platform.python_version_tuple()[:2])
