"""What a reporter writes, as text."""

from __future__ import annotations

import io

from repro_tui.model.report import Report
from repro_tui.report.base import Reporter


def written(reporter: Reporter, report: Report) -> str:
    stream = io.StringIO()
    reporter.write(report, stream)
    return stream.getvalue()
