from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from repro_tui.model.finding import Finding, area_of
from repro_tui.model.report import Report
from repro_tui.report.html import MOST_FINDINGS, POLICY, HtmlReporter
from tests.report.sample import HUNK, hostile_report, lost_report, many_findings, rich_report, same_report
from tests.report.write import written

VOID = {"meta", "line", "rect"}


class Page(HTMLParser):
    """Collects a page's elements, attributes and text, and checks that it is well nested."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.text = ""
        self.open: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.text += data + " "


@pytest.mark.parametrize("build_report", [rich_report, same_report, lost_report])
def test_it_is_well_nested_and_loads_nothing(build_report: Callable[[], Report]) -> None:
    page = Page(written(HtmlReporter(), build_report()))
    assert page.open == []
    assert not {"script", "link", "img", "iframe", "object", "a", "form", "base"} & set(page.tags)
    assert not [name for _, name, _ in page.attributes if name.startswith("on") or name in ("src", "href", "style")]
    assert ("meta", "content", POLICY) in page.attributes


def test_the_style_loads_nothing() -> None:
    style = re.findall(r"<style>(.*?)</style>", written(HtmlReporter(), rich_report()), re.S)
    assert len(style) == 1
    assert "prefers-color-scheme: dark" in style[0]
    assert "url(" not in style[0]
    assert "@import" not in style[0]


def test_the_policy_forbids_everything_but_the_style() -> None:
    assert POLICY.startswith("default-src 'none'; style-src 'unsafe-inline'")


def test_the_verdict_the_summary_and_both_sides_are_shown() -> None:
    text = Page(written(HtmlReporter(), rich_report())).text
    for expected in ("≠ drift", "Drift: 12 of 400 label values flip", "A prod", "B staging", "exit status 1"):
        assert expected in text
    assert "bubblewrap, network none, verified" in text


def test_every_finding_has_its_glyph_and_both_values() -> None:
    page = written(HtmlReporter(), rich_report())
    numpy = re.search(r"<tr[^>]*>(?:(?!</tr>).)*packages / numpy.*?</tr>", page)
    assert numpy
    assert re.findall(r">([^<>]+)<", numpy.group()) == [
        "&#8800;",
        "packages / numpy",
        "1.26.4",
        "2.1.3",
        "major release",
    ]
    assert '<span class="glyph open">?</span>' in page
    assert '<span class="glyph good">+</span>' in page


def test_a_hunk_is_shown_by_line() -> None:
    page = written(HtmlReporter(), rich_report())
    assert '<i class="in-a">-SCALE = 1.0</i>' in page
    assert '<i class="in-b">+SHIFT = 0</i>' in page
    assert len(HUNK.split("\n")) == page.count("<i") - 1


def test_a_long_hunk_is_folded() -> None:
    report = rich_report()
    lines = "\n".join(f"+line {number}" for number in range(80))
    hunk = Finding(("data.py", "@@ -0,0 +1,80 @@"), "changed", "", "", "notice", lines)
    file = Finding(("data.py",), "changed", None, None, "notice", "+80 -0 lines", (hunk,))
    page = written(HtmlReporter(), replace(report, areas=replace(report.areas, code=area_of((file,), 0))))
    assert '<details><summary>@@ -0,0 +1,80 @@<span class="soft">80 lines</span></summary><pre>' in page
    assert page.count('class="in-b"') == 80


def test_the_histogram_has_a_bar_for_every_decade_that_has_rows() -> None:
    page = Page(written(HtmlReporter(), rich_report()))
    bars = [float(value) for tag, name, value in page.attributes if (tag, name) == ("rect", "height")]
    assert len(bars) == 4
    assert max(bars) == bars[-1] == 110


def test_the_flip_matrix_and_what_moved_most_are_shown() -> None:
    text = Page(written(HtmlReporter(), rich_report())).text
    assert "How labels changed" in text
    assert "id = c-0117" in text
    assert "0.0312" in text


def test_what_moves_a_side_is_shown_for_both() -> None:
    text = Page(written(HtmlReporter(), rich_report())).text
    assert "hash seed PYTHONHASHSEED=1 = unchanged ≠ moves score by up to 0.03125 in 214 rows" in text
    assert "batch size REPRO_BATCH_SIZE=7 ? it asks for none ! it fails" in text


def test_a_lost_side_says_where_why_and_what_to_do() -> None:
    report = lost_report()
    text = Page(written(HtmlReporter(), report)).text
    for expected in ("! not-comparable", report.sides.b.what, report.sides.b.do, "B was not rebuilt"):
        assert expected in text


def test_findings_are_bounded_and_the_rest_is_counted() -> None:
    page = written(HtmlReporter(), many_findings(1500))
    assert f"and {1500 - MOST_FINDINGS:,} more findings in report.json" in page


def test_it_is_ascii_whatever_the_text() -> None:
    assert written(HtmlReporter(), hostile_report("naïve \U0001f600 \ud800")).isascii()


def test_only_differing_areas_are_open() -> None:
    page = written(HtmlReporter(), same_report())
    assert "<details open>" not in page
    rich = rich_report()
    assert "<details open>" in written(HtmlReporter(), replace(rich, warnings=()))
