"""Keeps fetched files in the cache, and says what each fetch yields."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from repro_tui.model.errors import Inconclusive
from repro_tui.model.record import Record
from repro_tui.model.workspace import CodeTree, FetchedFile
from repro_tui.support.cache import Stored
from repro_tui.support.context import Context, Step
from repro_tui.support.hashes import Digests
from repro_tui.support.text import show

MOST_FILES = 1_000_000
SMALL = 1 << 20  # bytes


@dataclass(frozen=True, slots=True)
class Fetching:
    """What every fetch of one record's data shares; `cached` collects whether each item was at hand."""

    record: Record
    code: CodeTree | None
    context: Context
    step: Step
    cached: list[bool] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Fetched:
    """The files of one item, by relative name ("" for a single file).

    `recorded` is a hash that the source itself had; `md5_checked` tells that the source compared md5 in its own way.
    """

    files: dict[str, FetchedFile]
    cached: bool
    recorded: str = ""
    md5_checked: bool = False


def as_file(stored: Stored) -> FetchedFile:
    """An object of the cache as a fetched file."""
    return FetchedFile(stored.path, stored.size, stored.sha256, stored.md5)


def keep_path(place: Path, md5: bool, context: Context) -> Fetched:
    """A local file, or every file of a local folder, copied into the cache where it is not there yet."""
    if place.is_file():
        stored, cached = keep_file(place, md5, context)
        return Fetched({"": as_file(stored)}, cached)
    if not place.is_dir():
        raise Inconclusive(f"{show(str(place), 200)} is neither a file nor a folder")
    found = _digests(place, md5, context)
    if not found:
        raise Inconclusive(f"the folder {show(str(place), 200)} is empty")
    known = context.cache.find_objects(found.values(), md5=md5)
    new = {name: digests for name, digests in found.items() if digests.sha256 not in known}
    known |= _keep(place, new, context)
    return Fetched({name: as_file(known[found[name].sha256]) for name in sorted(found)}, not new)


def _digests(place: Path, md5: bool, context: Context) -> dict[str, Digests]:
    """The digests of every file of a local folder; a link counts as the file of that folder that it leads to."""
    try:
        found, others = context.cache.hashes.below(place, md5=md5, check=context.cancel.check)
        for name in others:
            found[name] = context.cache.hashes.digests(_plain_file(place / name, place), md5=md5)
    except OSError as error:
        told = f"{show(str(error.filename or place), 200)} cannot be read: {error.strerror}"
        raise Inconclusive(told, "see to its permissions") from error
    if len(found) > MOST_FILES:
        raise Inconclusive(f"{show(str(place), 200)} holds more than {MOST_FILES:,} files")
    return found


def _keep(place: Path, files: dict[str, Digests], context: Context) -> dict[str, Stored]:
    """Copies files into the cache; the small ones all at once. Returns them by sha256."""
    small = {str(place / name): found for name, found in files.items() if found.size <= SMALL}
    kept = context.cache.add_small_files(small, context.cancel) if small else {}
    for name, found in files.items():
        if found.size > SMALL and found.sha256 not in kept:
            kept[found.sha256] = keep_file(place / name, found.md5 is not None, context)[0]
    return kept


def _plain_file(path: Path, root: Path) -> Path:
    """The file itself; of a link, what it leads to, which must be a file in the same folder."""
    target = path.resolve() if path.is_symlink() else path
    if path.is_symlink() and not target.is_relative_to(root.resolve()):
        raise Inconclusive(f"{show(str(path), 200)} is a link that leaves its folder", "record a folder of plain files")
    if not target.is_file():
        raise Inconclusive(f"{show(str(path), 200)} is a link or a special file", "record a folder of plain files")
    return target


def keep_file(place: Path, md5: bool, context: Context) -> tuple[Stored, bool]:
    """The cache's object of a local file, and whether it was there already. The file is read once where unchanged."""
    try:
        known = context.cache.hashes.digests(place, md5=md5)
        stored = context.cache.find_object(sha256=known.sha256, md5=known.md5 if md5 else None)
        if stored:
            return stored, True
        stream = place.open("rb")
    except OSError as error:
        raise Inconclusive(
            f"{show(str(place), 200)} cannot be read: {error.strerror}", "see to its permissions"
        ) from error
    with stream:
        return context.cache.add_object(stream, context.cancel), False
