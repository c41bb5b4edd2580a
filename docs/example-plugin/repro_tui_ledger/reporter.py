"""A reporter that writes one tab-separated line per area, for a spreadsheet."""

from __future__ import annotations

from typing import TextIO

from repro_tui.model.report import Report
from repro_tui.support.text import show


class TsvReporter:
    """Writes the verdict and the status of every area."""

    def write(self, report: Report, stream: TextIO) -> None:
        """Writes one line for the verdict and one per area; `show` escapes tabs and line breaks in values."""
        stream.write(f"verdict\t{show(report.verdict)}\n")
        for name in ("code", "environment", "parameters", "data", "predictions"):
            area = getattr(report.areas, name)
            paths = ", ".join(show(".".join(finding.path), 200) for finding in getattr(area, "findings", ()))
            stream.write(f"{name}\t{area.status}\t{paths}\n")
