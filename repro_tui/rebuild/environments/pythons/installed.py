"""The Pythons of this machine, wherever they were installed: by uv, pyenv, conda or the system, or below /opt."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

CONDA_FOLDERS = ("miniconda3", "anaconda3", "miniforge3", "mambaforge", "micromamba")
PLACES = "uv, pyenv, conda, /usr/bin, /usr/local/bin and /opt"
_PROGRAM = re.compile(r"python(3(\.\d+)?)")


def python_paths() -> Iterator[str]:
    """Programs that may be Pythons, each once, with links followed; never the shims of pyenv, which only choose one."""
    seen = set()
    for path in (Path(sys.executable), *_of_uv(), *_of_pyenv(), *_of_conda(), *_of_system()):
        resolved = os.path.realpath(path)
        if resolved not in seen and os.access(resolved, os.X_OK) and not is_shim(resolved):
            seen.add(resolved)
            yield resolved


def installed_releases() -> set[str]:
    """The releases of Python on this machine, such as 3.11, by the names of programs: none of them is started."""
    matches = (_PROGRAM.fullmatch(Path(path).name) for path in python_paths())
    return {match.group(1) for match in matches if match and match.group(2)}


def is_shim(path: str) -> bool:
    """Whether a program is one of pyenv's shims."""
    return Path(path).parent.name == "shims"


def is_of_conda(path: str) -> bool:
    """Whether a Python is part of a conda environment."""
    return (Path(path).parents[1] / "conda-meta").is_dir()


def _of_uv() -> Iterator[Path]:
    data = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    root = Path(os.environ.get("UV_PYTHON_INSTALL_DIR") or data / "uv" / "python")
    yield from sorted(root.glob("*/bin/python3"))


def _of_pyenv() -> Iterator[Path]:
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    yield from sorted(root.glob("versions/*/bin/python"))


def _of_conda() -> Iterator[Path]:
    folders = [Path(folder) for folder in (os.environ.get("CONDA_PREFIX"), "/opt/conda") if folder]
    folders += [parent / name for parent in (Path.home(), Path("/opt")) for name in CONDA_FOLDERS]
    for folder in folders:
        yield folder / "bin" / "python"
        yield from sorted(folder.glob("envs/*/bin/python"))


def _of_system() -> Iterator[Path]:
    on_path = [Path(folder) for folder in os.environ.get("PATH", "").split(os.pathsep) if folder.startswith("/")]
    folders = [*on_path, Path("/usr/bin"), Path("/usr/local/bin"), *sorted(Path("/opt").glob("*/bin"))]
    for folder in folders:
        yield from (path for path in sorted(folder.glob("python3*")) if _PROGRAM.fullmatch(path.name))
