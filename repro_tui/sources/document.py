"""A record as the document that the record file's reader reads again: the inverse of recordfile."""

from __future__ import annotations

import re
from dataclasses import fields
from decimal import Decimal
from typing import Any

from repro_tui.model.record import Code, ColumnRule, Environment, Expected, Parameters, Predict, Record, Validation

# Numbers that every format reads as they stand.
_PLAIN_NUMBER = re.compile(r"[-+]?(0|[1-9][0-9]*)\.[0-9]+([eE][-+]?[0-9]+)?")


def document_of(record: Record) -> dict[str, Any]:
    """The document of a record whose paths are as they stand in the file; what is absent is left out.

    Metrics are decimals with the digits that were recorded.
    """
    whole: dict[str, Any] = {"schema": 1}
    if validation := _told(record.validation, Validation()):
        if columns := validation.get("columns"):
            validation["columns"] = {name: _told(rule, ColumnRule()) for name, rule in columns.items()}
        whole["validation"] = validation
    return whole | {"deployments": {record.name: _deployment(record)}}


def _deployment(record: Record) -> dict[str, Any]:
    empty = Code("", "")
    tables = {
        "code": _told(record.code, empty) if record.code else None,
        "environment": _told(record.environment, Environment()),
        "parameters": _told(record.parameters, Parameters()),
        "data": [_told(item, None) for item in record.data],
        "predict": _told(record.predict, Predict()) if record.predict else None,
        "expected": _expected(record.expected),
    }
    description = {"description": record.description} if record.description else {}
    return description | {name: table for name, table in tables.items() if table}


def _expected(expected: Expected) -> dict[str, Any]:
    found: dict[str, Any] = {"predictions": expected.predictions} if expected.predictions else {}
    metrics = {name: _digits(value, expected.digits.get(name, "")) for name, value in expected.metrics.items()}
    return found | ({"metrics": metrics} if metrics else {})


def _digits(value: float, text: str) -> Decimal | float:
    return Decimal(text) if _PLAIN_NUMBER.fullmatch(text) and "e" not in text.lower() else value


def _told(value: Any, default: Any) -> dict[str, Any]:
    """The fields that say more than their default."""
    names = [field.name for field in fields(value)]
    pairs = ((name, getattr(value, name), getattr(default, name, None)) for name in names)
    return {name: list(item) if isinstance(item, tuple) else item for name, item, usual in pairs if item != usual}
