"""The case of a source: a real store, filled as completely as its system allows, with a secret planted in it.

`cases_NAME.py` next to this file has `build_case(folder, templates)`, a generator. It creates the store of the source
NAME in an empty folder (from a template if that is slow), yields its SourceCase, and removes what it has started.
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

# The columns of the table in docs/sources/README.md: a field of the record, and its heading.
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
    """`here` is the current folder, `variables` are set in the environment, `hostile` references must be refused.

    `programs` may be started while loading, in addition to git; none of them may come from the store.
    """

    reference: str
    here: Path
    hostile: tuple[str, ...] = ()
    variables: dict[str, str] = field(default_factory=dict)
    programs: frozenset[str] = frozenset()


def case_module(source: str) -> ModuleType | None:
    """The module with the case of a source; None where there is none."""
    name = f"tests.contract.cases_{source}"
    return import_module(name) if find_spec(name) else None


def filled(record: Record) -> set[str]:
    """The dotted fields of a record that have values, without those that every record has."""
    fields = {"description"} if record.description else set()
    for section in ("code", "environment", "parameters", "predict", "validation", "expected"):
        fields |= _filled_of(section, getattr(record, section))
    return fields | ({"data"} if record.data else set())


_DEFAULTS = {"code.subdirectory": ".", "predict.timeout_s": 600.0, "predict.writable": True}
_DERIVED = {"code.in_image", "expected.digits"}  # follow from how the record was read, or from another field


def _filled_of(section: str, value: Any) -> set[str]:
    names = value.__dataclass_fields__ if value is not None else ()
    values = {f"{section}.{name}": getattr(value, name) for name in names if f"{section}.{name}" not in _DERIVED}
    empty: tuple[Any, ...] = (None, "", (), {})
    return {name for name, it in values.items() if it not in empty and it != _DEFAULTS.get(name, empty) and it != 0}


def below(field: str, ancestor: str) -> bool:
    """Whether a dotted field is `ancestor` or part of it."""
    return field == ancestor or field.startswith(f"{ancestor}.")


def cell(record: Record, field: str) -> str:
    """The cell of the table for a field: read ("yes"), reported as missing ("no"), or neither ("–")."""
    if field == "data.hash":
        is_read = any(item.sha256 or item.md5 for item in record.data)
    elif field == "code.dirty":
        is_read = record.code is not None and record.code.dirty is not None
    elif field == "environment":
        is_read = record.environment.kind != "unrecorded"
    else:
        is_read = any(below(name, field) for name in filled(record))
    if is_read:
        return "yes"
    return "no" if any(below(field, item.field) or below(item.field, field) for item in record.missing) else "–"
