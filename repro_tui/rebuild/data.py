"""Rebuilds the data: each item is fetched from its source and checked against the recorded hash."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
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
from repro_tui.support.text import join_names, plural, quote, show

MOST_NAMED = 4  # items that one reason names; it counts the others
IMAGES = ("image", "dockerfile", "sif")


def rebuild_data(
    record: Record, code: CodeTree | None, context: Context
) -> tuple[tuple[FetchedData, ...], Part | None]:
    """The data of a record, and how it was obtained; an empty tuple and None where the record has no data.

    The sha256 of a folder is `support.hashes.digest_tree` of its files' (relative path, sha256), its md5 the `.dir`
    hash of DVC. Raises one Inconclusive that names every item that cannot be fetched or does not match its recorded
    hash, and Refused for a path that leaves its folder.
    """
    if not record.data:
        return (), None
    with context.step("data", plural(len(record.data), "item")) as step:
        fetching = Fetching(record, code, context, step)
        fetched: list[FetchedData] = []
        failures: dict[tuple[str, str], list[str]] = {}
        for item in record.data:
            try:
                fetched.append(_fetch_item(item, fetching))
            except Inconclusive as error:
                failures.setdefault((error.what, error.do), []).append(show(item.path, 200))
        if failures:
            raise _combined(failures)
        step.cached = all(fetching.cached)
        _describe(step, record, tuple(fetched))
    return tuple(fetched), step.part()


def _combined(failures: Mapping[tuple[str, str], list[str]]) -> Inconclusive:
    """One error for all items: each reason once, with the items that it is about."""
    reasons = []
    for (reason, _), paths in failures.items():
        count = f" ({len(paths):,} items)" if len(paths) > 1 else ""
        reasons.append(f"data {join_names(paths, most=MOST_NAMED)}{count}: {reason}")
    advice = dict.fromkeys(do for _, do in failures if do)
    return Inconclusive("; ".join(reasons), "; ".join(advice))


def _describe(step: Step, record: Record, fetched: tuple[FetchedData, ...]) -> None:
    unhashed = [item.path for item in record.data if not (item.sha256 or item.md5 or item.source == "git")]
    for path in unhashed:
        step.warn(
            f"data {show(path, 200)}: the record has no hash, so it cannot be checked that this is the deployed data"
        )
    step.matches = "unknown" if unhashed else "matches"
    files = [file for item in fetched for file in item.files.values()]
    step.how = (
        f"{plural(len(fetched), 'item')}: {plural(len(files), 'file')}, {sum(file.size for file in files):,} bytes"
    )
    step.key = digest_text(*(part for item in fetched for part in (item.path, digest_of(item.files))))


def _fetch_item(item: DataItem, fetching: Fetching) -> FetchedData:
    _check_path(item, fetching)
    fetching.step.progress(f"data {show(item.path, 200)}")
    fetched = _fetch(item, fetching)
    _check_hashes(item, fetched)
    fetching.cached.append(fetched.cached)
    source = strip_url(item.source) if "://" in item.source else item.source
    return FetchedData(item.path, source, item.sha256 or item.md5 or fetched.recorded, fetched.files)


def _check_path(item: DataItem, fetching: Fetching) -> None:
    mistake = grammar.data_path(item.path)
    if mistake:
        raise Refused(f"data path {quote(item.path)} {mistake}")
    if item.path.startswith("/") and fetching.record.environment.kind not in IMAGES:
        raise Refused(
            f"data path {show(item.path, 200)} is absolute, which only works in an image: record a relative path"
        )


def _fetch(item: DataItem, fetching: Fetching) -> Fetched:
    if item.source.startswith("file:///") and os.path.exists(item.source[7:]):  # noqa: PTH110 - never raises
        return _from_this_machine(Path(item.source[7:]), item, fetching)
    if "://" in item.source:
        return fetch_url(item, fetching)
    kind, _, rest = item.source.partition(":")
    if kind == "file":
        return _from_folder(Path(fetching.record.base), rest or item.path, item, fetching)
    if kind == "git" and not rest:
        return _from_tree(item, fetching)
    if kind == "dvc" and not rest:
        return fetch_dvc(item, fetching)
    if kind == "mlflow" and rest:
        return fetch_mlflow(item, fetching)
    if kind == "wandb" and rest:
        return fetch_wandb(item, fetching)
    raise Inconclusive(
        f"{quote(item.source, 100)} is not a data source",
        "record git, dvc, file, file:PATH, mlflow:URI, wandb:PATH or a URL",
    )


def _from_tree(item: DataItem, fetching: Fetching) -> Fetched:
    if fetching.code is None:
        raise Inconclusive("its source is git, but the record has no code", "record code.repository and code.commit")
    root = Path(fetching.code.folder)
    try:
        return _from_folder(root, str(PurePosixPath(fetching.code.subdirectory) / item.path), item, fetching)
    except FileNotFoundError:
        raise Inconclusive(
            f"it is not in commit {fetching.code.commit[:12]}", "record the commit that has it, or another source"
        ) from None


def _from_folder(root: Path, relative: str, item: DataItem, fetching: Fetching) -> Fetched:
    """A file or folder below the record's folder, or in the code tree. Raises Inconclusive."""
    if not fetching.record.base and item.source.startswith("file"):
        raise Inconclusive("its source is a file, but this record has no folder of its own", "record a URL instead")
    try:
        path = resolve_inside(root, relative)
    except ValueError as error:
        raise Inconclusive(show(str(error), 300), "record a path below the record's folder") from error
    if not path.exists():
        raise Inconclusive(
            f"{show(relative, 200)} does not exist below {show(str(root), 200)}", "restore it, or correct the source"
        ) from None
    return keep_path(path, bool(item.md5), fetching.context)


def _from_this_machine(path: Path, item: DataItem, fetching: Fetching) -> Fetched:
    try:
        return keep_path(path, bool(item.md5), fetching.context)
    except OSError as error:
        problem = f"{show(str(error.filename or path), 300)} cannot be read: {error.strerror}"
        do = "check the disk that it is on, or run the audit as a user who may read it"
        raise Inconclusive(problem, do) from error


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


def _check_hashes(item: DataItem, fetched: Fetched) -> None:
    """Compares what was fetched with the recorded hashes. Raises Inconclusive that names both hashes."""
    if item.sha256 and (digest := digest_of(fetched.files)) != item.sha256.lower():
        raise _mismatch("sha256", item.sha256, digest)
    if item.md5 and not fetched.md5_checked:
        digest = md5_of(fetched.files)
        if digest.removesuffix(".dir") != item.md5.lower().removesuffix(".dir"):
            raise _mismatch("md5", item.md5, digest)


def _mismatch(algorithm: str, recorded: str, fetched: str) -> Inconclusive:
    return Inconclusive(
        f"it differs from what was recorded: recorded {algorithm} {recorded}, fetched {algorithm} {fetched}",
        "restore the recorded data, or record the new hash if the change is intended",
    )
