"""Fetches data by DVC's md5 objects, as data: the DVC program is not needed and nothing is written in its folders."""

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
    """The file or folder of a DVC item: md5 from the record, else from the commit's DVC files. Raises Inconclusive."""
    tracked = _tracked(item, fetching)
    if tracked.legacy:
        fetching.step.warn(
            f"data {show(item.path, 200)}: its DVC file is of DVC 2, whose md5 ignores line endings of text files"
        )
    found = _Objects(fetching, item)
    if not tracked.md5.endswith(".dir"):
        return Fetched({"": found.file(tracked)}, found.cached, tracked.md5, md5_checked=True)
    files = found.folder(tracked)
    if not tracked.inside:
        return Fetched(files, found.cached, tracked.md5, md5_checked=True)
    return Fetched(_part(files, tracked), found.cached, tracked.md5, md5_checked=True)


def _tracked(item: DataItem, fetching: Fetching) -> Tracked:
    if item.md5:
        found = Tracked(item.md5.lower())
    elif fetching.code is None:
        raise Inconclusive("its source is dvc, and the record has neither its md5 nor code", "record md5, or the code")
    else:
        found = find_tracked(Path(fetching.code.folder), str(PurePosixPath(fetching.code.subdirectory) / item.path))
    if not _MD5.fullmatch(found.md5):
        raise Inconclusive(f"{show(found.md5, 80)!r} is not an md5 of DVC", "record the md5 that DVC wrote")
    return found


def _part(files: dict[str, FetchedFile], tracked: Tracked) -> dict[str, FetchedFile]:
    """The one file or folder inside a tracked folder."""
    if tracked.inside in files:
        return {"": files[tracked.inside]}
    prefix = tracked.inside + "/"
    below = {name.removeprefix(prefix): file for name, file in files.items() if name.startswith(prefix)}
    if not below:
        raise Inconclusive(f"{show(tracked.inside, 200)} is not in the folder that DVC tracks", "correct its path")
    return below


class _Objects:
    """The objects of one item, from the cache, else from the first store that has them."""

    def __init__(self, fetching: Fetching, item: DataItem) -> None:
        self.context, self.item, self.cached = fetching.context, item, True
        self._fetching = fetching
        self._stores: list[DvcStore] | None = None

    def file(self, tracked: Tracked) -> FetchedFile:
        """One file, hashed against its md5."""
        stored = self._known(tracked.md5, tracked.legacy) or self._fetch(tracked)
        return replace(as_file(stored), md5=tracked.md5)

    def folder(self, tracked: Tracked) -> dict[str, FetchedFile]:
        """The files of a `.dir` object, which is JSON of md5 and relpath, and is named by its own md5."""
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
        wrong: Inconclusive | None = None
        for store in self._stores:
            try:
                stored = store.fetch(tracked.md5, self.context)
                if stored and self._check(stored, tracked, store):
                    return stored
            except Inconclusive as error:  # the next store may have what was recorded
                wrong = wrong or error
        if wrong:
            raise wrong
        none = "none: there is no local cache, and no remote that is a URL or an absolute path"
        asked = ", ".join(store.name for store in self._stores) or none
        raise Inconclusive(
            f"the DVC object {tracked.md5} is in none of its stores ({asked})",
            "run dvc push where the data is, or dvc fetch in the repository",
        )

    def _check(self, stored: Stored, tracked: Tracked, store: DvcStore) -> bool:
        wanted = tracked.md5.removesuffix(".dir")
        if stored.md5 == wanted:
            return True
        if tracked.legacy and text_md5(stored.file) == wanted:
            self.context.cache.write_note("dvc-text", wanted, stored.md5)
            return True
        raise Inconclusive(
            f"what {store.name} holds is not what was recorded: recorded md5 {wanted}, fetched md5 {stored.md5}",
            "put the recorded data back into that store (dvc push -r), or record the new hash if the change is meant",
        )


def text_md5(file: Path) -> str:
    """DVC 2's md5 of a text file: without the carriage returns of its line ends."""
    state = hashlib.md5(usedforsecurity=False)
    with file.open("rb") as stream:
        held = b""
        while chunk := stream.read(1 << 20):
            chunk = held + chunk
            held = b"\r" if chunk.endswith(b"\r") else b""
            state.update(chunk[: len(chunk) - len(held)].replace(b"\r\n", b"\n"))
        state.update(held)
    return state.hexdigest()


def _entries(stored: Stored) -> list[dict[str, str]]:
    if stored.size > LARGEST_LISTING:
        raise Inconclusive(f"the listing of a folder is larger than {LARGEST_LISTING:,} bytes")
    try:
        listing: Any = json.loads(stored.file.read_bytes())
        entries = [{"md5": str(entry["md5"]), "relpath": str(entry["relpath"])} for entry in listing]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise Inconclusive("the listing of a folder is not DVC's", "run dvc commit again") from error
    wrong = [e for e in entries if not is_inside(e["relpath"]) or not re.fullmatch("[0-9a-f]{32}", e["md5"])]
    if wrong or len(entries) > MOST_FILES:
        raise Inconclusive("the listing of a folder holds a forbidden path, a bad md5, or too many files")
    return sorted(entries, key=lambda entry: entry["relpath"])
