"""Reads a lock file of any format."""

from __future__ import annotations

import json
import tomllib

from packaging.utils import canonicalize_name

from repro_tui.formats.locks.base import Document, Locked, LockFormat, Markers, Wanted
from repro_tui.formats.locks.misplaced import misplaced
from repro_tui.formats.locks.pdm import PdmLock
from repro_tui.formats.locks.pipenv import PipfileLock
from repro_tui.formats.locks.poetry import PoetryLock
from repro_tui.formats.locks.pylock import Pylock
from repro_tui.formats.locks.uv import UvLock
from repro_tui.model.errors import Inconclusive
from repro_tui.support.text import show

FORMATS: tuple[LockFormat, ...] = (Pylock(), PoetryLock(), PdmLock(), UvLock(), PipfileLock())
KNOWN = "uv.lock, pylock.toml, poetry.lock, Pipfile.lock or pdm.lock"


def locked(content: bytes, name: str, markers: Markers, groups: tuple[str, ...] = (), pyproject: bytes = b"") -> Locked:
    """What a lock file installs in an environment with these PEP 508 markers.

    Only the main dependencies are installed, and the dependency groups and extras in `groups`: a deployment does not
    have what developers install by default. `pyproject` is the pyproject.toml next to the lock, which older locks of
    Poetry and PDM need. Raises Inconclusive if the file cannot be read, if it is for another Python, if it has no such
    group, or if a package that it installs comes from elsewhere than an index or a folder of the commit.
    """
    try:
        document = _parsed(content)
    except (ValueError, RecursionError) as error:
        if wrong := misplaced(content, "lock"):
            raise Inconclusive(f"{name} {wrong[0]}", wrong[1]) from error
        raise Inconclusive(f"{name} cannot be read: {show(error, 300)}", "commit a complete lock file") from error
    chosen = tuple(dict.fromkeys(canonicalize_name(group) for group in groups))
    wanted = Wanted(name, markers, chosen, _project(pyproject, name))
    try:
        for lock_format in FORMATS:
            if lock_format.reads(document):
                return lock_format.locked(document, wanted)
    except (LookupError, TypeError, AttributeError, ValueError, RecursionError) as error:
        reason = f"{name} is not a valid lock file: {show(repr(error), 300)}"
        raise Inconclusive(reason, "create it again with its tool") from error
    problem, remedy = misplaced(content, "lock") or (f"is none of {KNOWN}", "record one of these, or requirements")
    raise Inconclusive(f"{name} {problem}", remedy)


def _parsed(content: bytes) -> Document:
    text = content.decode("utf-8-sig")
    document = json.loads(text) if text.lstrip().startswith("{") else tomllib.loads(text)
    assert isinstance(document, dict)  # both parsers return nothing else for such a text
    return document


def _project(pyproject: bytes, name: str) -> Document:
    try:
        return tomllib.loads(pyproject.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        reason = f"the pyproject.toml next to {name} cannot be read: {show(error, 300)}"
        raise Inconclusive(reason, "commit a valid pyproject.toml") from error
