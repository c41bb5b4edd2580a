"""The manifest of an audit's folder: the size and SHA-256 of every file in it, written when the audit has ended."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from repro_tui.model.errors import Inconclusive, Refused
from repro_tui.support.plain import dumps, from_plain, write_atomically
from repro_tui.support.regular import open_regular, read_regular
from repro_tui.support.text import show
from repro_tui.support.walks import walk

MANIFEST = "manifest.json"
ATTESTATION = "attestation.json"
PIN = "pinned"  # an empty file, by which a user keeps an audit after its end
MOST_MANIFEST = 64 << 20  # bytes


@dataclass(frozen=True, slots=True)
class FileHash:
    """The content of one file: its size in bytes, and its SHA-256 in hexadecimal."""

    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """Every file of an audit's folder by its path there, except the manifest itself and its attestation."""

    schema: int
    files: Mapping[str, FileHash]

    def encode(self) -> bytes:
        """The one way to write this manifest, so that a byte of it that was changed is noticed."""
        ordered = Manifest(self.schema, dict(sorted(self.files.items())))
        return (dumps(ordered, indent=1) + "\n").encode("ascii")


def write_manifest(folder: Path) -> None:
    """Writes the manifest of a folder that nobody writes to any more. Raises as `walk` does."""
    files = {name: hash_of(folder / name) for name in names_in(folder)}
    write_atomically(folder / MANIFEST, Manifest(1, files).encode())


def names_in(folder: Path) -> list[str]:
    """The paths below a folder of all that belongs into its manifest; links and special files are among them."""
    own = (MANIFEST, ATTESTATION)
    return sorted(name for name, entry in walk(folder) if name not in own and not _is_pin(name, entry))


def _is_pin(name: str, entry: os.DirEntry[str]) -> bool:
    """Whether a file only says that the audit is kept: it holds nothing."""
    return name == PIN and entry.is_file(follow_symlinks=False) and not entry.stat(follow_symlinks=False).st_size


def hash_of(path: Path) -> FileHash:
    """The size and hash of a regular file. Raises OSError, also for a link, a device or a FIFO."""
    with open_regular(path, links=False) as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
        return FileHash(os.fstat(stream.fileno()).st_size, digest)


def read_manifest(folder: Path) -> tuple[Manifest, bytes]:
    """The manifest of an audit's folder, and its bytes.

    Raises Inconclusive where there is none, and Refused where it is none.
    """
    path = folder / MANIFEST
    if not os.path.lexists(path):
        reason = f"{show(str(folder), 300)} has no {MANIFEST}: its audit did not end, or is of an older version"
        raise Inconclusive(reason, "run the audit again: only what was hashed when an audit ended can be checked")
    try:
        content = read_regular(path, most=MOST_MANIFEST, links=False)
        manifest = from_plain(Manifest, json.loads(content))
    except (OSError, ValueError, RecursionError) as error:
        problem = error.strerror if isinstance(error, OSError) else error
        raise Refused(f"{show(str(path), 300)} is not a manifest: {show(str(problem), 200)}") from error
    if manifest.schema != 1:
        raise Refused(f"{show(str(path), 300)} has the schema {manifest.schema}, but this version only reads schema 1")
    return manifest, content
