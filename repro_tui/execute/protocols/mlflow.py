"""MLflow's scoring protocol: rows are sent as a split frame to /invocations, predictions come back as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

import pyarrow as pa

from repro_tui.execute.protocols.base import Answered, AnswerError, RequestLayout, Values, json_of, parsed, plain_values

UNNAMED = "prediction"


class Mlflow:
    """The protocol of `mlflow models serve`, its images and SageMaker."""

    ready = ("/ping", "/health")
    strict = False
    ports = (8080, 5000)

    def prefix(self, path: str) -> str:
        """The part of a URL's path before the protocol's own path."""
        return path.rstrip("/").removesuffix("/invocations").rstrip("/")

    def path(self, layout: RequestLayout) -> str:
        """The path that rows are sent to."""
        return "/invocations"

    def body(self, rows: pa.Table, layout: RequestLayout, first: int) -> bytes:
        """The request body for these rows; `first` is the number of the first row (from 1). Raises Inconclusive."""
        columns = [plain_values(name, rows.column(name), first) for name in rows.column_names]
        data = [list(row) for row in zip(*columns, strict=True)]
        return json_of({"dataframe_split": {"columns": rows.column_names, "data": data}})

    def answer(self, raw: bytes, rows: int) -> Answered:
        """The columns of one response. Raises AnswerError if it violates the protocol or has another number of rows."""
        document = parsed(raw)
        if not isinstance(document, dict) or "predictions" not in document:
            raise AnswerError('the response has no "predictions"')
        predictions = document["predictions"]
        if isinstance(predictions, dict):
            return _named({str(name): Values(_counted(value, rows, str(name))) for name, value in predictions.items()})
        values = _counted(predictions, rows, "predictions")
        if values and all(isinstance(value, dict) for value in values):
            return _named(_records(cast("list[dict[str, object]]", values)))
        return {UNNAMED: Values(values)}


def _named(columns: Answered) -> Answered:
    """The columns; a single one that is called 0 had no name, as a Series without one."""
    return {UNNAMED: columns["0"]} if list(columns) == ["0"] else columns


def _counted(values: object, rows: int, name: str) -> list[object]:
    """The values, one per row; a scalar is the value of all rows, as in the helper that runs pyfunc."""
    if isinstance(values, bool | int | float | str):
        return [values] * rows
    if not isinstance(values, list):
        raise AnswerError(f"{name} is not a list with one value per row")
    if len(values) != rows:
        raise AnswerError(f"{name} has {len(values):,} values for {rows:,} rows")
    return values


def _records(values: Sequence[Mapping[str, object]]) -> Answered:
    names = list(values[0])
    for number, value in enumerate(values, 1):
        if value.keys() != values[0].keys():
            raise AnswerError(f"record {number:,} of the response has other fields than the first")
    return {name: Values([value[name] for value in values]) for name in names}
