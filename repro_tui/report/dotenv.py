"""The outcome of a report as variables, for a later step of a pipeline: GitLab's dotenv reports, or a line of `sed`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TextIO

from repro_tui.model.report import Report
from repro_tui.support.text import show

LONGEST = 1_000  # characters: GitLab takes 5 KiB for all variables


class DotenvReporter:
    """Writes one variable a line, without quotes. It is to be parsed, and never to be run by a shell."""

    def write(self, report: Report, stream: TextIO) -> None:
        """Writes the variables; text from the audit is in the summary only."""
        stream.writelines(f"REPRO_TUI_{name}={value}\n" for name, value in _variables(report))


def _variables(report: Report) -> Iterator[tuple[str, str]]:
    yield "VERDICT", report.verdict
    yield "EXIT_STATUS", str(report.exit_status)
    yield "AUDIT", show(report.audit.id, 100)
    reasons = (part.what for part in (report.sides.a, report.sides.b, report.areas.predictions))
    sentences = dict.fromkeys(text for text in (*report.summary[:1], *reasons) if text)
    yield "SUMMARY", " | ".join(show(text, LONGEST) for text in sentences)
