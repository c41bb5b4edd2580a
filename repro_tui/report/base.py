"""What a reporter is."""

from __future__ import annotations

from typing import Protocol, TextIO

from repro_tui.model.report import Report


class Reporter(Protocol):
    """Writes a report in one format."""

    def write(self, report: Report, stream: TextIO) -> None:
        """Writes the whole report; nothing in it may break the format or reach a terminal uncleaned."""
        ...
