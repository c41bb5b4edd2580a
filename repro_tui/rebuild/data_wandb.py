"""Fetches an artifact of W&B, `wandb:RUN-FOLDER#NAME` or `wandb:ENTITY/PROJECT/NAME:VERSION`, each file checked.

An artifact's digest is the md5 of its manifest (names and the base64 md5 of each file), so the one recorded hash
stands for every byte of it.
"""

from __future__ import annotations

import hashlib
import os
from base64 import b64decode
from collections.abc import Callable, Iterable
from pathlib import Path

from repro_tui.clients.wandb import ask_wandb
from repro_tui.formats.wandb_log import Artifact, Entry, Torn, log_of, read_log
from repro_tui.model.errors import Inconclusive, Refused
from repro_tui.model.record import DataItem, Record
from repro_tui.rebuild.data_remote import fetch_object, open_system
from repro_tui.rebuild.data_store import MOST_FILES, Fetched, Fetching, as_file, keep_file
from repro_tui.support.cache import Stored, remove_tree
from repro_tui.support.context import Context
from repro_tui.support.paths import is_inside, resolve_inside
from repro_tui.support.redact import strip_url
from repro_tui.support.text import show

_HEADER = b"wandb-artifact-manifest-v1\n"
Fetch = Callable[[Entry, str], Stored]


def fetch_wandb(item: DataItem, fetching: Fetching) -> Fetched:
    """The files of an artifact, by their names in it. Raises Inconclusive."""
    place = item.source.removeprefix("wandb:")
    folder, mark, name = place.rpartition("#")
    if mark:
        run = _run_folder(folder, fetching.record)
        artifact = _logged(run, name)
        return _fetched(item, artifact, fetching.context, lambda entry, md5: _local(entry, md5, str(run), fetching))
    known = _remembered(item, place, fetching.context)
    return known or _online(item, place, fetching.context)


# -- the artifact and its files -----------------------------------------------------------------------------------


def _fetched(item: DataItem, artifact: Artifact, context: Context, fetch: Fetch) -> Fetched:
    """Every file of an artifact whose manifest is the recorded one, from the cache, else by `fetch`."""
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
                    f"{show(entry.path, 200)} is not what was recorded: recorded md5 {md5}, fetched md5 {stored.md5}",
                    "put the recorded data back, or record the new hash if the change is meant",
                )
        files[entry.path] = as_file(stored)
    note = {entry.path: entry.digest for entry in artifact.entries}
    context.cache.write_note("wandb-artifacts", artifact.digest, note)
    return Fetched(files, cached, artifact.digest, md5_checked=True)


def manifest_md5(entries: Iterable[Entry]) -> str:
    """An artifact's digest as W&B makes it."""
    state = hashlib.md5(_HEADER, usedforsecurity=False)
    for entry in sorted(entries, key=lambda entry: entry.path):
        state.update(f"{entry.path}:{entry.digest}\n".encode("utf-8", "surrogatepass"))
    return state.hexdigest()


def _check_manifest(item: DataItem, artifact: Artifact) -> None:
    if not artifact.md5:
        words = f"the digests of this artifact are made with {show(artifact.algorithm, 40)}, which is not read here"
        raise Inconclusive(words, "record the file itself, by its URL and sha256")
    if artifact.unlisted:
        raise Inconclusive("the artifact has too many files to be listed in the run's log", "sync the run, and use it")
    if not artifact.entries or len(artifact.entries) > MOST_FILES:
        raise Inconclusive(f"the artifact has {len(artifact.entries):,} files", "record the files themselves")
    found, recorded = manifest_md5(artifact.entries), (item.md5 or artifact.digest).lower()
    if found != recorded:
        raise Inconclusive(
            f"the artifact's manifest is not what was recorded: recorded md5 {recorded}, fetched md5 {found}",
            "record the version that is meant, with its digest",
        )
    for entry in artifact.entries:
        if not is_inside(entry.path):
            raise Inconclusive(f"the artifact lists the forbidden path {show(entry.path, 200)}")


def _md5(entry: Entry) -> str:
    """A file's md5 in hexadecimal. Raises Inconclusive where the digest is another: an ETag, a version, a URL."""
    try:
        raw = b64decode(entry.digest, validate=True)
    except ValueError:
        raw = b""
    if len(raw) != 16:
        told = f" of {show(strip_url(entry.ref), 200)}" if entry.ref else ""
        raise Inconclusive(
            f"{show(entry.path, 200)} has no md5 in its artifact, only the mark{told} {show(entry.digest, 80)}",
            "record the file itself, by its URL and sha256",
        )
    return raw.hex()


# -- a run's folder -----------------------------------------------------------------------------------------------


def _run_folder(folder: str, record: Record) -> Path:
    """An absolute path, or one below the record's folder, which it must not leave."""
    if folder.startswith("/") or not record.base:
        return Path(folder)
    try:
        return resolve_inside(Path(record.base), folder)
    except ValueError as error:
        raise Refused(f"the run's folder {show(folder, 300)}: {error}") from error


def _logged(folder: Path, name: str) -> Artifact:
    told = show(str(folder), 300)
    try:
        artifact = read_log(log_of(folder)).artifacts.get(name) if folder.is_absolute() else None
    except (OSError, Torn) as error:
        raise Inconclusive(f"the run's folder {told} cannot be read: {error}", "put it back there") from error
    if artifact is None:
        raise Inconclusive(f"the run in {told} logged no artifact {show(name, 100)}", "correct the name")
    return artifact


def _local(entry: Entry, md5: str, folder: str, fetching: Fetching) -> Stored:
    """A file of an offline run from where W&B left it: its staging, what it refers to, or W&B's own cache."""
    if entry.ref and "://" in entry.ref and not entry.ref.startswith("file://"):
        return fetch_object(*open_system(entry.ref), entry.ref, fetching.context)
    places = [Path(entry.ref.removeprefix("file://") or entry.local or "/"), _wandb_cache() / md5[:2] / md5[2:]]
    found = next((place for place in places if place.is_file()), None)
    if found is None:
        raise Inconclusive(
            f"{show(entry.path, 200)} is neither in {show(str(places[0]), 200)} nor in W&B's cache any more",
            f"run wandb sync {show(folder, 200)} and audit the run online, or record the file itself",
        )
    return keep_file(found, True, fetching.context)[0]


def _wandb_cache() -> Path:
    """Where W&B keeps the files of artifacts by their md5."""
    base = os.environ.get("WANDB_CACHE_DIR") or Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "wandb"
    return Path(base).expanduser() / "artifacts" / "obj" / "md5"


# -- the server ---------------------------------------------------------------------------------------------------


def _remembered(item: DataItem, place: str, context: Context) -> Fetched | None:
    """An artifact that was fetched before, without asking the server; its manifest is checked again."""
    listing = context.cache.read_note("wandb-artifacts", item.md5) if item.md5 else None
    if not listing or any(context.cache.find_object(md5=_md5(Entry(*pair))) is None for pair in listing.items()):
        return None
    artifact = Artifact(place, "", item.md5 or "", tuple(Entry(path, digest) for path, digest in listing.items()))
    return _fetched(item, artifact, context, _never)


def _never(entry: Entry, md5: str) -> Stored:
    raise Inconclusive(f"{show(entry.path, 200)} ({md5}) has left the cache meanwhile", "audit again")


def _online(item: DataItem, place: str, context: Context) -> Fetched:
    folder = context.cache.temporary()
    folder.mkdir(parents=True)
    try:
        answer = ask_wandb("fetch", place, folder, context)
        listing = answer.get("entries") or {}
        entries = tuple(Entry(str(path), str(digest)) for path, digest in listing.items())
        artifact = Artifact(place, "", str(answer.get("digest")), entries, algorithm=str(answer.get("algorithm") or ""))

        def fetch(entry: Entry, md5: str) -> Stored:
            return keep_file(folder / "content" / entry.path, True, context)[0]

        return _fetched(item, artifact, context, fetch)
    finally:
        remove_tree(folder)
