"""Turns a record into a record-file document: the inverse of recordfile.py."""

from __future__ import annotations

import re
from dataclasses import fields
from decimal import Decimal
from typing import TYPE_CHECKING

from repro_tui.model.record import Code, ColumnRule, Environment, Expected, Parameters, Predict, Record, Validation

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

# Numbers that TOML, YAML and JSON all read back with the same digits.
_PLAIN_NUMBER = re.compile(r"[-+]?(0|[1-9][0-9]*)\.[0-9]+([eE][-+]?[0-9]+)?")


def document_of(record: Record) -> dict[str, object]:
    """The document of a record whose paths are already relative to the record file. Unset fields are left out.

    Metrics become Decimal values, which keep the digits that were recorded (0.910 and not 0.91).
    """
    document: dict[str, object] = {"schema": 1}
    if validation := _set_fields(record.validation, Validation()):
        if columns := record.validation.columns:
            validation["columns"] = {name: _set_fields(rule, ColumnRule()) for name, rule in columns.items()}
        document["validation"] = validation
    return document | {"deployments": {record.name: _deployment(record)}}


def _deployment(record: Record) -> dict[str, object]:
    empty = Code("", "")
    tables = {
        "code": _set_fields(record.code, empty) if record.code else None,
        "environment": _set_fields(record.environment, Environment()),
        "parameters": _set_fields(record.parameters, Parameters()),
        "data": [_set_fields(item, None) for item in record.data],
        "predict": _set_fields(record.predict, Predict()) if record.predict else None,
        "expected": _expected(record.expected),
    }
    description = {"description": record.description} if record.description else {}
    return description | {name: table for name, table in tables.items() if table}


def _expected(expected: Expected) -> dict[str, object]:
    table: dict[str, object] = {"predictions": expected.predictions} if expected.predictions else {}
    metrics = {name: _digits(value, expected.digits.get(name, "")) for name, value in expected.metrics.items()}
    return table | ({"metrics": metrics} if metrics else {})


def _digits(value: float, text: str) -> Decimal | float:
    return Decimal(text) if _PLAIN_NUMBER.fullmatch(text) and "e" not in text.lower() else value


def _set_fields(value: DataclassInstance, default: DataclassInstance | None) -> dict[str, object]:
    """The fields of a dataclass that differ from `default`; all of them where `default` is None."""
    names = [field.name for field in fields(value)]
    pairs = ((name, getattr(value, name), getattr(default, name, None)) for name in names)
    return {name: list(item) if isinstance(item, tuple) else item for name, item, unset in pairs if item != unset}
