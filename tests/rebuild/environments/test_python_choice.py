"""Which Python an environment has, and where Pythons are looked for."""

from __future__ import annotations

import json
import platform
from pathlib import Path

import pytest

from repro_tui.model.errors import Inconclusive
from repro_tui.rebuild.environments.pythons.installed import installed_releases
from repro_tui.rebuild.environments.pythons.interpreters import find_interpreter, installed
from repro_tui.support.context import Context
from tests.rebuild.environments.rebuilding import OWN, Rebuilding


def program(path: Path, version: str, root: Path | None = None) -> Path:
    """A program that says that it is a Python of this version."""
    path.parent.mkdir(parents=True, exist_ok=True)
    described = dict.fromkeys(("implementation", "platform"), "CPython") | {"executable": str(path), "version": version}
    answer = json.dumps({**described, "root": str(root or path.parents[1]), "markers": {"python_version": version[:4]}})
    path.write_text(f"#!/bin/sh\necho '{answer}'\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with Pythons of every kind that there is none of elsewhere."""
    home = tmp_path / "home"
    program(home / ".pyenv/versions/3.90.4/bin/python", "3.90.4")
    program(home / ".pyenv/shims/python3.91", "3.91.1")
    program(home / "miniconda3/bin/python", "3.92.0")
    (home / "miniconda3/conda-meta").mkdir()
    program(home / "miniconda3/envs/old/bin/python", "3.93.0")
    program(home / ".local/share/uv/python/cpython-3.94/bin/python3", "3.94.0")
    program(tmp_path / "bin/python3.95", "3.95.0")
    (home / ".pyenv/versions/3.96.0/bin").mkdir(parents=True)
    (home / ".pyenv/versions/3.96.0/bin/python").write_text("broken")
    (home / ".pyenv/versions/3.96.0/bin/python").chmod(0o755)
    for name in ("PYENV_ROOT", "XDG_DATA_HOME", "UV_PYTHON_INSTALL_DIR", "CONDA_PREFIX"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{home / '.pyenv/shims'}:/usr/bin:/bin")
    return home


def test_pythons_of_uv_pyenv_conda_and_the_path_and_no_shim(context: Context, places: Path) -> None:
    versions = [interpreter.version for interpreter in installed(context)]
    assert [version for version in versions if version.startswith("3.9") and len(version) == 6] == [
        *("3.95.0", "3.94.0", "3.93.0", "3.92.0", "3.90.4")
    ]
    assert platform.python_version() in versions
    assert find_interpreter("3.92", context).executable.endswith("miniconda3/bin/python")
    with pytest.raises(
        Inconclusive, match=r"Python 3\.2 is not installed on this machine, which has 3\.95\.0, "
    ) as error:
        find_interpreter("3.2", context)
    assert "uv python install 3.2" in error.value.do


def test_releases_are_known_by_the_names_of_programs_without_starting_any(places: Path) -> None:
    (places / ".pyenv/versions/3.96.0/bin/python").rename(places / ".pyenv/versions/3.96.0/bin/python3.96")
    (places / ".pyenv/versions/3.96.0/bin/python").symlink_to("python3.96")
    releases = installed_releases()
    assert {"3.95", "3.96"} <= releases
    assert "3.91" not in releases, "a shim of pyenv"


def test_a_range_is_the_newest_of_its_time(rebuilding: Rebuilding) -> None:
    project = f'[project]\nname = "x"\nversion = "1"\nrequires-python = "=={OWN}.*"\n'
    files = {"pyproject.toml": project, "r.txt": ""}
    built, part = rebuilding(files, python=None, requirements="r.txt")
    assert built.inventory.interpreter["version"].startswith(f"{OWN}.")
    assert f", of requires-python =={OWN}.*" in part.how
    assert any("the newest here that requires-python" in warning for warning in part.warnings)
    impossible = {**files, "pyproject.toml": project.replace(f"=={OWN}.*", ">=3.1,<3.2")}
    with pytest.raises(Inconclusive, match="which allows none of the Pythons of this machine: 3") as error:
        rebuilding(impossible, python=None, requirements="r.txt")
    assert "record environment.python" in error.value.do


def test_the_version_file_of_the_commit_counts(rebuilding: Rebuilding) -> None:
    built, part = rebuilding({".python-version": f"{OWN}\n", "r.txt": ""}, python=None, requirements="r.txt")
    assert built.inventory.interpreter["version"].startswith(f"{OWN}.")
    assert (part.matches, part.warnings) == ("matches", ())
    assert ", of .python-version" in part.how
    _, part = rebuilding({".python-version": f"{OWN}.99\n", "r.txt": ""}, python=None, requirements="r.txt")
    assert f".python-version says {OWN}.99, which is not installed" in part.warnings[0]
    assert part.matches == "unknown"
