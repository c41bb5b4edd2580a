"""Digests of files, computed once and verified by stat (path, size, mtime, ctime and inode) afterwards."""

from __future__ import annotations

import hashlib
import os
import sqlite3
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Digests:
    """The digests of one file, in hexadecimal; md5 only where it was asked for."""

    size: int
    sha256: str
    md5: str | None = None


def digest_file(path: Path, *, md5: bool = False) -> Digests:
    """Reads a file once and returns its size and digests."""
    sha256, other, size = hashlib.sha256(), hashlib.md5(usedforsecurity=False), 0
    with path.open("rb", buffering=0) as stream:
        buffer = memoryview(bytearray(CHUNK))
        while count := stream.readinto(buffer):
            sha256.update(buffer[:count])
            if md5:
                other.update(buffer[:count])
            size += count
    return Digests(size, sha256.hexdigest(), other.hexdigest() if md5 else None)


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
