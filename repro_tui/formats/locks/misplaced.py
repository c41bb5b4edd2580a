"""Tells which field of the environment a file belongs to, where it was recorded in another one."""

from __future__ import annotations

import json
import re
import tomllib

from packaging.requirements import InvalidRequirement, Requirement

# Lines of YAML at its top level: what a file of conda or pixi has.
_EXPLICIT = re.compile(r"^@EXPLICIT\s*$", re.M)
_TOP = re.compile(r"^([A-Za-z_-]+)\s*:", re.M)
_FROM = re.compile(r"^FROM\s+\S+", re.M | re.I)
_TOML = (  # a table of the file, what the file is, and its field
    ("lock-version", "a pylock.toml", "lock"),
    ("metadata", "a lock file", "lock"),
    ("package", "a uv.lock", "lock"),
    ("build-system", "a pyproject.toml", "project"),
    ("project", "a pyproject.toml", "project"),
    ("tool", "a pyproject.toml", "project"),
    ("packages", "a Pipfile, which has no exact versions", "lock"),
)


def misplaced(content: bytes, field: str) -> tuple[str, str] | None:
    """The problem and its remedy for a file recorded as `environment.FIELD`; None where it may belong there."""
    known = kind_of(content)
    if known is None or known[1] == field:
        return None
    label, right = known
    return f"is {label}, not {_NAMES[field]}", f"record it as environment.{right} instead of environment.{field}"


_NAMES = {
    "lock": "a lock file",
    "requirements": "a requirements file",
    "conda": "an environment.yml",
    "project": "a project file",
}


def kind_of(content: bytes) -> tuple[str, str] | None:
    """What a file is by its contents, and the field of the environment that it is recorded in; None: not known."""
    text = content.decode("utf-8-sig", "replace")
    return _by_parsing(text) or _by_lines(text)


def conda_lock(content: bytes) -> str:
    """Which lock of conda packages a file is: `explicit`, `conda-lock` or `pixi`; "" for none."""
    text = content.decode("utf-8-sig", "replace")
    if _EXPLICIT.search(text):
        return "explicit"
    names = set(_TOP.findall(text))
    if {"version", "environments", "packages"} <= names:
        return "pixi"
    return "conda-lock" if {"version", "metadata", "package"} <= names else ""


def _by_parsing(text: str) -> tuple[str, str] | None:
    try:
        if text.lstrip().startswith("{"):
            document = json.loads(text)
            return ("a Pipfile.lock", "lock") if "_meta" in document else None
        document = tomllib.loads(text)
    except (ValueError, RecursionError):
        return None
    return next(((label, field) for key, label, field in _TOML if key in document), None)


def _by_lines(text: str) -> tuple[str, str] | None:
    names = set(_TOP.findall(text))
    if conda_lock(text.encode("utf-8", "replace")):
        return "a lock of conda packages", "lock"
    if "dependencies" in names and not names & {"packages", "package"}:
        return "a list of conda packages", "conda"
    if _FROM.search(text):
        return "a Dockerfile", "dockerfile"
    return ("a requirements file", "requirements") if _all_requirements(text) else None


def _all_requirements(text: str) -> bool:
    lines = [line.partition(" #")[0].strip() for line in text.splitlines()]
    lines = [line for line in lines if line and not line.startswith(("#", "-"))]
    try:
        return bool(lines) and all(Requirement(line.partition(" --")[0].rstrip(" \\")) for line in lines)
    except (InvalidRequirement, RecursionError):
        return False
