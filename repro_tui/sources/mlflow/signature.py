"""A logged model's signature: its input columns, and the types of the run's parameters.

MLflow stores every parameter as text. A parameter gets its type back from one of two places:

1. the signature, where it declares the parameter ("double": the text "1" becomes 1.0);
2. the text itself, where it is exactly what one JSON value (or Python's True and False) is written as: "3", "0.25",
   "[1, 2]". Text that several values could have been written as stays text: "1.10" may be a version, "007" an id, and
   "1e5" is not how Python or JSON writes a number.

A parameter whose name suggests a secret always stays text, because only text is redacted.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from repro_tui.formats.documents import check_depth, parse_document
from repro_tui.model.errors import Refused
from repro_tui.support.redact import is_secret_name
from repro_tui.support.text import show

_BOOLEANS = {"true": True, "false": False}
_LARGEST = 2**63


@dataclass(frozen=True, slots=True)
class Signature:
    """`inputs` are the input columns in order; `params` maps each declared parameter to its MLflow type."""

    inputs: tuple[str, ...] = ()
    params: dict[str, str] = field(default_factory=dict)

    def typed(self, params: Mapping[str, str]) -> tuple[dict[str, object], str]:
        """Returns the parameters with their types, and a sentence on where the types come from.

        `params` are the parameters of a run as MLflow stores them, all as text. The rules are those of this module.
        """
        values: dict[str, object] = dict(params)
        declared, inferred = [], 0
        for name, text in params.items():
            if is_secret_name(name):
                continue
            if name in self.params:
                values[name] = _as_declared(text, self.params[name])
                declared += [name] if values[name] is not text or self.params[name] == "string" else []
            else:
                values[name] = _as_written(text)
                inferred += values[name] is not text
        parts = [f"{', '.join(show(name, 60) for name in declared)} typed by the model's signature"] if declared else []
        parts += [f"{inferred} typed by how {'they are' if inferred > 1 else 'it is'} written"] if inferred else []
        remaining = len(params) - len(declared) - inferred
        parts += [f"{remaining} left as text"] if remaining else []
        return values, f"{', '.join(parts)} (MLflow stores all of them as text)"


def read_signature(raw: bytes) -> Signature:
    """The signature in the content of an MLmodel file; an empty one where there is none that can be read."""
    try:
        signature = parse_document(raw, ".yaml", "MLmodel").get("signature")
        signature = signature if isinstance(signature, dict) else {}
        inputs, params = (json.loads(str(signature.get(part) or "[]")) for part in ("inputs", "params"))
    except (Refused, ValueError, RecursionError):
        return Signature()
    columns = tuple(item.get("name") for item in _tables(inputs))
    if not all(isinstance(name, str) for name in columns):
        columns = ()
    types = {str(item.get("name")): str(item.get("type")) for item in _tables(params) if item.get("shape") is None}
    return Signature(tuple(map(str, columns)), types)


def _tables(value: object) -> list[dict[str, object]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _as_declared(text: str, type_name: str) -> object:
    """The value in the declared type; the text itself where it cannot be converted or is declared a string."""
    try:
        if type_name in ("integer", "long"):
            return int(text)
        if type_name in ("float", "double") and math.isfinite(number := float(text)):
            return number
    except ValueError:
        return text
    return _BOOLEANS.get(text.lower(), text) if type_name == "boolean" else text


def _as_written(text: str) -> object:
    """The value that this text is the only spelling of, else the text itself: 1.10, 007 and 1e5 stay text."""
    if text in ("True", "False"):  # the spelling of Python, and so of its MLflow client
        return text == "True"
    try:
        value = json.loads(text)
        check_depth(value)
    except (ValueError, RecursionError):
        return text
    if isinstance(value, bool | list | dict):
        return text if _has_unsafe(value) else value
    if isinstance(value, int) and abs(value) < _LARGEST and str(value) == text:
        return value
    return value if isinstance(value, float) and math.isfinite(value) and repr(value) == text else text


def _has_unsafe(value: object) -> bool:
    """Whether a value contains null, NaN or infinity. The recursion is safe: the parser has bounded the depth."""
    if isinstance(value, dict):
        return any(_has_unsafe(item) for item in value.values())
    if isinstance(value, list):
        return any(_has_unsafe(item) for item in value)
    return value is None or (isinstance(value, float) and not math.isfinite(value))
