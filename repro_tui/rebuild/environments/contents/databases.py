"""The databases of package managers in an environment: dpkg, apk, rpm and conda, all read as data."""

from __future__ import annotations

import json
import sqlite3
import struct
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath
from typing import Protocol

from repro_tui.support.sizes import size_text

LARGEST_DATABASE = 256 << 20
MOST_STEPS = 20_000  # of 10,000 instructions of SQLite each
DPKG, DPKG_BELOW = "var/lib/dpkg/status", "var/lib/dpkg/status.d/"
APK = ("lib/apk/db/installed", "usr/lib/apk/db/installed")
RPM_SQLITE = ("var/lib/rpm/rpmdb.sqlite", "usr/lib/sysimage/rpm/rpmdb.sqlite")
_RPM_OLD = ("var/lib/rpm/Packages", "usr/lib/sysimage/rpm/Packages", "usr/lib/sysimage/rpm/Packages.db")
_CONDA = "conda-meta"
# The tags of an RPM header, and the types of their values.
_NAME, _VERSION, _RELEASE, _EPOCH, _ARCH = 1000, 1001, 1002, 1003, 1022
_INT32, _STRINGS = 4, (6, 9)
_RPM_REASON = "the RPM database {} cannot be read: {}"


class _DatabaseFiles(Protocol):
    def paths(self) -> Iterable[str]: ...
    def read(self, path: str, limit: int = ..., /) -> bytes | None: ...


def is_database(path: str) -> bool:
    """Whether a file belongs to a package manager's database that is read here, dpkg's but for its md5 lists."""
    return path in (DPKG, *APK, *RPM_SQLITE) or path.startswith(DPKG_BELOW) or is_conda(path)


def is_conda(path: str) -> bool:
    """Whether a file describes an installed conda package."""
    return path.endswith(".json") and PurePosixPath(path).parent.name == _CONDA


def read_system_packages(view: _DatabaseFiles) -> tuple[dict[str, str], dict[str, str]]:
    """The packages of dpkg, apk, rpm and conda with their versions, and why others could not be read.

    A conda package is called "NAME (conda)"; with several environments, with the folder of its own.
    """
    packages = dict(_dpkg(view)) | dict(_apk(view))
    unknown: dict[str, str] = {}
    paths = set(view.paths())
    for path in (path for path in RPM_SQLITE if path in paths):
        try:
            packages |= _rpm(view, path, paths)
        except (sqlite3.Error, ValueError, struct.error, MemoryError) as error:
            unknown["system packages"] = _RPM_REASON.format(path, error)
    for path in (path for path in _RPM_OLD if path in paths and not paths & set(RPM_SQLITE)):
        unknown["system packages"] = _RPM_REASON.format(path, "only those in SQLite can, as of rpm 4.16")
    conda, unread = _conda(view)
    return packages | conda, unknown | unread


def _dpkg(view: _DatabaseFiles) -> Iterator[tuple[str, str]]:
    for path in (DPKG, *sorted(p for p in view.paths() if p.startswith(DPKG_BELOW))):
        text = (view.read(path) or b"").decode("utf-8", "replace")
        for paragraph in text.split("\n\n"):
            fields = dict(line.partition(": ")[::2] for line in paragraph.splitlines() if line[:1].isalpha())
            if "Package" in fields and fields.get("Status", "install ok installed").endswith(" installed"):
                yield fields["Package"], fields.get("Version", "")


def _apk(view: _DatabaseFiles) -> Iterator[tuple[str, str]]:
    for path in APK:
        text = (view.read(path) or b"").decode("utf-8", "replace")
        for paragraph in text.split("\n\n"):
            fields = dict(line.partition(":")[::2] for line in paragraph.splitlines())
            if "P" in fields:
                yield fields["P"], fields.get("V", "")


# -- conda ----------------------------------------------------------------------------------------------------------


def _conda(view: _DatabaseFiles) -> tuple[dict[str, str], dict[str, str]]:
    described, unknown = read_conda_packages(view)
    several = len({place for place, _, _ in described}) > 1
    packages = {f"{name} (conda, /{place})" if several else f"{name} (conda)": text for place, name, text in described}
    return packages, unknown


def read_conda_packages(view: _DatabaseFiles) -> tuple[list[tuple[str, str, str]], dict[str, str]]:
    """The conda packages, each with the folder of its environment, its name, and `VERSION BUILD`; the others' reasons.

    The reasons are those for which a package could not be read, by dotted field.
    """
    packages: list[tuple[str, str, str]] = []
    unknown: dict[str, str] = {}
    for path in sorted(path for path in view.paths() if is_conda(path)):
        try:
            document = json.loads(view.read(path) or b"")
            name, version, build = (str(document[key]) for key in ("name", "version", "build"))
        except (ValueError, KeyError, TypeError, RecursionError):
            unknown[f"system packages.{PurePosixPath(path).stem}"] = f"{path} does not describe a conda package"
            continue
        packages.append((str(PurePosixPath(path).parent.parent), name, f"{version} {build}"))
    return packages, unknown


# -- rpm ------------------------------------------------------------------------------------------------------------


def _rpm(view: _DatabaseFiles, path: str, paths: set[str]) -> dict[str, str]:
    """The packages of an RPM database in SQLite. Raises ValueError and errors of SQLite where it cannot be read."""
    content = view.read(path, LARGEST_DATABASE)
    if content is None:
        raise ValueError(f"it has more than {size_text(LARGEST_DATABASE)}")
    if f"{path}-wal" in paths and view.read(f"{path}-wal", LARGEST_DATABASE) != b"":
        raise ValueError("its last changes are in a write-ahead log")
    versions: dict[str, set[str]] = defaultdict(set)
    for header in _headers(content):
        name, version = _name_and_version(header)
        versions[name].add(version)
    return {name: ", ".join(sorted(found_versions)) for name, found_versions in versions.items()}


def _headers(content: bytes) -> Iterator[bytes]:
    """The headers in the database, which is held in memory: its file may be of anybody."""
    connection = sqlite3.connect(":memory:")
    try:
        # A database in memory cannot have a write-ahead log, which the bytes 18 and 19 announce.
        connection.deserialize(content[:18] + b"\x01\x01" + content[20:])
        connection.execute("PRAGMA trusted_schema=OFF")
        steps = iter(range(MOST_STEPS))
        connection.set_progress_handler(lambda: next(steps, None) is None, 10_000)
        for (blob,) in connection.execute("SELECT CAST(blob AS BLOB) FROM Packages"):
            yield blob or b""
    finally:
        connection.close()


def _name_and_version(header: bytes) -> tuple[str, str]:
    """The name, and [epoch:]version-release.arch, of an RPM header."""
    count, size = struct.unpack_from(">II", header)
    start = 8 + 16 * count
    if len(header) < start + size:
        raise ValueError("a header in it is cut short")
    store = header[start : start + size]
    values: dict[int, str] = {}
    for number in range(count):
        tag, kind, offset, _ = struct.unpack_from(">IIiI", header, 8 + 16 * number)
        if tag in (_NAME, _VERSION, _RELEASE, _ARCH) and kind in _STRINGS and 0 <= offset < size:
            values[tag] = store[offset : store.index(b"\0", offset)].decode("utf-8", "replace")
        elif tag == _EPOCH and kind == _INT32 and 0 <= offset <= size - 4:
            values[tag] = str(struct.unpack_from(">I", store, offset)[0])
    if not values.get(_NAME) or not values.get(_VERSION):
        raise ValueError("a header in it does not name its package and version")
    epoch = f"{values[_EPOCH]}:" if _EPOCH in values else ""
    release = f"-{values[_RELEASE]}" if _RELEASE in values else ""
    arch = f".{values[_ARCH]}" if _ARCH in values else ""
    return values[_NAME], f"{epoch}{values[_VERSION]}{release}{arch}"
