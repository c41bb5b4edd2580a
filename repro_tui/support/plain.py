"""Dataclasses to plain JSON values and back. What is written is ASCII, without NaN, and never half a file."""

from __future__ import annotations

import dataclasses
import json
import math
import os
import tempfile
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")
_NUMBER = "float | None"  # the annotation of a field, as text


def to_plain(value: Any) -> Any:
    """The JSON values of a dataclass of the model. A number that JSON cannot hold becomes null in a field of numbers,
    as the schemas have it, and elsewhere its name as text."""
    return _finite(_of_numbers(value, _builtins(value)))


def _builtins(value: Any) -> Any:
    import msgspec

    return msgspec.to_builtins(value, str_keys=True)


def dumps_exactly(value: Any) -> str:
    """JSON for this program alone, with NaN and infinities as Python reads them back: never for a file or a user."""
    return json.dumps(_builtins(value))


def from_plain(kind: type[T], value: Any) -> T:
    """The dataclass that `to_plain` made these values of; unknown keys are ignored. Raises ValueError."""
    import msgspec

    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise ValueError(str(error)) from error


def dumps(value: Any, *, indent: int | None = None) -> str:
    """ASCII JSON of plain values or a dataclass, in a stable key order."""
    return json.dumps(to_plain(value), ensure_ascii=True, allow_nan=False, indent=indent)


def write_json(path: Path, value: Any, *, indent: int | None = 2) -> None:
    """Writes JSON to `path`, whole or not at all."""
    write_atomically(path, (dumps(value, indent=indent) + "\n").encode("ascii"))


def write_atomically(path: Path, content: bytes, *, mode: int = 0o600) -> None:
    """Replaces `path` by `content`: a temporary file beside it, fsync, rename, fsync of the folder."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        Path(temporary).chmod(mode)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Makes the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _of_numbers(value: Any, plain: Any) -> Any:
    """The plain values, with null for what is not finite in a field that holds a number or nothing."""
    if dataclasses.is_dataclass(value):
        for one in dataclasses.fields(value):
            of = getattr(value, one.name)
            infinite = isinstance(of, float) and not math.isfinite(of)
            plain[one.name] = None if infinite and one.type == _NUMBER else _of_numbers(of, plain[one.name])
    elif isinstance(value, dict):
        for item, key in zip(value.values(), plain, strict=True):
            plain[key] = _of_numbers(item, plain[key])
    elif isinstance(value, list | tuple):
        return [_of_numbers(item, inner) for item, inner in zip(value, plain, strict=True)]
    return plain


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value
