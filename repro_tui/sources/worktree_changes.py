"""What differs between a working tree and a commit, by our own hashing: no git runs in it, so no filter or hook can."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from repro_tui.clients.git_tree import LINK, PROGRAM, SUBMODULE
from repro_tui.model.workspace import TreeFile
from repro_tui.support.cancel import CancelToken
from repro_tui.support.hashes import CHUNK
from repro_tui.support.paths import read_text

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec


def changed_files(root: Path, files: dict[str, TreeFile], cancel: CancelToken) -> list[str]:
    """The commit's files that the working tree has otherwise, or not at all. Submodules are not looked into."""
    found = []
    for path, file in files.items():
        cancel.check()
        if file.mode != SUBMODULE and not _is_same(root / path, file):
            found.append(path)
    return found


def _is_same(path: Path, file: TreeFile) -> bool:
    try:
        status = path.lstat()
        if file.mode == LINK:
            return stat.S_ISLNK(status.st_mode) and _blob_of(os.fsencode(path.readlink()), file.blob) == file.blob
        if not stat.S_ISREG(status.st_mode) or status.st_size != file.size:
            return False
        if bool(status.st_mode & stat.S_IXUSR) != (file.mode == PROGRAM):
            return False
        return _blob_id(path, status.st_size, file.blob) == file.blob
    except OSError:
        return False


def _hash(blob: str, size: int) -> hashlib._Hash:
    state = hashlib.sha256() if len(blob) == 64 else hashlib.sha1(usedforsecurity=False)
    state.update(b"blob %d\0" % size)
    return state


def _blob_of(content: bytes, blob: str) -> str:
    state = _hash(blob, len(content))
    state.update(content)
    return state.hexdigest()


def _blob_id(path: Path, size: int, blob: str) -> str:
    state = _hash(blob, size)
    with path.open("rb", buffering=0) as stream:
        while chunk := stream.read(CHUNK):
            state.update(chunk)
    return state.hexdigest()


def new_files(root: Path, files: dict[str, TreeFile], cancel: CancelToken) -> list[str]:
    """The files that the commit does not have and no .gitignore leaves out; repositories within are passed over."""
    found: list[str] = []
    submodules = {path for path, file in files.items() if file.mode == SUBMODULE}
    excluded = [("", _spec(root / ".git" / "info" / "exclude"))]
    _walk(root, "", excluded, files.keys() | submodules, found, cancel)
    return sorted(found)


def _walk(
    root: Path,
    folder: str,
    specs: list[tuple[str, GitIgnoreSpec]],
    known: set[str],
    found: list[str],
    cancel: CancelToken,
) -> None:
    cancel.check()
    here = [*specs, (folder, _spec(root / folder / ".gitignore"))]
    try:
        entries = sorted(os.scandir(root / folder), key=lambda entry: entry.name)
    except OSError:
        return
    for entry in entries:
        path = f"{folder}{entry.name}"
        if entry.name == ".git" or path in known:
            continue
        is_folder = entry.is_dir(follow_symlinks=False)
        if _is_ignored(f"{path}/" if is_folder else path, here):
            continue
        if not is_folder:
            found.append(path)
        elif not (root / path / ".git").exists():
            _walk(root, f"{path}/", here, known, found, cancel)


def _is_ignored(path: str, specs: list[tuple[str, GitIgnoreSpec]]) -> bool:
    """The deepest .gitignore that speaks of a path decides."""
    for folder, spec in reversed(specs):
        said = spec.check_file(path.removeprefix(folder)).include
        if said is not None:
            return said
    return False


def _spec(file: Path) -> GitIgnoreSpec:
    from pathspec import GitIgnoreSpec

    return GitIgnoreSpec.from_lines(read_text(file, 1 << 20).splitlines())
