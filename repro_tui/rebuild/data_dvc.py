"""Fetches data that DVC tracks, straight from its stores. DVC is not run, and nothing is written to its folders.

DVC stores every file as an object named by its md5: `files/md5/ab/cdef…` (DVC 3) or `ab/cdef…` (DVC 2). A folder is an
object `ab/cdef….dir`, a JSON list of `{"md5": …, "relpath": …}`, one entry per file. To restore an item:

1. take its md5 from the record, or else from the `.dvc` files and dvc.lock of the commit;
2. look for the object in our cache, in DVC's local cache and then in each remote, hashing it when it arrives: a damaged
   copy is skipped, and the next store is tried;
3. for a folder, do the same for each entry of the listing.

The trap is DVC 2: the md5 of a text file there ignores carriage returns, so it is not the md5 of the file's bytes. Such
an object is accepted if `text_md5` matches, and a note in the cache maps the recorded md5 to the real one.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

from repro_tui.formats.dvc_files import Tracked, find_tracked
from repro_tui.model.errors import Inconclusive
from repro_tui.model.record import DataItem
from repro_tui.model.workspace import FetchedFile
from repro_tui.rebuild.data_store import MOST_FILES, Fetched, Fetching, as_file
from repro_tui.rebuild.dvc_stores import DvcStore, stores_of
from repro_tui.support.cache import Stored
from repro_tui.support.paths import is_inside
from repro_tui.support.text import show

_MD5 = re.compile(r"[0-9a-f]{32}(\.dir)?")
LARGEST_LISTING = 256 << 20


def fetch_dvc(item: DataItem, fetching: Fetching) -> Fetched:
    """The file or folder of a DVC item, by the md5 in the record, or else in the commit's DVC files.

    Raises Inconclusive where the md5 is unknown, or no store has the object.
    """
    tracked = _tracked(item, fetching)
    if tracked.legacy:
        fetching.step.warn(
            f"data {show(item.path, 200)}: its DVC file was written by DVC 2, whose md5 ignores "
            "the line endings of text files"
        )
    objects = _Objects(fetching, item)
    if not tracked.md5.endswith(".dir"):
        return Fetched({"": objects.file(tracked)}, objects.cached, tracked.md5, md5_checked=True)
    files = objects.folder(tracked)
    if not tracked.inside:
        return Fetched(files, objects.cached, tracked.md5, md5_checked=True)
    return Fetched(_part(files, tracked), objects.cached, tracked.md5, md5_checked=True)


def _tracked(item: DataItem, fetching: Fetching) -> Tracked:
    if item.md5:
        tracked = Tracked(item.md5.lower())
    elif fetching.code is None:
        raise Inconclusive(
            "its source is dvc, but the record has neither its md5 nor code", "record its md5, or [code]"
        )
    else:
        tracked = find_tracked(Path(fetching.code.folder), str(PurePosixPath(fetching.code.subdirectory) / item.path))
    if not _MD5.fullmatch(tracked.md5):
        raise Inconclusive(
            f"{show(tracked.md5, 80)!r} is not an md5 as DVC writes it", "record the md5 in the .dvc file or dvc.lock"
        )
    return tracked


def _part(files: dict[str, FetchedFile], tracked: Tracked) -> dict[str, FetchedFile]:
    """The files of an item that is only part of a tracked folder."""
    if tracked.inside in files:
        return {"": files[tracked.inside]}
    prefix = tracked.inside + "/"
    below = {name.removeprefix(prefix): file for name, file in files.items() if name.startswith(prefix)}
    if not below:
        raise Inconclusive(
            f"{show(tracked.inside, 200)} is not in the folder that DVC tracks", "correct the path in the record"
        )
    return below


class _Objects:
    """Fetches the objects of one item: from our cache, or else from the first store that has them undamaged."""

    def __init__(self, fetching: Fetching, item: DataItem) -> None:
        self.context, self.item, self.cached = fetching.context, item, True
        self._fetching = fetching
        self._stores: list[DvcStore] | None = None

    def file(self, tracked: Tracked) -> FetchedFile:
        """Fetches one file, and checks its md5."""
        stored = self._known(tracked.md5, tracked.legacy) or self._fetch(tracked)
        return replace(as_file(stored), md5=tracked.md5)

    def folder(self, tracked: Tracked) -> dict[str, FetchedFile]:
        """Fetches the files of a `.dir` object, by relative path."""
        stored = self._known(tracked.md5.removesuffix(".dir"), False) or self._fetch(tracked)
        files = {}
        for entry in _entries(stored):
            self.context.cancel.check()
            files[entry["relpath"]] = self.file(Tracked(entry["md5"], legacy=tracked.legacy))
        return files

    def _known(self, md5: str, legacy: bool) -> Stored | None:
        if legacy:
            md5 = self.context.cache.read_note("dvc-text", md5) or md5
        return self.context.cache.find_object(md5=md5)

    def _fetch(self, tracked: Tracked) -> Stored:
        self.cached = False
        if self._stores is None:
            self._stores = stores_of(self._fetching)
        mismatch: Inconclusive | None = None
        for store in self._stores:
            try:
                stored = store.fetch(tracked.md5, self.context)
                if stored and self._check(stored, tracked, store):
                    return stored
            except Inconclusive as error:  # the next store may have what was recorded
                mismatch = mismatch or error
        if mismatch:
            raise mismatch
        no_stores = "none found: there is no local cache, and no remote that is a URL or an absolute path"
        names = ", ".join(store.name for store in self._stores) or no_stores
        raise Inconclusive(
            f"no DVC store has the object {tracked.md5} (stores: {names})",
            "run dvc push where the data is, or dvc fetch in this repository",
        )

    def _check(self, stored: Stored, tracked: Tracked, store: DvcStore) -> bool:
        recorded = tracked.md5.removesuffix(".dir")
        if stored.md5 == recorded:
            return True
        if tracked.legacy and text_md5(stored.file) == recorded:
            self.context.cache.write_note("dvc-text", recorded, stored.md5)
            return True
        raise Inconclusive(
            f"{store.name} has other data than was recorded: recorded md5 {recorded}, fetched md5 {stored.md5}",
            "restore the recorded data in that store (dvc push -r), or record the new hash if the change is intended",
        )


def text_md5(file: Path) -> str:
    """The md5 that DVC 2 computes for a text file, in which each CR LF counts as LF.

    A carriage return at the end of a chunk is held back, because its line feed may begin the next chunk.
    """
    state = hashlib.md5(usedforsecurity=False)
    with file.open("rb") as stream:
        pending = b""
        while chunk := stream.read(1 << 20):
            chunk = pending + chunk
            pending = b"\r" if chunk.endswith(b"\r") else b""
            state.update(chunk[: len(chunk) - len(pending)].replace(b"\r\n", b"\n"))
        state.update(pending)
    return state.hexdigest()


def _entries(stored: Stored) -> list[dict[str, str]]:
    if stored.size > LARGEST_LISTING:
        raise Inconclusive(
            f"the listing of a DVC folder is larger than {LARGEST_LISTING:,} bytes", "track smaller folders"
        )
    try:
        listing: Any = json.loads(stored.file.read_bytes())
        entries = [{"md5": str(entry["md5"]), "relpath": str(entry["relpath"])} for entry in listing]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise Inconclusive("the listing of a DVC folder is malformed", "run dvc commit and dvc push again") from error
    invalid = [e for e in entries if not is_inside(e["relpath"]) or not re.fullmatch("[0-9a-f]{32}", e["md5"])]
    if invalid:
        place = show(f"{invalid[0]['relpath']} ({invalid[0]['md5']})", 200)
        problem = f"the listing of a DVC folder has an entry with a forbidden path or an invalid md5: {place}"
        raise Inconclusive(problem, "check who wrote to the store: DVC does not write such entries")
    if len(entries) > MOST_FILES:
        raise Inconclusive(f"the listing of a DVC folder has more than {MOST_FILES:,} files", "track smaller folders")
    return sorted(entries, key=lambda entry: entry["relpath"])
