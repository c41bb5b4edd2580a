"""Writing a report to a file: whole or not at all, and never through a link."""

from __future__ import annotations

import io
import sys
from pathlib import Path

from repro_tui.model.report import Report
from repro_tui.support.plain import write_atomically
from repro_tui.support.registry import load


def target_problem(file: str) -> str:
    """Why nothing can be written to this file ("" where it can be)."""
    path = Path(file)
    if path.is_symlink():
        return f"{file} is a link, which is not written through"
    if path.exists() and not path.is_file():
        return f"{file} exists and is no file"
    if not path.absolute().parent.is_dir():
        return f"there is no folder {path.absolute().parent}"
    return ""


def write_report(report: Report, reporter: str, file: str, fail_on: tuple[str, ...]) -> None:
    """Writes one format to a file, or to standard output where `file` is "-". Raises OSError."""
    kind = load("repro_tui.reporters", reporter)
    writer = kind(fail_on) if reporter == "junit" else kind()
    if file == "-":
        writer.write(report, sys.stdout)
        sys.stdout.flush()
        return
    text = io.StringIO()
    writer.write(report, text)
    write_atomically(Path(file).absolute(), text.getvalue().encode("utf-8", "backslashreplace"), mode=0o644)
