"""A text as lines of which only the visible ones are decoded: a log of a gigabyte opens as fast as a short one.

Only the starts of the lines are kept, eight bytes per line: the bytes are searched once for line ends (numpy, about a
gigabyte per second), and what is added later is searched when it is there. Nothing is mapped into memory, as reading a
map of a file that somebody truncates ends the process. How a long line is wrapped is not known here, and nowhere for
all lines: a view wraps the lines that it shows. Of a text of more than LARGEST bytes only the end is shown, as `cut`
says.
"""

from __future__ import annotations

import os
import re
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from repro_tui.support.regular import open_regular
from repro_tui.support.text import show

if TYPE_CHECKING:  # numpy is imported where a text is opened: the first screen shows none
    import numpy as np
    import numpy.typing as npt

    from repro_tui.support.tracebacks import LoggedError

    Offsets = npt.NDArray[np.int64]

LARGEST = 1 << 30  # bytes; of a longer text the end is shown
LONGEST = 20_000  # characters of a line that are shown
CHUNK = 4 << 20
AT_ONCE = 16 << 20  # bytes that are searched for line ends in a few hundredths of a second
MOST_HITS = 1_000_000
TAIL_LINES = 400


class TextBytes(Protocol):
    """Where the bytes of a text come from. Texts only grow; one that has become shorter is another one."""

    def size(self) -> int:
        """The number of bytes now."""
        ...

    def read(self, start: int, end: int) -> bytes:
        """The bytes from `start` up to `end`; fewer where there are no more."""
        ...


class FileBytes:
    """A regular file, kept open. Raises OSError if it cannot be opened."""

    def __init__(self, path: Path) -> None:
        with open_regular(path) as stream:
            self._file = os.dup(stream.fileno())
        weakref.finalize(self, os.close, self._file)

    def size(self) -> int:
        """The number of bytes now."""
        return os.fstat(self._file).st_size

    def read(self, start: int, end: int) -> bytes:
        """The bytes from `start` up to `end`."""
        return os.pread(self._file, max(0, end - start), start)


class MemoryBytes:
    """A text in memory, as a function returns it."""

    def __init__(self, content: Callable[[], bytes]) -> None:
        self._content = content

    def size(self) -> int:
        """The number of bytes now."""
        return len(self._content())

    def read(self, start: int, end: int) -> bytes:
        """The bytes from `start` up to `end`."""
        return self._content()[start:end]


class TextLines:
    """The lines of a text with their numbers; with a filter, those that contain its text, ignoring case (ASCII).

    It is empty until `grow` is called.
    """

    def __init__(self, source: TextBytes, filter_text: str = "") -> None:
        self._source = source
        self._pattern = literal(filter_text) if filter_text else None
        self._reset()

    def _reset(self) -> None:
        import numpy as np

        size = self._source.size()
        self.cut = max(0, size - LARGEST)
        self._end = self.cut  # what comes before is known
        self._starts: Offsets = np.zeros(0, np.int64)
        self._shown: Offsets = np.zeros(0, np.int64)

    @property
    def waiting(self) -> int:
        """How many bytes `grow` would read."""
        return abs(self._source.size() - self._end)

    def grow(self) -> bool:
        """Reads what was added since the last call; returns whether anything was."""
        import numpy as np

        size = self._source.size()
        if size == self._end:
            return False
        if size < self._end:
            self._reset()
        before = len(self._starts)
        parts = [self._starts] if before else [np.array([self._end], np.int64)]
        for start in range(self._end, size, CHUNK):
            content = np.frombuffer(self._source.read(start, min(size, start + CHUNK)), np.uint8)
            parts.append(np.flatnonzero(content == ord("\n")) + start + 1)
        self._starts, self._end = np.concatenate(parts), size
        self._filter(max(0, before - 1))
        return True

    def _filter(self, first: int) -> None:
        """Finds the lines to show among those from number `first` on: the last one may have grown."""
        import numpy as np

        if self._pattern is not None:
            offsets = np.fromiter(self._offsets(self._pattern, int(self._starts[first])), np.int64)
            lines = np.unique(np.searchsorted(self._starts, offsets, side="right") - 1)
            self._shown = np.concatenate((self._shown[self._shown < first], lines))

    @property
    def total(self) -> int:
        """The number of lines of the text, whether or not the filter shows them."""
        count = len(self._starts)
        return count - 1 if count and int(self._starts[-1]) == self._end else count

    def __len__(self) -> int:
        return self.total if self._pattern is None else len(self._shown)

    @property
    def shown_bytes(self) -> int:
        """How many bytes of the text are shown."""
        return self._end - self.cut

    def number(self, row: int) -> int:
        """The number of a row's line, from 1."""
        return (row if self._pattern is None else int(self._shown[row])) + 1

    def _bounds(self, row: int) -> tuple[int, int]:
        line = self.number(row) - 1
        end = int(self._starts[line + 1]) - 1 if line + 1 < len(self._starts) else self._end
        return int(self._starts[line]), end

    def line(self, row: int, skip: int = 0) -> str:
        """The text of a row, cleaned, and cut to LONGEST characters; `skip` leaves out bytes at its start."""
        start, end = self._bounds(row)
        raw = self._source.read(start + skip, min(end, start + skip + 4 * LONGEST))
        text = raw.decode("utf-8", "backslashreplace").removesuffix("\r").expandtabs(4)
        left_out = end - start - skip - len(raw)
        shown = show(text, LONGEST)
        return f"{shown}… ({left_out:,} more bytes)" if left_out > 0 else shown

    def lines(self, first: int, last: int) -> list[str]:
        """The texts of the rows from `first` up to `last`."""
        return [self.line(row) for row in range(max(0, first), min(last, len(self)))]

    def row_of(self, offset: int) -> int:
        """The row that has the byte at this offset, or the next row after it."""
        import numpy as np

        line = int(np.searchsorted(self._starts, offset, side="right")) - 1
        return line if self._pattern is None else int(np.searchsorted(self._shown, line))

    def start_of(self, row: int) -> int:
        """The offset of a row's first byte."""
        return self._bounds(row)[0]

    # -- searching: in pieces, so that a thread of its own leaves time to the interface --------------------------------

    def hits(self, text: str, ended: Callable[[], bool] = lambda: False) -> Offsets:
        """The offsets of a text, ignoring case (ASCII), at most MOST_HITS; stops early once `ended` is true."""
        import numpy as np

        offsets: list[int] = []
        for offset in self._offsets(literal(text)):
            offsets.append(offset)
            if len(offsets) >= MOST_HITS or (len(offsets) % 1000 == 0 and ended()):
                break
        return np.array(offsets, np.int64)

    def first_error(self) -> int | None:
        """The row of the first line that looks like an error; None if there is none."""
        from repro_tui.support.tracebacks import ERROR_BYTES

        offset = next(self._offsets(ERROR_BYTES), None)
        return None if offset is None else min(self.row_of(offset), max(0, len(self) - 1))

    def last_error(self) -> LoggedError | None:
        """The error among the last lines, with its row: the one that ended the program."""
        from repro_tui.support.tracebacks import LoggedError, error_in

        first = max(0, len(self) - TAIL_LINES)
        error = error_in(self.lines(first, len(self)))
        return None if error is None else LoggedError(first + error.line, error.text, error.causes)

    def _offsets(self, pattern: re.Pattern[bytes], begin: int = -1) -> Iterator[int]:
        """The offsets of a pattern's matches from `begin` on; matches are looked for in whole lines, piece by piece."""
        start, rest = max(begin, self.cut), b""
        while start < self._end:
            content = rest + self._source.read(start, min(self._end, start + CHUNK // 4))
            base, start = start - len(rest), start + len(content) - len(rest)
            whole = len(content) if start >= self._end else content.rfind(b"\n") + 1
            if not whole and len(content) > CHUNK:  # a line without end: cut it, rather than search it again and again
                whole = len(content)
            yield from (base + match.start() for match in pattern.finditer(content[:whole]))
            rest = content[whole:]
            if len(content) == len(rest) and start >= self._end:
                return


def literal(text: str) -> re.Pattern[bytes]:
    """The pattern of a text in bytes, ignoring case (ASCII)."""
    return re.compile(re.escape(text.encode("utf-8", "replace")), re.IGNORECASE)
