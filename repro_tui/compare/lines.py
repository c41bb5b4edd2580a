"""The line diff of two text files of at most 512 KiB, as unified hunks."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import SequenceMatcher

from repro_tui.model.finding import Finding
from repro_tui.support.text import show

LARGEST = 512 << 10
MOST_LINES = 20_000
MOST_HUNKS = 200
CONTEXT = 3


def hunks(path: tuple[str, ...], a: bytes, b: bytes) -> tuple[str, tuple[Finding, ...]]:
    """The line diff of the files with the bytes `a` and `b`: a note on the whole, and a finding for each hunk.

    The findings are below `path`. A finding's `a` and `b` are the hunk's lines on either side, its note is the unified
    hunk. Where there is no line diff (a binary or very long file), the note says why.
    """
    if b"\0" in a or b"\0" in b:
        return "binary", ()
    lines_a, lines_b = _lines(a), _lines(b)
    if max(len(lines_a), len(lines_b)) > MOST_LINES:
        return f"more than {MOST_LINES:,} lines: not compared by line", ()
    return _diff(path, lines_a, lines_b)


def _lines(raw: bytes) -> list[str]:
    return raw.decode("utf-8", "backslashreplace").split("\n")


def _diff(path: tuple[str, ...], a: list[str], b: list[str]) -> tuple[str, tuple[Finding, ...]]:
    matcher = SequenceMatcher(None, a, b, autojunk=len(a) > 2_000)
    added = removed = 0
    hunk_findings: list[Finding] = []
    for group in matcher.get_grouped_opcodes(CONTEXT):
        added += sum(to_b - from_b for tag, _, _, from_b, to_b in group if tag != "equal")
        removed += sum(to_a - from_a for tag, from_a, to_a, _, _ in group if tag != "equal")
        if len(hunk_findings) < MOST_HUNKS:
            hunk_findings.append(_hunk(path, group, a, b))
    return f"+{added:,} -{removed:,} lines", tuple(hunk_findings)


Opcode = tuple[str, int, int, int, int]


def _hunk(path: tuple[str, ...], group: list[Opcode], a: list[str], b: list[str]) -> Finding:
    from_a, to_a, from_b, to_b = group[0][1], group[-1][2], group[0][3], group[-1][4]
    header = f"@@ -{from_a + 1},{to_a - from_a} +{from_b + 1},{to_b - from_b} @@"
    text = "\n".join(_unified(group, a, b))
    return Finding((*path, header), "changed", _shown(a[from_a:to_a]), _shown(b[from_b:to_b]), "notice", text)


def _unified(group: list[Opcode], a: list[str], b: list[str]) -> Iterator[str]:
    for tag, from_a, to_a, from_b, to_b in group:
        if tag == "equal":
            yield from (" " + show(line, 500) for line in a[from_a:to_a])
        else:
            yield from ("-" + show(line, 500) for line in a[from_a:to_a])
            yield from ("+" + show(line, 500) for line in b[from_b:to_b])


def _shown(lines: list[str]) -> str:
    return "\n".join(show(line, 500) for line in lines)
