"""A logged model's signature: the columns it takes, and what it tells of the types of the run's parameters."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from typing import Any

from repro_tui.formats.documents import parse_document
from repro_tui.model.errors import Refused
from repro_tui.support.redact import is_secret_name
from repro_tui.support.text import show

_TRUTH = {"true": True, "false": False}
_LARGEST = 2**63


@dataclass(frozen=True, slots=True)
class Signature:
    """`inputs` are the names of the columns, in their order; `params` maps a parameter's name to MLflow's type."""

    inputs: tuple[str, ...] = ()
    params: dict[str, str] = field(default_factory=dict)

    def typed(self, params: dict[str, str]) -> tuple[dict[str, Any], str]:
        """The parameters, which MLflow keeps as text, in their types, and in words where those are known from.

        A type comes from the signature, or from a text that only a number, a truth value or a JSON list or object is
        written as. Anything else stays text; so does what its name calls a secret, which only text is hidden as.
        """
        values: dict[str, Any] = dict(params)
        named, told = [], 0
        for name, text in params.items():
            if is_secret_name(name):
                continue
            if name in self.params:
                values[name] = _as_declared(text, self.params[name])
                named += [name] if values[name] is not text or self.params[name] == "string" else []
            else:
                values[name] = _as_written(text)
                told += values[name] is not text
        words = [f"{', '.join(show(name, 60) for name in named)} typed by the model's signature"] if named else []
        words += [f"{told} typed by how {'they are' if told > 1 else 'it is'} written"] if told else []
        left = len(params) - len(named) - told
        words += [f"{left} left as text"] if left else []
        return values, f"{', '.join(words)} (MLflow keeps all as text)"


def read_signature(raw: bytes) -> Signature:
    """The signature in the bytes of a file MLmodel; an empty one where it has none that can be read."""
    try:
        found = parse_document(raw, ".yaml", "MLmodel").get("signature")
        found = found if isinstance(found, dict) else {}
        inputs, params = (json.loads(str(found.get(part) or "[]")) for part in ("inputs", "params"))
    except (Refused, ValueError, RecursionError):
        return Signature()
    columns = tuple(item.get("name") for item in _tables(inputs))
    if not all(isinstance(name, str) for name in columns):
        columns = ()
    types = {str(item.get("name")): str(item.get("type")) for item in _tables(params) if item.get("shape") is None}
    return Signature(tuple(map(str, columns)), types)


def _tables(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _as_declared(text: str, kind: str) -> Any:
    """The value in the type that the signature declares; the text itself where it does not fit, or is to be a text."""
    try:
        if kind in ("integer", "long"):
            return int(text)
        if kind in ("float", "double") and math.isfinite(number := float(text)):
            return number
    except ValueError:
        return text
    return _TRUTH.get(text.lower(), text) if kind == "boolean" else text


def _as_written(text: str) -> Any:
    """The value of a text that is written as one value would be; else the text itself: 1.10, 007 and 1e5 stay so."""
    if text in ("True", "False"):  # as Python writes them, which is how its client logs them
        return text == "True"
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text
    if isinstance(value, bool | list | dict):
        return text if _has_none(value) else value
    if isinstance(value, int) and abs(value) < _LARGEST and str(value) == text:
        return value
    return value if isinstance(value, float) and math.isfinite(value) and repr(value) == text else text


def _has_none(value: Any) -> bool:
    """Whether there is a null or a number that JSON has not, in a value whose depth the parser has bounded."""
    if isinstance(value, dict):
        return any(_has_none(item) for item in value.values())
    if isinstance(value, list):
        return any(_has_none(item) for item in value)
    return value is None or (isinstance(value, float) and not math.isfinite(value))
