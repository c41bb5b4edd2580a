"""Reads the `.wandb` file of a W&B run without W&B: a LevelDB log of protobuf records, each with a crc32.

The log is a sequence of 32 KiB blocks of chunks; a chunk has a 7-byte header (crc32, length, kind) and is a whole
record or its first, middle or last part. A chunk never crosses a block; fewer than 7 bytes at the end of a block are
padding. A record is one protobuf message, of which only the fields that are needed are decoded.

Source: the LevelDB log format (github.com/google/leveldb, doc/log_format.md), with crc32 in place of crc32c; field
numbers as in wandb_internal.proto, the same from W&B 0.19 to 0.31. A log that was cut off is read up to the cut.
"""

from __future__ import annotations

import json
import os
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from repro_tui.formats.documents import check_depth
from repro_tui.support.regular import open_regular
from repro_tui.support.sizes import size_text
from repro_tui.support.text import plural

HEADER = b":W&B\xe1\xbe\x00"
BLOCK = 32 << 10
LARGEST_RECORD = 64 << 20
DEEPEST = 16
_FULL, _FIRST, _MIDDLE, _LAST = 1, 2, 3, 4
_SUMMARY, _CONFIG, _ARTIFACT, _RUN, _EXIT, _USED, _ENVIRONMENT = 3, 5, 8, 17, 18, 25, 26
_RUN_CONFIG, _RUN_SUMMARY, _RUN_STARTED, _RUN_TELEMETRY, _RUN_GIT = 4, 5, 17, 19, 21

Message = dict[int, list[int | bytes]]


class Torn(Exception):
    """The log cannot be read from here on."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of an artifact: its digest (md5 in base64), its size in bytes, and its path on the original machine."""

    path: str
    digest: str
    size: int = 0
    ref: str = ""
    local: str = ""


@dataclass(frozen=True, slots=True)
class Artifact:
    """An artifact that the run logged; `digest` is the hash of its entries' names and digests.

    `algorithm` is the hash algorithm ("" is md5, which older versions do not name); `unlisted` is the file with the
    entries if they are too many for the log.
    """

    name: str
    type: str
    digest: str
    entries: tuple[Entry, ...] = ()
    unlisted: str = ""
    algorithm: str = ""

    @property
    def md5(self) -> bool:
        """Whether its digests are md5."""
        return self.algorithm in ("", "MANIFEST_MD5")


@dataclass(slots=True)
class WandbLog:
    """The content of a log.

    `torn` says why the log could not be read to its end, and at which byte ("" if it could). `size` is the size of the
    file and `whole` the bytes up to the end of the last whole record, of which there are `records`.
    """

    run: dict[str, str] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    config: dict[str, Any] = field(default_factory=dict)
    summary: dict[str, Any] = field(default_factory=dict)
    artifacts: dict[str, Artifact] = field(default_factory=dict)
    used: list[tuple[str, str]] = field(default_factory=list)
    started: float | None = None
    ended: bool = False
    exit_code: int = 0
    torn: str = ""
    size: int = 0
    whole: int = 0
    records: int = 0

    @property
    def read(self) -> str:
        """How much of the log was read."""
        return f"{plural(self.records, 'record')}, {self.whole:,} of {self.size:,} bytes"


def read_log(file: Path) -> WandbLog:
    """The run in a `.wandb` file. Raises OSError, and Torn if it is not a W&B log."""
    log = WandbLog()
    with open_regular(file) as stream:
        log.size = os.fstat(stream.fileno()).st_size
        head = stream.read(len(HEADER))
        if head != HEADER:
            cut = HEADER.startswith(head)
            raise Torn(f"it ends in its header, at byte {len(head)}" if cut else "it is not a W&B log")
        log.whole = len(HEADER)
        try:
            for record, end in _records(stream):
                _apply(record, log, end)
                log.whole, log.records = end, log.records + 1
        except Torn as torn:
            log.torn = str(torn)
    return log


# -- the log ------------------------------------------------------------------------------------------------------


def _records(stream: BinaryIO) -> Iterator[tuple[bytes, int]]:
    """Yields the log's records, each with the byte at which it ends; those in several parts are joined."""
    held: list[bytes] = []
    end = len(HEADER)
    for kind, data, end in _chunks(stream):
        if (kind in (_FULL, _FIRST)) == bool(held):
            raise Torn(f"the parts of a record are incomplete, at byte {end:,}")
        held.append(data)
        if sum(map(len, held)) > LARGEST_RECORD:
            raise Torn(f"a record is larger than {size_text(LARGEST_RECORD)}, at byte {end:,}")
        if kind in (_FULL, _LAST):
            yield b"".join(held), end
            held = []
    if held:
        raise Torn(f"it ends in the middle of a record, at byte {end:,}")


def _chunks(stream: BinaryIO) -> Iterator[tuple[int, bytes, int]]:
    """Yields each chunk's kind, its bytes and its end; the header of the file is part of the first block."""
    position = len(HEADER)
    while True:
        left = BLOCK - position % BLOCK
        if left < 7:
            stream.read(left)
            position += left
            continue
        head = stream.read(7)
        if not head:
            return
        position += 7
        if len(head) < 7:
            raise Torn(f"it ends in the middle of a record, at byte {position - 7:,}")
        crc, length, kind = struct.unpack("<IHB", head)
        data = stream.read(length)
        if len(data) < length:
            raise Torn(f"it ends in the middle of a record, at byte {position:,}")
        if kind not in (_FULL, _FIRST, _MIDDLE, _LAST) or zlib.crc32(data, zlib.crc32(head[6:])) != crc:
            raise Torn(f"the checksum of a record is wrong, at byte {position:,}")
        position += length
        yield kind, data, position


# -- protobuf -----------------------------------------------------------------------------------------------------


def fields(raw: bytes) -> Message:
    """The fields of a message by number, each with its values in order. Raises Torn."""
    message: Message = {}
    position = 0
    while position < len(raw):
        key, position = _varint(raw, position)
        value, position = _value(raw, position, key & 7)
        message.setdefault(key >> 3, []).append(value)
    return message


def _value(raw: bytes, position: int, wire: int) -> tuple[int | bytes, int]:
    if wire == 0:
        return _varint(raw, position)
    if wire == 2:
        size, position = _varint(raw, position)
    else:
        size = {1: 8, 5: 4}.get(wire, -1)
    if size < 0 or position + size > len(raw):
        raise Torn("a record is not valid protobuf")
    return raw[position : position + size], position + size


def _varint(raw: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while position < len(raw) and shift < 70:
        byte = raw[position]
        value |= (byte & 0x7F) << shift
        position, shift = position + 1, shift + 7
        if byte < 0x80:
            return value, position
    raise Torn("a record is not valid protobuf")


def _text(message: Message, number: int) -> str:
    values = message.get(number)
    return values[-1].decode("utf-8", "replace") if values and isinstance(values[-1], bytes) else ""


def _number(message: Message, number: int) -> int:
    values = message.get(number)
    return values[-1] if values and isinstance(values[-1], int) else 0


def _below(message: Message, number: int) -> Iterator[Message]:
    for value in message.get(number, ()):
        if isinstance(value, bytes):
            yield fields(value)


# -- records ------------------------------------------------------------------------------------------------------


def _apply(raw: bytes, log: WandbLog, end: int) -> None:
    try:
        record = fields(raw)
        for number, apply in _APPLIERS.items():
            for message in _below(record, number):
                apply(message, log)
    except Torn as torn:
        raise Torn(f"{torn}: the record that ends at byte {end:,}") from torn


def _apply_run(message: Message, log: WandbLog) -> None:
    names = {1: "id", 2: "entity", 3: "project", 8: "name"}
    log.run |= {name: text for number, name in names.items() if (text := _text(message, number))}
    for git in _below(message, _RUN_GIT):
        log.run |= _git(git)
    for started in _below(message, _RUN_STARTED):
        log.started = _number(started, 1) + _number(started, 2) / 1e9
    for telemetry in _below(message, _RUN_TELEMETRY):
        log.environment.setdefault("python", _text(telemetry, 4))
    for config in _below(message, _RUN_CONFIG):
        _merge_updates(config, log.config)
    for summary in _below(message, _RUN_SUMMARY):
        _merge_updates(summary, log.summary)


def _git(message: Message) -> dict[str, str]:
    values = {"remote": _text(message, 1), "commit": _text(message, 2)}
    return {name: text for name, text in values.items() if text}


def _apply_environment(message: Message, log: WandbLog) -> None:
    names = {2: "python", 4: "docker", 6: "program", 7: "code_path", 11: "root"}
    log.environment |= {name: text for number, name in names.items() if (text := _text(message, number))}
    for git in _below(message, 9):
        log.environment |= _git(git)


def _apply_exit(message: Message, log: WandbLog) -> None:
    log.ended, log.exit_code = not _number(message, 3), _number(message, 1)


def _apply_artifact(message: Message, log: WandbLog) -> None:
    entries: list[Entry] = []
    unlisted = ""
    for manifest in _below(message, 12):
        entries += [_entry(content) for content in _below(manifest, 4)]
        unlisted = _text(manifest, 5)
    name, kind, digest, algorithm = (_text(message, number) for number in (5, 4, 6, 20))
    log.artifacts[name] = Artifact(name, kind, digest, tuple(entries), unlisted, algorithm)


def _entry(message: Message) -> Entry:
    return Entry(_text(message, 1), _text(message, 2), _number(message, 4), _text(message, 3), _text(message, 6))


def _apply_used(message: Message, log: WandbLog) -> None:
    log.used.append((_text(message, 3), _text(message, 2)))


def _merge_updates(message: Message, values: dict[str, object]) -> None:
    """Applies the updates and removals of a configuration or a summary, in their order."""
    for item in _below(message, 1):
        _set(_path(item), _json(_text(item, 16)), values)
    for item in _below(message, 2):
        _remove(_path(item), values)


def _path(item: Message) -> list[str]:
    nested = [value.decode("utf-8", "replace") for value in item.get(2, ()) if isinstance(value, bytes)]
    return (nested or [_text(item, 1)])[:DEEPEST]


def _json(text: str) -> object:
    try:
        value: object = json.loads(text)
        check_depth(value)  # what is nested more deeply stays text, for nobody could write it
    except (ValueError, RecursionError):
        return text
    return value


def _set(path: list[str], value: object, values: dict[str, object]) -> None:
    for name in path[:-1]:
        below = values.get(name)
        if not isinstance(below, dict):
            below = values[name] = {}
        values = below
    values[path[-1]] = value


def _remove(path: list[str], values: object) -> None:
    for name in path[:-1]:
        values = values.get(name) if isinstance(values, dict) else None
    if isinstance(values, dict):
        values.pop(path[-1], None)


_APPLIERS = {
    _RUN: _apply_run,
    _CONFIG: lambda message, log: _merge_updates(message, log.config),
    _SUMMARY: lambda message, log: _merge_updates(message, log.summary),
    _ENVIRONMENT: _apply_environment,
    _ARTIFACT: _apply_artifact,
    _USED: _apply_used,
    _EXIT: _apply_exit,
}


def log_of(folder: Path) -> Path:
    """The `.wandb` file of a run's folder. Raises Torn if there is none, or several."""
    logs = sorted(folder.glob("*.wandb"))
    if len(logs) != 1:
        raise Torn(f"it has {len(logs) or 'no'} .wandb file{'s' if len(logs) > 1 else ''}")
    return logs[0]
