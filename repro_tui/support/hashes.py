"""Digests of files, computed once and verified by stat (path, size, mtime, ctime and inode) afterwards."""

from __future__ import annotations

import hashlib
import os
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from io import FileIO
from pathlib import Path
from typing import NamedTuple, Protocol

CHUNK = 1 << 20
SMALL = 64 << 10  # bytes: what is smaller is read at once
LARGE = 8 << 20  # bytes, from which two digests are worth a thread each
AT_ONCE = 500  # rows of one query


class Hash(Protocol):
    """A digest under way."""

    def update(self, data: memoryview, /) -> None:
        """Takes more bytes."""
        ...

    def hexdigest(self) -> str:
        """The digest so far."""
        ...


class Digests(NamedTuple):
    """The digests of one file, in hexadecimal; md5 only where it was asked for."""

    size: int
    sha256: str
    md5: str | None = None


def digest_file(path: Path | str, *, md5: bool = False) -> Digests:
    """Reads a file once and returns its size and digests."""
    small = _small_file(path)
    if small is not None:
        found_md5 = hashlib.md5(small, usedforsecurity=False).hexdigest() if md5 else None
        return Digests(len(small), hashlib.sha256(small).hexdigest(), found_md5)
    states = [hashlib.sha256(), *([hashlib.md5(usedforsecurity=False)] if md5 else [])]
    with open(path, "rb", buffering=0) as stream:  # noqa: PTH123 - of 50,000 files, a Path takes a tenth of the time
        large = md5 and os.fstat(stream.fileno()).st_size >= LARGE
        size = _read_at_once(stream, states) if large else _read(stream, states)
    found = [state.hexdigest() for state in states]
    return Digests(size, found[0], found[1] if md5 else None)


def _small_file(path: Path | str) -> bytes | None:
    """The content of a file that one read takes whole; None of a larger one. Of 50,000 files, each call counts."""
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        content = os.read(handle, SMALL)
        return content if len(content) < SMALL and not os.read(handle, 1) else None
    finally:
        os.close(handle)


def _read(stream: FileIO, states: Sequence[Hash]) -> int:
    size, buffer = 0, memoryview(bytearray(min(CHUNK, os.fstat(stream.fileno()).st_size + 1)))
    while count := stream.readinto(buffer):
        for state in states:
            state.update(buffer[:count])
        size += count
    return size


def _read_at_once(stream: FileIO, states: Sequence[Hash]) -> int:
    """The same with a thread for each digest: a large file takes as long as its slowest."""
    size, buffer = 0, memoryview(bytearray(CHUNK))
    with ThreadPoolExecutor(len(states)) as pool:
        while count := stream.readinto(buffer):
            part = buffer[:count]
            list(pool.map(lambda state, part=part: state.update(part), states))
            size += count
    return size


def digest_text(*parts: str) -> str:
    """The sha256 of these texts, each kept apart from the next: a key of the cache."""
    state = hashlib.sha256()
    for part in parts:
        raw = part.encode("utf-8", "surrogatepass")
        state.update(len(raw).to_bytes(8, "big") + raw)
    return state.hexdigest()


def digest_tree(entries: Iterable[tuple[str, str]]) -> str:
    """One digest of a tree given as (relative path, digest), in any order."""
    return digest_text(*(part for entry in sorted(entries) for part in entry))


def _plain_files(root: str) -> Iterator[tuple[str, os.stat_result]]:
    """Every plain file below a folder with its stat; links are neither followed nor told."""
    pending = [""]
    while pending:
        prefix = pending.pop()
        with os.scandir(root + prefix) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    pending.append(f"{prefix}{entry.name}/")
                elif entry.is_file(follow_symlinks=False):
                    yield prefix + entry.name, entry.stat(follow_symlinks=False)


def _stamp(status: os.stat_result) -> str:
    return f"{status.st_size} {status.st_mtime_ns} {status.st_ctime_ns} {status.st_ino}"


class HashIndex:
    """Remembers digests by path and stat, in one SQLite file that several processes may share.

    A file whose stat is unchanged is not read again. An index that is damaged or cannot be written is only slower:
    it is dropped and made anew.
    """

    def __init__(self, file: Path) -> None:
        self._file, self._lock = file, threading.Lock()
        self._connection: sqlite3.Connection | None = None

    def digests(self, path: Path, *, md5: bool = False) -> Digests:
        """The digests of the file at `path`, read from it only where its stat has changed."""
        name, stamp = str(path.resolve()), _stamp(path.stat())
        with self._lock:
            known = self._find(name, stamp)
        if known and (known.md5 or not md5):
            return known
        found = digest_file(path, md5=md5)
        with self._lock:
            self._keep(name, stamp, found)
        return found

    def digests_of(self, files: Iterable[tuple[str, os.stat_result]], *, md5: bool = False) -> dict[str, Digests]:
        """The digests of many files, given by resolved path and stat; what is not known is read, and kept at once."""
        stamps = {path: _stamp(status) for path, status in files}
        with self._lock:
            known = self._find_all(stamps)
        return self._completed(stamps, known, md5)

    def _completed(self, stamps: dict[str, str], known: dict[str, Digests], md5: bool) -> dict[str, Digests]:
        """What is known, with that which has to be read; it is kept."""
        found = {path: digests for path, digests in known.items() if digests.md5} if md5 else known
        new = {path: digest_file(path, md5=md5) for path in stamps if path not in found}
        if new:
            with self._lock:
                self._keep_all((path, stamps[path], digests) for path, digests in new.items())
        return found | new

    def digests_below(self, folder: Path, *, md5: bool = False) -> dict[str, Digests]:
        """The digests of every plain file below a folder, by its path in it."""
        root = f"{folder.resolve()}/"
        stamps = {root + name: _stamp(status) for name, status in _plain_files(root)}
        with self._lock:
            known = self._find_below(root, stamps)
        digests = self._completed(stamps, known, md5)
        return {path[len(root) :]: digests[path] for path in stamps}

    def keep(self, files: Iterable[tuple[str, Digests]]) -> None:
        """Remembers files, by resolved path, that were just written with these digests."""
        rows = [(path, _stamp(os.stat(path)), digests) for path, digests in files]  # noqa: PTH116
        with self._lock:
            self._keep_all(iter(rows))

    def linked(self, path: Path, before: os.stat_result) -> None:
        """Tells that we have just made a hard link of the file: it changed its ctime, and nothing else.

        `before` is its stat just before. Where more than ctime differs, the file is read again next time.
        """
        name, after = str(path.resolve()), path.stat()
        unchanged = [(s.st_size, s.st_mtime_ns, s.st_ino) for s in (before, after)]
        with self._lock:
            known = self._find(name, _stamp(before))
            if known and unchanged[0] == unchanged[1]:
                self._keep(name, _stamp(after), known)

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            self._connection = sqlite3.connect(self._file, timeout=30, isolation_level=None, check_same_thread=False)
            self._connection.execute("PRAGMA journal_mode=WAL")
            self._connection.execute("PRAGMA synchronous=NORMAL")
            self._connection.execute(
                "CREATE TABLE IF NOT EXISTS digest"
                " (path TEXT PRIMARY KEY, stamp TEXT, size INTEGER, sha256 TEXT, md5 TEXT)"
            )
        return self._connection

    def _find(self, name: str, stamp: str) -> Digests | None:
        try:
            row = (
                self._open()
                .execute("SELECT size, sha256, md5 FROM digest WHERE path = ? AND stamp = ?", (name, stamp))
                .fetchone()
            )
        except sqlite3.OperationalError:
            return None
        except sqlite3.DatabaseError:
            self._drop()
            return None
        return Digests(*row) if row else None

    def _find_below(self, root: str, stamps: dict[str, str]) -> dict[str, Digests]:
        """What is known below a folder: one walk along the index, which is faster than asking for every path."""
        query = "SELECT path, stamp, size, sha256, md5 FROM digest WHERE path >= ? AND path < ?"
        try:
            rows = self._open().execute(query, (root, root[:-1] + "0")).fetchall()  # "0" follows "/"
        except sqlite3.OperationalError:
            return {}
        except sqlite3.DatabaseError:
            self._drop()
            return {}
        return {path: Digests(*values) for path, stamp, *values in rows if stamps.get(path) == stamp}

    def _find_all(self, stamps: dict[str, str]) -> dict[str, Digests]:
        found: dict[str, Digests] = {}
        paths = list(stamps)
        try:
            for start in range(0, len(paths), AT_ONCE):
                part = paths[start : start + AT_ONCE]
                marks = ",".join("?" * len(part))
                query = f"SELECT path, stamp, size, sha256, md5 FROM digest WHERE path IN ({marks})"  # noqa: S608
                rows = self._open().execute(query, part).fetchall()
                found |= {path: Digests(*values) for path, stamp, *values in rows if stamps[path] == stamp}
        except sqlite3.OperationalError:
            return found
        except sqlite3.DatabaseError:
            self._drop()
        return found

    def _keep_all(self, rows: Iterator[tuple[str, str, Digests]]) -> None:
        """In one transaction: each of its own would cost more than reading a small file."""
        values = [(path, stamp, found.size, found.sha256, found.md5) for path, stamp, found in rows]
        try:
            connection = self._open()
            connection.execute("BEGIN IMMEDIATE")
            try:
                connection.executemany("INSERT OR REPLACE INTO digest VALUES (?, ?, ?, ?, ?)", values)
            finally:
                connection.execute("COMMIT")
        except sqlite3.OperationalError:
            return
        except sqlite3.DatabaseError:
            self._drop()

    def _keep(self, name: str, stamp: str, found: Digests) -> None:
        try:
            self._open().execute(
                "INSERT OR REPLACE INTO digest VALUES (?, ?, ?, ?, ?)",
                (name, stamp, found.size, found.sha256, found.md5),
            )
        except sqlite3.DatabaseError:
            self._drop()

    def _drop(self) -> None:
        self.close()
        for suffix in ("", "-wal", "-shm"):
            self._file.with_name(self._file.name + suffix).unlink(missing_ok=True)

    def close(self) -> None:
        """Closes the index's file."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
