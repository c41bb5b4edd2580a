"""The report as JSON, schema 1: ASCII, without NaN, in a stable key order."""

from __future__ import annotations

from typing import TextIO

from repro_tui.model.report import Report
from repro_tui.support.plain import dumps


class JsonReporter:
    """Writes the report as the contract has it."""

    def write(self, report: Report, stream: TextIO) -> None:
        """One JSON document and a line end."""
        stream.write(dumps(report, indent=2) + "\n")
