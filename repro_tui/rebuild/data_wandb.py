"""Fetches a W&B artifact, `wandb:RUN-FOLDER#NAME` or `wandb:ENTITY/PROJECT/NAME:VERSION`, and checks every file.

The digest of an artifact is the md5 of its manifest: a header, and a line `PATH:BASE64-MD5` for each file, sorted by
path. The one recorded hash therefore covers every byte: the manifest is checked against it first, then each file
against its md5 in the manifest. A file whose entry is not an md5 (a reference by ETag or version) cannot be checked,
and is refused.

Files of an offline run come from where W&B left them: its staging folder, the file that a reference names, or W&B's
cache. Files of a server come from W&B's own client. What was fetched once is taken from our cache, where a note keeps
the manifest of each artifact by its digest.
"""

from __future__ import annotations

import hashlib
import os
from base64 import b64decode
from collections.abc import Callable, Iterable
from pathlib import Path

from repro_tui.clients.remote_files import fetch_object, open_system
from repro_tui.clients.wandb import ask_wandb
from repro_tui.formats.wandb_log import Artifact, Entry, Torn, WandbLog, log_of, read_log
from repro_tui.model.errors import Inconclusive, Refused
from repro_tui.model.record import DataItem, Record
from repro_tui.rebuild.data_store import MOST_FILES, Fetched, Fetching, as_file, keep_file
from repro_tui.support.cache import Stored, remove_tree
from repro_tui.support.context import Context
from repro_tui.support.paths import is_inside, resolve_inside
from repro_tui.support.redact import strip_url
from repro_tui.support.text import show

_HEADER = b"wandb-artifact-manifest-v1\n"
Fetch = Callable[[Entry, str], Stored]


def fetch_wandb(item: DataItem, fetching: Fetching) -> Fetched:
    """The files of an artifact, by their names in it. Raises Inconclusive where one is unavailable or differs."""
    location = item.source.removeprefix("wandb:")
    folder, mark, name = location.rpartition("#")
    if mark:
        run = _run_folder(folder, fetching.record)
        artifact = _artifact_of_run(run, name)
        return _fetch_files(
            item, artifact, fetching.context, lambda entry, md5: _local_file(entry, md5, str(run), fetching)
        )
    known = _from_cache(item, location, fetching.context)
    return known or _from_server(item, location, fetching.context)


# -- the artifact and its files -----------------------------------------------------------------------------------


def _fetch_files(item: DataItem, artifact: Artifact, context: Context, fetch: Fetch) -> Fetched:
    """Every file of an artifact, after checking its manifest: from the cache, or else by `fetch`."""
    _check_manifest(item, artifact)
    files, cached = {}, True
    for entry in artifact.entries:
        context.cancel.check()
        md5 = _md5(entry)
        stored = context.cache.find_object(md5=md5)
        if stored is None:
            cached = False
            stored = fetch(entry, md5)
            if stored.md5 != md5:
                raise Inconclusive(
                    f"{show(entry.path, 200)} differs from the record: recorded md5 {md5}, fetched md5 {stored.md5}",
                    "restore the recorded file, or record the new version of the artifact if the change is intended",
                )
        files[entry.path] = as_file(stored)
    note = {entry.path: entry.digest for entry in artifact.entries}
    context.cache.write_note("wandb-artifacts", artifact.digest, note)
    return Fetched(files, cached, artifact.digest, md5_checked=True)


def manifest_md5(entries: Iterable[Entry]) -> str:
    """The digest of an artifact as W&B computes it from its manifest."""
    state = hashlib.md5(_HEADER, usedforsecurity=False)
    for entry in sorted(entries, key=lambda entry: entry.path):
        state.update(f"{entry.path}:{entry.digest}\n".encode("utf-8", "surrogatepass"))
    return state.hexdigest()


def _check_manifest(item: DataItem, artifact: Artifact) -> None:
    if not artifact.md5:
        problem = f"the digests of this artifact use {show(artifact.algorithm, 40)}, which cannot be checked"
        raise Inconclusive(problem, "record the file itself, by its URL and sha256")
    if artifact.unlisted:
        raise Inconclusive(
            "the artifact has too many files to be listed in the run's log", "run wandb sync, and audit the run online"
        )
    if not artifact.entries:
        raise Inconclusive("the artifact has no files", "record the version of the artifact that has them")
    if len(artifact.entries) > MOST_FILES:
        problem = f"the artifact has {len(artifact.entries):,} files, more than {MOST_FILES:,}"
        raise Inconclusive(problem, "record the files that are needed, by URL and sha256")
    fetched, recorded = manifest_md5(artifact.entries), (item.md5 or artifact.digest).lower()
    if fetched != recorded:
        raise Inconclusive(
            f"the artifact's manifest differs from what was recorded: recorded md5 {recorded}, fetched md5 {fetched}",
            "record the intended version of the artifact, with its digest",
        )
    for entry in artifact.entries:
        if not is_inside(entry.path):
            raise Inconclusive(
                f"the artifact lists a path outside its folder: {show(entry.path, 200)}",
                "check who logged it: W&B does not write such paths",
            )


def _md5(entry: Entry) -> str:
    """The md5 of a file in hexadecimal. Raises Inconclusive where its digest is an ETag, a version or a URL instead."""
    try:
        raw = b64decode(entry.digest, validate=True)
    except ValueError:
        raw = b""
    if len(raw) != 16:
        reference = f" of {show(strip_url(entry.ref), 200)}" if entry.ref else ""
        raise Inconclusive(
            f"{show(entry.path, 200)} has no md5 in its artifact, only the digest{reference} {show(entry.digest, 80)}",
            "record the file itself, by its URL and sha256",
        )
    return raw.hex()


# -- a run's folder -----------------------------------------------------------------------------------------------


def _run_folder(folder: str, record: Record) -> Path:
    """The folder of a run: an absolute path, or one that stays below the record's folder. Raises Refused."""
    if folder.startswith("/") or not record.base:
        return Path(folder)
    try:
        return resolve_inside(Path(record.base), folder)
    except ValueError as error:
        raise Refused(f"the run's folder {show(folder, 300)}: {error}") from error


def _artifact_of_run(folder: Path, name: str) -> Artifact:
    shown = show(str(folder), 300)
    try:
        log = read_log(log_of(folder)) if folder.is_absolute() else WandbLog(ended=True)
    except (OSError, Torn) as error:
        raise Inconclusive(
            f"the run's folder {shown} cannot be read: {error}", "restore it, or correct the source of the data"
        ) from error
    artifact = log.artifacts.get(name)
    if artifact is None and not log.ended:
        damage = f"is torn ({log.torn})" if log.torn else "does not contain the end of the run"
        raise Inconclusive(
            f"the log in {shown} {damage}, and has no artifact {show(name, 100)} in what was read: {log.read}",
            "copy the run's folder again, or audit the run from its server",
        )
    if artifact is None:
        raise Inconclusive(
            f"the run in {shown} did not log an artifact {show(name, 100)}", "correct its name in the record"
        )
    return artifact


def _local_file(entry: Entry, md5: str, folder: str, fetching: Fetching) -> Stored:
    """A file of an offline run: from W&B's staging folder, from what it refers to, or from W&B's own cache."""
    if entry.ref and "://" in entry.ref and not entry.ref.startswith("file://"):
        return fetch_object(*open_system(entry.ref), entry.ref, fetching.context)
    candidates = [Path(entry.ref.removeprefix("file://") or entry.local or "/"), _wandb_cache() / md5[:2] / md5[2:]]
    path = next((candidate for candidate in candidates if candidate.is_file()), None)
    if path is None:
        raise Inconclusive(
            f"{show(entry.path, 200)} is no longer in {show(str(candidates[0]), 200)} or in W&B's cache",
            f"run wandb sync {show(folder, 200)} and audit the run online, or record the file itself",
        )
    return keep_file(path, True, fetching.context)[0]


def _wandb_cache() -> Path:
    """The folder in which W&B caches the files of artifacts by their md5."""
    base = os.environ.get("WANDB_CACHE_DIR") or Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "wandb"
    return Path(base).expanduser() / "artifacts" / "obj" / "md5"


# -- the server ---------------------------------------------------------------------------------------------------


def _from_cache(item: DataItem, location: str, context: Context) -> Fetched | None:
    """An artifact that was fetched before, without a request; its manifest is checked again. None where it was not."""
    listing = context.cache.read_note("wandb-artifacts", item.md5) if item.md5 else None
    if not listing or any(context.cache.find_object(md5=_md5(Entry(*pair))) is None for pair in listing.items()):
        return None
    artifact = Artifact(location, "", item.md5 or "", tuple(Entry(path, digest) for path, digest in listing.items()))
    return _fetch_files(item, artifact, context, _no_longer_cached)


def _no_longer_cached(entry: Entry, md5: str) -> Stored:
    raise Inconclusive(
        f"{show(entry.path, 200)} ({md5}) was removed from the cache during the audit", "run the audit again"
    )


def _from_server(item: DataItem, location: str, context: Context) -> Fetched:
    folder = context.cache.temporary()
    folder.mkdir(parents=True)
    try:
        answer = ask_wandb("fetch", location, folder, context)
        listing = answer.get("entries") or {}
        entries = tuple(Entry(str(path), str(digest)) for path, digest in listing.items())
        artifact = Artifact(
            location, "", str(answer.get("digest")), entries, algorithm=str(answer.get("algorithm") or "")
        )

        def fetch(entry: Entry, md5: str) -> Stored:
            return keep_file(folder / "content" / entry.path, True, context)[0]

        return _fetch_files(item, artifact, context, fetch)
    finally:
        remove_tree(folder)
