"""Writes a report to a file: all of it or nothing, and never through a symbolic link."""

from __future__ import annotations

import io
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

from repro_tui.support.cancel import CancelToken
from repro_tui.support.plain import write_atomically
from repro_tui.support.plugins import Plugin, output_to_errors
from repro_tui.support.registry import is_third_party

if TYPE_CHECKING:
    from repro_tui.model.report import Report
    from repro_tui.report.base import Reporter

GROUP: Final = "repro_tui.reporters"
ATTEST: Final = "--attest"  # a target of this option names a key, and no file to write

STDOUT, STDERR = "-", "2>"  # where a report goes that is written to no file
# What each format of --annotations is written to, if no file is named.
ANNOTATIONS = {"github": STDOUT, "gitlab": "gl-code-quality-report.json"}
# The reporter of a file whose format is not named otherwise, by the ending of its name.
ENDINGS = {
    "": "json",
    ".json": "json",
    ".md": "markdown",
    ".markdown": "markdown",
    ".html": "html",
    ".htm": "html",
    ".xml": "junit",
    ".prom": "prometheus",
    ".env": "dotenv",
}


@dataclass(frozen=True, slots=True)
class ReportTarget:
    """A requested report: its option, its reporter ("": unknown), and its file (or STDOUT, STDERR)."""

    option: str
    reporter: str
    file: str

    @property
    def problem(self) -> str:
        """Why this report cannot be written; "" where it can."""
        if not self.reporter:
            known = ", ".join(ending for ending in ENDINGS if ending)
            advice = f"end it in one of {known}, or name the format, as in --format json={self.file}"
            return f"the name {self.file} has no ending of a report format: {advice}"
        return "" if self.file in (STDOUT, STDERR) else target_problem(self.file)


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


def write_report(report: Report, reporter: str, file: str) -> None:
    """Writes a report with the reporter of this name to a file, or where `file` is STDOUT or STDERR.

    Raises OSError where the file cannot be written, and
    PluginFailed where a reporter of another package fails: the file is then as it was.
    """
    text = _text_of(report, reporter)
    if file in (STDOUT, STDERR):
        stream = sys.stdout if file == STDOUT else sys.stderr
        stream.flush()
        stream.buffer.write(text.encode("utf-8", "backslashreplace"))  # whatever the locale's encoding
        stream.buffer.flush()
        return
    write_atomically(Path(file).absolute(), text.encode("utf-8", "backslashreplace"), mode=0o644)


def check_reporter(reporter: str) -> None:
    """Loads a reporter of another package. Raises Refused if that fails."""
    if is_third_party(GROUP, reporter):
        _plugin(reporter).instance()


def _plugin(reporter: str) -> Plugin:
    return Plugin(GROUP, reporter, f"the reporter {reporter}")


def _text_of(report: Report, reporter: str) -> str:
    """The report in a format; what a reporter prints instead of writing it does not get into it."""
    plugin = _plugin(reporter)
    writer = cast("Reporter", plugin.instance())
    stream = io.StringIO()
    if not is_third_party(GROUP, reporter):
        writer.write(report, stream)
        return stream.getvalue()
    from repro_tui.formats.config import load_config

    with output_to_errors():
        plugin.call(lambda token: writer.write(report, stream), CancelToken(), load_config().limits.plugin_time)
    if not stream.getvalue():
        raise plugin.failed("wrote nothing")
    return stream.getvalue()
