"""Rebuilds the data: each item fetched from its source, and hashed against the record, whatever it came from."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path, PurePosixPath

from repro_tui.model.errors import Inconclusive, Refused
from repro_tui.model.record import DataItem, Record
from repro_tui.model.workspace import CodeTree, FetchedData, FetchedFile, Part
from repro_tui.rebuild.data_dvc import fetch_dvc
from repro_tui.rebuild.data_mlflow import fetch_mlflow
from repro_tui.rebuild.data_remote import fetch_url
from repro_tui.rebuild.data_store import Fetched, Fetching, keep_path
from repro_tui.rebuild.data_wandb import fetch_wandb
from repro_tui.support import grammar
from repro_tui.support.context import Context, Step
from repro_tui.support.hashes import digest_text, digest_tree
from repro_tui.support.paths import resolve_inside
from repro_tui.support.redact import strip_url
from repro_tui.support.text import plural, show

IMAGES = ("image", "dockerfile", "sif")


def rebuild_data(
    record: Record, code: CodeTree | None, context: Context
) -> tuple[tuple[FetchedData, ...], Part | None]:
    """The data of a record and how it was obtained; nothing and None where none was recorded.

    A folder's sha256 is `support.hashes.digest_tree` over its files' (relative path, sha256); its md5 is DVC's
    `.dir`. Raises Inconclusive, with every item that could not be had or is not what was recorded.
    """
    if not record.data:
        return (), None
    with context.step("data", plural(len(record.data), "item")) as step:
        fetching = Fetching(record, code, context, step)
        found, errors = [], []
        for item in record.data:
            try:
                found.append(_item(item, fetching))
            except Inconclusive as error:
                errors.append(error)
        if errors:
            raise _together(errors)
        step.cached = all(fetching.cached)
        _conclude(step, record, tuple(found))
    return tuple(found), step.part()


def _together(errors: list[Inconclusive]) -> Inconclusive:
    if len(errors) == 1:
        return errors[0]
    advice = dict.fromkeys(error.do for error in errors if error.do)
    return Inconclusive("; ".join(error.what for error in errors), "; ".join(advice))


def _conclude(step: Step, record: Record, found: tuple[FetchedData, ...]) -> None:
    unhashed = [item.path for item in record.data if not (item.sha256 or item.md5 or item.source == "git")]
    for path in unhashed:
        step.warn(f"data {show(path, 200)}: the record has no hash, so nothing says that it is the recorded data")
    step.matches = "unknown" if unhashed else "matches"
    files = [file for item in found for file in item.files.values()]
    step.how = f"{plural(len(found), 'item')}: {plural(len(files), 'file')}, {sum(file.size for file in files):,} bytes"
    step.key = digest_text(*(part for item in found for part in (item.path, digest_of(item.files))))


def _item(item: DataItem, fetching: Fetching) -> FetchedData:
    _check_place(item, fetching)
    told = f"data {show(item.path, 200)}"
    fetching.step.progress(told)
    try:
        fetched = _fetch(item, fetching)
    except Inconclusive as error:
        raise Inconclusive(f"{told}: {error.what}", error.do) from error
    _check(item, fetched, told)
    fetching.cached.append(fetched.cached)
    source = strip_url(item.source) if "://" in item.source else item.source
    return FetchedData(item.path, source, item.sha256 or item.md5 or fetched.recorded, fetched.files)


def _check_place(item: DataItem, fetching: Fetching) -> None:
    mistake = grammar.data_path(item.path)
    if mistake:
        raise Refused(f"data path {show(item.path, 200)!r} {mistake}")
    if item.path.startswith("/") and fetching.record.environment.kind not in IMAGES:
        raise Refused(f"data path {show(item.path, 200)} is absolute: only an image has such a place")


def _fetch(item: DataItem, fetching: Fetching) -> Fetched:
    if item.source.startswith("file:///") and os.path.exists(item.source[7:]):  # noqa: PTH110 - never raises
        return _from_this_machine(Path(item.source[7:]), item, fetching)
    if "://" in item.source:
        return fetch_url(item, fetching)
    kind, _, place = item.source.partition(":")
    if kind == "file":
        return _from_folder(Path(fetching.record.base), place or item.path, item, fetching)
    if kind == "git" and not place:
        return _from_tree(item, fetching)
    if kind == "dvc" and not place:
        return fetch_dvc(item, fetching)
    if kind == "mlflow" and place:
        return fetch_mlflow(item, fetching)
    if kind == "wandb" and place:
        return fetch_wandb(item, fetching)
    raise Inconclusive(f"there is no data source {show(item.source, 100)!r}", "use git, file, dvc or a URL")


def _from_tree(item: DataItem, fetching: Fetching) -> Fetched:
    if fetching.code is None:
        raise Inconclusive("its source is git and the record has no code", "record code.repository and code.commit")
    root = Path(fetching.code.folder)
    try:
        return _from_folder(root, str(PurePosixPath(fetching.code.subdirectory) / item.path), item, fetching)
    except FileNotFoundError:
        raise Inconclusive(
            f"it is not in commit {fetching.code.commit[:12]}", "record the commit or the source that has it"
        ) from None


def _from_folder(root: Path, relative: str, item: DataItem, fetching: Fetching) -> Fetched:
    """A file or folder below the record's folder, or in the code tree. Raises Inconclusive."""
    if not fetching.record.base and item.source.startswith("file"):
        raise Inconclusive("its source is a file, and this record has no folder of its own", "record a URL instead")
    try:
        place = resolve_inside(root, relative)
    except ValueError as error:
        raise Inconclusive(show(str(error), 300), "record a path below the record's folder") from error
    if not place.exists():
        raise Inconclusive(
            f"{show(relative, 200)} does not exist below {show(str(root), 200)}", "put it there"
        ) from None
    return keep_path(place, bool(item.md5), fetching.context)


def _from_this_machine(place: Path, item: DataItem, fetching: Fetching) -> Fetched:
    try:
        return keep_path(place, bool(item.md5), fetching.context)
    except OSError as error:
        told = f"{show(str(error.filename or place), 300)} cannot be read: {error.strerror}"
        raise Inconclusive(told, "run this as a user who may read it") from error


def digest_of(files: dict[str, FetchedFile]) -> str:
    """The sha256 of a fetched file, or the tree digest of a fetched folder."""
    single = files.get("")
    return single.sha256 if single else digest_tree((name, file.sha256) for name, file in files.items())


def md5_of(files: dict[str, FetchedFile]) -> str:
    """The md5 of a fetched file, or DVC's `.dir` md5 of a fetched folder."""
    single = files.get("")
    if single:
        return single.md5 or ""
    entries = [{"md5": file.md5, "relpath": name} for name, file in sorted(files.items())]
    return hashlib.md5(json.dumps(entries, sort_keys=True).encode(), usedforsecurity=False).hexdigest() + ".dir"


def _check(item: DataItem, fetched: Fetched, told: str) -> None:
    """What arrived against what was recorded; the message has both hashes."""
    if item.sha256 and (found := digest_of(fetched.files)) != item.sha256.lower():
        raise _mismatch(told, "sha256", item.sha256, found)
    if item.md5 and not fetched.md5_checked:
        found = md5_of(fetched.files)
        if found.removesuffix(".dir") != item.md5.lower().removesuffix(".dir"):
            raise _mismatch(told, "md5", item.md5, found)


def _mismatch(told: str, kind: str, recorded: str, found: str) -> Inconclusive:
    return Inconclusive(
        f"{told}: what was fetched is not what was recorded: recorded {kind} {recorded}, fetched {kind} {found}",
        "put the recorded data back, or record the new hash if the change is meant",
    )
