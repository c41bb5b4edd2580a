"""What a source's case is: a real store, filled as completely as its system allows, with a secret planted in it.

`cases_NAME.py` beside this file has `make(folder, templates)`, a generator that makes the store of the source NAME in
an empty folder, of what was made once for all tests where that is slow, yields its Case, and takes down what it has
started.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

from repro_tui.model.record import Record

CANARY = "c4n4ry-5ecret-7f3a"

# The columns of the table in docs/sources/README.md: a field of the record, and its name there.
FIELDS = {
    "code.repository": "repository",
    "code.commit": "commit",
    "code.dirty": "dirty",
    "environment": "environment",
    "environment.python": "Python",
    "environment.variables": "variables",
    "parameters": "parameters",
    "data": "data",
    "data.hash": "data hash",
    "predict": "predict",
    "validation.inputs": "inputs",
    "expected.predictions": "predictions",
    "expected.metrics": "metrics",
}


@dataclass(frozen=True)
class SourceCase:
    """`here` is where the user stands, `variables` what is set, `hostile` the references that must be refused.

    `programs` are those that loading may start besides git; none of them may come from the store.
    """

    reference: str
    here: Path
    hostile: tuple[str, ...] = ()
    variables: dict[str, str] = field(default_factory=dict)
    programs: frozenset[str] = frozenset()


def case_module(source: str) -> ModuleType | None:
    """The module of a source's case; None where nobody has written one."""
    name = f"tests.contract.cases_{source}"
    return import_module(name) if find_spec(name) else None


def filled(record: Record) -> set[str]:
    """The dotted fields that a record has values in, without those that it always has."""
    found = {"description"} if record.description else set()
    for section in ("code", "environment", "parameters", "predict", "validation", "expected"):
        found |= _filled_of(section, getattr(record, section))
    return found | ({"data"} if record.data else set())


_DEFAULTS = {"code.subdirectory": ".", "predict.timeout_s": 600.0}
_DERIVED = {"code.in_image", "expected.digits"}  # follow from how the record was read, or from a field beside them


def _filled_of(section: str, value: Any) -> set[str]:
    names = value.__dataclass_fields__ if value is not None else ()
    values = {f"{section}.{name}": getattr(value, name) for name in names if f"{section}.{name}" not in _DERIVED}
    empty: tuple[Any, ...] = (None, "", (), {})
    return {name for name, it in values.items() if it not in empty and it != _DEFAULTS.get(name, empty) and it != 0}


def below(field: str, other: str) -> bool:
    """Whether one dotted field is the other, or lies in it."""
    return field == other or field.startswith(f"{other}.")


def cell(record: Record, field: str) -> str:
    """What the table says of a field: read, told as missing, or neither."""
    if field == "data.hash":
        has = any(item.sha256 or item.md5 for item in record.data)
    elif field == "code.dirty":
        has = record.code is not None and record.code.dirty is not None
    elif field == "environment":
        has = record.environment.kind != "unrecorded"
    else:
        has = any(below(name, field) for name in filled(record))
    if has:
        return "yes"
    return "no" if any(below(field, item.field) or below(item.field, field) for item in record.missing) else "–"
