"""Processes and events that tests wait for.

Nothing here measures time: a bound only tells what does not happen at all from what takes long on a busy machine.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from repro_tui.model.run import Run
from repro_tui.support.cancel import CancelToken

BOUND_S = 240.0  # generous: what has not happened by then, even on a busy machine, does not happen
# A predict step that reports TERM but ignores it. `{sleep}` is the duration of a child that outlives it if it can.
STUBBORN = """\
import os, signal, subprocess, time
signal.signal(signal.SIGTERM, lambda *_: os.write(1, b'TERM was sent\\n'))
subprocess.Popen(['sleep', '{sleep}'], start_new_session={session})
print('waiting', flush=True)
time.sleep(600)
print('it was waited for')
"""


@dataclass(frozen=True)
class Process:
    """A process by its id and start time, since ids are reused."""

    pid: int
    start: str

    @property
    def alive(self) -> bool:
        fields = _stat(self.pid)
        return fields is not None and fields[19] == self.start and fields[0] not in "ZX"

    @property
    def stopped(self) -> bool:
        fields = _stat(self.pid)
        return fields is not None and fields[19] == self.start and fields[0] == "T"

    def send(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            if self.alive:
                os.kill(self.pid, number)


def _stat(pid: int) -> list[str] | None:
    """The fields of /proc/PID/stat from the state on."""
    try:
        return (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None


def process(pid: int) -> Process:
    fields = _stat(pid)
    return Process(pid, fields[19] if fields else "")


def children_of(pid: int) -> list[Process]:
    """All of its descendants."""
    parents: dict[int, list[Process]] = {}
    for path in Path("/proc").iterdir():
        if path.name.isdigit() and (fields := _stat(int(path.name))):
            parents.setdefault(int(fields[1]), []).append(Process(int(path.name), fields[19]))
    below, pending = [], [pid]
    while pending:
        children = parents.get(pending.pop(), [])
        below += children
        pending += [child.pid for child in children]
    return below


def unique_sleep() -> str:
    """A `sleep` argument of ten minutes with a unique fraction, which identifies this test's process."""
    return f"600.{uuid.uuid4().int % 10**12:012}"


def sleepers(duration: str) -> list[str]:
    """The processes that sleep for this duration."""
    pids = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            arguments = path.read_bytes().split(b"\0")
        except OSError:
            continue
        if arguments[:2] == [b"sleep", duration.encode()]:
            pids.append(path.parent.name)
    return pids


def wait_until(condition: Callable[[], object], event: str, bound_s: float = BOUND_S) -> None:
    """Waits until the condition holds; `event` names it in the failure at the generous time limit."""
    deadline = time.monotonic() + bound_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {bound_s:g} s: {event}"
        time.sleep(0.05)


def wait_until_nobody_sleeps(duration: str) -> None:
    """Waits until no process sleeps for this duration any more."""
    wait_until(lambda: not sleepers(duration), f"the end of  sleep {duration}")


def wait_until_gone(family: Iterable[Process]) -> None:
    """Waits until processes are gone: the kernel ends them asynchronously."""
    family = list(family)
    wait_until(lambda: not any(member.alive for member in family), f"the end of {family}")


@contextlib.contextmanager
def cancelled_once(condition: Callable[[], object], cancel: CancelToken) -> Iterator[None]:
    """Cancels the work in the block as soon as the condition holds."""
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
