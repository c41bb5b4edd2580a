from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

from repro_tui.report.markdown import MOST_FINDINGS, MarkdownReporter, escape
from tests.report.sample import hostile_report, lost_report, many_findings, rich_report, same_report
from tests.report.write import written

RENDERER = MarkdownIt("commonmark").enable(["table", "strikethrough"])
ACTIVE = (
    "**bold** _it_ ~~no~~",
    "`code` ``x",
    "[a](javascript:alert(1))",
    "![a](https://example.org/x.png)",
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "a | b || c",
    "| --- | --- |",
    "</details><details open>",
    "&lt;b&gt; &amp;#64;",
    "# heading",
    "- item",
    "1. item",
    "---",
    "===",
    "    code",
    "> quote",
    "\\[a\\](b)",
    "\\",
    "<!-- comment",
    "[ref]: https://example.org",
    "<https://example.org>",
    "$x^2$",
)


def tokens(markdown: str) -> Iterator[Token]:
    for token in RENDERER.parse(markdown):
        yield token
        yield from token.children or ()


def shape(markdown: str) -> list[str]:
    """The structure of the page without its text; the comments that split a mention do not count."""
    structural = [token for token in tokens(markdown) if token.content != "<!-- -->"]
    kept = [token.type for token in structural if token.type not in ("text", "text_special", "softbreak")]
    blocks = [token.content for token in structural if token.type in ("html_block", "html_inline")]
    return kept + [re.sub(r"<summary>.*</summary>", "", block) for block in blocks]


def text_of(markdown: str) -> str:
    return "".join(token.content for token in tokens(markdown) if token.type in ("text", "text_special"))


@pytest.mark.parametrize("text", ACTIVE)
def test_no_text_becomes_markup(text: str) -> None:
    """With a hostile text in every place the page has the structure that it has with a plain word there."""
    plain = written(MarkdownReporter(), hostile_report("plain"))
    assert shape(written(MarkdownReporter(), hostile_report(text))) == shape(plain)


@pytest.mark.parametrize("text", ACTIVE)
def test_the_text_is_kept_literally(text: str) -> None:
    assert text_of(f"x {escape(text)} y").replace("\xa0", " ") == f"x {text.strip()} y"


def test_nobody_is_mentioned_and_nothing_is_linked() -> None:
    text = "@octocat #12 https://example.org www.example.org HTTP://x mailto:a@b.c"
    page = written(MarkdownReporter(), hostile_report(text))
    assert not re.search(r"@\w", page)
    assert not re.search(r"#\d", page)
    assert not re.search(r"(?i)(https?|mailto):|www\.\w", page)


def test_the_verdict_and_the_summary_come_first() -> None:
    lines = written(MarkdownReporter(), rich_report()).split("\n")
    assert lines[0] == "## ≠ drift: A prod against B staging"
    assert lines[2].startswith("> Drift: 12 of 400 label values flip")


def test_the_areas_and_columns_are_tables() -> None:
    page = written(MarkdownReporter(), rich_report())
    assert "| ≠ | environment | different | 1 added, 1 removed, 1 changed, 1 unknown, 71 same |" in page
    assert "| = | data | same | 1 same |" in page
    assert "| ≠ | score | probability | drift | 100 | 86 | 214 | 0.03125 | 12 |" in page
    assert "| ≠ | packages / numpy | 1.26.4 | 2.1.3 | important | major release |" in page
    assert "| hash seed | PYTHONHASHSEED=1 | = unchanged | ≠ moves score by up to 0.03125 in 214 rows |" in page
    assert "| batch size | REPRO\\_BATCH\\_SIZE=7 | ? it asks for none | ! it fails |" in page


def test_a_lost_side_says_where_why_and_what_to_do() -> None:
    report = lost_report()
    page = written(MarkdownReporter(), report)
    assert page.startswith("## ! not-comparable")
    assert "**! B failed at data:**" in page
    assert page.count(report.sides.b.do) == 2  # where it failed, and in the table of the sides


def test_identical_sides_list_no_findings() -> None:
    page = written(MarkdownReporter(), same_report())
    assert page.startswith("## = identical")
    assert "finding" not in page


def test_findings_are_bounded_and_the_rest_is_counted() -> None:
    page = written(MarkdownReporter(), many_findings(1500))
    assert f"… and {1500 - MOST_FINDINGS:,} more in report.json." in page
    assert len(page) < 50_000


def test_running_without_a_sandbox_is_reported() -> None:
    report = rich_report()
    isolation = replace(report.sides.a.isolation, kind="none", warnings=("This code ran as you.",))  # type: ignore[type-var]
    sides = replace(report.sides, a=replace(report.sides.a, isolation=isolation))
    assert "This code ran as you." in written(MarkdownReporter(), replace(report, sides=sides))
