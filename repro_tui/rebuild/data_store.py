"""What the fetchers of all sources share: their input, their result, and copying local files into the cache."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from repro_tui.model.errors import Inconclusive
from repro_tui.model.record import Record
from repro_tui.model.workspace import CodeTree, FetchedFile
from repro_tui.support.cache import Stored
from repro_tui.support.context import Context, Step
from repro_tui.support.hashes import Digests
from repro_tui.support.paths import real_path
from repro_tui.support.regular import is_regular, open_regular
from repro_tui.support.text import show

MOST_FILES = 1_000_000
SMALL = 1 << 20  # bytes


@dataclass(frozen=True, slots=True)
class Fetching:
    """The input of every fetcher of one record. `cached` collects, per item, whether the cache already had it."""

    record: Record
    code: CodeTree | None
    context: Context
    step: Step
    cached: list[bool] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Fetched:
    """The files of one item, by relative name ("" for a single file).

    `recorded` is a hash that the source itself recorded. `md5_checked` means that the fetcher has already compared the
    md5 in the way of its source (DVC 2 ignores carriage returns, and W&B hashes a manifest).
    """

    files: dict[str, FetchedFile]
    cached: bool
    recorded: str = ""
    md5_checked: bool = False


def as_file(stored: Stored) -> FetchedFile:
    """An object of the cache as a fetched file."""
    return FetchedFile(stored.path, stored.size, stored.sha256, stored.md5)


def keep_path(path: Path, md5: bool, context: Context) -> Fetched:
    """Copies a local file, or every file of a local folder, into the cache unless it is already there.

    `md5` asks for the md5 of each file in addition to its sha256. Raises Inconclusive where nothing can be read.
    """
    if is_regular(path):
        stored, cached = keep_file(path, md5, context)
        return Fetched({"": as_file(stored)}, cached)
    if not path.is_dir():
        raise Inconclusive(f"{show(str(path), 200)} is neither a file nor a folder", "record a file or a folder")
    digests = _digests(path, md5, context)
    if not digests:
        raise Inconclusive(f"the folder {show(str(path), 200)} is empty", "restore its files, or correct the source")
    known = context.cache.find_objects(digests.values(), md5=md5)
    added = {name: digests for name, digests in digests.items() if digests.sha256 not in known}
    known |= _keep(path, added, context)
    return Fetched({name: as_file(known[digests[name].sha256]) for name in sorted(digests)}, not added)


def _digests(folder: Path, md5: bool, context: Context) -> dict[str, Digests]:
    """The digests of every file in a local folder. A link counts as its target, which must be a file in that folder."""
    try:
        digests, links = context.cache.hashes.below(folder, md5=md5, check=context.cancel.check)
        for name in links:
            digests[name] = context.cache.hashes.digests(_plain_file(folder / name, folder), md5=md5)
    except OSError as error:
        problem = f"{show(str(error.filename or folder), 200)} cannot be read: {error.strerror}"
        raise Inconclusive(problem, "check its permissions, and the disk that it is on") from error
    if len(digests) > MOST_FILES:
        raise Inconclusive(
            f"{show(str(folder), 200)} has more than {MOST_FILES:,} files", "record a smaller folder, or an archive"
        )
    return digests


def _keep(folder: Path, files: dict[str, Digests], context: Context) -> dict[str, Stored]:
    """Copies files into the cache, the small ones in one batch. Returns them by sha256."""
    small = {str(folder / name): digests for name, digests in files.items() if digests.size <= SMALL}
    kept = context.cache.add_small_files(small, context.cancel) if small else {}
    for name, digests in files.items():
        if digests.size > SMALL and digests.sha256 not in kept:
            kept[digests.sha256] = keep_file(folder / name, digests.md5 is not None, context)[0]
    return kept


def _plain_file(path: Path, root: Path) -> Path:
    """The file itself, or the target of a link, which must be a file in the same folder."""
    target = real_path(path) if path.is_symlink() else path
    if path.is_symlink() and not target.is_relative_to(real_path(root)):
        raise Inconclusive(f"{show(str(path), 200)} is a link that leaves its folder", "record a folder of plain files")
    if not target.is_file():
        raise Inconclusive(
            f"{show(str(path), 200)} is a broken link or a special file", "record a folder of plain files"
        )
    return target


def keep_file(path: Path, md5: bool, context: Context) -> tuple[Stored, bool]:
    """The cache's copy of a local file, and whether it was already there. An unchanged file is read only once."""
    try:
        known = context.cache.hashes.digests(path, md5=md5)
        stored = context.cache.find_object(sha256=known.sha256, md5=known.md5 if md5 else None)
        if stored:
            return stored, True
        stream = open_regular(path)
    except OSError as error:
        problem = f"{show(str(path), 200)} cannot be read: {error.strerror}"
        raise Inconclusive(problem, "check its permissions, and the disk that it is on") from error
    with stream:
        return context.cache.add_object(stream, context.cancel), False
