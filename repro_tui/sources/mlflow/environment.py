"""What a logged model's files say about its environment: requirements.txt, python_env.yaml and conda.yaml."""

from __future__ import annotations

import re
from collections.abc import Mapping

from repro_tui.formats.documents import parse_document
from repro_tui.formats.freeze import Freeze, read_freeze
from repro_tui.model.errors import Refused

PYTHON_FILES = ("python_env.yaml", "conda.yaml")
_CONDA_NAME = re.compile(r"[A-Za-z0-9_.-]+")


def recorded_packages(files: Mapping[str, bytes]) -> Freeze | None:
    """The packages that a model needs, from its requirements.txt or else the pip part of its conda.yaml.

    The setuptools of python_env.yaml is among them, as in the environments that MLflow itself makes.
    Packages that only conda has are among the lines that were left out. None where neither file is there.
    """
    if "requirements.txt" in files:
        text = files["requirements.txt"].decode("utf-8", "replace")
        return read_freeze("\n".join([text, *_setuptools(files)]))
    if "conda.yaml" not in files:
        return None
    dependencies = _document(files, "conda.yaml").get("dependencies")
    if not isinstance(dependencies, list):
        return None
    items: list[object] = dependencies
    pip = [line for item in items if isinstance(item, dict) for line in _lines(item.get("pip"))]
    freeze = read_freeze("\n".join(pip))
    conda = [item for item in items if isinstance(item, str) and _name(item) not in ("python", "pip")]
    freeze.unlisted += [f"{item} (of conda)" for item in conda]
    return freeze


def _setuptools(files: Mapping[str, bytes]) -> list[str]:
    """The setuptools that MLflow installs before the requirements: older versions of it import pkg_resources."""
    built_with = _lines(_document(files, "python_env.yaml").get("build_dependencies"))
    return [line for line in built_with if re.match(r"setuptools\b", line)]


def _document(files: Mapping[str, bytes], name: str) -> dict[str, object]:
    try:
        return parse_document(files[name], ".yaml", name) if name in files else {}
    except Refused:
        return {}


def _lines(value: object) -> list[str]:
    return [str(line) for line in value] if isinstance(value, list) else []


def _name(specifier: str) -> str:
    """The package of a conda specifier such as `python=3.10` or `conda-forge::pip`."""
    match = _CONDA_NAME.match(specifier.rpartition("::")[2])
    return match[0] if match else ""


def python_named(document: Mapping[str, object]) -> str:
    """The version of Python that a python_env.yaml or conda.yaml names, such as 3.11.7; "" where it names none."""
    specifiers = [str(document.get("python", ""))]
    dependencies = document.get("dependencies")
    specifiers += [str(item) for item in dependencies] if isinstance(dependencies, list) else []
    for specifier in specifiers:
        if match := re.fullmatch(r"(?:python *=+ *)?(3\.[0-9]+(?:\.[0-9]+)?)", specifier):
            return match[1]
    return ""
