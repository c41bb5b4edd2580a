"""Opens changed files as their differences: each pair in a child process, text by line, all within the area's bounds.

The files are untrusted, so a child process reads them, limited in memory and time; where it is ended, the pair that it
was at is reported as not opened, and the others go on. What comes back is cleaned and redacted here, once. A file
counts as changed by its hash, whatever a reader sees in it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from repro_tui.compare.text_diff import LineDiffs
from repro_tui.formats.child import python_child
from repro_tui.model.finding import AreaName, Finding
from repro_tui.support.context import Context
from repro_tui.support.plain import from_plain
from repro_tui.support.redact import is_secret_name, is_secret_value
from repro_tui.support.regular import open_regular
from repro_tui.support.text import show, show_lines

CHILD = "repro_tui.compare.files.child"
MOST_OPENED = 500  # files of an area
MEMORY = 4 << 30
SECONDS = 120.0  # for one child's files
SECONDS_OF_AREA = 300.0
ROOM = 4 << 20  # characters of differences that the report keeps of an area
ROOM_OF_FILE = 512 << 10
LONGEST_RESULT = 64 << 20
LONGEST_NAME = 200
SEPARATOR = " › "
UNSEEN = "the values differ in what is not shown"
FindingPath = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FilePair:
    """Two versions of a file: the path of its finding, its name, and A's and B's bytes."""

    path: FindingPath
    name: str
    a: Path
    b: Path


@dataclass(frozen=True, slots=True)
class OpenedFile:
    """What differs in a file: a note on the whole, and the findings below it. `is_text`: these are hunks."""

    note: str
    children: tuple[Finding, ...] = ()
    is_text: bool = False


@dataclass(slots=True)
class FileOpener:
    """Opens the changed files of one area; `folder` is the audit's, for line diffs that the report does not keep."""

    area: AreaName
    folder: Path | None
    context: Context
    left: int = MOST_OPENED
    seconds: float = SECONDS_OF_AREA
    room: int = ROOM
    lines: LineDiffs = field(init=False)

    def __post_init__(self) -> None:
        self.lines = LineDiffs(self.area, self.folder, self.context)

    def open_pairs(self, pairs: Sequence[FilePair], *, texts: bool = True) -> dict[FindingPath, OpenedFile]:
        """The difference of each pair by its path; of those beyond the bounds, a note that says so.

        `texts`: text is compared by line; else it is only said to be text.
        """
        opened = {pair.path: OpenedFile("not opened: too many files differ") for pair in pairs[self.left :]}
        kept = pairs[: self.left]
        self.left -= len(kept)
        results = self._results(kept) if kept else {}
        for index, pair in enumerate(kept):
            result = results.get(index, OpenedFile("not opened: opening the files before it took too long"))
            if result.is_text:
                opened[pair.path] = self._of_text(pair, result) if texts else result
            else:
                opened[pair.path] = self._cleaned(pair, result)
        return opened

    def _of_text(self, pair: FilePair, result: OpenedFile) -> OpenedFile:
        try:
            note, hunks = self.lines.of_files(pair.path, pair.a, pair.b)
        except OSError as error:
            return OpenedFile(f"not opened: {show(error.strerror or type(error).__name__, 200)}")
        return OpenedFile(
            "; ".join(filter(None, (note, show(result.note.removeprefix("text").lstrip("; "), 1000)))),
            hunks,
            is_text=True,
        )

    def _results(self, pairs: Sequence[FilePair]) -> dict[int, OpenedFile]:
        """What the children say of each pair, by its index; a pair that ended its child is said to have."""
        results: dict[int, OpenedFile] = {}
        with self.context.cache.temporary_folder() as folder:
            while len(results) < len(pairs) and self.seconds > 0:
                began = time.monotonic()
                waiting = [index for index in range(len(pairs)) if index not in results]
                reason = self._run(folder, [(index, pairs[index]) for index in waiting])
                self.seconds -= time.monotonic() - began
                results |= _read_results(folder / "results")
                first = next((index for index in waiting if index not in results), None)
                if first is not None:
                    results[first] = OpenedFile(f"not opened: {reason}")
        return results

    def _run(self, folder: Path, pairs: Sequence[tuple[int, FilePair]]) -> str:
        """Runs one child over the pairs; returns why it ended before the last, where it did."""
        listed = [(index, str(pair.a.absolute()), str(pair.b.absolute()), pair.name) for index, pair in pairs]
        (folder / "requests").write_text(json.dumps(listed), "ascii")
        (folder / "results").unlink(missing_ok=True)
        scratch = folder / "scratch"
        scratch.mkdir(exist_ok=True)
        done = python_child(
            CHILD,
            [folder / "requests", folder / "results", scratch],
            cache=self.context.cache,
            cancel=self.context.cancel,
            memory=MEMORY,
            timeout_s=min(SECONDS, self.seconds),
        )
        if done.timed_out:
            return f"comparing it took longer than {min(SECONDS, self.seconds):.0f} s"
        last = show(done.text.strip().rpartition("\n")[2], 200)
        return f"its reader ended with exit status {done.exit_code}" + (f" ({last})" if last else "")

    def _cleaned(self, pair: FilePair, result: OpenedFile) -> OpenedFile:
        """A result with safe texts and without secrets, as far as the report has room for it."""
        children: list[Finding] = []
        room = min(self.room, ROOM_OF_FILE)
        for child in result.children:
            finding = self._clean(pair.path, child, secret="")
            size = _size(finding)
            if size > room:
                break
            room -= size
            self.room -= size
            children.append(finding)
        note = show(result.note, 1000)
        if len(children) < len(result.children):
            note += f"; only the first {len(children):,} are in the report, which would otherwise become too large"
        return OpenedFile(note, tuple(children))

    def _clean(self, above: FindingPath, finding: Finding, secret: str) -> Finding:
        secret = secret or next((name for name in finding.path if is_secret_name(name)), "")
        name = SEPARATOR.join(show(part, LONGEST_NAME) for part in finding.path) or "value"
        path = (*above, name)
        last = finding.path[-1] if finding.path else ""
        a, b = (self._shown(secret or last, value) for value in (finding.a, finding.b))
        note = "\n".join(show_lines(self.context.redactor.text(finding.note), 600)) if not secret else ""
        children = tuple(self._clean(path, child, secret) for child in finding.children)
        if finding.change == "changed" and not children and repr(a) == repr(b) and not name.startswith("@@ "):
            note = "; ".join(filter(None, (note, UNSEEN)))
        return replace(finding, path=path, a=a, b=b, note=note, children=children)

    def _shown(self, name: str, value: object) -> object:
        if isinstance(value, str) and not is_secret_value(name, value):  # it may be the source of a cell
            return "\n".join(show(line, 20_000) for line in self.context.redactor.text(value).split("\n"))
        return self.context.redactor.value(name, value)


def _size(finding: Finding) -> int:
    own = sum(len(str(value)) for value in (finding.a, finding.b) if value is not None)
    return own + len(finding.note) + sum(map(len, finding.path)) + 80 + sum(map(_size, finding.children))


def _read_results(file: Path) -> dict[int, OpenedFile]:
    results: dict[int, OpenedFile] = {}
    for line in _result_lines(file):
        try:
            fields = json.loads(line)
            children = tuple(from_plain(Finding, child) for child in fields.get("children", ()))
            results[int(fields["index"])] = OpenedFile(str(fields["note"]), children, bool(fields.get("is_text")))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            continue  # cut where the child was ended
    return results


def _result_lines(file: Path) -> Iterator[bytes]:
    try:
        with open_regular(file) as stream:
            while line := stream.readline(LONGEST_RESULT):
                yield line
    except OSError:
        return
