"""An index of file digests, so that a file is hashed once and then recognised by its stat.

Idea: a file whose path, size, mtime, ctime and inode are unchanged has unchanged content. ctime cannot be set back by a
program, so this holds against everything but a changed system clock and damage below the file system; `reread` is for
what must hold against these too. Whole folders have one more row: a digest of all
names and stats. If it is unchanged, one query returns the digests of every file.

Cost: 50,000 files of an unchanged folder take one stat each and a single query. A changed folder reads the changed
files only.

Example: `HashIndex(file).digests(path)` reads `path` the first time; the second time it only calls stat. Writing to
`path` changes its ctime, so the third call reads it again.
"""

from __future__ import annotations

import errno
import gc
import hashlib
import json
import marshal
import os
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import repeat
from operator import attrgetter
from pathlib import Path
from typing import cast

from repro_tui.support.hashes import Digests, digest_file
from repro_tui.support.paths import real_path
from repro_tui.support.walks import check_depth, too_deep

AT_ONCE = 500  # rows of one query
PART = 64  # small files that a thread reads at once
READERS = min(8, 2 * (os.cpu_count() or 1))
TABLES = (
    "CREATE TABLE IF NOT EXISTS digest (path TEXT PRIMARY KEY, stamp TEXT, size INTEGER, sha256 TEXT, md5 TEXT)",
    "CREATE TABLE IF NOT EXISTS tree"
    " (root TEXT PRIMARY KEY, whole BLOB, names TEXT, stamps TEXT, sha256 TEXT, md5 TEXT)",
)

Stamp = tuple[int, int, int, int]
_stamp: Callable[[os.stat_result], Stamp] = attrgetter("st_size", "st_mtime_ns", "st_ctime_ns", "st_ino")


class HashIndex:
    """Digests by path and stat, in one SQLite file that several processes may share.

    An index that is damaged or cannot be written only costs time: a damaged one is deleted and built again.
    """

    def __init__(self, file: Path) -> None:
        self._file, self._lock = file, threading.Lock()
        self._read: dict[str, str] = {}  # path and stat of what this process has read itself
        self._connection: sqlite3.Connection | None = None

    # -- single files -------------------------------------------------------------------------------------------

    def digests(self, path: Path, *, md5: bool = False) -> Digests:
        """The digests of the file at `path`, which is only read if its stat has changed."""
        name = str(real_path(path))
        return self.digests_of([(name, path.stat())], md5=md5)[name]

    def digests_of(self, files: Iterable[tuple[str, os.stat_result]], *, md5: bool = False) -> dict[str, Digests]:
        """The digests of many files, given by resolved path and stat; unknown files are read and indexed."""
        stamps = {path: _text(_stamp(status)) for path, status in files}
        known = self._known(stamps, md5)
        new = {path: digest_file(path, md5=md5) for path in stamps if path not in known}
        self._keep((path, stamps[path], digests) for path, digests in new.items())
        return known | new

    def reread(self, path: Path, *, md5: bool = False) -> Digests:
        """The digests of a file, which is read even if its stat has not changed, but once in a process."""
        name = str(path.resolve())
        return self.reread_all([(name, path.stat())], md5=md5)[name]

    def reread_all(self, files: Iterable[tuple[str, os.stat_result]], *, md5: bool = False) -> dict[str, Digests]:
        """The digests of many files, given by resolved path and stat; those not read by this process are read now.

        Raises OSError where one cannot be read.
        """
        stamps = {path: _text(_stamp(status)) for path, status in files}
        trusted = {path: stamp for path, stamp in stamps.items() if self._read.get(path) == stamp}
        known = self._known(trusted, md5)
        new = self._digests_at_once([path for path in stamps if path not in known], md5)
        self._read.update((path, stamps[path]) for path in new)
        self._keep((path, stamps[path], digests) for path, digests in new.items())
        return known | new

    def _digests_at_once(self, paths: list[str], md5: bool) -> dict[str, Digests]:
        def read(part: list[str]) -> list[tuple[str, Digests]]:
            return [(path, digest_file(path, md5=md5)) for path in part]

        parts = [paths[start : start + PART] for start in range(0, len(paths), PART)]
        if len(parts) < 2:
            return dict(read(paths))
        with ThreadPoolExecutor(READERS, thread_name_prefix="hash") as pool:
            return dict(pair for part in pool.map(read, parts) for pair in part)

    def keep(self, files: Iterable[tuple[str, Digests]]) -> None:
        """Indexes files that were just written with these digests, by resolved path."""
        self._keep((path, _text(_stamp(os.stat(path))), digests) for path, digests in files)  # noqa: PTH116

    def linked(self, files: Iterable[tuple[Path, os.stat_result]]) -> None:
        """Updates the stats of files that we have just hard-linked, which changed their ctime and nothing else.

        Each file is given with its stat from just before. If more than its ctime differs, it is read again next time.
        """
        before = {str(real_path(path)): status for path, status in files}
        known = self._known({path: _text(_stamp(status)) for path, status in before.items()}, False)
        after = {path: os.stat(path) for path in known}  # noqa: PTH116
        same = attrgetter("st_size", "st_mtime_ns", "st_ino")
        linked = {p: _text(_stamp(status)) for p, status in after.items() if same(status) == same(before[p])}
        self._keep((path, stamp, known[path]) for path, stamp in linked.items())
        self._read.update((p, stamp) for p, stamp in linked.items() if self._read.get(p) == _text(_stamp(before[p])))

    def _known(self, stamps: dict[str, str], md5: bool) -> dict[str, Digests]:
        known: dict[str, Digests] = {}
        paths = list(stamps)
        for start in range(0, len(paths), AT_ONCE):
            part = paths[start : start + AT_ONCE]
            marks = ",".join("?" * len(part))
            query = f"SELECT path, stamp, size, sha256, md5 FROM digest WHERE path IN ({marks})"  # noqa: S608
            rows = cast("list[tuple[str, str, int, str, str | None]]", self._ask(query, part))
            for path, stamp, size, sha256, file_md5 in rows:
                if stamps[path] == stamp and (file_md5 or not md5):
                    known[path] = Digests(size, sha256, file_md5)
        return known

    def _keep(self, rows: Iterable[tuple[str, str, Digests]]) -> None:
        self._write("INSERT OR REPLACE INTO digest VALUES (?, ?, ?, ?, ?)", [(p, stamp, *d) for p, stamp, d in rows])

    # -- folders ------------------------------------------------------------------------------------------------

    def below(
        self, folder: Path, *, md5: bool = False, check: Callable[[], None] = lambda: None
    ) -> tuple[dict[str, Digests], list[str]]:
        """The digests of every regular file below a folder by its relative path, and the paths that are neither file
        nor folder.

        A folder is indexed as a whole: if no file's stat has changed, one row has all digests. `check` is called before
        each file that is read, and may raise Cancelled.
        """
        root = f"{real_path(folder)}/"
        with _uncollected():
            names, stamps, others = _scan(root)
            whole = hashlib.sha256(marshal.dumps((names, stamps), 2)).digest()
            query = "SELECT sha256, md5 FROM tree WHERE root = ? AND whole = ?"
            for sha256s, md5s in cast("list[tuple[str, str]]", self._ask(query, [root, whole])):
                if md5s.strip() or not md5:
                    return _unchanged(names, stamps, sha256s, md5s), others
        files = dict(zip(names, _by_file(stamps), strict=True))
        query = "SELECT names, stamps, sha256, md5 FROM tree WHERE root = ?"
        row = cast("list[tuple[str, str, str, str]]", self._ask(query, [root]))
        known = _before(*row[0]) if row else {}
        digests = {}
        for name, stamp in files.items():
            file_digests = known.get((name, stamp))
            if file_digests is None or (md5 and not file_digests.md5):
                check()
                file_digests = digest_file(root + name, md5=md5)
            digests[name] = file_digests
        self._keep_tree(root, whole, files, list(digests.values()))
        return digests, others

    def _keep_tree(self, root: str, whole: bytes, files: dict[str, Stamp], digests: Sequence[Digests]) -> None:
        names, stamps = json.dumps(list(files)), json.dumps(list(files.values()))
        sha256, md5 = (
            "\n".join(file_digests.sha256 for file_digests in digests),
            "\n".join(file_digests.md5 or "" for file_digests in digests),
        )
        row = (root, whole, names, stamps, sha256, md5)
        self._write("INSERT OR REPLACE INTO tree VALUES (?, ?, ?, ?, ?, ?)", [row])

    # -- the file -----------------------------------------------------------------------------------------------

    def _ask(self, query: str, values: Sequence[object]) -> Sequence[object]:
        """The rows of a query; none if the index cannot be read."""
        with self._lock:
            try:
                return self._open().execute(query, values).fetchall()
            except sqlite3.OperationalError:
                return []
            except sqlite3.DatabaseError:
                self._drop()
                return []

    def _write(self, statement: str, rows: Sequence[Sequence[object]]) -> None:
        """Writes all rows in one transaction: a transaction each would cost more than reading a small file."""
        if not rows:
            return
        with self._lock:
            try:
                connection = self._open()
                connection.execute("BEGIN IMMEDIATE")
                try:
                    connection.executemany(statement, rows)
                finally:
                    connection.execute("COMMIT")
            except sqlite3.OperationalError:
                return
            except sqlite3.DatabaseError:
                self._drop()

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            self._connection = sqlite3.connect(self._file, timeout=30, isolation_level=None, check_same_thread=False)
            self._connection.execute("PRAGMA journal_mode=WAL")
            self._connection.execute("PRAGMA synchronous=NORMAL")
            for table in TABLES:
                self._connection.execute(table)
        return self._connection

    def _drop(self) -> None:
        self.close()
        for suffix in ("", "-wal", "-shm"):
            self._file.with_name(self._file.name + suffix).unlink(missing_ok=True)

    def close(self) -> None:
        """Closes the index's file; it is opened again where it is asked again."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def __del__(self) -> None:
        """Python 3.13 warns of a connection that is collected open, and caches are handed on without an end."""
        self.close()


def _text(stamp: Stamp) -> str:
    return " ".join(map(str, stamp))


def _by_file(stamps: Iterable[int]) -> Iterator[Stamp]:
    numbers = iter(stamps)
    return zip(numbers, numbers, numbers, numbers, strict=True)


def _unchanged(names: list[str], stamps: list[int], sha256: str, md5: str) -> dict[str, Digests]:
    """The digests of an unchanged folder. Built without Python calls: `Digests(...)` takes as long as all stats."""
    rows = zip(stamps[::4], *_listed(sha256, md5), strict=False)
    return dict(zip(names, map(tuple.__new__, repeat(Digests), rows), strict=True))


def _listed(sha256: str, md5: str) -> tuple[Iterable[str], Iterable[str | None]]:
    """The stored digests of a folder, file by file."""
    return sha256.split("\n"), md5.split("\n") if md5.strip() else repeat(None)


def _before(names: str, stamps: str, sha256: str, md5: str) -> dict[tuple[str, Stamp], Digests]:
    """The stored digests of a folder in which something has changed, by name and stat."""
    keys = [(name, tuple(stamp)) for name, stamp in zip(json.loads(names), json.loads(stamps), strict=True)]
    rows = zip(keys, *_listed(sha256, md5), strict=False)
    return {key: Digests(key[1][0], file_sha256, file_md5 or None) for key, file_sha256, file_md5 in rows}


@contextmanager
def _uncollected() -> Iterator[None]:
    """Disables the cyclic garbage collector, which would scan the objects made for every file several times."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def _scan(root: str) -> tuple[list[str], list[int], list[str]]:
    """Every regular file below a folder, with its stamp, and the paths that are neither file nor folder (such as links,
    which are not followed). The stamps are flat: four numbers per file, in the order of the names."""
    names: list[str] = []
    stamps: list[int] = []
    others: list[str] = []
    pending = [""]
    while pending:
        prefix = pending.pop()
        # By a handle of the folder: the kernel then does not resolve the whole path of every file.
        handle = _opened(root, prefix)
        try:
            with os.scandir(handle) as entries:
                for entry in entries:
                    if entry.is_file(follow_symlinks=False):
                        stamps.extend(_stamp(entry.stat(follow_symlinks=False)))
                        names.append(prefix + entry.name)
                    elif entry.is_dir(follow_symlinks=False):
                        check_depth(prefix.count("/") + 1, root)
                        pending.append(f"{prefix}{entry.name}/")
                    else:
                        others.append(prefix + entry.name)
        finally:
            os.close(handle)
    return names, stamps, others


def _opened(root: str, prefix: str) -> int:
    try:
        return os.open(root + prefix, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            raise too_deep(root) from error
        raise
