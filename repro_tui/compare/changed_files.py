"""The changed files of the code, opened: text by line, all else as its kind of file has it.

Files are read from our clone in batches of a bounded size; a file that is larger than a batch is written to a scratch
folder, and never is in memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from repro_tui.clients.git.commit_files import read_files, write_file
from repro_tui.compare.opened import FileOpener, FilePair, OpenedFile
from repro_tui.model.declared import CommitTree
from repro_tui.model.errors import Inconclusive
from repro_tui.support.context import Context
from repro_tui.support.sizes import size_text
from repro_tui.support.text import show

REGULAR = ("100644", "100755")
AT_ONCE = 64  # files that are read together
BYTES_AT_ONCE = 32 << 20
MOST_BYTES = 1 << 30  # of one file
LONG_LINE = 2_000  # bytes of a line in which a line diff shows little
TEXTS = (".ipynb",)  # texts that are more than their lines


@dataclass(slots=True)
class ChangedFiles:
    """Opens the files that differ between two commits' trees; `folder` is the audit's."""

    a: CommitTree
    b: CommitTree
    folder: Path | None
    context: Context
    opener: FileOpener = field(init=False)

    def __post_init__(self) -> None:
        self.opener = FileOpener("code", self.folder, self.context)

    def opened(self, names: Sequence[str]) -> dict[str, OpenedFile]:
        """What differs in each of these regular files, which both trees have."""
        opened: dict[str, OpenedFile] = {}
        for batch in self._batches(names):
            self.context.cancel.check()
            try:
                opened |= self._of_batch(batch)
            except Inconclusive as error:
                reason = f"not compared by line: {show(error.what, 200)}"
                opened |= {name: OpenedFile(reason) for name in batch}
        return opened

    def _batches(self, names: Sequence[str]) -> Iterator[list[str]]:
        """The names in order, as many together as may be in memory; a large file is alone."""
        batch: list[str] = []
        size = 0
        for name in names:
            own = self._size(name)
            if batch and (len(batch) >= AT_ONCE or size + own > BYTES_AT_ONCE):
                yield batch
                batch, size = [], 0
            batch.append(name)
            size += own
        if batch:
            yield batch

    def _size(self, name: str) -> int:
        return self.a.files[name].size + self.b.files[name].size

    def _of_batch(self, names: list[str]) -> dict[str, OpenedFile]:
        if self._size(names[0]) > BYTES_AT_ONCE:
            return {names[0]: self._large(names[0])}
        contents = [read_files(side, names, self.context) for side in (self.a, self.b)]
        opened: dict[str, OpenedFile] = {}
        inside: list[str] = []
        for name in names:
            raw = contents[0][name], contents[1][name]
            if any(b"\0" in content for content in raw):
                inside.append(name)
                continue
            note, hunks = self.opener.lines.of_bytes((show(name, 300),), *raw)
            opened[name] = OpenedFile(note, hunks, is_text=True)
            if name.endswith(TEXTS) or any(_has_long_line(content) for content in raw):
                inside.append(name)
        return opened | self._inside(inside, contents, opened)

    def _inside(
        self, names: list[str], contents: list[dict[str, bytes]], by_line: dict[str, OpenedFile]
    ) -> dict[str, OpenedFile]:
        """Opens files that are not text, or whose lines say little; those keep their numbers of lines."""
        if not names:
            return {}
        with self._scratch(names) as pairs:
            for name, pair in pairs.items():
                pair.a.write_bytes(contents[0][name])
                pair.b.write_bytes(contents[1][name])
            results = self.opener.open_pairs(list(pairs.values()), texts=False)
        opened = {name: results[pair.path] for name, pair in pairs.items()}
        return {name: _joined(by_line.get(name), inside) for name, inside in opened.items()}

    def _large(self, name: str) -> OpenedFile:
        if max(side.files[name].size for side in (self.a, self.b)) > MOST_BYTES:
            return OpenedFile(f"larger than {size_text(MOST_BYTES)}: not opened")
        with self._scratch([name]) as pairs:
            pair = pairs[name]
            write_file(self.a, name, pair.a, self.context)
            write_file(self.b, name, pair.b, self.context)
            return self.opener.open_pairs([pair])[pair.path]

    @contextmanager
    def _scratch(self, names: list[str]) -> Iterator[dict[str, FilePair]]:
        """The pairs of these files in a scratch folder, not yet written."""
        with self.context.cache.temporary_folder() as folder:
            yield {
                name: FilePair((show(name, 300),), name.rpartition("/")[2], folder / f"a{index}", folder / f"b{index}")
                for index, name in enumerate(names)
            }


def _has_long_line(content: bytes) -> bool:
    return len(content) > LONG_LINE and any(len(line) > LONG_LINE for line in content.split(b"\n"))


def _joined(by_line: OpenedFile | None, inside: OpenedFile) -> OpenedFile:
    """What is inside a text, with its numbers of lines; its hunks where nothing else is known of it."""
    if by_line is None:
        return inside
    if inside.is_text or not inside.children:
        return by_line
    return replace(inside, note="; ".join(filter(None, (by_line.note, inside.note))))
