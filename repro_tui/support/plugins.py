"""Calls of plug-ins: each ends with a result of the expected type, or with the plug-in's name and the step.

A plug-in is part of this program and runs in its process, so that nothing contains it: these calls protect from its
mistakes, not from malice. One of another package is called in a thread of its own, because it may never return. It is
asked to stop by the cancel token of its context; what does not stop is left behind, and ends with the process.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from repro_tui.model.errors import Cancelled, PluginFailed, Refused, ReproError
from repro_tui.support.cancel import CancelToken
from repro_tui.support.plain import dumps_exactly, from_plain
from repro_tui.support.registry import Group, is_third_party, load
from repro_tui.support.text import show

T = TypeVar("T")
GRACE_S = 5.0  # how long a plug-in that was asked to stop may take for it
POLL_S = 0.05
REPORT = "report it to the authors of its package"


@dataclass(frozen=True, slots=True)
class Plugin:
    """One plug-in, ours or another package's, and what messages call it ("the runner timed")."""

    group: Group
    name: str
    label: str

    def instance(self) -> object:
        """An instance of its class. Raises Refused if it cannot be loaded, whatever its module does instead."""
        try:
            return load(self.group, self.name)()
        except ReproError:
            raise
        except (Exception, SystemExit) as error:
            raise Refused(f"{self.label} cannot be loaded: {_reason(error)}: {REPORT}, or remove it") from error

    def call(self, work: Callable[[CancelToken], T], cancel: CancelToken, limit_s: float) -> T:
        """What `work` returns, which is given the token to obey.

        Raises our own errors as they are, and PluginFailed for every other one, and where a plug-in of another package
        has not returned after `limit_s` seconds.
        """
        foreign = is_third_party(self.group, self.name)
        try:
            return self._call_in_thread(work, cancel, limit_s) if foreign else work(cancel)
        except OSError as error:
            if not foreign:
                raise
            raise self.failed(f"failed: {_reason(error)}") from error
        except Cancelled as error:
            if cancel.cancelled:
                raise
            raise self.failed(f"failed: {_reason(error)}") from error
        except ReproError:
            raise
        except (Exception, SystemExit) as error:
            raise self.failed(f"failed: {_reason(error)}") from error

    def _call_in_thread(self, work: Callable[[CancelToken], T], cancel: CancelToken, limit_s: float) -> T:
        token, result = cancel.child(), Future[T]()
        threading.Thread(target=_settle, args=(result, work, token), name=self.label, daemon=True).start()
        asked, deadline = False, time.monotonic() + limit_s
        while not wait([result], POLL_S).done:
            if asked and time.monotonic() > deadline:
                break
            if not asked and (token.cancelled or time.monotonic() > deadline):
                asked, deadline = True, time.monotonic() + GRACE_S
                token.end(f"{self.label} took too long")
        cancel.check()
        if asked:
            raise self.failed(f"did not return within {limit_s:,.0f} s", "raise limits.plugin_time in config.toml")
        error = result.exception()
        if error is not None and not isinstance(error, Exception):  # one that would end this program
            raise self.failed(f"failed: {_reason(error)}") from error
        return result.result()

    def checked(self, value: object, kind: type[T]) -> T:
        """What a plug-in returned. Raises PluginFailed if that, or a field of it, has another type."""
        if not isinstance(value, kind):
            raise self.failed(f"returned {type(value).__name__} instead of {kind.__name__}")
        try:
            from_plain(kind, json.loads(dumps_exactly(value)))
        except (ValueError, TypeError, OverflowError, RecursionError) as error:
            raise self.failed(f"returned an invalid {kind.__name__}: {show(str(error), 300)}") from error
        return value

    def failed(self, what_happened: str, do: str = "") -> PluginFailed:
        """The error for what it did."""
        return PluginFailed(f"{self.label} {what_happened}", f"{REPORT}, or {do}" if do else REPORT)


def _settle(result: Future[T], work: Callable[[CancelToken], T], token: CancelToken) -> None:
    try:
        result.set_result(work(token))
    except BaseException as error:  # noqa: BLE001 - the caller raises it again
        result.set_exception(error)


def _reason(error: BaseException) -> str:
    """The error, and where it was raised: a plug-in's author needs the line."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else ""
    with contextlib.suppress(Exception):
        return show(f"{type(error).__name__}: {error}".rstrip(": "), 300) + show(place, 80)
    return type(error).__name__  # an error that cannot even be shown


@contextlib.contextmanager
def output_to_errors() -> Iterator[None]:
    """What is written to standard output in the block, also by child processes, goes to standard error.

    Standard output belongs to the report. Only for the main thread: it moves the descriptor of the whole process.
    """
    sys.stdout.flush()
    kept = os.dup(1)
    try:
        os.dup2(2, 1)
        with contextlib.redirect_stdout(sys.stderr):
            yield
    finally:
        for stream in (sys.stdout, sys.__stdout__):
            if stream is not None:
                stream.flush()
        os.dup2(kept, 1)
        os.close(kept)
