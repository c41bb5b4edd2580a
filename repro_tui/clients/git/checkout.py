"""Writes a commit out as a plain checkout would have it, without running anything of it, and keeps it in the cache.

Every blob is verified against its id. Then the conversions that the commit's attributes ask for are applied, Git LFS
pointers are replaced by their objects, and submodules are written at their recorded commits. The blob ids and sizes of
the result are those of the bytes that were written.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from repro_tui.clients.git.conversion import converted
from repro_tui.clients.git.lfs import LfsStore, parse_pointer
from repro_tui.clients.git.repository import Repository
from repro_tui.clients.git.submodules import open_submodule, submodules_of
from repro_tui.clients.git.tree import LINK, PROGRAM, SUBMODULE
from repro_tui.model.errors import Inconclusive
from repro_tui.model.workspace import TreeFile
from repro_tui.support.cache import remove_tree
from repro_tui.support.context import Context
from repro_tui.support.hashes import CHUNK
from repro_tui.support.paths import real_path
from repro_tui.support.regular import read_regular
from repro_tui.support.text import plural, show

DEEPEST = 8
LAYOUT = "2"  # of what is kept in the cache: an older version wrote other bytes


@dataclass(slots=True)
class PlainTree:
    """What was written: the files, the conversions that attributes ask for, what was done to files, and warnings."""

    files: dict[str, TreeFile] = field(default_factory=dict)
    attributes: list[str] = field(default_factory=list)
    done: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Checkout:
    """A commit in the cache: its folder, what was written there, and whether it was there already."""

    folder: Path
    written: PlainTree
    cached: bool


def check_out(open_repository: Callable[[], Repository], commit: str, context: Context) -> Checkout:
    """The commit, written out into the cache, unless it is there and unchanged; only then is its repository opened.

    Raises Inconclusive where a part of it cannot be had, and Cancelled.
    """
    key = f"{commit}-{LAYOUT}"

    def build(folder: Path) -> None:
        context.cache.write_note("code", key, _as_note(write_out(open_repository(), commit, folder)))

    folder, cached = context.cache.folder("code", key, build, context.cancel)
    note = context.cache.read_note("code", key)
    if not isinstance(note, dict):  # the cache's notes were removed: it is written out again
        remove_tree(folder)
        folder, cached = context.cache.folder("code", key, build, context.cancel)
        note = context.cache.read_note("code", key)
    return Checkout(folder, _of_note(note), cached)


def committed_tree(commit: str, context: Context) -> Checkout | None:
    """A commit in the cache whose files were written exactly as they are committed; None where it is not there.

    Where files were converted, or came from Git LFS or from submodules, it is None: their ids are not the commit's.
    """
    key = f"{commit}-{LAYOUT}"
    note = context.cache.read_note("code", key)
    folder = context.cache.existing_folder("code", key, context.cancel) if isinstance(note, dict) else None
    if folder is None:
        return None
    written = _of_note(note)
    return None if written.done else Checkout(folder, written, cached=True)


def write_out(repository: Repository, commit: str, folder: Path, depth: int = 0) -> PlainTree:
    """Writes the commit into an empty folder, with its submodules. Raises Inconclusive and Cancelled."""
    raw = repository.write_blobs(commit, folder, repository.context.cancel)
    written = PlainTree(
        {path: file for path, file in raw.files.items() if file.mode != SUBMODULE},
        list(repository.attributes(commit)),
        warnings=list(raw.warnings),
    )
    _convert(repository, commit, folder, written)
    _replace_pointers(repository, commit, folder, raw.pointers, written)
    modules = [path for path, file in raw.files.items() if file.mode == SUBMODULE]
    if modules:
        _write_submodules(repository, commit, folder, {path: raw.files[path].blob for path in modules}, written, depth)
    return written


def _convert(repository: Repository, commit: str, folder: Path, written: PlainTree) -> None:
    if not written.attributes:
        return
    scratch = repository.context.cache.temporary()
    try:
        regular = [path for path, file in written.files.items() if file.mode != LINK]
        changed = []
        for path, file in converted(repository, commit, regular, scratch).items():
            before = written.files[path]
            after = _put(file, folder / path, before)
            if after.blob != before.blob:
                written.files[path] = after
                changed.append(path)
    finally:
        remove_tree(scratch)
    if changed:
        written.done.append(f"{plural(len(changed), 'file')} converted by attributes ({show(changed[0], 100)})")


def _replace_pointers(
    repository: Repository, commit: str, folder: Path, paths: tuple[str, ...], written: PlainTree
) -> None:
    if not paths:
        return
    pointers = [parse_pointer(path, read_regular(folder / path, links=False)) for path in paths]
    for path, stored in LfsStore(repository, commit).fetch([p for p in pointers if p.size]).items():
        written.files[path] = _put(stored.file, folder / path, written.files[path])
    for pointer in pointers:
        if not pointer.size:
            written.files[pointer.path] = _put(Path(os.devnull), folder / pointer.path, written.files[pointer.path])
    written.done.append(f"{plural(len(paths), 'file')} from Git LFS")


def _write_submodules(
    repository: Repository, commit: str, folder: Path, commits: dict[str, str], written: PlainTree, depth: int
) -> None:
    if depth >= DEEPEST:
        reason = f"the submodules of {repository.name} are nested more than {DEEPEST} deep"
        raise Inconclusive(reason, "record a commit without them")
    modules = submodules_of(repository, commit)
    for path, recorded in commits.items():
        target = folder / path
        if not real_path(target.parent).is_relative_to(real_path(folder)):
            raise Inconclusive(f"the submodule {show(path, 200)} leaves the tree through a link", "correct the commit")
        target.mkdir(parents=True)
        module = open_submodule(repository, modules.get(path), path, recorded)
        inner = write_out(module, recorded, target, depth + 1)
        written.files |= {f"{path}/{name}": file for name, file in inner.files.items()}
        written.attributes += [f"{show(path, 100)}/{line}" for line in inner.attributes]
        written.done += [f"{line} in {show(path, 100)}" for line in inner.done]
        written.warnings += [f"{show(path, 100)}: {line}" for line in inner.warnings]
    written.done.append(plural(len(commits), "submodule"))


def _put(source: Path, target: Path, file: TreeFile) -> TreeFile:
    """Replaces a file that was written by the bytes of `source`; returns it with the blob id of these."""
    size = 0 if str(source) == os.devnull else source.stat().st_size
    state = hashlib.sha1(usedforsecurity=False) if len(file.blob) == 40 else hashlib.sha256()
    state.update(f"blob {size}\0".encode("ascii"))
    target.unlink()
    handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with source.open("rb") as stream, os.fdopen(handle, "wb") as out:
        while chunk := stream.read(CHUNK):
            state.update(chunk)
            out.write(chunk)
        os.fchmod(out.fileno(), 0o755 if file.mode == PROGRAM else 0o644)
    return TreeFile(file.mode, state.hexdigest(), size)


def _as_note(written: PlainTree) -> dict[str, Any]:
    files = {path: (file.mode, file.blob, file.size) for path, file in written.files.items()}
    lines = {"attributes": written.attributes, "done": written.done, "warnings": written.warnings}
    return {"files": files, **lines}


def _of_note(note: dict[str, Any]) -> PlainTree:
    files = {path: TreeFile(*described) for path, described in note["files"].items()}
    return PlainTree(files, note["attributes"], note["done"], note["warnings"])
