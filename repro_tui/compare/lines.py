"""The line diff of two short texts, as unified hunks; `text_diff` compares those of any length."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from repro_tui.model.finding import Finding
from repro_tui.support.text import first_difference, line_counts, show

LARGEST = 256 << 10
MOST_LINES = 4_000  # of each side: difflib takes quadratic time
MOST_HUNKS = 200
CONTEXT = 3
LONGEST_LINE = 500  # characters
AUTOJUNK = 2_000  # lines from which difflib takes frequent lines for noise
BEFORE = 100  # characters of a long line that stay before its first difference


@dataclass(frozen=True, slots=True)
class LineHunks:
    """The numbers of lines that were added and removed, the number of hunks, and the first 200 of them as findings."""

    added: int
    removed: int
    count: int
    findings: tuple[Finding, ...]

    @property
    def note(self) -> str:
        """The numbers of lines, and what is not listed."""
        note = f"{line_counts(self.added, self.removed)} lines"
        more = self.count - len(self.findings)
        return f"{note}; the first {len(self.findings):,} of {self.count:,} hunks are listed" if more else note


def compare_lines(path: tuple[str, ...], a: bytes, b: bytes) -> LineHunks:
    """The line diff of two short texts: their hunks are below `path`.

    A finding's `a` and `b` are the hunk's lines on either side, its note is the unified hunk. It takes quadratic time:
    texts of more than MOST_LINES lines are for `text_diff`.
    """
    lines_a, lines_b = _lines(a), _lines(b)
    matcher = SequenceMatcher(None, lines_a, lines_b, autojunk=len(lines_a) > AUTOJUNK)
    added = removed = count = 0
    findings: list[Finding] = []
    for group in matcher.get_grouped_opcodes(CONTEXT):
        added += sum(to_b - from_b for tag, _, _, from_b, to_b in group if tag != "equal")
        removed += sum(to_a - from_a for tag, from_a, to_a, _, _ in group if tag != "equal")
        count += 1
        if len(findings) < MOST_HUNKS:
            findings.append(_hunk(path, group, lines_a, lines_b))
    return LineHunks(added, removed, count, tuple(findings))


def _lines(raw: bytes) -> list[str]:
    return raw.decode("utf-8", "backslashreplace").split("\n")


Opcode = tuple[str, int, int, int, int]


def _hunk(path: tuple[str, ...], group: list[Opcode], a: list[str], b: list[str]) -> Finding:
    from_a, to_a, from_b, to_b = group[0][1], group[-1][2], group[0][3], group[-1][4]
    header = f"@@ -{from_a + 1},{to_a - from_a} +{from_b + 1},{to_b - from_b} @@"
    text = "\n".join(_unified(group, a, b))
    return Finding((*path, header), "changed", *_sides(group, a, b), "notice", text)


def _unified(group: list[Opcode], a: list[str], b: list[str]) -> Iterator[str]:
    for tag, from_a, to_a, from_b, to_b in group:
        if tag == "equal":
            yield from (" " + show(line, LONGEST_LINE) for line in a[from_a:to_a])
        else:
            removed, added = shown_block(a[from_a:to_a], b[from_b:to_b])
            yield from ("-" + line for line in removed)
            yield from ("+" + line for line in added)


def shown_block(removed: Sequence[str], added: Sequence[str]) -> tuple[list[str], list[str]]:
    """The lines of a changed block, safe to show; a long pair of lines is cut around its first difference."""
    pairs = [_shown_pair(a, b) for a, b in zip(removed, added, strict=False)]
    rest = len(pairs)
    return (
        [a for a, _ in pairs] + [show(line, LONGEST_LINE) for line in removed[rest:]],
        [b for _, b in pairs] + [show(line, LONGEST_LINE) for line in added[rest:]],
    )


def _shown_pair(a: str, b: str) -> tuple[str, str]:
    first = 0 if max(len(a), len(b)) <= LONGEST_LINE else first_difference(a, b)
    if first + BEFORE <= LONGEST_LINE:
        return show(a, LONGEST_LINE), show(b, LONGEST_LINE)
    start = first - BEFORE
    shown_a, shown_b = (f"… ({start:,} before) {show(line[start:], LONGEST_LINE)}" for line in (a, b))
    return shown_a, shown_b


def _sides(group: list[Opcode], a: list[str], b: list[str]) -> tuple[str, str]:
    lines_a: list[str] = []
    lines_b: list[str] = []
    for tag, from_a, to_a, from_b, to_b in group:
        if tag == "equal":
            lines_a += [show(line, LONGEST_LINE) for line in a[from_a:to_a]]
            lines_b += [show(line, LONGEST_LINE) for line in b[from_b:to_b]]
        else:
            removed, added = shown_block(a[from_a:to_a], b[from_b:to_b])
            lines_a += removed
            lines_b += added
    return "\n".join(lines_a), "\n".join(lines_b)
