"""Terminals that do not show UTF-8: the locale says so, and everything that is written is ASCII."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from repro_tui.support.ascii_output import TEXT, ascii_cell, ascii_text, is_utf8
from tests.tui.folders import finished


@pytest.mark.parametrize(
    ("variables", "shown"),
    [
        ({}, True),
        ({"LANG": "C"}, False),
        ({"LANG": "POSIX"}, False),
        ({"LANG": "C.UTF-8"}, True),
        ({"LANG": "de_DE.utf8"}, True),
        ({"LANG": "de_DE.ISO-8859-1"}, False),
        ({"LANG": "de_DE.ISO-8859-15@euro"}, False),
        ({"LANG": "ja_JP.eucJP"}, False),
        ({"LANG": "en_US.UTF-8", "LC_ALL": "C"}, False),
        ({"LANG": "C", "LC_CTYPE": "en_US.UTF-8"}, True),
        ({"LANG": "C", "LC_ALL": ""}, False),
    ],
)
def test_the_locale_says_whether_the_terminal_shows_utf8(variables: dict[str, str], shown: bool) -> None:
    assert is_utf8("utf-8", variables) is shown
    assert not is_utf8("iso8859-1", variables)


def test_the_characters_of_the_program_have_ascii_for_them() -> None:
    """Every character in the sources that users see is in the table: none is a question mark or an escape."""
    root = Path(__file__).parents[2] / "repro_tui"
    rooms = [path for room in ("tui", "report", "cli", "audit", "explain") for path in (root / room).rglob("*.py")]
    used = {character for path in rooms for character in path.read_text() if not character.isascii()}
    unknown = {c for c in used if ascii_cell(c) == "?" or "\\u" in ascii_text(c)}
    assert len(used) > 25
    assert unknown <= {"é", "\u0308"}  # of examples in comments
    assert all(text.isascii() for text in TEXT.values())


def test_a_value_is_never_written_as_the_letter_it_resembles() -> None:
    assert ascii_text("café ≠ cafe…") == "caf\\u{e9} != cafe..."
    assert [ascii_cell(c) for c in "é鍵\u0308"] == ["?", "?", "?"]


@pytest.mark.parametrize(("locale", "glyph"), [("C", "!="), ("POSIX", "!="), ("C.UTF-8", "≠")])
def test_headless_output_is_ascii_and_reports_stay_utf8(locale: str, glyph: str, tmp_path: Path) -> None:
    folder = finished(tmp_path / "audit", "é≠鍵").path
    variables = {name: value for name, value in os.environ.items() if not name.startswith(("LC_", "LANG"))}

    def run(*arguments: str) -> subprocess.CompletedProcess[bytes]:
        command = [sys.executable, "-m", "repro_tui", "show", str(folder), *arguments]
        return subprocess.run(command, env=variables | {"LANG": locale}, capture_output=True, check=False)

    seen = run().stdout.decode("utf-8")
    assert glyph in seen
    assert seen.isascii() is (locale != "C.UTF-8")
    report = run("--format", "markdown=-")
    assert "é≠鍵" in report.stdout.decode("utf-8")
