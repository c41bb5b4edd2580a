"""The cache: folders and objects by content hash, written atomically and verified before use.

Layout below the root: `folders/KIND/KEY/` with `KEY.manifest` next to it, `objects/ab/cdef...` (by sha256),
`md5/...` (md5 to sha256), `notes/KIND/KEY.json`, `locks/`, `temporary/`, `hashes.sqlite`.

Invariants: a folder counts only if its manifest exists and every file still has the recorded stat, or else the
recorded content; a folder without a manifest was interrupted and is rebuilt. An object is only returned if its bytes
still have its digest. Every write goes to `temporary/` first and is renamed into place, so that a crash leaves no
partial entry. Locks are files, held across threads and processes.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from repro_tui.model.errors import Inconclusive
from repro_tui.support.cancel import CancelToken
from repro_tui.support.hash_index import HashIndex
from repro_tui.support.hashes import CHUNK, Digests
from repro_tui.support.paths import make_private, real_path
from repro_tui.support.plain import sync_folder, write_atomically, write_json
from repro_tui.support.regular import read_regular
from repro_tui.support.removal import remove_folder
from repro_tui.support.walks import walk

SWEEP_AFTER_S = 24 * 3600
TRIES = 100  # attempts to remove a tree that others remove at the same time


@dataclass(frozen=True, slots=True)
class Stored:
    """An object of the cache: the path of its file, size in bytes and digests."""

    path: str
    size: int
    sha256: str
    md5: str | None = None

    @property
    def file(self) -> Path:
        """Its file."""
        return Path(self.path)


class Cache:
    """One cache root, safe for several processes at once."""

    def __init__(self, root: Path) -> None:
        self.root = make_private(root)
        self.hashes = HashIndex(root / "hashes.sqlite")

    # -- folders ------------------------------------------------------------------------------------------------

    def folder(self, kind: str, key: str, build: Callable[[Path], None], cancel: CancelToken) -> tuple[Path, bool]:
        """Returns the folder of that kind and key, and whether it was cached, complete and unchanged.

        Otherwise `build` fills an empty folder at its final path, under a lock for this key; its content is then
        recorded in a manifest, without which the entry does not count. What `build` raises is passed on, and the
        folder is removed. Raises Cancelled while waiting for the lock.
        """
        folder = self.root / "folders" / kind / key
        manifest = folder.with_name(f"{key}.manifest")
        with self.lock(f"{kind}-{key}", cancel):
            if self._is_whole(folder, manifest):
                return folder, True
            manifest.unlink(missing_ok=True)
            remove_tree(folder)
            folder.mkdir(parents=True, mode=0o700)
            try:
                build(folder)
                _write_manifest(folder, manifest)
            except BaseException:
                remove_tree(folder)
                raise
            return folder, False

    def _is_whole(self, folder: Path, manifest: Path) -> bool:
        try:
            recorded = json.loads(manifest.read_text("ascii"))
        except (OSError, ValueError):
            return False
        return folder.is_dir() and _verify(folder, manifest, recorded)

    # -- objects ------------------------------------------------------------------------------------------------

    def find_object(self, *, sha256: str | None = None, md5: str | None = None) -> Stored | None:
        """The object with that digest, or None; an object whose bytes have changed is removed and not returned."""
        if sha256 is None and md5 is not None:
            with contextlib.suppress(OSError):
                sha256 = (self.root / "md5" / md5[:2] / md5[2:]).read_text("ascii").strip()
        if sha256 is None:
            return None
        file = self._object_file(sha256)
        try:
            digests = self.hashes.digests(file, md5=md5 is not None)
        except OSError:
            return None
        if digests.sha256 != sha256 or (md5 and digests.md5 != md5):
            file.unlink(missing_ok=True)
            return None
        return Stored(str(file), digests.size, digests.sha256, digests.md5)

    def find_objects(self, requested: Iterable[Digests], *, md5: bool = False) -> dict[str, Stored]:
        """The cached objects among these digests, by sha256; objects whose bytes have changed are removed."""
        root = f"{real_path(self.root)}/objects"
        paths = {f"{root}/{digests.sha256[:2]}/{digests.sha256[2:]}": digests.sha256 for digests in requested}
        there = []
        for path in paths:
            with contextlib.suppress(OSError):
                there.append((path, os.stat(path)))  # noqa: PTH116
        stored = {}
        for path, digests in self.hashes.digests_of(there, md5=md5).items():
            if digests.sha256 == paths[path]:
                stored[digests.sha256] = Stored(path, digests.size, digests.sha256, digests.md5)
            else:
                Path(path).unlink(missing_ok=True)
        return stored

    def add_small_files(self, files: Mapping[str, Digests], cancel: CancelToken) -> dict[str, Stored]:
        """Stores many small files by path, whose digests are known; returns the objects by sha256.

        They are synced to disk together, and their digests are only indexed after that: an object that a crash left
        incomplete is read again when it is requested, and removed. Raises Inconclusive if a file has changed since
        its digest was taken.
        """
        root = f"{real_path(self.root)}/objects"
        made: dict[str, Digests] = {}
        for path, known in files.items():
            cancel.check()
            place = f"{root}/{known.sha256[:2]}/{known.sha256[2:]}"
            if place not in made:
                self._put(read_regular(path), known, Path(place), path)
                made[place] = known
        os.sync()
        self.hashes.keep(made.items())
        return {known.sha256: Stored(p, known.size, known.sha256, known.md5) for p, known in made.items()}

    def _put(self, content: bytes, known: Digests, place: Path, path: str) -> None:
        if hashlib.sha256(content).hexdigest() != known.sha256:
            raise Inconclusive(f"{path} changed while it was read", "stop writing to the data during the audit")
        temporary = self.temporary()
        temporary.write_bytes(content)
        temporary.chmod(0o444)
        place.parent.mkdir(parents=True, exist_ok=True)
        temporary.replace(place)
        if known.md5:
            index = self.root / "md5" / known.md5[:2] / known.md5[2:]
            index.parent.mkdir(parents=True, exist_ok=True)
            index.write_text(known.sha256, "ascii")

    def add_object(self, stream: BinaryIO, cancel: CancelToken, *, limit: int | None = None) -> Stored:
        """Stores a stream by its sha256 (and indexes its md5). Raises Inconclusive above `limit` bytes, Cancelled."""
        temporary = self.temporary()
        try:
            with temporary.open("xb") as out:
                size = 0
                while chunk := stream.read(CHUNK):
                    cancel.check()
                    size += len(chunk)
                    if limit is not None and size > limit:
                        raise Inconclusive(
                            f"the object is larger than the limit of {limit:,} bytes", "record a smaller file"
                        )
                    out.write(chunk)
                out.flush()
                os.fsync(out.fileno())
            temporary.chmod(0o444)
            digests = self.hashes.digests(temporary, md5=True)
            file = self._object_file(digests.sha256)
            file.parent.mkdir(parents=True, exist_ok=True)
            temporary.replace(file)
            sync_folder(file.parent)
        finally:
            temporary.unlink(missing_ok=True)
        digests = self.hashes.digests(file, md5=True)
        assert digests.md5 is not None
        index = self.root / "md5" / digests.md5[:2] / digests.md5[2:]
        index.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(index, digests.sha256.encode("ascii"))
        return Stored(str(file), digests.size, digests.sha256, digests.md5)

    def _object_file(self, sha256: str) -> Path:
        return self.root / "objects" / sha256[:2] / sha256[2:]

    # -- notes, locks and temporaries ---------------------------------------------------------------------------

    def read_note(self, kind: str, key: str) -> Any:
        """The small JSON value stored under that kind and key, or None."""
        try:
            return json.loads((self.root / "notes" / kind / f"{key}.json").read_text("ascii"))
        except (OSError, ValueError):
            return None

    def write_note(self, kind: str, key: str, value: object) -> None:
        """Stores a small JSON value under that kind and key."""
        path = self.root / "notes" / kind / f"{key}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, value, indent=None)

    def temporary(self) -> Path:
        """A fresh path for a file or folder on the cache's own file system; leftovers are swept after a day."""
        folder = self.root / "temporary"
        folder.mkdir(exist_ok=True)
        return folder / uuid.uuid4().hex

    @contextmanager
    def lock(self, name: str, cancel: CancelToken) -> Iterator[None]:
        """Holds the lock of that name, against other threads and processes; waiting can be cancelled."""
        from filelock import FileLock, Timeout

        folder = self.root / "locks"
        folder.mkdir(exist_ok=True)
        lock = FileLock(folder / f"{name}.lock", thread_local=False)
        while True:
            try:
                lock.acquire(timeout=0.2, poll_interval=0.02)
                break
            except Timeout:
                cancel.check()
        try:
            yield
        finally:
            lock.release()

    def sweep(self) -> None:
        """Removes temporary files and folders that are older than a day, which no running process can still need."""
        folder = self.root / "temporary"
        if not folder.is_dir():
            return
        for path in folder.iterdir():
            with contextlib.suppress(OSError):
                if time.time() - path.lstat().st_mtime > SWEEP_AFTER_S:
                    remove_tree(path)


def remove_tree(path: Path) -> None:
    """Removes a file or a folder with everything below it, including read-only folders; a link is only unlinked.

    Files that another process removes at the same time, such as an audit that ends, are not an error.
    """
    for _ in range(TRIES):
        try:
            _remove(path)
            return
        except FileNotFoundError:
            continue
    _remove(path)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        remove_folder(path)
    elif os.path.lexists(path):  # also of a pipe, a socket or a broken link
        path.unlink()


def _stamp(entry: os.DirEntry[str]) -> list[int]:
    status = entry.stat(follow_symlinks=False)
    return [status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino, status.st_mode]


def _content(path: str) -> str:
    if os.path.islink(path):  # noqa: PTH114
        return "link " + os.readlink(path)  # noqa: PTH115
    from blake3 import blake3

    return str(blake3().update_mmap(path).hexdigest())


def _write_manifest(folder: Path, manifest: Path) -> None:
    entries = {name: [*_stamp(entry), _content(entry.path)] for name, entry in walk(folder)}
    write_json(manifest, entries, indent=None)


def _verify(folder: Path, manifest: Path, recorded: dict[str, list[int | str]]) -> bool:
    """Whether the folder matches its manifest: by stat, and by content where the stat has changed."""
    seen, touched = 0, False
    for name, entry in walk(folder):
        known = recorded.get(name)
        if known is None:
            return False
        seen += 1
        stamp = _stamp(entry)
        if stamp != known[:5]:
            if stamp[4] != known[4] or _content(entry.path) != known[5]:
                return False
            recorded[name], touched = [*stamp, known[5]], True
    if seen != len(recorded):
        return False
    if touched:
        write_json(manifest, recorded, indent=None)
    return True
