"""Diffs line by line, text files of any size, and values shortened and marked."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repro_tui.model.finding import Finding
from repro_tui.support.text import excerpt, shorten_middle
from repro_tui.tui.difference.lines import DiffRows, diff_lines, stacked
from repro_tui.tui.difference.rows import delta
from repro_tui.tui.text_lines import FileBytes, TextLines
from repro_tui.tui.widgets.safe import around_difference, changed_segments, shortened, wrapped

HUNK = Finding(("f.py", "@@ -3,4 +3,5 @@"), "changed", "one\ntwo\nthree\nfour", "one\n2\nthree\nnew\nfour")


def test_a_hunk_has_its_lines_on_one_height_with_their_numbers() -> None:
    lines = diff_lines([HUNK])
    assert [(line.number_a if line.a else 0, line.a, line.number_b if line.b else 0, line.b) for line in lines[1:]] == [
        (3, "one", 3, "one"),
        (4, "two", 4, "2"),
        (5, "three", 5, "three"),
        (0, None, 6, "new"),
        (6, "four", 7, "four"),
    ]


def test_stacked_what_a_had_comes_before_what_b_has() -> None:
    lines = [(line.a, line.b) for line in stacked(diff_lines([HUNK]))[1:]]
    assert lines == [("one", "one"), ("two", None), (None, "2"), ("three", "three"), (None, "new"), ("four", "four")]


def test_glyphs_and_syntax() -> None:
    hunk = Finding(
        ("f.py", "@@ -1,2 +1,2 @@"), "changed", "def f(): return 1  # why\na = 1", "def f(): return 1  # why\na = 2"
    )
    rows = DiffRows(diff_lines([hunk]), "f.py", beside=True)
    same, changed = rows.cells(1, [1, 40, 40]), rows.cells(2, [1, 40, 40])
    assert {str(span.style) for span in same[1].spans} >= {"keyword", "number", "comment", "name"}
    assert changed[0].plain == "≠"
    assert changed[2].plain == "    2 a = 2"
    assert [str(span.style) for span in changed[2].spans][-1] == "mark-b"


def text_lines(path: Path, filter_text: str = "") -> TextLines:
    lines = TextLines(FileBytes(path), filter_text)
    lines.grow()
    return lines


@pytest.mark.parametrize(
    ("text", "lines"),
    [("", []), ("one", ["one"]), ("one\n", ["one"]), ("one\r\ntwo\n\nlast", ["one", "two", "", "last"])],
)
def test_a_text_file_as_rows(tmp_path: Path, text: str, lines: list[str]) -> None:
    (tmp_path / "t").write_bytes(text.encode())
    rows = text_lines(tmp_path / "t")
    assert [rows.line(row) for row in range(len(rows))] == lines


def test_lines_are_filtered_with_their_numbers(tmp_path: Path) -> None:
    (tmp_path / "t").write_text("".join(f"line {n} {'Error' if n % 10 == 3 else ''}\n" for n in range(1000)))
    rows = text_lines(tmp_path / "t", "ERROR")
    assert len(rows) == 100
    assert (rows.number(1), rows.line(1)) == (14, "line 13 Error")


def test_a_line_without_end_is_cut(tmp_path: Path) -> None:
    (tmp_path / "t").write_bytes(b"x" * (50 << 20))
    rows = text_lines(tmp_path / "t")
    assert len(rows) == 1
    assert len(rows.line(0)) < 21_000
    assert rows.line(0).endswith(" more bytes)")


@given(st.binary(max_size=200))
def test_no_byte_is_lost_or_breaks_it(content: bytes) -> None:
    import tempfile

    with tempfile.NamedTemporaryFile() as stream:
        stream.write(content)
        stream.flush()
        rows = text_lines(Path(stream.name))
        assert len(rows) == len(content.split(b"\n")) - (content.endswith(b"\n") or not content)
        assert not any(character < " " for n in range(len(rows)) for character in rows.line(n))


@pytest.mark.parametrize(
    ("text", "width", "shown"),
    [
        ("0.5241344396400358", 10, "0.5241344…"),
        ("sha256:18757ed2b1e89e24cb305d63dcff560ad97404ac72 (548 bytes)", 40, "sha256:18757ed2…ac72 (548 bytes)"),
        ("libopenblas64_p-r0-0cf96a72.3.23.dev.so", 20, "libopenbl…3.23.dev.so"),
        ("2026-02-04T09:30 Credit team: Decline from 0.6", 24, "2026-02-04T09:30 Credit…"),
        ("short", 10, "short"),
    ],
)
def test_values_are_shortened_where_it_hurts_least(text: str, width: int, shown: str) -> None:
    short = shortened(text, width)
    assert len(short) <= width
    assert short == shown or text.startswith("lib")


def test_a_percent_sign_stays_with_its_number() -> None:
    text = "the change needs the code: 96.0 % of it"
    assert wrapped(text, 31) == ["the change needs the code:", "96.0 % of it"]
    assert wrapped(text, 80) == [text]
    assert wrapped("a % sign alone", 3) == ["a %", "sig", "n a", "lon", "e"]


@given(st.text(max_size=60), st.text(max_size=60))
def test_segments_put_together_are_the_texts(a: str, b: str) -> None:
    left, right = changed_segments(a, b)
    assert ("".join(text for text, _ in left), "".join(text for text, _ in right)) == (a, b)
    assert any(changed for _, changed in left + right) == (a != b)


def test_what_is_marked_is_what_differs() -> None:
    assert changed_segments("0.5241", "0.5247") == ([("0.524", False), ("1", True)], [("0.524", False), ("7", True)])
    assert changed_segments("1.0.0", "1.1.0") == (
        [("1.", False), ("0", True), (".0", False)],
        [("1.", False), ("1", True), (".0", False)],
    )
    left, right = changed_segments("1.26.4", "2.1.3")
    assert [text for text, changed in (*left, *right) if changed] == ["1", "26", "4", "2", "1", "3"]
    assert changed_segments("在庫旧", "在庫新")[0] == [("在庫", False), ("旧", True)]
    assert changed_segments("decline", "review") == ([("decline", True)], [("review", True)])


@pytest.mark.parametrize(
    ("a", "b", "text"),
    [
        (0.5, 0.6, "+0.1 +20.0 %"),
        (2, 1, "-1 -50.0 %"),
        (0, 3, "+3"),
        (True, False, ""),
        ("1", "2", ""),
        (None, 1, ""),
        (1, 1, ""),
    ],
)
def test_deltas_of_numbers(a: object, b: object, text: str) -> None:
    assert delta(Finding(("x",), "changed", a, b)) == text


def test_a_cut_leaves_no_accent_without_its_letter() -> None:
    """What is left of "é" after a cut is "e" or nothing: its accent would stand on the ellipsis."""
    text = "e\u0301" * 40
    for width in range(5, 60):
        assert "…\u0301" not in shorten_middle(text, width)
        assert "…\u0301" not in excerpt(text, width, 10)
        assert "…\u0301" not in "".join(around_difference(text * 2 + "a", text * 2 + "b", width, width))
    assert excerpt("e\u0301a", 0, 9) == "e\u0301a"
