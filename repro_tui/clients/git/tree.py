"""Lists a commit's files and writes them blob by blob: no checkout, no attributes, no filters."""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO

from repro_tui.model.errors import Inconclusive
from repro_tui.model.workspace import TreeFile
from repro_tui.support.cancel import CancelToken
from repro_tui.support.hashes import CHUNK
from repro_tui.support.text import show
from repro_tui.support.walks import DEEPEST

FILE, PROGRAM, LINK, SUBMODULE = "100644", "100755", "120000", "160000"
LFS_POINTER = b"version https://git-lfs.github.com/spec/v1\n"
LONGEST_PATH, LONGEST_NAME = 3000, 255  # bytes, and characters; a path is placed below folders of the cache
LONGEST_LINK = 4096
LARGEST_POINTER = 1024  # bytes, as git-lfs has it
BATCH = 64


@dataclass(frozen=True, slots=True)
class RawTree:
    """What was written of a commit: its files and submodules, which of the files are Git LFS pointers, and warnings."""

    files: dict[str, TreeFile]
    pointers: tuple[str, ...]
    warnings: tuple[str, ...]


class BrokenClone(Exception):
    """The clone does not return what it should: it is damaged or incomplete."""


def parse_tree(listing: bytes) -> dict[str, TreeFile]:
    """The output of `ls-tree -r -z -l` as path to file; the size of a submodule is 0."""
    files = {}
    for entry in listing.split(b"\0"):
        if entry:
            described, _, name = entry.partition(b"\t")
            mode, _, blob, size = described.decode("ascii").split()
            files[os.fsdecode(name)] = TreeFile(mode, blob, 0 if size == "-" else int(size))
    return files


def in_folder(files: dict[str, TreeFile], folder: str) -> dict[str, TreeFile]:
    """The files at or below a folder; their paths stay relative to the repository."""
    prefix = "" if folder in ("", ".") else folder.strip("/").removeprefix("./")
    if not prefix:
        return files
    return {path: file for path, file in files.items() if path == prefix or path.startswith(prefix + "/")}


def write_tree(
    process: subprocess.Popen[bytes], files: dict[str, TreeFile], folder: Path, cancel: CancelToken
) -> RawTree:
    """Writes the files below `folder` from a running `git cat-file --batch`; links come last.

    Raises BrokenClone if git does not return a blob's own bytes, and Inconclusive if the commit has a forbidden path.
    """
    _check_names(files)
    assert process.stdin is not None
    assert process.stdout is not None
    pointers = []
    regular = [item for item in files.items() if item[1].mode not in (LINK, SUBMODULE)]
    for path, file in _received(process.stdin, process.stdout, regular):
        cancel.check()
        if _write(process.stdout, folder / path, file):
            pointers.append(path)
    targets = {}
    links = [item for item in files.items() if item[1].mode == LINK]
    for path, file in _received(process.stdin, process.stdout, links):
        targets[path] = os.fsdecode(_read_blob(process.stdout, file))
    return RawTree(files, tuple(pointers), _link(folder, targets))


def read_blobs(
    process: subprocess.Popen[bytes], files: Mapping[str, TreeFile], cancel: CancelToken
) -> Iterator[tuple[str, bytes]]:
    """Yields path and bytes of each regular file, from a running `git cat-file --batch`; other entries are left out.

    Raises BrokenClone if git does not return a blob's own bytes.
    """
    assert process.stdin is not None
    assert process.stdout is not None
    regular = [item for item in files.items() if item[1].mode in (FILE, PROGRAM)]
    for path, file in _received(process.stdin, process.stdout, regular):
        cancel.check()
        yield path, _read_blob(process.stdout, file)


def _check_names(files: dict[str, TreeFile]) -> None:
    for path, file in files.items():
        parts = path.split("/")
        if any(part in ("", ".", "..") or part.lower() == ".git" for part in parts):
            raise Inconclusive(f"the commit contains the forbidden path {show(path, 200)}", "record another commit")
        if len(parts) > DEEPEST or len(os.fsencode(path)) > LONGEST_PATH or max(map(len, parts)) > LONGEST_NAME:
            problem = f"the commit has a path that is too long or deeper than {DEEPEST} folders: {show(path, 200)}"
            raise Inconclusive(problem, "record a commit without it")
        if file.mode == LINK and file.size > LONGEST_LINK:
            problem = f"the link {show(path, 200)} is longer than {LONGEST_LINK} bytes"
            raise Inconclusive(problem, "record a commit without it")


def _received(
    stdin: IO[bytes], stdout: IO[bytes], requested: list[tuple[str, TreeFile]]
) -> Iterator[tuple[str, TreeFile]]:
    """Yields each file after its header was read; the consumer must read its bytes and the newline after them."""
    source = iter(requested)
    while batch := list(islice(source, BATCH)):
        try:
            stdin.write(b"".join(file.blob.encode("ascii") + b"\n" for _, file in batch))
            stdin.flush()
        except OSError as error:
            raise BrokenClone("git ended early") from error
        for path, file in batch:
            header = stdout.readline().decode("ascii", "replace").split()
            if header != [file.blob, "blob", str(file.size)]:
                raise BrokenClone(f"{show(path, 200)} is missing")
            yield path, file


def _chunks(stdout: IO[bytes], file: TreeFile) -> Iterator[bytes]:
    """A blob's bytes, checked against its id at the end."""
    state = hashlib.sha1(usedforsecurity=False) if len(file.blob) == 40 else hashlib.sha256()
    state.update(f"blob {file.size}\0".encode("ascii"))
    left = file.size
    while left:
        chunk = stdout.read(min(left, CHUNK))
        if not chunk:
            raise BrokenClone("git ended early")
        left -= len(chunk)
        state.update(chunk)
        yield chunk
    if stdout.read(1) != b"\n" or state.hexdigest() != file.blob:
        raise BrokenClone(f"blob {file.blob} does not match its id")


def _read_blob(stdout: IO[bytes], file: TreeFile) -> bytes:
    return b"".join(_chunks(stdout, file))


def _write(stdout: IO[bytes], target: Path, file: TreeFile) -> bool:
    """Writes one file; whether it is a Git LFS pointer."""
    target.parent.mkdir(parents=True, exist_ok=True)
    pointer = False
    mode = 0o755 if file.mode == PROGRAM else 0o644
    handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
    with os.fdopen(handle, "wb") as out:
        for chunk in _chunks(stdout, file):
            pointer = pointer or chunk.startswith(LFS_POINTER)
            out.write(chunk)
        os.fchmod(out.fileno(), mode)
    return pointer and file.size < LARGEST_POINTER


def _link(folder: Path, targets: dict[str, str]) -> tuple[str, ...]:
    """Creates the links, then removes those that lead out of the tree; returns a warning for each of these."""
    warnings, top = [], os.path.realpath(folder)
    for path, target in targets.items():
        place = folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        if "\0" not in target and target:
            place.symlink_to(target)
    for path, target in targets.items():
        real = os.path.realpath(folder / path)
        if not target or os.path.isabs(target) or os.path.commonpath([top, real]) != top:  # noqa: PTH117
            (folder / path).unlink(missing_ok=True)
            warnings.append(f"the link {show(path, 200)} -> {show(target, 200)} leaves the tree and was left out")
    return tuple(warnings)
