"""What is left of a headless view whose terminal was lost: it waits for the audit and writes the requested files.

`python -m repro_tui.cli.detached JSON`: the audit's folder and the requested reports.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from repro_tui.audit.folder import AuditFolder
from repro_tui.audit.follow import follow_events
from repro_tui.cli.headless import finish
from repro_tui.report.write import ReportTarget


def main() -> int:
    """Writes the files of the audit in the first argument, once it has ended; returns the exit status."""
    rest = json.loads(sys.argv[1])
    folder = AuditFolder(Path(rest["folder"]))
    for _ in follow_events(folder):
        pass
    report = folder.report()
    targets = [ReportTarget(*target) for target in rest["targets"]]
    return finish(report, targets, quiet=True, folder=folder) if report else 3


if __name__ == "__main__":
    sys.exit(main())
