"""The report as JSON, schema 1: ASCII, without NaN, in a stable key order."""

from __future__ import annotations

from typing import TextIO

from repro_tui.model.report import Report
from repro_tui.support.plain import dumps


class JsonReporter:
    """Writes the report as its JSON Schema describes it (`repro-tui schema report`)."""

    def write(self, report: Report, stream: TextIO) -> None:
        """Writes one JSON document and a newline."""
        stream.write(dumps(report, indent=2) + "\n")
