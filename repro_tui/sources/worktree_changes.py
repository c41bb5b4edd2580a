"""What differs between a working tree and a commit, without running git.

`git status` in a folder that is audited could execute that folder's filters, hooks and file-system monitors. Instead:

- `changed_files` hashes each file as git does, sha1 (or sha256) of `blob SIZE\\0` and the content, and compares it with
  the blob in the commit's tree, after the cheap checks: file type, size and executable bit.
- `new_files` walks the folder and leaves out what the commit has and what .gitignore files exclude. The deepest
  .gitignore with a matching pattern decides, then `.git/info/exclude`; nested repositories are skipped.

The cost is one read of every file in the commit. The files are given as they are expected: as committed, or as a
checkout has them (line endings, `ident`, Git LFS).
"""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from repro_tui.clients.git.tree import LINK, PROGRAM, SUBMODULE
from repro_tui.model.workspace import TreeFile
from repro_tui.support.cancel import CancelToken
from repro_tui.support.hashes import CHUNK
from repro_tui.support.paths import read_text
from repro_tui.support.regular import open_regular
from repro_tui.support.walks import check_depth, entries_of

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec


def changed_files(root: Path, files: dict[str, TreeFile], cancel: CancelToken) -> list[str]:
    """The commit's files that are different in the working tree, or absent from it. Submodules are skipped."""
    changed = []
    for path, file in files.items():
        cancel.check()
        if file.mode != SUBMODULE and not _is_same(root / path, file):
            changed.append(path)
    return changed


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
    with open_regular(path, links=False) as stream:
        while chunk := stream.read(CHUNK):
            state.update(chunk)
    return state.hexdigest()


def new_files(root: Path, files: dict[str, TreeFile], cancel: CancelToken) -> list[str]:
    """The files that neither the commit has nor a .gitignore excludes; nested repositories are skipped."""
    untracked: list[str] = []
    submodules = {path for path, file in files.items() if file.mode == SUBMODULE}
    excluded = [("", _spec(root / ".git" / "info" / "exclude"))]
    known = files.keys() | submodules
    pending = [("", excluded)]
    while pending:
        cancel.check()
        folder, specs = pending.pop()
        check_depth(folder.count("/"), root)
        specs = [*specs, (folder, _spec(root / folder / ".gitignore"))]
        for path, is_folder in _entries(root, folder):
            if path in known or _is_ignored(f"{path}/" if is_folder else path, specs):
                continue
            if not is_folder:
                untracked.append(path)
            elif not (root / path / ".git").exists():
                pending.append((f"{path}/", specs))
    return sorted(untracked)


def _entries(root: Path, folder: str) -> list[tuple[str, bool]]:
    """The paths in a folder, and whether each is a folder; none where it cannot be read."""
    try:
        with entries_of(str(root / folder), root) as entries:
            return [
                (f"{folder}{entry.name}", entry.is_dir(follow_symlinks=False))
                for entry in entries
                if entry.name != ".git"
            ]
    except OSError:
        return []


def _is_ignored(path: str, specs: list[tuple[str, GitIgnoreSpec]]) -> bool:
    """Whether a path is ignored: the deepest .gitignore with a pattern that matches it decides."""
    for folder, spec in reversed(specs):
        include = spec.check_file(path.removeprefix(folder)).include
        if include is not None:
            return include
    return False


def _spec(file: Path) -> GitIgnoreSpec:
    from pathspec import GitIgnoreSpec

    return GitIgnoreSpec.from_lines(read_text(file, 1 << 20).splitlines())
