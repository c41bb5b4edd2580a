"""One control group: a run with everything that it starts, limited together and ended together."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from repro_tui.support.control_groups.places import GroupPlace, joining
from repro_tui.support.walks import folders_below

PERIOD_US = 100_000
END_S = 10.0  # until processes that were killed are gone: the kernel first writes back what they had open
_FULL = ("max_usage_in_bytes", "limit_in_bytes")
_NOT_EVERYWHERE = frozenset({"memory.memsw.limit_in_bytes", "memory.swap.max", "memory.oom.group"})


@dataclass(frozen=True, slots=True)
class GroupLimits:
    """The limits of a group: memory in bytes (with files in memory, without swap), processes and threads, and cores.

    `cores` 0: all.
    """

    memory: int
    processes: int
    cores: int = 0


@dataclass(frozen=True, slots=True)
class ControlGroup:
    """A group: one folder in each place. Without any (`folders` is empty), nothing is limited or ended by it."""

    folders: dict[Path, GroupPlace] = field(default_factory=dict)

    @property
    def controllers(self) -> frozenset[str]:
        """What it limits: memory, pids, cpu."""
        return frozenset(name for place in self.folders.values() for name in place.controllers)

    @property
    def prefix(self) -> list[str]:
        """The command prefix of a program that is started in the group; [] without one."""
        return joining(list(self.folders)) if self.folders else []

    def create(self, limits: GroupLimits) -> None:
        """Makes its folders and sets the limits. Raises OSError if the kernel refuses, and leaves nothing then."""
        try:
            for folder, place in self.folders.items():
                folder.mkdir()
                for name, value in _settings(place, limits):
                    _set(folder / name, value)
        except OSError:
            self.end()
            raise

    @property
    def name(self) -> str:
        """Its path below the top of every hierarchy, for a group of `top_places`; "" without folders."""
        return next((f"/{folder.name}" for folder in self.folders), "")

    def killed_for_memory(self) -> int:
        """How many of its processes the kernel has killed for lack of memory."""
        names = {1: "memory.oom_control", 2: "memory.events"}
        return sum(
            _counted(folder / names[place.version], "oom_kill")
            for folder, place in self.folders.items()
            if "memory" in place.controllers
        )

    def filled_memory(self) -> bool:
        """Whether something in it, or in a group below it, was killed for memory, or is likely to have been.

        Version 2 counts it. Version 1 does so only in the group of the killed process itself, which an engine has
        removed by then; but its memory was full then, be it with files that could be dropped.
        """
        if self.killed_for_memory():
            return True
        for folder, place in self.folders.items():
            if "memory" in place.controllers and place.version == 1:
                with contextlib.suppress(OSError, ValueError):
                    values = [int((folder / f"memory.{name}").read_text("ascii")) for name in _FULL]
                    return values[0] >= values[1]
        return False

    def processes_refused(self) -> int:
        """How often a process or a thread was not started because there were too many."""
        return sum(
            _counted(folder / "pids.events", "max")
            for folder, place in self.folders.items()
            if "pids" in place.controllers
        )

    def end(self) -> bool:
        """Kills every process in it and removes it; False if something of it is still there."""
        return remove_groups(self.folders)


def remove_groups(folders: Iterable[Path]) -> bool:
    """Kills all processes in these groups, and the groups below them, and removes them; False if some remain."""
    deadline = time.monotonic() + END_S
    remaining = [folder for folder in folders if folder.is_dir()]
    while remaining:
        for folder in remaining:
            _kill(folder)
        for folder in remaining:
            _remove(folder)
        remaining = [folder for folder in remaining if folder.is_dir()]
        if remaining and time.monotonic() > deadline:
            return False
        if remaining:
            time.sleep(0.01)
    return True


def _settings(place: GroupPlace, limits: GroupLimits) -> Iterator[tuple[str, str]]:
    """The files of a group with their values, in the order in which the kernel takes them."""
    if "memory" in place.controllers:
        names = ("memory.limit_in_bytes", "memory.memsw.limit_in_bytes")
        values = ("memory.max", limits.memory), ("memory.swap.max", 0), ("memory.oom.group", 1)
        pairs = values if place.version == 2 else [(name, limits.memory) for name in names]
        yield from ((name, str(value)) for name, value in pairs)
    if "pids" in place.controllers:
        yield "pids.max", str(limits.processes)
    if "cpu" in place.controllers and limits.cores:
        quota = limits.cores * PERIOD_US
        if place.version == 2:
            yield "cpu.max", f"{quota} {PERIOD_US}"
        else:
            yield "cpu.cfs_period_us", str(PERIOD_US)
            yield "cpu.cfs_quota_us", str(quota)


def _set(path: Path, value: str) -> None:
    """Sets a value; a kernel that is old or does not account for swap has no files for some of them."""
    if path.name not in _NOT_EVERYWHERE or path.exists():
        path.write_text(value, "ascii")


def _counted(path: Path, name: str) -> int:
    with contextlib.suppress(OSError, ValueError):
        for line in path.read_text("ascii").splitlines():
            key, _, value = line.partition(" ")
            if key == name:
                return int(value)
    return 0


def _kill(folder: Path) -> None:
    with contextlib.suppress(OSError):  # kernels before 5.14 have no cgroup.kill, nor has version 1
        (folder / "cgroup.kill").write_text("1", "ascii")
        return
    for below in (folder, *_below(folder)):
        with contextlib.suppress(OSError):
            (below / "pids.max").write_text("0", "ascii")  # so that none is started while they are killed
        for pid in _members(below):
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)


def _members(folder: Path) -> list[int]:
    with contextlib.suppress(OSError, ValueError):
        return [pid for pid in map(int, (folder / "cgroup.procs").read_text("ascii").split()) if pid]
    return []


def _below(folder: Path) -> list[Path]:
    """The groups below a group, the deepest first."""
    return list(folders_below(folder))[:0:-1]


def _remove(folder: Path) -> None:
    for path in (*_below(folder), folder):
        with contextlib.suppress(OSError):
            path.rmdir()
