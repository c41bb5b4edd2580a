"""Files of named values: JSON, YAML, TOML, .npz and safetensors are read as data and written back.

Nothing in them is executed: arrays are bytes with a type and a shape, and are never unpickled.
"""

from __future__ import annotations

import io
import json
import math
import struct
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import numpy as np

from repro_tui.formats.documents import no_duplicates
from repro_tui.formats.parameter_files import parse_any, write
from repro_tui.model.errors import Inconclusive

LONGEST_HEADER = 16 << 20
LARGEST_TEXT = 16 << 20
LARGEST_ARRAYS = 256 << 20
MOST_ARRAYS = 100_000
METADATA = "__metadata__"


@dataclass(frozen=True, slots=True)
class Array:
    """An array as stored in its file: the name of its type, its shape and its bytes."""

    kind: str
    shape: tuple[int, ...]
    data: bytes

    def __str__(self) -> str:
        """The number for a scalar, else type and shape: "float32, 3 x 4"."""
        if math.prod(self.shape) == 1 and (number := _scalar(self)) is not None:
            return repr(number)
        return f"{self.kind}, {' x '.join(f'{size:,}' for size in self.shape)}"


def _scalar(array: Array) -> float | None:
    kind = _NUMPY.get(array.kind, array.kind)
    try:
        return np.frombuffer(array.data, kind)[0].item() if np.dtype(kind).kind in "biuf" else None
    except (TypeError, ValueError):
        return None


@dataclass(frozen=True, slots=True)
class Format:
    """A reader of files of at most `largest` bytes as nested values, and the writer for such values.

    Reading raises ValueError.
    """

    read: Callable[[bytes], object]
    write: Callable[[object], bytes]
    largest: int = LARGEST_TEXT


def format_of(suffix: str) -> Format | None:
    """The format of files with this extension (".json"), or None if it is not supported."""
    return FORMATS.get(suffix)


def _json(content: bytes) -> object:
    try:
        document: object = json.loads(content.decode("utf-8"), object_pairs_hook=no_duplicates)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    return document


def _as_json(document: object) -> bytes:
    return json.dumps(document, ensure_ascii=False).encode("utf-8", "surrogatepass")


def _text(suffix: str) -> Format:
    def read(content: bytes) -> object:
        try:
            return parse_any(content, suffix, "the file", unique=True)
        except Inconclusive as error:
            raise ValueError(str(error)) from error

    return Format(read, lambda document: write(document, suffix))


# -- arrays ---------------------------------------------------------------------------------------------------------


def _npz(content: bytes) -> dict[str, Array]:
    arrays = {}
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = archive.infolist()
            if len(members) > MOST_ARRAYS or sum(member.file_size for member in members) > LARGEST_ARRAYS:
                raise ValueError("it has too many arrays, or they are too large")
            for member in members:
                name = member.filename.removesuffix(".npy")
                if name in arrays:
                    raise ValueError("two of its arrays have the same name")
                with archive.open(member) as stream:
                    arrays[name] = _npy(stream.read())
    except (zipfile.BadZipFile, NotImplementedError, EOFError, RuntimeError) as error:
        raise ValueError(str(error)) from error
    return arrays


def _npy(content: bytes) -> Array:
    stream = io.BytesIO(content)
    version = np.lib.format.read_magic(stream)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, in_columns, kind = read(stream)
    if kind.hasobject or in_columns:
        raise ValueError("it has an array of objects or in column-major order")
    return Array(kind.str, shape, content[stream.tell() :])


def _as_npz(document: object) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, array in cast("dict[str, Array]", document).items():
            head = io.BytesIO()
            header = {"descr": array.kind, "fortran_order": False, "shape": array.shape}
            np.lib.format.write_array_header_2_0(head, header)
            archive.writestr(f"{name}.npy", head.getvalue() + array.data)
    return out.getvalue()


# The types of safetensors and their names in numpy: https://huggingface.co/docs/safetensors
_NUMPY = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "i1", "U8": "u1"}


def _safetensors(content: bytes) -> dict[str, object]:
    if len(content) < 8:
        raise ValueError("it is too short")
    (size,) = struct.unpack("<Q", content[:8])
    if size > min(LONGEST_HEADER, len(content) - 8):
        raise ValueError("its header is longer than the file")
    header = _json(content[8 : 8 + size])
    if not isinstance(header, dict):
        raise ValueError("its header is not valid")  # noqa: TRY004
    body = memoryview(content)[8 + size :]
    try:
        values: dict[str, object] = {}
        for name, entry in header.items():
            if name == METADATA:
                values[name] = entry
                continue
            begin, end = entry["data_offsets"]
            if not 0 <= begin <= end <= len(body):
                raise ValueError("an array lies outside the file")
            values[name] = Array(str(entry["dtype"]), tuple(map(int, entry["shape"])), bytes(body[begin:end]))
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError("its header is not valid") from error
    return values


def _as_safetensors(document: object) -> bytes:
    header: dict[str, object] = {}
    parts: list[bytes] = []
    offset = 0
    for name, value in cast("dict[str, object]", document).items():
        if not isinstance(value, Array):
            header[name] = value
            continue
        header[name] = {
            "dtype": value.kind,
            "shape": list(value.shape),
            "data_offsets": [offset, offset + len(value.data)],
        }
        parts.append(value.data)
        offset += len(value.data)
    head = _as_json(header)
    head += b" " * (-len(head) % 8)  # arrays begin at a multiple of eight
    return struct.pack("<Q", len(head)) + head + b"".join(parts)


FORMATS = {
    ".json": Format(_json, _as_json),
    **{suffix: _text(suffix) for suffix in (".yaml", ".yml", ".toml")},
    ".npz": Format(_npz, _as_npz, LARGEST_ARRAYS),
    ".safetensors": Format(_safetensors, _as_safetensors, LARGEST_ARRAYS),
}
