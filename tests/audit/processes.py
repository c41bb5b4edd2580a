"""The processes of an audit, which tests look at, wait for and end."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

HANG_S = 240.0  # no machine is so busy: what has not happened by then does not happen


@dataclass(frozen=True)
class Process:
    """A process by its number and start, for numbers are given again."""

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
    """All descendants."""
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


def wait_until(condition: Callable[[], bool], what: str) -> None:
    """Looks again and again; fails where it has not come true after a time that no load explains."""
    deadline = time.monotonic() + HANG_S
    while not condition():
        assert time.monotonic() < deadline, f"{what}: not within {HANG_S:g} s"
        time.sleep(0.02)


def wait_until_gone(family: Iterable[Process]) -> None:
    """The kernel ends what it was told to end in its own time."""
    family = list(family)
    wait_until(lambda: not any(member.alive for member in family), f"{family} are gone")
