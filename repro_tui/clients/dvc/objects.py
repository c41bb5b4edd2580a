"""Fetches DVC's objects straight from its stores, each checked by its md5.

DVC stores every file as an object named by its md5: `files/md5/ab/cdef…` (DVC 3) or `ab/cdef…` (DVC 2). A folder is an
object `ab/cdef….dir`, a JSON list of `{"md5": …, "relpath": …}`, one entry per file. An object is looked for in our
cache, in DVC's local cache and then in each remote, and hashed when it arrives: a damaged copy is skipped, and the next
store is tried. The objects of a folder are fetched several at a time.

The trap is DVC 2: the md5 of a text file there ignores carriage returns, so it is not the md5 of the file's bytes. Such
an object is accepted if `text_md5` matches, and a note in the cache maps the recorded md5 to the real one.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from repro_tui.clients.dvc.configuration import DvcPlace
from repro_tui.clients.dvc.stores import DvcStore, stores_of
from repro_tui.formats.dvc_files import Tracked
from repro_tui.model.errors import Inconclusive
from repro_tui.support.cache import Stored
from repro_tui.support.context import Context
from repro_tui.support.paths import is_inside
from repro_tui.support.regular import open_regular, read_regular
from repro_tui.support.sizes import size_text
from repro_tui.support.text import quote, show

LARGEST_LISTING = 256 << 20
MOST_ENTRIES = 1_000_000
MD5 = re.compile(r"[0-9a-f]{32}(\.dir)?")


class DvcObjects:
    """The objects of one project: from our cache, or else from the first store that has them undamaged.

    `cached` becomes False where a store was asked; `warn` is called once, with the options of
    a remote that are not honoured.
    """

    def __init__(self, place: DvcPlace, context: Context, warn: Callable[[str], None] = lambda text: None) -> None:
        self.place, self.context, self.warn, self.cached = place, context, warn, True
        self._stores: list[DvcStore] | None = None

    def file(self, tracked: Tracked) -> Stored:
        """Fetches one file, and checks its md5. Raises Inconclusive where no store has it undamaged, and Cancelled."""
        if not MD5.fullmatch(tracked.md5):
            raise Inconclusive(
                f"{quote(tracked.md5, 80)} is not an md5 as DVC writes it",
                "record the md5 in the .dvc file or dvc.lock",
            )
        return self._known(tracked.md5, tracked.legacy) or self._fetch(tracked)

    def folder(self, tracked: Tracked) -> dict[str, tuple[Stored, str]]:
        """Fetches the files of a `.dir` object: by relative path, the object and its recorded md5.

        Raises Inconclusive and Cancelled.
        """
        listing = self._known(tracked.md5.removesuffix(".dir"), False) or self._fetch(tracked)
        entries = {entry["relpath"]: entry["md5"] for entry in _entries(listing)}
        known = {md5: self._known(md5, tracked.legacy) for md5 in dict.fromkeys(entries.values())}
        objects = {md5: stored for md5, stored in known.items() if stored is not None}
        objects |= self._several([md5 for md5 in known if md5 not in objects], tracked)
        return {path: (objects[md5], md5) for path, md5 in entries.items()}

    def _several(self, requested: list[str], folder: Tracked) -> dict[str, Stored]:
        """Fetches objects, as many at once as the stores take."""
        if not requested:
            return {}
        parallel = min((store.parallel for store in self.stores()), default=1)
        with ThreadPoolExecutor(parallel, "dvc") as pool:
            try:
                return dict(zip(requested, pool.map(partial(self._entry, folder), requested), strict=True))
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise

    def stores(self) -> list[DvcStore]:
        """The stores that are searched, in order."""
        if self._stores is None:
            self._stores = stores_of(self.place, self.context)
            for store in self._stores:
                if store.left_out:
                    names = ", ".join(show(name, 200) for name in store.left_out)
                    self.warn(f"options of the DVC remote {store.name} that are not honoured: {names}")
        return self._stores

    def _entry(self, folder: Tracked, md5: str) -> Stored:
        self.context.cancel.check()
        return self._fetch(Tracked(md5, legacy=folder.legacy))

    def _known(self, md5: str, legacy: bool) -> Stored | None:
        if legacy:
            md5 = self.context.cache.read_note("dvc-text", md5) or md5
        return self.context.cache.find_object(md5=md5)

    def _fetch(self, tracked: Tracked) -> Stored:
        self.cached = False
        mismatch: Inconclusive | None = None
        for store in self.stores():
            try:
                stored = store.fetch(tracked.md5, self.context)
                if stored and self._check(stored, tracked, store):
                    return stored
            except Inconclusive as error:  # the next store may have what was recorded
                mismatch = mismatch or error
        if mismatch:
            raise mismatch
        raise self._absent(tracked)

    def _absent(self, tracked: Tracked) -> Inconclusive:
        no_stores = "none found: there is no local cache, and no remote that is a URL or an absolute path"
        names = ", ".join(store.name for store in self.stores()) or no_stores
        left_out = [name for store in self.stores() for name in store.left_out]
        do = "run dvc push where the data is, or dvc fetch in this repository"
        if left_out:
            listed = ", ".join(show(name, 200) for name in left_out)
            do = f"run dvc fetch in the repository, because options of its remote are not honoured here ({listed})"
        return Inconclusive(f"no DVC store has the object {tracked.md5} (stores: {names})", do)

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
    with open_regular(file) as stream:
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
            f"the listing of a DVC folder is larger than {size_text(LARGEST_LISTING)}", "track smaller folders"
        )
    try:
        listing: Any = json.loads(read_regular(stored.file, most=LARGEST_LISTING))
        entries = [{"md5": str(entry["md5"]), "relpath": str(entry["relpath"])} for entry in listing]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise Inconclusive("the listing of a DVC folder is malformed", "run dvc commit and dvc push again") from error
    invalid = [e for e in entries if not is_inside(e["relpath"]) or not re.fullmatch("[0-9a-f]{32}", e["md5"])]
    if invalid:
        place = show(f"{invalid[0]['relpath']} ({invalid[0]['md5']})", 200)
        problem = f"the listing of a DVC folder has an entry with a forbidden path or an invalid md5: {place}"
        raise Inconclusive(problem, "check who wrote to the store: DVC does not write such entries")
    if len(entries) > MOST_ENTRIES:
        raise Inconclusive(f"the listing of a DVC folder has more than {MOST_ENTRIES:,} files", "track smaller folders")
    return sorted(entries, key=lambda entry: entry["relpath"])
