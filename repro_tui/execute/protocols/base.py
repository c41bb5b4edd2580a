"""What a protocol does: rows of the inputs to requests, and answers to columns. Nothing here touches the network."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Protocol

import pyarrow as pa

from repro_tui.model.errors import Inconclusive


class AnswerError(Exception):
    """The answer is not what the protocol says; the message says why."""


@dataclass(frozen=True, slots=True)
class Values:
    """One column of one answer, a value for each row. `type` is what the server declares; None: as JSON has it."""

    values: Sequence[Any]
    type: pa.DataType | None = None


Answered = dict[str, Values]


@dataclass(frozen=True, slots=True)
class Tensor:
    """An input that the server declares: `shape` without its first dimension, which are the rows."""

    name: str
    datatype: str
    shape: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class RequestLayout:
    """How rows are sent: to which model, and as which tensors (none are declared: each column as it is)."""

    columns: tuple[str, ...]
    model: str = ""
    tensors: tuple[Tensor, ...] = ()
    matrix: bool = field(default=False)


class Codec(Protocol):
    """A protocol that a served model speaks."""

    ready: tuple[str, ...]
    strict: bool
    ports: tuple[int, ...]

    def prefix(self, path: str) -> str:
        """What stands before the protocol's own path in a URL's path."""
        ...

    def path(self, layout: RequestLayout) -> str:
        """Where rows are sent to."""
        ...

    def body(self, rows: pa.Table, layout: RequestLayout, first: int) -> bytes:
        """The request of these rows; `first` is the number of the first (from 1). Raises Inconclusive."""
        ...

    def answer(self, raw: bytes, rows: int) -> Answered:
        """The columns of one answer. Raises AnswerError where it is none, or not of so many rows."""
        ...


def parsed(raw: bytes) -> Any:
    """An answer's JSON. NaN and Infinity, which JSON has no word for and Python's servers write, are read.

    Raises AnswerError.
    """
    try:
        return json.loads(raw)
    except UnicodeDecodeError as error:
        raise AnswerError("the answer is not text in UTF-8") from error
    except (ValueError, RecursionError) as error:
        begins = " ".join(raw[:80].decode("utf-8", "replace").split())
        raise AnswerError(f"the answer is not JSON; it begins with: {begins}") from error


def json_of(document: Any) -> bytes:
    """A request's body."""
    return json.dumps(document, allow_nan=False, separators=(",", ":")).encode("ascii")


def plain_values(name: str, column: pa.ChunkedArray, first: int) -> list[Any]:
    """A column's values as JSON has them: NaN is null; infinity, which JSON cannot carry, raises Inconclusive."""
    values: list[Any] = column.to_pylist()
    if pa.types.is_floating(column.type):
        return [_number(name, value, first + number) for number, value in enumerate(values)]
    if pa.types.is_date(column.type) or pa.types.is_timestamp(column.type):
        return [value.isoformat() if isinstance(value, date | datetime) else value for value in values]
    if pa.types.is_list(column.type):
        return [
            value and [_number(name, item, first + number) for item in value] for number, value in enumerate(values)
        ]
    return values


def _number(name: str, value: Any, row: int) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        if math.isnan(value):
            return None
        raise Inconclusive(
            f"the inputs have infinity in column {name}, row {row:,}, which JSON cannot carry to a server",
            "give inputs without it",
        )
    return value
