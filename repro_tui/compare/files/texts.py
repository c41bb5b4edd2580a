"""Text inside another file (a member of an archive): its line diff. Text files themselves are compared by
compare/text_diff.py, which has git for those that are long."""

from __future__ import annotations

from dataclasses import dataclass

from repro_tui.compare.files.base import FileContent, FileDifferences, UnreadableError
from repro_tui.compare.files.binary import is_text
from repro_tui.compare.lines import LARGEST, MOST_LINES, compare_lines


@dataclass(frozen=True, slots=True)
class Text:
    """Text of any kind, of a small file."""

    name: str = "text"

    def matches(self, content: FileContent) -> bool:
        """By its first bytes."""
        return bool(content.head) and is_text(content)

    def compare(self, a: FileContent, b: FileContent, differences: FileDifferences) -> str:
        """Adds its hunks; the note has the numbers of lines. A text that is in no other file is left to the caller."""
        if differences.depth == 0:
            differences.is_text = True
            return ""
        raw = [side.read(LARGEST) for side in (a, b)]
        if any(side.count(b"\n") > MOST_LINES for side in raw):
            raise UnreadableError(f"it has more than {MOST_LINES:,} lines")
        lines = compare_lines((), *raw)
        for hunk in lines.findings:
            differences.add_finding(hunk)
        return lines.note
