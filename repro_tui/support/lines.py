"""Splits the output of a program into lines of bounded length. A mark tells where a line was cut."""

from __future__ import annotations

from collections.abc import Callable

from repro_tui.support.redact import CUT
from repro_tui.support.sizes import size_text

LINE_LIMIT = 4096  # bytes


class LineCutter:
    """Passes each line of a stream of bytes to `on_line`, as text of at most LINE_LIMIT bytes."""

    def __init__(self, on_line: Callable[[str], None]) -> None:
        self._on_line, self._line = on_line, bytearray()

    def add(self, chunk: bytes) -> None:
        """Adds bytes, and passes on the lines that are complete."""
        *lines, rest = chunk.split(b"\n")
        for line in lines:
            self._keep(line)
            self._on_line(as_line(self._line))
            self._line.clear()
        self._keep(rest)

    def _keep(self, part: bytes) -> None:
        self._line += part[: LINE_LIMIT + 1 - len(self._line)]

    def finish(self) -> None:
        """Passes on what stands after the last newline."""
        if self._line:
            self._on_line(as_line(self._line))
            self._line.clear()


def as_line(raw: bytes | bytearray) -> str:
    """A line as text; where it was cut, half a character is left out."""
    if len(raw) <= LINE_LIMIT:
        return raw.decode("utf-8", "replace")
    return raw[:LINE_LIMIT].decode("utf-8", "replace").rstrip("\ufffd") + f"{CUT} (cut at {size_text(LINE_LIMIT)})"
