"""The line diffs of one area: of files of any length, with a report that stays small.

The idea: a short file is compared in memory (`lines`), a longer one by git, which writes its diff to a file; that is
read line by line. The report keeps the first hunks, at most so many bytes for a file and for the area; where it does
not keep all, the whole diff is in the audit's folder (`support.paths.line_diff`), up to a bounded size. Every file has
its numbers of added and removed lines, whatever is kept.

Invariants: a hunk that is cut keeps the first lines of its changed block on both sides, and its header counts what it
keeps. Cost: git's, and one pass over the diff; memory for the hunks that are kept, and one line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BufferedReader
from pathlib import Path
from typing import TextIO

from repro_tui.clients.git.line_diff import write_line_diff
from repro_tui.compare.lines import LARGEST, MOST_HUNKS, MOST_LINES, compare_lines, line_of, shown_block, shown_line
from repro_tui.model.errors import Inconclusive
from repro_tui.model.finding import AreaName, Finding
from repro_tui.support.context import Context
from repro_tui.support.paths import line_diff
from repro_tui.support.regular import check_regular, open_regular, read_regular
from repro_tui.support.sizes import size_text
from repro_tui.support.text import clean_line, line_counts, plural, show

LARGEST_FILE = 256 << 20
MOST_OF_FILE = 1 << 20  # characters of hunks that the report keeps of one file
MOST_OF_AREA = 4 << 20
MOST_OF_HUNK = 1_000  # lines of each kind
MOST_WRITTEN = 64 << 20  # characters of one file's diff in the audit's folder
MOST_WRITTEN_OF_AREA = 512 << 20
LONGEST_READ = 16 << 20  # bytes of a line
MOST_OF_BLOCK = 64 << 20  # characters of a changed block that are in memory; of the lines after these, SHORT
SHORT = 64 << 10
NO_END = " (no newline at the end)"
LONGEST_WRITTEN = 10_000  # characters of a line
CHECKED = 4_096  # lines between two looks at the cancel token
HEADER = re.compile(rb"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")
FindingPath = tuple[str, ...]
LineDiff = tuple[str, tuple[Finding, ...]]


@dataclass(slots=True)
class LineDiffs:
    """Compares the text files of an area by line; `folder` is the audit's (None: what is left out is kept nowhere)."""

    area: AreaName
    folder: Path | None
    context: Context
    room: int = MOST_OF_AREA
    disk: int = MOST_WRITTEN_OF_AREA

    def of_bytes(self, path: FindingPath, a: bytes, b: bytes) -> LineDiff:
        """The line diff of two contents: a note on the whole, and the hunks that are kept, below `path`."""
        if _is_short(a) and _is_short(b):
            short = compare_lines(path, a, b)
            size = sum(map(_length, short.findings))
            if short.count == len(short.findings) and size <= self.room:
                self.room -= size
                return short.note, short.findings
        with self.context.cache.temporary_folder() as scratch:
            for side, content in (("a", a), ("b", b)):
                (scratch / side).write_bytes(content)
            return self._by_git(path, scratch / "a", scratch / "b", scratch / "diff")

    def of_files(self, path: FindingPath, a: Path, b: Path) -> LineDiff:
        """The line diff of two files. Raises OSError where one cannot be read."""
        sizes = [check_regular(side).st_size for side in (a, b)]
        if max(sizes) > LARGEST_FILE:
            return f"larger than {size_text(LARGEST_FILE)}: not compared by line", ()
        if max(sizes) <= LARGEST:
            return self.of_bytes(path, read_regular(a), read_regular(b))
        with self.context.cache.temporary_folder() as scratch:
            return self._by_git(path, a, b, scratch / "diff")

    def _by_git(self, path: FindingPath, a: Path, b: Path, diff: Path) -> LineDiff:
        try:
            write_line_diff(a, b, diff, self.context)
        except Inconclusive as error:
            return f"not compared by line: {show(error.what, 200)}", ()
        kept = _Kept(path, min(MOST_OF_FILE, self.room))
        target = None if self.folder is None else line_diff(self.folder, self.area, path)
        with open_regular(diff) as stream:
            written = self._read(stream, kept, target)
        self.room -= kept.size
        if target is not None and not kept.left_out:
            target.unlink(missing_ok=True)
        return kept.note(written if kept.left_out else ""), tuple(kept.findings)

    def _read(self, stream: BufferedReader, kept: _Kept, target: Path | None) -> str:
        """Passes the diff to what is kept and to the file in the audit's folder; returns a note on that file."""
        if target is None:
            kept.add_all(self._checked(stream))
            return ""
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        target.unlink(missing_ok=True)
        with target.open("x", encoding="utf-8", errors="backslashreplace") as out:
            target.chmod(0o600)
            copy = _Copy(out, min(MOST_WRITTEN, self.disk), self.context)
            kept.add_all(copy.lines(self._checked(stream)))
        self.disk -= copy.size
        place = f"diffs/{target.name} in the audit's folder"
        if copy.left_out:
            more = f"{plural(copy.left_out, 'line')} {'is' if copy.left_out == 1 else 'are'} left out"
            return f"their first {copy.size:,} characters are in {place}, {more}"
        return f"all are in {place}"

    def _checked(self, stream: BufferedReader) -> Iterator[bytes]:
        for number, line in enumerate(_lines(stream)):
            if number % CHECKED == 0:
                self.context.cancel.check()
            yield line


def _is_short(content: bytes) -> bool:
    return len(content) <= LARGEST and content.count(b"\n") < MOST_LINES


def _length(finding: Finding) -> int:
    return len(finding.note) + len(str(finding.a or "")) + len(str(finding.b or ""))


def _lines(stream: BufferedReader) -> Iterator[bytes]:
    """The lines of a diff after the names of the files, without their ends; of a very long one, the beginning."""
    started = False
    while line := stream.readline(LONGEST_READ):
        end = line
        while not end.endswith(b"\n") and (end := stream.readline(LONGEST_READ)):
            pass
        started = started or line.startswith(b"@@ ")
        if started:
            yield line.removesuffix(b"\n")


@dataclass(slots=True)
class _Copy:
    """The file in the audit's folder: lines are cleaned, secrets hidden, up to `most` characters."""

    out: TextIO
    most: int
    context: Context
    size: int = 0
    left_out: int = 0

    def lines(self, lines: Iterator[bytes]) -> Iterator[bytes]:
        """The same lines, each written on the way."""
        for line in lines:
            if self.size < self.most:
                text = line.decode("utf-8", "backslashreplace")
                cut = text[:LONGEST_WRITTEN] + ("…" if len(text) > LONGEST_WRITTEN else "")
                clean = clean_line(self.context.redactor.scrub(cut))
                self.size += self.out.write(clean + "\n")
            else:
                self.left_out += 1
            yield line


@dataclass(slots=True)
class _Kept:
    """The hunks that the report keeps of one file, and the numbers of all lines."""

    path: FindingPath
    room: int
    findings: list[Finding] = field(default_factory=list)
    size: int = 0
    hunks: int = 0
    added: int = 0
    removed: int = 0
    cut: bool = False

    def add_all(self, lines: Iterator[bytes]) -> None:
        """Reads a diff to its end: the header of each hunk says how many lines it has, so no line can look like one."""
        hunk: _Hunk | None = None
        for line in lines:
            header = HEADER.match(line)
            if header is not None:
                self._keep(hunk)
                hunk = self._hunk(header, lines)
            elif hunk is not None and line.startswith(b"\\"):
                hunk.end_without_newline()
        self._keep(hunk)

    def _hunk(self, header: re.Match[bytes], lines: Iterator[bytes]) -> _Hunk | None:
        """Reads the lines of a hunk; None where it is only counted."""
        start_a, left_a, start_b, left_b = (int(group) if group is not None else 1 for group in header.groups())
        self.hunks += 1
        keeps = len(self.findings) < MOST_HUNKS and self.size < self.room
        hunk = _Hunk(start_a, start_b) if keeps else None
        while left_a > 0 or left_b > 0:
            line = next(lines, None)
            if line is None:
                break
            sign = line[:1]
            if sign == b"\\":
                if hunk is not None:
                    hunk.end_without_newline()
                continue
            left_a -= sign != b"+"
            left_b -= sign != b"-"
            self.removed += sign == b"-"
            self.added += sign == b"+"
            if hunk is not None:
                hunk.add(sign, line[1:])
        return hunk

    def _keep(self, hunk: _Hunk | None) -> None:
        if hunk is not None:
            finding = hunk.finding(self.path)
            self.findings.append(finding)
            self.size += _length(finding)
            self.cut = self.cut or hunk.is_cut

    @property
    def left_out(self) -> bool:
        """Whether there is more than the report keeps."""
        return self.cut or self.hunks > len(self.findings)

    def note(self, written: str) -> str:
        """The numbers of lines, and what is left out and where it is."""
        note = f"{line_counts(self.added, self.removed)} lines"
        if not self.left_out:
            return note
        listed = f"{len(self.findings):,} of {plural(self.hunks, 'hunk')} {'is' if self.hunks == 1 else 'are'} listed"
        return "; ".join(filter(None, (note, listed + (", long ones cut" if self.cut else ""), written)))


@dataclass(slots=True)
class _Hunk:
    """The lines of one hunk that are kept. After a changed block that is cut, nothing more is."""

    start_a: int
    start_b: int
    unified: list[str] = field(default_factory=list)
    a: list[str] = field(default_factory=list)
    b: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)  # those of the block that is being read
    added: list[str] = field(default_factory=list)
    is_cut: bool = False
    is_closed: bool = False
    last: bytes = b""  # the sign of the last line
    unended: bytes = b""  # the sign of that whose file ends there without a newline
    room: int = MOST_OF_BLOCK

    def add(self, sign: bytes, raw: bytes) -> None:
        """Adds a line by its sign (`-`, `+` or a blank)."""
        self.last = sign
        if sign == b"-" and self.added:
            self._end_block()
        if self.is_closed:
            return
        text = line_of(raw)
        if sign in (b"-", b"+"):
            self.room -= len(text)
            text = text if self.room > 0 else text[:SHORT]
            block = self.removed if sign == b"-" else self.added
            if len(block) < MOST_OF_HUNK:
                block.append(text)
            else:
                self.is_cut = True
            return
        self._end_block()
        self._add_context(text)

    def _add_context(self, text: str) -> None:
        if self.is_closed:
            return
        if len(self.unified) >= 2 * MOST_OF_HUNK:
            self.is_cut = self.is_closed = True
            return
        shown = shown_line(text)
        self.unified.append(" " + shown)
        self.a.append(shown)
        self.b.append(shown)

    def end_without_newline(self) -> None:
        """The last line that was added ends its file without a newline."""
        self.unended = self.last

    def _end_block(self) -> None:
        if self.removed and self.removed == self.added and self.unended in (b"-", b"+"):
            block = self.removed if self.unended == b"-" else self.added
            block[-1] += NO_END
        removed, added = shown_block(self.removed, self.added)
        self.unified += ["-" + line for line in removed]
        self.unified += ["+" + line for line in added]
        self.a += removed
        self.b += added
        self.removed, self.added, self.room = [], [], MOST_OF_BLOCK
        self.is_closed = self.is_cut

    def finding(self, path: FindingPath) -> Finding:
        """The hunk as a finding, in the form of `lines.hunks`."""
        self._end_block()
        header = f"@@ -{self.start_a},{len(self.a)} +{self.start_b},{len(self.b)} @@"
        sides = "\n".join(self.a), "\n".join(self.b)
        return Finding((*path, header), "changed", *sides, "notice", "\n".join(self.unified))
