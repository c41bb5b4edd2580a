"""The interface of a protocol: it converts input rows to requests, and responses to columns, without any network."""

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
    """A response violates the protocol; the message gives the reason."""


@dataclass(frozen=True, slots=True)
class Values:
    """One column of one response, one value per row. `type` is the declared type; None: as in JSON."""

    values: Sequence[Any]
    type: pa.DataType | None = None


Answered = dict[str, Values]


@dataclass(frozen=True, slots=True)
class Tensor:
    """An input that the server declares: `shape` is without the first dimension, the rows."""

    name: str
    datatype: str
    shape: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class RequestLayout:
    """How rows are sent: to which model, and as which tensors (none declared: one tensor per column).

    `matrix`: all columns together are the one declared tensor.
    """

    columns: tuple[str, ...]
    model: str = ""
    tensors: tuple[Tensor, ...] = ()
    matrix: bool = field(default=False)


class Codec(Protocol):
    """A protocol of served models.

    `ready` are the paths of its readiness checks, `strict` says whether a server without them is not ready, and `ports`
    are its usual ports.
    """

    ready: tuple[str, ...]
    strict: bool
    ports: tuple[int, ...]

    def prefix(self, path: str) -> str:
        """The part of a URL's path before the protocol's own path."""
        ...

    def path(self, layout: RequestLayout) -> str:
        """The path that rows are sent to."""
        ...

    def body(self, rows: pa.Table, layout: RequestLayout, first: int) -> bytes:
        """The request body for these rows; `first` is the number of the first row (from 1).

        Raises Inconclusive if a value cannot be sent.
        """
        ...

    def answer(self, raw: bytes, rows: int) -> Answered:
        """The columns of one response. Raises AnswerError if it violates the protocol or does not have `rows` rows."""
        ...


def parsed(raw: bytes) -> object:
    """A response parsed as JSON. NaN and Infinity, which are not JSON but written by Python servers, are accepted.

    Raises AnswerError.
    """
    try:
        document: object = json.loads(raw)
    except UnicodeDecodeError as error:
        raise AnswerError("the response is not UTF-8") from error
    except (ValueError, RecursionError) as error:
        begins = " ".join(raw[:80].decode("utf-8", "replace").split())
        raise AnswerError(f"the response is not JSON; it begins with: {begins}") from error
    return document


def json_of(document: object) -> bytes:
    """A request body: compact ASCII JSON."""
    return json.dumps(document, allow_nan=False, separators=(",", ":")).encode("ascii")


def plain_values(name: str, column: pa.ChunkedArray, first: int) -> list[object]:
    """The JSON values of a column: NaN becomes null; infinity, which JSON cannot represent, raises Inconclusive."""
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


def _number(name: str, value: object, row: int) -> object:
    if isinstance(value, float) and not math.isfinite(value):
        if math.isnan(value):
            return None
        raise Inconclusive(
            f"the inputs have infinity in column {name}, row {row:,}, which JSON cannot represent",
            "remove infinity from the inputs",
        )
    return value
