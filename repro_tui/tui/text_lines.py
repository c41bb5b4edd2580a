"""A text file as rows, of which only those that are seen are read: a log of a gigabyte opens as fast as ten lines."""

from __future__ import annotations

import mmap
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rich.text import Text

from repro_tui.support.text import show

LARGEST = 256 << 20  # of a longer file the end is shown


class TextRows:
    """The lines of a file, with their numbers; `wanted` leaves those that contain it (in any case)."""

    def __init__(self, path: Path, wanted: str = "") -> None:
        self.cut = 0
        self._content: bytes | mmap.mmap = b""
        size = path.stat().st_size
        if size:
            with path.open("rb") as stream:
                self.cut = max(0, (size - LARGEST) // mmap.ALLOCATIONGRANULARITY * mmap.ALLOCATIONGRANULARITY)
                self._content = mmap.mmap(stream.fileno(), 0, offset=self.cut, access=mmap.ACCESS_READ)
        content = np.frombuffer(self._content, np.uint8)
        ends = np.flatnonzero(content == ord("\n"))
        self._starts = np.concatenate(([0], ends + 1))
        if self._starts[-1] == len(content):
            self._starts = self._starts[:-1]
        self._lines = self._matching(wanted) if wanted else np.arange(len(self._starts))

    def _matching(self, wanted: str) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        pattern = re.compile(re.escape(wanted.encode("utf-8", "replace")), re.IGNORECASE)
        places = np.fromiter((match.start() for match in pattern.finditer(self._content)), np.int64)
        return np.unique(np.searchsorted(self._starts, places, side="right") - 1)

    def __len__(self) -> int:
        return len(self._lines)

    @property
    def shown_bytes(self) -> int:
        """How much of the file is shown."""
        return len(self._content)

    def line(self, row: int) -> str:
        """One line, cleaned."""
        number = int(self._lines[row])
        start = int(self._starts[number])
        end = int(self._starts[number + 1]) - 1 if number + 1 < len(self._starts) else len(self._content)
        raw = self._content[start : min(end, start + 8000)]
        return show(raw.decode("utf-8", "backslashreplace").removesuffix("\n").removesuffix("\r").expandtabs(4), 2000)

    def cells(self, row: int, widths: Sequence[int]) -> Sequence[Text]:
        """Number and line."""
        return (Text(f"{int(self._lines[row]) + 1:,}", style="quiet"), Text(self.line(row)))
