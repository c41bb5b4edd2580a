from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repro_tui.support.text import CAP, MARKS_IN_A_ROW, join_names, shorten_middle, show, show_lines
from tests.work import calls


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b]52;c;eA==\x07", "\\u{1b}]52;c;eA==\\u{7}"),
        ("\x1b[2J", "\\u{1b}[2J"),
        ("\x9b31m", "\\u{9b}31m"),
        ("\x1b]8;;https://example.org\x1b\\x", "\\u{1b}]8;;https://example.org\\u{1b}\\x"),
        ("a\u202eb\u2066c\u200bd\u200de\ufefff", "a\\u{202e}b\\u{2066}c\\u{200b}d\\u{200d}e\\u{feff}f"),
        ("\U000e0041\U000e007f", "\\u{e0041}\\u{e007f}"),
        ("a\ud800b", "a\\u{d800}b"),
        ("one\ntwo\r\n", "one\\u{a}two\\u{d}\\u{a}"),
        ("tab\there", "tab\\u{9}here"),
        ("\u2028\u2029\x85", "\\u{2028}\\u{2029}\\u{85}"),
        ("\x00\x7f", "\\u{0}\\u{7f}"),
        ("\ufffe\uffff", "\\u{fffe}\\u{ffff}"),
    ],
)
def test_hidden_characters_become_visible(text: str, shown: str) -> None:
    assert show(text) == shown


@pytest.mark.parametrize(
    "text",
    ["[/red]", "[@click=app.exit]x[/]", "[/home/x]", "<script>", "::error::x", "naïve Straße 日本語 🙂", "a\\u{1b}"],
)
def test_what_only_looks_like_markup_is_kept_literally(text: str) -> None:
    assert show(text) == text


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "—"),
        (True, "true"),
        (0.1, "0.1"),
        (float("nan"), "nan"),
        (-0.0, "-0.0"),
        (12, "12"),
        ({"a": [1, None, "ü"]}, '{"a": [1, null, "ü"]}'),
        ((1, 2), "[1, 2]"),
        ({"a": "\x1b"}, '{"a": "\\u001b"}'),
        ({"a": "\u202e"}, '{"a": "\\u{202e}"}'),
    ],
)
def test_other_values(value: object, shown: str) -> None:
    assert show(value) == shown


def test_a_number_that_python_does_not_print() -> None:
    assert show(10**5_000) == "(int: too large to print)"
    assert show([10**5_000]) == "(list: too large to print)"


@pytest.mark.parametrize(
    "text",
    ["x" * 1_000_000, "\x1b[31m" * 200_000, "e" + "\u0301" * 999_999, "é" * 1_000_000],
    ids=["ASCII", "escapes", "marks", "letters"],
)
def test_a_megabyte_is_capped_with_no_more_work_than_a_page(text: str) -> None:
    page, megabyte = calls(show, text[:10_000]), calls(show, text)
    assert megabyte <= page
    shown = show(text)
    assert shown.endswith(f"… ({len(text) - CAP:,} more)")
    assert len(shown) <= CAP + 40


def test_the_cap_is_of_characters_shown() -> None:
    assert show("abcdef", 3) == "abc… (3 more)"
    assert show("abc", 3) == "abc"
    assert len(show("\x1b" * 100, 100)) == 100


def test_a_pile_of_marks_is_cut() -> None:
    shown = show("e" + "\u0301" * 1_999 + "x")
    assert shown.count("\u0301") == MARKS_IN_A_ROW
    assert shown.endswith("… (1,991 marks left out)… (1 more)")


def test_marks_that_people_write_are_kept() -> None:
    text = unicodedata.normalize("NFD", "Tiếng Việt, naïve, שָׁלוֹם")
    assert show(text) == text


def test_lines_are_made_safe_one_by_one() -> None:
    assert show_lines("a\x1b\r\nb\n") == ["a\\u{1b}", "b", ""]
    assert show_lines("x\n" * 5, most=2) == ["x", "x", "… (4 more lines)"]


def test_a_long_name_loses_its_middle() -> None:
    assert shorten_middle("0123456789abcdef", 9) == "0123…cdef"
    assert shorten_middle("short", 9) == "short"
    assert len(shorten_middle("x" * 80, 12)) == 12


@given(st.text(st.characters(codec=None)))
def test_any_text_becomes_one_line_of_text_that_can_be_printed(text: str) -> None:
    shown = show(text)
    shown.encode("utf-8")
    assert len(shown.splitlines()) <= 1
    assert not any(unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") for character in shown)


@given(st.text(st.characters(codec=None), max_size=200))
def test_showing_twice_changes_nothing_more(text: str) -> None:
    assert show(show(text)) == show(text) or "marks left out" in show(text)


@pytest.mark.parametrize(
    ("names", "text"),
    [
        ("", ""),
        ("a", "a"),
        ("ab", "a or b"),
        ("abc", "a, b or c"),
        ("abcd", "a, b or 2 more"),
    ],
)
def test_names_are_joined_as_in_a_sentence(names: str, text: str) -> None:
    assert join_names(list(names), "or", most=3) == text
