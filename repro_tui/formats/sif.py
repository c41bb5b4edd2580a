"""Reads SIF files (Apptainer, Singularity) as data: the header, its descriptors, and the offset of the file system.

`apptainer inspect` of a file without a JSON descriptor starts the image's own shell with the user's home mounted, so
Apptainer is not used here. Source: the format of github.com/apptainer/sif, version 01, little-endian.
"""

from __future__ import annotations

import re
import shlex
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from repro_tui.formats.documents import LARGEST, parse_document
from repro_tui.model.errors import Mistake, Refused
from repro_tui.support.regular import open_regular
from repro_tui.support.system_errors import system_remedy

HEADER_BYTES, DESCRIPTOR_BYTES, MOST_DESCRIPTORS = 128, 585, 4096
DEFINITION, PARTITION, JSON = 0x4001, 0x4004, 0x4006
PRIMARY = 2
FILE_SYSTEMS = {1: "squashfs", 2: "ext3", 3: "archive", 4: "raw", 5: "encrypted squashfs"}
_DESCRIPTOR = struct.Struct("<i?12xqq40x128sii")  # kind, used, offset, size, name, file system, partition type
_DEFAULTED = re.compile(r'export ([A-Za-z_][A-Za-z0-9_]*)="\$\{\1:-"?(.*?)"?\}"')
_ASSIGNED = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)=(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Sif:
    """The content of a SIF file's descriptors.

    `offset` is the byte at which its root file system begins, `file_system` the kind of that. `labels`, `scripts` (name
    to text: those that set the environment) and `oci` (the configuration of the image that it was built from) are empty
    if the file has none; `described` says whether it has the JSON descriptor that contains them.
    """

    file_system: str
    offset: int
    definition: str = ""
    labels: dict[str, str] = field(default_factory=dict)
    scripts: dict[str, str] = field(default_factory=dict)
    oci: dict[str, Any] = field(default_factory=dict)
    described: bool = False

    def variables(self) -> tuple[dict[str, str], tuple[str, ...]]:
        """The environment variables with literal values, and the lines whose value only a shell could determine."""
        assigned = dict(
            pair.split("=", 1) for pair in self.oci.get("Env") or () if isinstance(pair, str) and "=" in pair
        )
        unclear = []
        for name in sorted(self.scripts):
            for line in self.scripts[name].splitlines():
                if line.strip() and not line.lstrip().startswith("#"):
                    values = _literal(line.strip())
                    assigned |= values or {}
                    unclear += [line.strip()] if values is None else []
        return assigned, tuple(unclear)

    def made_from(self) -> str:
        """What it was built from, according to its definition, such as `docker-daemon credit:1`."""
        lines = (line.partition(":") for line in self.definition.splitlines())
        fields = {name.strip().lower(): value.strip() for name, mark, value in lines if mark}
        return " ".join(fields[name] for name in ("bootstrap", "from") if fields.get(name))


def _literal(line: str) -> dict[str, str] | None:
    """The variables that a line of shell assigns; None if only a shell could determine that."""
    if match := _DEFAULTED.fullmatch(line):
        return None if re.search(r"[$`]", match.group(2)) else {match.group(1): match.group(2)}
    if re.search(r"[$`;&|<>()]", line):
        return None
    try:
        tokens = shlex.split(line)
    except ValueError:
        return None
    pairs = [_ASSIGNED.fullmatch(word) for word in (tokens[1:] if tokens[:1] == ["export"] else tokens)]
    return {pair.group(1): pair.group(2) for pair in pairs if pair} if pairs and all(pairs) else None


def read_sif(path: Path, place: str) -> Sif:
    """Reads the SIF file at `path`. Raises Refused if it is not a valid SIF image; `place` is the mistake's place."""
    try:
        with open_regular(path) as stream:
            return _read(stream, place)
    except OSError as error:
        problem = f"{path} cannot be read: {error.strerror or error}: {system_remedy(error)}"
        raise Refused(Mistake(place, problem)) from error
    except (struct.error, OverflowError) as error:
        raise Refused(Mistake(place, f"{path} is a truncated SIF image: copy it again")) from error


def _read(stream: BinaryIO, place: str) -> Sif:
    parts = _checked(stream, place)
    root = next(part for part in parts if part.is_root)
    metadata = _json(stream, parts, "inspect-metadata.json", place)
    attributes = _table(_table(metadata, "data"), "attributes")
    return Sif(
        file_system=FILE_SYSTEMS.get(root.file_system, f"file system of kind {root.file_system}"),
        offset=root.offset,
        definition=next(
            (_bytes(stream, part).decode("utf-8", "replace") for part in parts if part.kind == DEFINITION), ""
        ),
        labels=_texts(_table(attributes, "labels")),
        scripts=_texts(_table(attributes, "environment")),
        oci=_json(stream, parts, "oci-config.json", place),
        described=bool(metadata),
    )


@dataclass(frozen=True, slots=True)
class _Part:
    """One object in the file; `offset` and `size` in bytes, the last two fields only for a partition."""

    kind: int
    name: str
    offset: int
    size: int
    file_system: int
    partition: int

    @property
    def is_root(self) -> bool:
        return self.kind == PARTITION and self.partition == PRIMARY


def _checked(stream: BinaryIO, place: str) -> list[_Part]:
    header = stream.read(HEADER_BYTES)
    if header[32:42] != b"SIF_MAGIC\0":
        raise Refused(Mistake(place, f"{stream.name} is not a SIF image: create one with  apptainer build"))
    total, start = struct.unpack_from("<2q", header, 88)
    if not 0 < total <= MOST_DESCRIPTORS or start < HEADER_BYTES:
        raise Refused(Mistake(place, f"{stream.name} is a damaged SIF image: {total} descriptors at byte {start}"))
    end = stream.seek(0, 2)
    parts = list(_parts(stream, start, total))
    if any(part.offset < 0 or part.size < 0 or part.offset + part.size > end for part in parts):
        raise Refused(Mistake(place, f"{stream.name} is a truncated SIF image: copy it again"))
    if (roots := sum(part.is_root for part in parts)) != 1:
        raise Refused(Mistake(place, f"{stream.name} is a SIF image with {roots} root file systems: expected one"))
    return parts


def _parts(stream: BinaryIO, start: int, total: int) -> Iterator[_Part]:
    stream.seek(start)
    for _ in range(total):
        kind, used, offset, size, name, *extra = _DESCRIPTOR.unpack_from(stream.read(DESCRIPTOR_BYTES))
        if used:
            yield _Part(kind, name.rstrip(b"\0").decode("utf-8", "replace"), offset, size, *extra)


def _bytes(stream: BinaryIO, part: _Part) -> bytes:
    stream.seek(part.offset)
    return stream.read(min(part.size, LARGEST + 1))


def _json(stream: BinaryIO, parts: list[_Part], name: str, place: str) -> dict[str, object]:
    match = next((part for part in parts if part.kind == JSON and part.name == name), None)
    return parse_document(_bytes(stream, match), ".json", f"{place}: {name}") if match else {}


def _table(value: dict[str, object], name: str) -> dict[str, object]:
    entry = value.get(name)
    return entry if isinstance(entry, dict) else {}


def _texts(table: dict[str, object]) -> dict[str, str]:
    return {name: value for name, value in table.items() if isinstance(value, str)}
