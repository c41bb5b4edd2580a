"""Writes a report to a file: all of it or nothing, and never through a symbolic link."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from pathlib import Path
from typing import cast

from repro_tui.model.report import Report
from repro_tui.report.base import Reporter
from repro_tui.support.plain import write_atomically
from repro_tui.support.registry import load


def target_problem(file: str) -> str:
    """Why a report cannot be written to this file; "" where it can."""
    path = Path(file)
    if path.is_symlink():
        return f"{file} is a symbolic link: name the file itself"
    if path.exists() and not path.is_file():
        return f"{file} exists and is not a regular file: name another file"
    if not path.absolute().parent.is_dir():
        return f"the folder {path.absolute().parent} does not exist: create it, or name another file"
    return ""


def write_report(report: Report, reporter: str, file: str, fail_on: tuple[str, ...]) -> None:
    """Writes a report with the reporter of this name to a file, or to standard output where `file` is "-".

    `fail_on` names the gated areas, which only JUnit shows. Raises OSError where the file cannot be written.
    """
    reporter_class = cast("Callable[..., Reporter]", load("repro_tui.reporters", reporter))
    writer = reporter_class(fail_on) if reporter == "junit" else reporter_class()
    if file == "-":
        writer.write(report, sys.stdout)
        sys.stdout.flush()
        return
    text = io.StringIO()
    writer.write(report, text)
    write_atomically(Path(file).absolute(), text.getvalue().encode("utf-8", "backslashreplace"), mode=0o644)
