"""A short summary in Markdown for an incident channel: verdict, sides, cause, what is next, how to open the audit.

It has at most MOST_LINES lines, and every value in it is escaped as in a report: it cannot become markup, a link or a
mention.
"""

from __future__ import annotations

from collections.abc import Iterator

from repro_tui.model.report import Report, SideReport
from repro_tui.report.acceptance import verdict_suffix
from repro_tui.report.markdown import TONES, escape
from repro_tui.report.words import grade_tone, verdict_glyph
from repro_tui.support.text import plural, show

MOST_LINES = 15
LONGEST = 400  # characters of one sentence
MOST_WARNINGS = 2


def channel_summary(report: Report, command: str) -> str:
    """The summary of a report; `command` opens the audit."""
    return "\n".join(list(_lines(report, command))[:MOST_LINES])


def _lines(report: Report, command: str) -> Iterator[str]:
    a, b = report.sides.a, report.sides.b
    glyph, verdict = verdict_glyph(report.verdict), f"{report.verdict}{verdict_suffix(report.areas.predictions)}"
    if report.grade is not None:
        glyph, verdict = TONES[grade_tone(report.grade)], report.grade.level
    yield f"**{glyph} {verdict}: {escape(a.name, 80)} against {escape(b.name, 80)}**"
    yield ""
    yield _side("A", a)
    yield _side("B", b)
    for sentence in report.summary:
        yield f"- {escape(sentence, LONGEST)}"
    for warning in report.warnings[:MOST_WARNINGS]:
        yield f"- ! {escape(warning, 200)}"
    left = len(report.warnings) - MOST_WARNINGS
    if left > 0:
        yield f"- ! {plural(left, 'more warning')} in the report"
    yield f"- Audit {escape(report.audit.id, 80)}, {escape(report.audit.started, 40)}: `{_code(command)}`"


def _side(letter: str, side: SideReport) -> str:
    """A side with its reference and its commit."""
    code = side.record.get("code")
    commit = str(code.get("commit") or "")[:7] if isinstance(code, dict) else ""
    parts = [escape(side.reference or side.name, 160), f"commit {escape(commit)}" if commit else ""]
    return f"- {letter}: {', '.join(filter(None, parts))}"


def _code(command: str) -> str:
    """A command inside backticks, which it must not end."""
    return show(command, 300).replace("`", "'")
