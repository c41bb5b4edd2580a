"""Fetches data that DVC tracks, by the md5 in the record, or else in the `.dvc` files and dvc.lock of the commit.

What `dvc import` brought is fetched from the repository that it comes from, and what `dvc import-url` brought from its
URL where no store has it. DVC is not run, and nothing is written to its folders.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path, PurePosixPath

from repro_tui.clients.dvc.configuration import DvcPlace
from repro_tui.clients.dvc.imports import fetch_imported
from repro_tui.clients.dvc.objects import MD5, DvcObjects
from repro_tui.formats.dvc_files import Tracked, find_tracked
from repro_tui.model.errors import Inconclusive
from repro_tui.model.record import DataItem
from repro_tui.model.workspace import FetchedFile
from repro_tui.rebuild.data_store import Fetched, Fetching, as_file
from repro_tui.support.cache import Stored
from repro_tui.support.text import quote, show


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
    objects = DvcObjects(_place(fetching), fetching.context, lambda text: _warn_once(fetching, text))
    stored = fetch_imported(objects, tracked)
    files = {name: replace(as_file(file), md5=file_md5) for name, (file, file_md5) in _named(stored, tracked).items()}
    part = _part(files, tracked) if tracked.inside and tracked.md5.endswith(".dir") else files
    return Fetched(part, objects.cached, tracked.md5, md5_checked=True)


def _named(stored: dict[str, tuple[Stored, str]], tracked: Tracked) -> dict[str, tuple[Stored, str]]:
    return stored if tracked.md5.endswith(".dir") else {"": next(iter(stored.values()))}


def _warn_once(fetching: Fetching, text: str) -> None:
    if text not in fetching.step.warnings:
        fetching.step.warn(text)


def _tracked(item: DataItem, fetching: Fetching) -> Tracked:
    tracked = None
    if fetching.code is not None:
        path = str(PurePosixPath(fetching.code.subdirectory) / item.path)
        try:
            tracked = find_tracked(Path(fetching.code.folder), path)
        except Inconclusive:
            if not item.md5:
                raise
    if item.md5 and (tracked is None or tracked.md5 != item.md5.lower() or tracked.inside):
        tracked = Tracked(item.md5.lower())
    if tracked is None:
        raise Inconclusive(
            "its source is dvc, but the record has neither its md5 nor code", "record its md5, or [code]"
        )
    if not MD5.fullmatch(tracked.md5):
        raise Inconclusive(
            f"{quote(tracked.md5, 80)} is not an md5 as DVC writes it", "record the md5 in the .dvc file or dvc.lock"
        )
    return tracked


def _place(fetching: Fetching) -> DvcPlace:
    """The DVC project of the record: the nearest folder with a `.dvc` at or above the code's subdirectory."""
    code, record = fetching.code, fetching.record
    if code is None or record.code is None:
        base = Path(record.base) if record.base else None
        return DvcPlace(base, base, record.base)
    location = record.code.repository
    repository = Path(location) if Path(location).is_dir() else None
    start = PurePosixPath(code.subdirectory)
    for folder in (start, *start.parents):
        if (Path(code.folder) / folder / ".dvc").is_dir():
            return DvcPlace(Path(code.folder) / folder, repository / folder if repository else None, location)
    return DvcPlace(None, repository, location)


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
