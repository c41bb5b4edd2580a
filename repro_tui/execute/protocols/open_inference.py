"""The Open Inference Protocol, version 2 (KServe, MLServer, Triton): typed tensors in both directions."""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import cast
from urllib.parse import quote

import pyarrow as pa

from repro_tui.execute.protocols.base import (
    Answered,
    AnswerError,
    RequestLayout,
    Tensor,
    Values,
    json_of,
    parsed,
    plain_values,
)
from repro_tui.model.errors import Inconclusive
from repro_tui.support.text import show

TYPES: dict[str, pa.DataType] = {
    "BOOL": pa.bool_(),
    **{f"UINT{bits}": getattr(pa, f"uint{bits}")() for bits in (8, 16, 32, 64)},
    **{f"INT{bits}": getattr(pa, f"int{bits}")() for bits in (8, 16, 32, 64)},
    "FP16": pa.float16(),
    "FP32": pa.float32(),
    "FP64": pa.float64(),
    "BYTES": pa.string(),
}
NAMES = {kind: name for name, kind in TYPES.items()}
MOST_VALUES = 20_000_000


class OpenInference:
    """The protocol of KServe, MLServer, Triton and others."""

    ready = ("/v2/health/ready",)
    strict = True
    ports = (8080, 8000)

    def prefix(self, path: str) -> str:
        """The part of a URL's path before the protocol's own path."""
        head, mark, _ = f"{path.rstrip('/')}/".partition("/v2/")
        return head if mark else path.rstrip("/")

    def path(self, layout: RequestLayout) -> str:
        """The path that rows are sent to."""
        return f"{model_path(layout.model)}/infer"

    def body(self, rows: pa.Table, layout: RequestLayout, first: int) -> bytes:
        """The request body for these rows; `first` is the number of the first row (from 1). Raises Inconclusive."""
        if layout.matrix:
            inputs = [_matrix(rows, layout.tensors[0], first)]
        else:
            declared = {tensor.name: tensor for tensor in layout.tensors}
            inputs = [_tensor(name, rows.column(name), declared.get(name), first) for name in rows.column_names]
        # With content type pd, MLServer reads the tensors as columns.
        parameters = {} if layout.tensors else {"parameters": {"content_type": "pd"}}
        return json_of({**parameters, "inputs": inputs})

    def answer(self, raw: bytes, rows: int) -> Answered:
        """The columns of one response. Raises AnswerError if it violates the protocol or has another number of rows."""
        document = parsed(raw)
        outputs = document.get("outputs") if isinstance(document, dict) else None
        if not isinstance(outputs, list) or not outputs:
            raise AnswerError('the response has no "outputs"')
        columns: Answered = {}
        for output in outputs:
            name, values = _output(output, rows)
            if name in columns:
                raise AnswerError(f"the response has two outputs named {show(name, 80)}")
            columns[name] = values
        return columns


def model_path(model: str) -> str:
    """The path of a model, which may name its version: MODEL/versions/VERSION."""
    name, mark, version = model.partition("/versions/")
    return f"/v2/models/{quote(name, safe='')}" + (f"/versions/{quote(version, safe='')}" if mark else "")


# -- requests ---------------------------------------------------------------------------------------------------------


def _tensor(name: str, column: pa.ChunkedArray, declared: Tensor | None, first: int) -> dict[str, object]:
    values = plain_values(name, column, first)
    width: tuple[int, ...] = ()
    kind = column.type
    if pa.types.is_list(kind):
        kind, width, values = kind.value_type, (_width(name, values, first),), list(_flat(values))
    elif declared and declared.shape == (1,):
        width = (1,)
    datatype = declared.datatype if declared else NAMES.get(kind, "BYTES")
    tensor: dict[str, object] = {"name": name, "shape": [len(column), *width], "datatype": datatype}
    if datatype == "BYTES":
        tensor["parameters"] = {"content_type": "str"}
    each = math.prod(width)
    return tensor | {
        "data": [_as(datatype, value, name, first + position // each) for position, value in enumerate(values)]
    }


def _matrix(rows: pa.Table, tensor: Tensor, first: int) -> dict[str, object]:
    """All columns as one tensor, in their order."""
    columns = [plain_values(name, rows.column(name), first) for name in rows.column_names]
    data = [
        _as(tensor.datatype, value, name, first + position)
        for position, row in enumerate(zip(*columns, strict=True))
        for name, value in zip(rows.column_names, row, strict=True)
    ]
    shape = [rows.num_rows, len(columns)]
    return {"name": tensor.name, "shape": shape, "datatype": tensor.datatype, "data": data}


def _width(name: str, values: Sequence[object], first: int) -> int:
    width = len(values[0]) if values and isinstance(values[0], list) else 0
    wrong = next(
        (position for position, value in enumerate(values) if not isinstance(value, list) or len(value) != width), None
    )
    if wrong is not None or not width:
        raise Inconclusive(
            f"the inputs have lists of different lengths in column {name} (row {first + (wrong or 0):,}), and "
            "a tensor cannot hold them",
            "give all lists of a column the same length",
        )
    return width


def _flat(values: Sequence[object]) -> Iterator[object]:
    for value in values:
        if isinstance(value, list):
            yield from _flat(value)
        else:
            yield value


def _as(datatype: str, value: object, name: str, row: int) -> object:
    """A value in the tensor's datatype. A missing float is null, which servers read as NaN. Raises Inconclusive."""
    if value is None and datatype.startswith("FP"):
        return None
    if value is None:
        raise Inconclusive(
            f"the inputs have no value in column {name}, row {row:,}, but a tensor of {datatype} needs one",
            "fill in the missing values of that column",
        )
    fits = {
        "BOOL": isinstance(value, bool),
        "BYTES": True,
        "FP": isinstance(value, bool | int | float),
        "INT": isinstance(value, bool | int) or (isinstance(value, float) and value.is_integer()),
    }
    kind = datatype.removeprefix("U").rstrip("0123456789")
    if not fits.get(kind, False):
        raise Inconclusive(
            f"the model expects {datatype} for {name}, but row {row:,} of the inputs has {show(value, 80)}",
            "correct the type of that column in the inputs",
        )
    if kind == "BYTES":
        return value if isinstance(value, str) else str(value)
    return int(cast(float, value)) if kind == "INT" else value


# -- responses --------------------------------------------------------------------------------------------------------


def _output(output: object, rows: int) -> tuple[str, Values]:
    if not isinstance(output, dict) or not isinstance(output.get("name"), str):
        raise AnswerError("an output of the response has no name")
    name, datatype = output["name"], output.get("datatype")
    label = f"output {show(name, 80)}"
    kind = TYPES.get(datatype) if isinstance(datatype, str) else None
    if kind is None:
        raise AnswerError(f"{label} has the datatype {show(datatype, 40)}, which is not supported")
    each = _each(output.get("shape"), rows, label)
    if not isinstance(output.get("data"), list):
        raise AnswerError(f"{label} has no JSON data")
    values = list(_flat(output["data"]))
    if len(values) != rows * math.prod(each):
        raise AnswerError(f"{label} has {len(values):,} values, but its shape needs {rows * math.prod(each):,}")
    kind, values = _decoded(output, kind, values, label)
    if pa.types.is_floating(kind):  # a tensor has no missing values: servers write NaN as null
        values = [math.nan if value is None else value for value in values]
    if each in ((), (1,)):
        return name, Values(values, kind)
    width = math.prod(each)
    lists = [values[start : start + width] for start in range(0, len(values), width)]
    return name, Values(lists, pa.list_(kind))


def _each(shape: object, rows: int, label: str) -> tuple[int, ...]:
    """The shape of one row's values. Raises AnswerError if the declared shape is invalid."""
    if not isinstance(shape, list) or not all(type(size) is int and size >= 0 for size in shape) or not shape:
        raise AnswerError(f"{label} has no valid shape")
    if shape[0] != rows:
        raise AnswerError(f"{label} has {shape[0]:,} rows, but {rows:,} were requested")
    if math.prod(shape) > MOST_VALUES:
        raise AnswerError(f"{label} declares {math.prod(shape):,} values, more than the limit of {MOST_VALUES:,}")
    return tuple(shape[1:])


def _decoded(
    output: Mapping[str, object], kind: pa.DataType, values: list[object], label: str
) -> tuple[pa.DataType, list[object]]:
    parameters = output.get("parameters")
    if kind != pa.string() or not isinstance(parameters, dict) or parameters.get("content_type") != "base64":
        return kind, values
    try:
        return pa.binary(), [base64.b64decode(value, validate=True) for value in cast("list[str]", values)]
    except (binascii.Error, ValueError, TypeError) as error:
        raise AnswerError(f"{label} is declared as base64, but is not valid base64") from error


# -- a server's models ------------------------------------------------------------------------------------------------


def models_of(index: object, listed: object) -> list[str]:
    """The models that a server lists, at /v2/repository/index (MLServer, Triton) or at /v2/models (KServe)."""
    models = []
    if isinstance(index, list):
        entries = (entry for entry in index if isinstance(entry, dict) and entry.get("state", "READY") == "READY")
        models = [entry["name"] for entry in entries if isinstance(entry.get("name"), str)]
    elif isinstance(listed, dict) and isinstance(listed.get("models"), list):
        models = [name for name in listed["models"] if isinstance(name, str)]
    return list(dict.fromkeys(models))


def declared_inputs(metadata: object) -> tuple[Tensor, ...]:
    """The inputs that a model's metadata declares; none if it declares none or some that are not supported."""
    inputs = metadata.get("inputs") if isinstance(metadata, dict) else None
    tensors = []
    for entry in inputs if isinstance(inputs, list) else ():
        shape = entry.get("shape") if isinstance(entry, dict) else None
        if not isinstance(shape, list) or not all(type(size) is int for size in shape):
            return ()
        if not isinstance(entry.get("name"), str) or entry.get("datatype") not in TYPES:
            return ()
        tensors.append(Tensor(entry["name"], entry["datatype"], tuple(shape[1:])))
    return tuple(tensors)
