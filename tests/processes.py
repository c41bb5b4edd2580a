"""Processes and events that tests wait for: a `sleep` that no other test has, and what a run says when it is ended."""

from __future__ import annotations

import contextlib
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

from repro_tui.model.run import Run
from repro_tui.support.cancel import CancelToken

BOUND_S = 120.0
# A predict step that takes no notice of TERM but to say so. `{sleep}` is a child's, which outlives it if it can.
STUBBORN = """\
import os, signal, subprocess, time
signal.signal(signal.SIGTERM, lambda *_: os.write(1, b'TERM was sent\\n'))
subprocess.Popen(['sleep', '{sleep}'], start_new_session={session})
print('waiting', flush=True)
time.sleep(600)
print('it was waited for')
"""


def unique_sleep() -> str:
    """Ten minutes in words of `sleep`, with a fraction by which this test's process is known from any other's."""
    return f"600.{uuid.uuid4().int % 10**12:012}"


def sleepers(duration: str) -> list[str]:
    """The processes that sleep for that long."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
        except OSError:
            continue
        if words[:2] == [b"sleep", duration.encode()]:
            found.append(path.parent.name)
    return found


def wait_until(condition: Callable[[], object], what: str, bound_s: float = BOUND_S) -> None:
    """Waits for an event; only one that does not come at all meets the bound."""
    deadline = time.monotonic() + bound_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {bound_s:g} s: {what}"
        time.sleep(0.05)


def wait_until_gone(duration: str) -> None:
    """Waits until nothing sleeps for that long any more: it would for ten minutes if it were left."""
    wait_until(lambda: not sleepers(duration), f"the end of  sleep {duration}")


@contextlib.contextmanager
def cancelled_once(condition: Callable[[], object], cancel: CancelToken) -> Iterator[None]:
    """Cancels what happens inside as soon as the condition holds."""
    held = []

    def watch() -> None:
        with contextlib.suppress(AssertionError):
            wait_until(condition, "")
            held.append(True)
        cancel.cancel()

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield
    finally:
        watcher.join()
    assert held, "what was to be cancelled had not come that far"


def ended_at_its_limit(execute: Callable[[float], Run], *events: str) -> Run:
    """A run that meets its time limit, and whose log has these lines by then.

    How soon a program says its first word depends on the machine's load: it is given more time until it has.
    """
    for limit_s in (2, 10, 60):
        run = execute(limit_s)
        if all(f"{event}\n" in Path(run.log).read_text() for event in events):
            break
    log = Path(run.log).read_text()
    assert all(f"{event}\n" in log for event in events), log
    assert "it was waited for" not in log
    assert run.seconds < limit_s + BOUND_S
    return run
