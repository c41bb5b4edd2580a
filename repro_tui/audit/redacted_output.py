"""Standard output and error of the engine without secrets: a traceback quotes what a library put into its error."""

from __future__ import annotations

import atexit
import contextlib
import io
import sys
from collections.abc import Iterator
from typing import TextIO

from repro_tui.model.errors import Inconclusive, Refused
from repro_tui.support.redact import Redactor
from repro_tui.support.text import clean_line


class RedactedStream(io.TextIOBase):
    """Passes whole lines on, without secrets and control characters."""

    def __init__(self, stream: TextIO, redactor: Redactor) -> None:
        self._stream, self._redactor, self._rest = stream, redactor, ""

    def writable(self) -> bool:
        """True."""
        return True

    def write(self, text: str) -> int:
        """Keeps an unfinished line until its end is written."""
        *lines, self._rest = (self._rest + text).split("\n")
        for line in lines:
            self._stream.write(clean_line(self._redactor.scrub(line)) + "\n")
        return len(text)

    def flush(self) -> None:
        """Flushes the lines that are finished."""
        self._stream.flush()

    def finish(self) -> None:
        """Writes the last line, which has no end."""
        if self._rest:
            self.write("\n")
        self.flush()


def redact_output(redactor: Redactor) -> None:
    """Lets everything that this process prints from now on go through the redactor."""
    for name in ("stdout", "stderr"):
        stream = RedactedStream(getattr(sys, name), redactor)
        setattr(sys, name, stream)
        atexit.register(stream.finish)


@contextlib.contextmanager
def redacted_errors(redactor: Redactor) -> Iterator[None]:
    """Takes secrets out of whatever is raised inside: its message, and those of its causes."""
    try:
        yield
    except Refused as error:
        raise Refused.all(
            [type(m)(redactor.scrub(m.place), redactor.scrub(m.message)) for m in error.mistakes]
        ) from None
    except Exception as error:
        _redact(error, redactor)
        raise


def _redact(error: BaseException | None, redactor: Redactor) -> None:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        error.args = tuple(redactor.scrub(it) if isinstance(it, str) else it for it in error.args)
        if isinstance(error, OSError) and isinstance(error.strerror, str):
            error.strerror = redactor.scrub(error.strerror)
        if isinstance(error, Inconclusive):
            error.what, error.do = redactor.scrub(error.what), redactor.scrub(error.do)
        error = error.__cause__ or error.__context__
