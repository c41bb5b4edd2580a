"""The hostile values through every format: nothing breaks a format, reaches a terminal or begins a line."""

from __future__ import annotations

import json
import re
from xml.etree import ElementTree

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from repro_tui.report.base import Reporter
from repro_tui.report.html import HtmlReporter
from repro_tui.report.json import JsonReporter
from repro_tui.report.junit import JUnitReporter
from repro_tui.report.markdown import MarkdownReporter
from tests.report.sample import hostile_report
from tests.report.test_html import Page
from tests.report.write import written
from tests.work import calls

HOSTILE = {
    "a closing tag of Rich": "[/red]",
    "an action of Textual": "[@click=app.exit]x[/]",
    "OSC 52": "\x1b]52;c;cm0gLXJmIC8=\x07",
    "clear screen": "\x1b[2J\x1b[H",
    "C1": "\x9b31m\x90q\x9c",
    "OSC 8": "\x1b]8;;https://example.org\x1b\\here\x1b]8;;\x1b\\",
    "bidi and zero width": "abc\u202egpj.exe\u2066\u200b\u200d\ufeff\U000e0041",
    "a lone surrogate": "a\ud800b\udfff",
    "a megabyte": "x" * 1_000_000,
    "2,000 combining marks": "e" + "\u0301" * 2_000,
    "a command of a build server": "ok\n::error::pwned\r\n##vso[task.complete]\n::set-output name=x::y",
    "a script": "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>",
    "no characters of XML": "\ufffe\uffff\x00\x0b\x1f",
    "an end of CDATA": "]]></failure><!-- ",
}
REPORTERS = {
    "junit": JUnitReporter(),
    "markdown": MarkdownReporter(),
    "html": HtmlReporter(),
}
HIDDEN = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff\U000e0000-\U000e0fff]"
)


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("name", REPORTERS)
def test_nothing_hidden_is_written_and_no_line_begins_with_it(name: str, text: str) -> None:
    page = written(REPORTERS[name], hostile_report(text))
    assert not HIDDEN.search(page)
    page.encode("utf-8")
    assert not re.search(r"(?m)^\s*(::|##vso)", page)
    assert len(page) < 2_000_000


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_the_xml_parses(text: str) -> None:
    root = ElementTree.fromstring(written(JUnitReporter(), hostile_report(text)))
    assert root.get("tests") == str(len(list(root.iter("testcase"))))


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_the_page_has_the_elements_that_it_has_with_a_plain_word(text: str) -> None:
    plain, page = (Page(written(HtmlReporter(), hostile_report(word))) for word in ("plain", text))
    assert page.open == []
    assert page.tags.count("script") == page.tags.count("img") == 0
    assert [tag for tag in page.tags if tag != "i"] == [tag for tag in plain.tags if tag != "i"]


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_the_json_is_ascii_and_parses(text: str) -> None:
    page = written(JsonReporter(), hostile_report(text))
    assert page.isascii()
    assert "\x1b" not in page
    assert json.loads(page)["summary"][0] == text


@pytest.mark.parametrize("name", REPORTERS)
def test_markup_of_a_terminal_is_kept_literally(name: str) -> None:
    page = written(REPORTERS[name], hostile_report("[/red]")).replace("\\", "")
    assert "[/red]" in page


@pytest.mark.parametrize("name", REPORTERS)
def test_what_was_hidden_is_visible(name: str) -> None:
    assert "u{1b}" in written(REPORTERS[name], hostile_report("\x1b[2J"))


@pytest.mark.parametrize("name", REPORTERS)
def test_a_megabyte_in_every_place_is_no_more_work_than_a_page(name: str) -> None:
    page, megabyte = (
        calls(written, REPORTERS[name], hostile_report("\x1b[31m" * repeated)) for repeated in (2_000, 200_000)
    )
    assert megabyte < 1.1 * page


@pytest.mark.parametrize("name", REPORTERS)
@settings(max_examples=25, deadline=None)
@example(text="paths")  # the name of a measure that is a list
@given(text=st.text(st.characters(codec=None), max_size=60))
def test_any_text_can_be_written(name: str, text: str) -> None:
    page = written(REPORTERS[name], hostile_report(text))
    assert not HIDDEN.search(page)
    if name == "junit":
        ElementTree.fromstring(page)
    elif name == "html":
        assert Page(page).open == []


def test_every_reporter_is_one() -> None:
    reporters: list[Reporter] = [*REPORTERS.values(), JsonReporter()]
    assert all(written(reporter, hostile_report("x")) for reporter in reporters)
