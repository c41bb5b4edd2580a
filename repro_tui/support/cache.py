"""The cache: folders and objects by content hash, written atomically and verified before use.

Layout below the root: `folders/KIND/KEY/` with `KEY.manifest` next to it, `objects/ab/cdef...` (by sha256),
`md5/...` (md5 to sha256), `notes/KIND/KEY.json`, `locks/`, `temporary/`, `owners/`, `hashes.sqlite`.

Invariants: a folder counts only if its manifest exists and everything below it still has the recorded mode and content
(`manifest`); a folder without a manifest was interrupted and is rebuilt. An object is only returned if its bytes still
have its digest, a note only if it still has its checksum. All are read again once in every process, because a stat
proves nothing about bytes that changed below the file system. What has changed is set aside and told (`damage`). Every
write goes to `temporary/` first and is renamed into place, so that a crash leaves no partial entry. Locks are files,
held across threads and processes.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import threading
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
from repro_tui.support.manifest import DamagedFolder, Entries, read_manifest, verify_folder, write_manifest
from repro_tui.support.owner import Leftovers, Owner, living_owners, reap_owners
from repro_tui.support.paths import check_own, make_private, real_path
from repro_tui.support.plain import dumps, sync_folder, write_atomically
from repro_tui.support.regular import read_regular
from repro_tui.support.removal import remove_folder
from repro_tui.support.sizes import size_text
from repro_tui.support.text import show
from repro_tui.support.uv_leftovers import remove_uv_leftovers

SWEEP_AFTER_S = 24 * 3600
SUM = 64  # characters of the checksum of a note
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
        self.root = check_own(make_private(root), "REPRO_TUI_CACHE")
        self.hashes = HashIndex(root / "hashes.sqlite")
        self.notify: Callable[[str], None] = lambda text: None
        self._damage: list[str] = []
        self._verified: dict[Path, Entries] = {}
        self._owner: Owner | None = None
        self._owning = threading.Lock()

    @property
    def damage(self) -> tuple[str, ...]:
        """What had changed in the cache since it was stored, in sentences; `notify` is called with each at once."""
        return tuple(self._damage)

    def set_aside(self, path: Path, entry: str, reason: str) -> None:
        """Moves a damaged entry out of the way, where it is kept for a day, and reports it."""
        aside = self.temporary().with_name(uuid.uuid4().hex)  # without an owner, it is kept for a day
        with contextlib.suppress(FileNotFoundError):
            path.rename(aside)
            os.utime(aside, follow_symlinks=False)
        text = f"{entry} in the cache was damaged, so it was not used and is rebuilt: {show(reason, 300)}"
        self._damage.append(f"{text} (set aside as {aside}; check the disk and the memory of this machine)")
        self.notify(self._damage[-1])

    @property
    def owner(self) -> Owner:
        """This process as the owner of what it makes and removes again."""
        with self._owning:
            if self._owner is None:
                self._owner = Owner(self.root / "owners")
            return self._owner

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
            if self._is_whole(folder, cancel):
                return folder, True
            manifest.unlink(missing_ok=True)
            remove_tree(folder)
            self.owner.note(unfinished=[kind, key])
            folder.mkdir(parents=True, mode=0o700)
            try:
                build(folder)
                self._verified[folder] = write_manifest(folder, manifest, cancel.check, self.temporary())
            except BaseException:
                remove_tree(folder)
                raise
            return folder, False

    def existing_folder(self, kind: str, key: str, cancel: CancelToken) -> Path | None:
        """The folder of that kind and key if it is there, complete and unchanged; else None."""
        folder = self.root / "folders" / kind / key
        with self.lock(f"{kind}-{key}", cancel):
            return folder if self._is_whole(folder, cancel) else None

    def _is_whole(self, folder: Path, cancel: CancelToken) -> bool:
        """Whether a folder is what was built; one that is not is set aside."""
        manifest = folder.with_name(f"{folder.name}.manifest")
        known = self._verified.pop(folder, {})
        try:
            self._verified[folder] = verify_folder(folder, read_manifest(manifest), known, cancel.check)
        except FileNotFoundError:  # it was never built, or not completely, or is being removed
            return False
        except DamagedFolder as error:
            manifest.unlink(missing_ok=True)
            self.set_aside(folder, f"{folder.parent.name} {folder.name[:12]}", str(error))
            return False
        return True

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
            digests = self.hashes.reread(file, md5=md5 is not None)
        except FileNotFoundError:
            return None
        except OSError as error:
            self.set_aside(file, f"the object {sha256[:12]}", str(error))
            return None
        if digests.sha256 != sha256:
            self.set_aside(file, f"the object {sha256[:12]}", "its content has changed")
            return None
        if md5 and digests.md5 != md5:  # the index of md5s has changed, and not the object
            self.set_aside(self.root / "md5" / md5[:2] / md5[2:], f"the md5 {md5[:12]}", "it leads to another object")
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
        try:
            digests_of = self.hashes.reread_all(there, md5=md5)
        except OSError:  # one of them is gone or cannot be read
            each = (self.find_object(sha256=sha256) for sha256 in paths.values())
            return {stored.sha256: stored for stored in each if stored}
        stored = {}
        for path, digests in digests_of.items():
            if digests.sha256 == paths[path]:
                stored[digests.sha256] = Stored(path, digests.size, digests.sha256, digests.md5)
            else:
                self.set_aside(Path(path), f"the object {paths[path][:12]}", "its content has changed")
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
                            f"the object is larger than the limit of {size_text(limit)}", "record a smaller file"
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
        digests = self.hashes.reread(file, md5=True)
        assert digests.md5 is not None
        index = self.root / "md5" / digests.md5[:2] / digests.md5[2:]
        index.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(index, digests.sha256.encode("ascii"), temporary=self.temporary())
        return Stored(str(file), digests.size, digests.sha256, digests.md5)

    def _object_file(self, sha256: str) -> Path:
        return self.root / "objects" / sha256[:2] / sha256[2:]

    # -- notes, locks and temporaries ---------------------------------------------------------------------------

    def read_note(self, kind: str, key: str) -> Any:
        """The small JSON value stored under that kind and key, or None; one that has changed since is set aside."""
        path = self.root / "notes" / kind / f"{key}.json"
        try:
            checksum, _, text = path.read_text("utf-8", "surrogateescape").partition("\n")
        except OSError:
            return None
        if len(checksum) != SUM:  # an older version wrote it
            return None
        if checksum != _sum_of(kind, key, text):
            self.set_aside(path, f"the note {kind} {key[:12]}", "its content has changed")
            return None
        return json.loads(text)

    def write_note(self, kind: str, key: str, value: object) -> None:
        """Stores a small JSON value under that kind and key."""
        path = self.root / "notes" / kind / f"{key}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        text = dumps(value) + "\n"
        content = f"{_sum_of(kind, key, text)}\n{text}".encode("ascii")
        write_atomically(path, content, temporary=self.temporary())

    def temporary(self) -> Path:
        """A fresh path for a file or folder on the cache's own file system.

        What is left there when this process has ended, or has dropped this cache, is removed at the next start.
        """
        folder = self.root / "temporary"
        folder.mkdir(exist_ok=True)
        return folder / f"{self.owner.name}-{uuid.uuid4().hex}"

    @contextmanager
    def temporary_folder(self) -> Iterator[Path]:
        """An empty folder that only this user can enter; it is removed on leaving the block."""
        folder = self.temporary()
        folder.mkdir(mode=0o700)
        try:
            yield folder
        finally:
            with contextlib.suppress(OSError):
                remove_tree(folder)

    def _remove_leftovers(self, left: Leftovers) -> None:
        for folder in left.run_folders():
            with contextlib.suppress(OSError):
                remove_tree(folder)
        for kind, key in left.unfinished:
            folder = self.root / "folders" / kind / key
            with contextlib.suppress(OSError), self._try_lock(f"{kind}-{key}") as locked:
                if locked and folder.is_dir() and not folder.with_name(f"{key}.manifest").exists():
                    remove_tree(folder)

    @contextmanager
    def _try_lock(self, name: str) -> Iterator[bool]:
        """Holds the lock of that name unless somebody else does, and yields whether it is held."""
        from filelock import FileLock, Timeout

        lock = FileLock(self.root / "locks" / f"{name}.lock", thread_local=False)
        try:
            lock.acquire(blocking=False)
        except Timeout:
            yield False
            return
        try:
            yield True
        finally:
            lock.release()

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
        """Ends and removes what dead processes left: children, control groups, run folders and temporary files,
        also those of uv.

        Temporary files without an owner, of an earlier version, are removed after a day.
        """
        reap_owners(self.root / "owners", self._remove_leftovers)
        folder = self.root / "temporary"
        paths = list(folder.iterdir()) if folder.is_dir() else []
        living = living_owners(self.root / "owners")  # read after the names: who made them before was there by then
        for path in paths:
            owner, dash, _ = path.name.partition("-")
            with contextlib.suppress(OSError):
                if owner not in living if dash else time.time() - path.lstat().st_mtime > SWEEP_AFTER_S:
                    remove_tree(path)
        if not living - (
            {self._owner.name} if self._owner else set()
        ):  # on this machine or on another that shares the cache
            remove_uv_leftovers(self.root / "uv", remove_tree)


def _sum_of(kind: str, key: str, text: str) -> str:
    return hashlib.sha256(f"{kind}/{key}\n{text}".encode("utf-8", "surrogateescape")).hexdigest()


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
