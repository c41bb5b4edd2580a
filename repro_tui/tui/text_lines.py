"""A text file as rows of which only the visible ones are decoded: a large log opens as fast as a short one.

The file is mapped into memory and searched once for line ends (numpy, about a gigabyte per second); the start of each
line is kept, eight bytes per line. A filter is one search of the bytes, and the lines of its matches are found by
binary search among the starts. Of a file of more than LARGEST bytes only the end is shown, as `cut` says.
"""

from __future__ import annotations

import mmap
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from rich.text import Text

from repro_tui.support.regular import open_regular
from repro_tui.support.text import show

LARGEST = 256 << 20  # bytes; of a longer file the end is shown


class TextRows:
    """The lines of a file with their numbers; with a filter, those that contain its text, ignoring case."""

    def __init__(self, path: Path, filter_text: str = "") -> None:
        self.cut = 0
        self._content: bytes | mmap.mmap = b""
        size = path.stat().st_size
        if size:
            with open_regular(path) as stream:
                self.cut = max(0, (size - LARGEST) // mmap.ALLOCATIONGRANULARITY * mmap.ALLOCATIONGRANULARITY)
                self._content = mmap.mmap(stream.fileno(), 0, offset=self.cut, access=mmap.ACCESS_READ)
        content = np.frombuffer(self._content, np.uint8)
        ends = np.flatnonzero(content == ord("\n"))
        self._starts = np.concatenate(([0], ends + 1))
        if self._starts[-1] == len(content):
            self._starts = self._starts[:-1]
        self._lines = self._matching(filter_text) if filter_text else np.arange(len(self._starts))

    def _matching(self, filter_text: str) -> npt.NDArray[np.int64]:
        """The numbers of the lines that contain the text."""
        pattern = re.compile(re.escape(filter_text.encode("utf-8", "replace")), re.IGNORECASE)
        offsets = np.fromiter((match.start() for match in pattern.finditer(self._content)), np.int64)
        return np.unique(np.searchsorted(self._starts, offsets, side="right") - 1)

    def __len__(self) -> int:
        return len(self._lines)

    @property
    def shown_bytes(self) -> int:
        """How many bytes of the file are shown."""
        return len(self._content)

    def line(self, row: int) -> str:
        """The text of one row, cleaned and cut to 2,000 characters."""
        number = int(self._lines[row])
        start = int(self._starts[number])
        end = int(self._starts[number + 1]) - 1 if number + 1 < len(self._starts) else len(self._content)
        raw = self._content[start : min(end, start + 8000)]
        return show(raw.decode("utf-8", "backslashreplace").removesuffix("\n").removesuffix("\r").expandtabs(4), 2000)

    def cells(self, row: int, widths: Sequence[int]) -> Sequence[Text]:
        """The line's number and its text."""
        return (Text(f"{int(self._lines[row]) + 1:,}", style="quiet"), Text(self.line(row)))
