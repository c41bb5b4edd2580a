"""One line an area, separated by tabs, for a spreadsheet."""

from __future__ import annotations

from typing import TextIO

from repro_tui.model.report import Report
from repro_tui.support.text import show


class TsvReporter:
    """Writes what every area came to."""

    def write(self, report: Report, stream: TextIO) -> None:
        """One line for the verdict, and one for each area; `show` keeps every value in its cell."""
        stream.write(f"verdict\t{show(report.verdict)}\n")
        for name in ("code", "environment", "parameters", "data", "predictions"):
            area = getattr(report.areas, name)
            paths = ", ".join(show(".".join(finding.path), 200) for finding in getattr(area, "findings", ()))
            stream.write(f"{name}\t{area.status}\t{paths}\n")
