"""The protocol that every reporter implements."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TextIO

if TYPE_CHECKING:
    from repro_tui.model.report import Report


class Reporter(Protocol):
    """Writes a report in one format."""

    def write(self, report: Report, stream: TextIO) -> None:
        """Writes the whole report to `stream`.

        A report holds untrusted text (names, values, log lines): an implementation escapes it for its format, so that
        it cannot break the format, and cleans it with `show`, so that no control character reaches a terminal.
        """
        ...
