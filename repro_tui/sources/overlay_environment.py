"""Lays the environment that a call names over a record: a file in the commit's tree, else one on this machine."""

from __future__ import annotations

import posixpath
import re
from dataclasses import replace
from typing import Any

from repro_tui.clients.git import Repository
from repro_tui.model.errors import Inconclusive, Mistake, Refused
from repro_tui.model.overrides import Overrides
from repro_tui.model.record import LOCAL_KINDS, Environment, Record
from repro_tui.support import grammar
from repro_tui.support.context import Context
from repro_tui.support.paths import is_inside
from repro_tui.support.text import quote, show

# A source's warning about the environment that it chose contains this: an environment that is named makes it moot.
ENVIRONMENT_IS = "is used as the environment"
_PYTHON = re.compile(r"3(\.[0-9]+){1,2}")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def with_environment(record: Record, overrides: Overrides, context: Context) -> Record:
    """The record with the environment, the version of Python and the moment that the call names.

    Raises Refused where two kinds are named, a file is in neither place, or a value is not valid.
    """
    record = _with_kind(record, overrides, context)
    if overrides.python is not None:
        if not _PYTHON.fullmatch(overrides.python):
            raise Refused(Mistake("--python", f"{quote(overrides.python, 40)} is not a version such as 3.11"))
        record = _changed(record, "python", overrides.python, "--python")
    if overrides.as_of is not None:
        record = _changed(record, "as_of", _moment(overrides.as_of), "--as-of")
    return record


def _changed(record: Record, name: str, value: str, place: str) -> Record:
    changes: dict[str, Any] = {name: value}
    return replace(
        record,
        environment=replace(record.environment, **changes),
        provenance=record.provenance | {f"environment.{name}": place},
        missing=tuple(item for item in record.missing if item.field != f"environment.{name}"),
    )


def _moment(text: str) -> str:
    moment = f"{text}T00:00:00Z" if _DAY.fullmatch(text) else text
    if mistake := grammar.moment(moment):
        raise Refused(Mistake("--as-of", f"{quote(text, 60)} {mistake}"))
    return moment


def _with_kind(record: Record, overrides: Overrides, context: Context) -> Record:
    named = {kind: path for kind in LOCAL_KINDS if (path := getattr(overrides, kind)) is not None}
    if len(named) > 1:
        raise Refused(Mistake(" and ".join(f"--{kind}" for kind in named), "name two environments: expected only one"))
    if not named:
        return record
    ((kind, path),) = named.items()
    value, place = _located(record, kind, path, context)
    recorded = record.environment
    choice: dict[str, Any] = {kind: value}
    environment = Environment(
        **choice,
        groups=recorded.groups,
        python=recorded.python,
        as_of=recorded.as_of,
        variables=recorded.variables,
        show_variables=recorded.show_variables,
    )
    kept = {
        field: origin
        for field, origin in record.provenance.items()
        if not field.startswith("environment.") or getattr(environment, field.split(".")[1], None)
    }
    return replace(
        record,
        environment=environment,
        provenance=kept | {f"environment.{kind}": f"--{kind}, {place}"},
        missing=tuple(item for item in record.missing if item.field not in ("environment", f"environment.{kind}")),
        warnings=tuple(warning for warning in record.warnings if ENVIRONMENT_IS not in warning),
    )


def _located(record: Record, kind: str, path: str, context: Context) -> tuple[str, str]:
    """The file as a field of the record, and where it is in words: the commit's tree comes first."""
    if is_inside(path) and (in_tree := _in_tree(record, path, context)):
        return in_tree, f"in the tree of commit {record.code.commit[:12] if record.code else ''}"
    file = (context.here / path).absolute()
    if file.is_file():
        return f"file:{file}", f"the file {file} on this machine"
    commit = f"commit {record.code.commit[:12]} nor" if record.code else ""
    raise Refused(Mistake(f"--{kind}", f"{show(path, 200)} is neither in {commit} at {file}: correct the path"))


def _in_tree(record: Record, path: str, context: Context) -> str | None:
    """The path below the project's folder, where the commit has such a file; None where it has none."""
    if record.code is None:
        return None
    try:
        repository = Repository.open(record.code.repository, context)
        files = repository.files(record.code.commit)
    except (Inconclusive, Refused):
        return None  # the rebuild says why the commit cannot be read
    inside = posixpath.normpath(path)
    return inside if posixpath.normpath(posixpath.join(record.code.subdirectory, inside)) in files else None
