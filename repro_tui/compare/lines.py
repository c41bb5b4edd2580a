"""The line diff of two short texts, as unified hunks; `text_diff` compares those of any length."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from repro_tui.model.finding import Finding
from repro_tui.support.text import first_difference, line_counts, show, show_apart

LARGEST = 256 << 10
MOST_LINES = 4_000  # of each side: difflib takes quadratic time
MOST_HUNKS = 200
CONTEXT = 3
LONGEST_LINE = 500  # characters
AUTOJUNK = 2_000  # lines from which difflib takes frequent lines for noise
BEFORE = 100  # characters of a long line that stay before its first difference
UNREAD = " … (the two differ after what is read of them)"


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
    lines_a, lines_b = a.split(b"\n"), b.split(b"\n")  # bytes: what is not UTF-8 differs from the escape for it
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


def line_of(raw: bytes) -> str:
    """The text of a line; each byte that is not UTF-8 stays apart from every text."""
    return raw.decode("utf-8", "surrogateescape")


Opcode = tuple[str, int, int, int, int]


def _hunk(path: tuple[str, ...], group: list[Opcode], a: list[bytes], b: list[bytes]) -> Finding:
    from_a, to_a, from_b, to_b = group[0][1], group[-1][2], group[0][3], group[-1][4]
    header = f"@@ -{from_a + 1},{to_a - from_a} +{from_b + 1},{to_b - from_b} @@"
    blocks = list(_blocks(group, a, b))
    side_a = "\n".join(line for removed, _, _ in blocks for line in removed)
    side_b = "\n".join(line for _, added, _ in blocks for line in added)
    text = "\n".join(line for removed, added, equal in blocks for line in _unified(removed, added, equal))
    return Finding((*path, header), "changed", side_a, side_b, "notice", text)


def _blocks(group: list[Opcode], a: list[bytes], b: list[bytes]) -> Iterator[tuple[list[str], list[str], bool]]:
    """The shown lines of A and of B, block by block, and whether the two are equal."""
    for tag, from_a, to_a, from_b, to_b in group:
        lines_a, lines_b = (list(map(line_of, side)) for side in (a[from_a:to_a], b[from_b:to_b]))
        if tag == "equal":
            shown = list(map(shown_line, lines_a))
            yield shown, shown, True
        else:
            yield *shown_block(lines_a, lines_b), False


def _unified(removed: list[str], added: list[str], equal: bool) -> Iterator[str]:
    if equal:
        yield from (" " + line for line in removed)
        return
    yield from ("-" + line for line in removed)
    yield from ("+" + line for line in added)


def shown_line(line: str) -> str:
    """A line, safe to show and cut; bytes that are not UTF-8 as \\xff."""
    return show(_readable(line), LONGEST_LINE)


def _readable(line: str) -> str:
    return line if line.isascii() else line.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def shown_block(removed: Sequence[str], added: Sequence[str]) -> tuple[list[str], list[str]]:
    """The lines of a changed block, safe to show; a long pair of lines is cut around its first difference.

    The two sides are never alike: what differs at a place that was not read is said to be there.
    """
    pairs = [_shown_pair(a, b) for a, b in zip(removed, added, strict=False)]
    rest = len(pairs)
    shown_a = [a for a, _ in pairs] + list(map(shown_line, removed[rest:]))
    shown_b = [b for _, b in pairs] + list(map(shown_line, added[rest:]))
    if shown_a == shown_b and shown_b:
        shown_b[-1] += UNREAD
    return shown_a, shown_b


def _shown_pair(a: str, b: str) -> tuple[str, str]:
    first = 0 if max(len(a), len(b)) <= LONGEST_LINE else first_difference(a, b)
    if first + BEFORE <= LONGEST_LINE:
        shown_a, shown_b = shown_line(a), shown_line(b)
    else:
        start = first - BEFORE
        shown_a, shown_b = (f"… ({start:,} before) {shown_line(line[start:])}" for line in (a, b))
    return (shown_a, shown_b) if shown_a != shown_b else show_apart(a, b, LONGEST_LINE)
