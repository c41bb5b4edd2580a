"""Dataclasses to plain JSON values and back. Files are ASCII, without NaN, and written atomically."""

from __future__ import annotations

import dataclasses
import json
import math
import os
import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar, cast, overload

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

T = TypeVar("T")
TEMPORARY_SUFFIX = ".tmp"
_NUMBER = "float | None"  # the annotation of a field, as text


@overload
def to_plain(value: DataclassInstance) -> dict[str, object]: ...


@overload
def to_plain(value: object) -> object: ...


def to_plain(value: object) -> object:
    """The JSON values of a dataclass of the model.

    NaN and infinity, which JSON cannot hold, become null in a field of type `float | None`, as in the schemas, and
    their name as text elsewhere.
    """
    return _finite(value, _builtins(value))


def _builtins(value: object) -> object:
    import msgspec

    plain: object = msgspec.to_builtins(value, str_keys=True)
    return plain


def dumps_exactly(value: object) -> str:
    """JSON between our own processes, with NaN and infinity as Python reads them back; never for a file or a user."""
    return json.dumps(_builtins(value))


def from_plain(kind: type[T], value: object) -> T:
    """The dataclass that `to_plain` made these values from; unknown keys are ignored.

    Raises ValueError if a value is missing or has the wrong type.
    """
    import msgspec

    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise ValueError(str(error)) from error


def dumps(value: object, *, indent: int | None = None) -> str:
    """ASCII JSON of plain values or a dataclass, with a stable key order."""
    return json.dumps(to_plain(value), ensure_ascii=True, allow_nan=False, indent=indent)


def write_json(path: Path, value: object, *, indent: int | None = 2, temporary: Path | None = None) -> None:
    """Writes JSON to `path` atomically; see `write_atomically`."""
    write_atomically(path, (dumps(value, indent=indent) + "\n").encode("ascii"), temporary=temporary)


def write_atomically(path: Path, content: bytes, *, mode: int = 0o600, temporary: Path | None = None) -> None:
    """Replaces `path` with `content`: a temporary file, fsync, rename, fsync of the folder.

    `temporary` is the path of that file, on the same file system (None: `.NAME.RANDOM.tmp` in the same folder).
    """
    temporary = temporary or path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}{TEMPORARY_SUFFIX}")
    try:
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.chmod(mode)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Syncs the names in a folder to disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _finite(value: object, plain: object, *, is_number: bool = False) -> object:
    """The plain values of `value`, with null for NaN and infinity in a field that holds a number or None."""
    if isinstance(plain, float):
        return plain if math.isfinite(plain) else None if is_number else str(plain)
    if isinstance(plain, dict) and dataclasses.is_dataclass(value):
        numbers = {field.name for field in dataclasses.fields(value) if field.type == _NUMBER}
        return {name: _finite(getattr(value, name), item, is_number=name in numbers) for name, item in plain.items()}
    if isinstance(plain, dict):
        return {
            key: _finite(item, plain[key])
            for key, item in zip(plain, cast("dict[str, object]", value).values(), strict=True)
        }
    if isinstance(plain, list | tuple):
        return [_finite(item, inner) for item, inner in zip(cast("Iterable[object]", value), plain, strict=True)]
    return plain
