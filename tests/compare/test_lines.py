"""The line diff of short texts: what differs is shown differently, and the hunks turn A's lines into B's."""

from __future__ import annotations

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from repro_tui.compare.lines import LONGEST_LINE, compare_lines
from repro_tui.support.text import show
from tests.conftest import EXAMPLES

HEADER = re.compile(r"@@ -(\d+),(\d+) \+(\d+),(\d+) @@")
# What looks alike: bytes and controls beside the escapes by which they are shown, ends of lines, marks beyond a limit.
PIECES = [b"a", b"b", b"\n", b"\r\n", b"\r", b"\xff", b"\\xff", b"\x1b", b"\\u{1b}", b"\xcc\x81" * 9, b"\xcc\x81" * 10]
PIECES += [b"x" * 600, b"@@ -1,1 +1,1 @@", b"+", b"-", b" ", b"\0", "\u2028".encode()]
TEXTS = st.lists(st.sampled_from(PIECES), max_size=14).map(b"".join)


@settings(max_examples=4 * EXAMPLES, deadline=None)
@given(TEXTS, TEXTS)
def test_texts_that_differ_have_a_hunk_whose_sides_differ(a: bytes, b: bytes) -> None:
    hunks = compare_lines(("f",), a, b).findings
    assert any(hunk.a != hunk.b for hunk in hunks) == (a != b)


@settings(max_examples=4 * EXAMPLES, deadline=None)
@given(TEXTS, TEXTS)
def test_the_hunks_applied_to_a_give_b(a: bytes, b: bytes) -> None:
    lines_a, lines_b = a.split(b"\n"), b.split(b"\n")
    patched: list[bytes | str] = []
    place = 0
    for hunk in compare_lines(("f",), a, b).findings:
        match = HEADER.fullmatch(hunk.path[-1])
        assert match is not None
        start_a, count_a, start_b, count_b = map(int, match.groups())
        shown = str(hunk.b).split("\n") if count_b else []
        patched += [*lines_a[place : start_a - 1], *shown]
        place = start_a - 1 + count_a
        assert (len(str(hunk.a).split("\n")) if count_a else 0) == count_a
        assert (len(shown), start_b) == (count_b, len(patched) - count_b + 1)
    patched += lines_a[place:]
    assert len(patched) == len(lines_b)
    for line, expected in zip(patched, lines_b, strict=True):
        if isinstance(line, bytes):
            assert line == expected
        elif "\\" not in line and "…" not in line:  # escaped or cut
            assert line == show(expected.decode(), LONGEST_LINE)
