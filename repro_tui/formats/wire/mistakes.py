"""Checks a document against its schema and reports all mistakes at once, each with its place."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar, get_args, get_origin

from pydantic import BaseModel, ConfigDict, ValidationError

from repro_tui.model.errors import Mistake, Refused

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails


class Table(BaseModel):
    """A table of a document: unknown keys and wrong types are mistakes."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


T = TypeVar("T", bound=Table)


def check(shape: type[T], document: Mapping[str, object], file: str) -> T:
    """The document as an instance of `shape`. Raises Refused with every mistake, each with its place in `file`."""
    try:
        return shape.model_validate(document)
    except ValidationError as error:
        raise Refused.all([_mistake(shape, file, detail) for detail in error.errors(include_url=False)]) from error


def _mistake(shape: type[Table], file: str, detail: ErrorDetails) -> Mistake:
    place = ".".join(str(part) for part in detail["loc"] if part != "[key]")
    return Mistake(f"{file}: {place}" if place else file, _message(shape, detail))


def _message(shape: type[Table], detail: ErrorDetails) -> str:
    kind, context = detail["type"], detail.get("ctx", {})
    if kind == "extra_forbidden":
        return "is not a known key" + _nearest(shape, detail["loc"])
    if kind == "missing":
        return "is missing"
    if kind == "value_error":
        return str(context["error"])
    if kind == "literal_error":
        return f"has an unknown value: expected {context['expected']}"
    if kind.endswith("_type"):
        expected = {"model_type": "a table", "dict_type": "a table", "list_type": "a list", "string_type": "text"}
        return f"has the wrong type: expected {expected.get(kind, kind.removesuffix('_type').replace('_', ' '))}"
    return str(detail["msg"])[:200]


def _nearest(shape: type[Table], place: Sequence[str | int]) -> str:
    """A hint with the known key that was probably meant, else with all known keys."""
    model: object = shape
    for part in place[:-1]:
        model = _inner(model, part)
    fields = model.model_fields if isinstance(model, type) and issubclass(model, Table) else {}
    known = [field.alias or name for name, field in fields.items()]
    near = difflib.get_close_matches(str(place[-1]), known, 1)
    if near:
        return f": did you mean {near[0]}?"
    return f": expected one of {', '.join(known)}" if known else ""


def _inner(model: object, part: str | int) -> object:
    """The model of the table below `part` of a table, or None."""
    if get_origin(model) in (dict, list):
        return get_args(model)[-1]
    field = getattr(model, "model_fields", {}).get(str(part))
    if field is None:
        return None
    kinds = [kind for kind in (field.annotation, *get_args(field.annotation)) if _is_table(kind)]
    return kinds[0] if kinds else None


def _is_table(kind: object) -> bool:
    return get_origin(kind) in (dict, list) or (isinstance(kind, type) and issubclass(kind, Table))
