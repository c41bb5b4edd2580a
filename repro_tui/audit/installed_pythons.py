"""The versions of Python on this machine, by the names of files and folders: no interpreter is started."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

from repro_tui.sources.detect.python import RELEASED

_FOLDER = re.compile(r"(?:cpython-)?(3\.[0-9]+)\.[0-9]+.*")


def installed_pythons() -> set[str]:
    """The versions, such as 3.11, on PATH and among those of pyenv and uv."""
    on_path = {version for version in RELEASED if _is_program(shutil.which(f"python{version}"))}
    return on_path | {version for folder in _version_folders() for version in _versions_in(folder)}


def _is_program(path: str | None) -> bool:
    """Whether a program is an interpreter: pyenv's shims exist for versions that they do not run."""
    return path is not None and "shims" not in Path(path).parts


def _version_folders() -> list[Path]:
    home = Path(os.environ.get("HOME") or "/")
    pyenv = Path(os.environ.get("PYENV_ROOT") or home / ".pyenv")
    data = Path(os.environ.get("XDG_DATA_HOME") or home / ".local/share")
    return [pyenv / "versions", Path(os.environ.get("UV_PYTHON_INSTALL_DIR") or data / "uv/python")]


def _versions_in(folder: Path) -> set[str]:
    try:
        names = [entry.name for entry in folder.iterdir()]
    except OSError:
        return set()
    return {match.group(1) for name in names if (match := _FOLDER.fullmatch(name))}
