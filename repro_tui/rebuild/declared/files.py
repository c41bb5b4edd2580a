"""The small files that a side declares itself by: those of its commit, and those below its record's folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from repro_tui.clients.git.commit_files import read_files
from repro_tui.clients.git.tree import LFS_POINTER
from repro_tui.model.declared import CommitTree, DeclaredCode
from repro_tui.model.errors import Inconclusive
from repro_tui.model.record import Record
from repro_tui.model.workspace import TreeFile
from repro_tui.support.context import Context
from repro_tui.support.paths import is_inside, resolve_inside
from repro_tui.support.regular import read_regular
from repro_tui.support.sizes import size_text
from repro_tui.support.text import show

LARGEST = 64 << 20
REGULAR = ("100644", "100755")


@dataclass(frozen=True, slots=True)
class DeclaredFiles:
    """Reads the files that a record names. `base` is the folder of `file:` paths, `why` says why there is no tree."""

    base: str
    tree: CommitTree | None
    why: str
    context: Context

    def read(self, name: str) -> bytes:
        """The bytes of a file that the record names; raises Inconclusive where it is not there or is too large."""
        if name.startswith("file:"):
            return self._below_record(name.removeprefix("file:"))
        if self.tree is None:
            raise Inconclusive(f"{show(name, 200)} is in the commit's tree, and {self.why}")
        path = str(PurePosixPath(self.tree.subdirectory) / name)
        file = self.tree.files.get(path)
        if not is_inside(name) or file is None or file.mode not in REGULAR:
            raise Inconclusive(f"{show(name, 200)} is not a file of commit {self.tree.commit[:12]}")
        content = self.blobs({path: file})[path]
        if content.startswith(LFS_POINTER):
            raise Inconclusive(f"{show(name, 200)} is in Git LFS, from where only a build fetches it")
        return content

    def beside(self, name: str, sibling: str) -> bytes:
        """The bytes of a file in the folder of one that the record names; empty where it is not there."""
        prefix = "file:" if name.startswith("file:") else ""
        try:
            return self.read(f"{prefix}{PurePosixPath(name.removeprefix('file:')).with_name(sibling)}")
        except Inconclusive:
            return b""

    def blobs(self, files: Mapping[str, TreeFile]) -> dict[str, bytes]:
        """The bytes of files of the tree by their paths."""
        assert self.tree is not None
        for path, file in files.items():
            if file.size > LARGEST:
                raise Inconclusive(f"{show(path, 200)} is larger than {size_text(LARGEST)}")
        return read_files(self.tree, files, self.context)

    def _below_record(self, name: str) -> bytes:
        try:
            path = resolve_inside(Path(self.base), name)
            if path.stat().st_size > LARGEST:
                raise Inconclusive(f"{show(name, 200)} is larger than {size_text(LARGEST)}")
            return read_regular(path, most=LARGEST)
        except (OSError, ValueError) as error:
            raise Inconclusive(f"{show(name, 200)} cannot be read below the record's folder") from error


def declared_files(record: Record, code: DeclaredCode, context: Context) -> DeclaredFiles:
    """The files that this record names."""
    why = code.unknown or "the record has no code"
    return DeclaredFiles(record.base, code.tree, why, context)
