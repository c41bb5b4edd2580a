"""Writes a report to a file: all of it or nothing, and never through a symbolic link."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from repro_tui.model.report import Report
from repro_tui.report.base import Reporter
from repro_tui.support.plain import write_atomically
from repro_tui.support.registry import load

# The reporter of a file whose format is not named otherwise, by the ending of its name.
ENDINGS = {
    "": "json",
    ".json": "json",
    ".md": "markdown",
    ".markdown": "markdown",
    ".html": "html",
    ".htm": "html",
    ".xml": "junit",
}


@dataclass(frozen=True, slots=True)
class ReportTarget:
    """A requested report: its option, its reporter ("": unknown), and its file ("-": standard output)."""

    option: str
    reporter: str
    file: str

    @property
    def problem(self) -> str:
        """Why this report cannot be written; "" where it can."""
        if not self.reporter:
            known = ", ".join(ending for ending in ENDINGS if ending)
            advice = f"end it in one of {known}, or name the format, as in --format json={self.file}"
            return f"the name {self.file} does not tell the format: {advice}"
        return "" if self.file == "-" else target_problem(self.file)


def reporter_of(file: str) -> str:
    """The reporter of a file by the ending of its name; "" for an unknown ending."""
    return ENDINGS.get(Path(file).suffix.lower(), "")


def ending_of(reporter: str) -> str:
    """The usual ending of a reporter's files; that of a plug-in's is its name."""
    return next((ending for ending, name in ENDINGS.items() if ending and name == reporter), f".{reporter}")


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
