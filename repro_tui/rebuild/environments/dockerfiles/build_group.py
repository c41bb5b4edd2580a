"""Bounds on the memory, processes and cores of a build: the engine has none of its own that holds for all of it.

Where this user may make control groups, and the engine is one that puts its containers where it is told, the build's
containers are put into a group of ours. Elsewhere the machine is watched (see `job`).
"""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from repro_tui.clients.docker_engine import engine_address
from repro_tui.model.run import Limits
from repro_tui.support.walks import folders_below

ROOT = Path("/sys/fs/cgroup")
PERIOD_US = 100_000
ENDING_S = 3.0  # for the engine to end the containers of a build that was stopped
_NAME = "repro-tui-build-"
_SAME = ("cgroup", "mnt")


@dataclass(frozen=True, slots=True)
class BuildGroup:
    """A control group: its name, which is the parent of the build's containers, and its folders."""

    name: str
    folders: tuple[Path, ...]

    def filled_memory(self) -> bool:
        """Whether its memory was full, be it with files that could be dropped; a killed process was killed for that."""
        for folder in self.folders:
            for limit, most in (("limit_in_bytes", "max_usage_in_bytes"), ("max", "peak")):
                with contextlib.suppress(OSError, ValueError):
                    return int((folder / f"memory.{most}").read_text()) >= int((folder / f"memory.{limit}").read_text())
        return False


@contextmanager
def build_group(info: Mapping[str, object], limits: Limits) -> Iterator[BuildGroup | None]:
    """A group with these limits for the time of a build; None where there can be none.

    `info` is what the engine reports of itself.
    """
    sweep()
    group = _made(info, limits) if info.get("CgroupDriver") == "cgroupfs" and _sees_our_groups() else None
    try:
        yield group
    finally:
        deadline = time.monotonic() + ENDING_S
        while group and not _remove(group.name.strip("/")) and time.monotonic() < deadline:
            time.sleep(0.05)


def sweep() -> None:
    """Removes the groups that killed programs have left."""
    for folder in [*ROOT.glob(f"{_NAME}*"), *ROOT.glob(f"*/{_NAME}*")]:
        owner = folder.name.removeprefix(_NAME).partition("-")[0]
        if not Path(f"/proc/{owner}").exists():
            _remove(folder.name)


def _remove(name: str) -> bool:
    """Removes a group from every hierarchy: the engine makes it in those too that limit nothing.

    False where a container that the engine has not ended yet is still in it.
    """
    left = [folder for folder in [ROOT / name, *ROOT.glob(f"*/{name}")] if folder.is_dir()]
    for group in left:
        for folder in reversed(list(folders_below(group))):  # with those of containers whose engine was killed
            with contextlib.suppress(OSError):
                folder.rmdir()
    return not any(folder.exists() for folder in left)


def _sees_our_groups() -> bool:
    """Whether the engine has our control groups: it runs in the same namespaces."""
    try:
        with socket.socket(socket.AF_UNIX) as engine:
            engine.connect(engine_address().removeprefix("unix://"))
            pid, _, _ = struct.unpack("3i", engine.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        return all(os.readlink(f"/proc/{pid}/ns/{kind}") == os.readlink(f"/proc/self/ns/{kind}") for kind in _SAME)  # noqa: PTH115
    except OSError:
        return False


def _made(info: Mapping[str, object], limits: Limits) -> BuildGroup | None:
    cores = limits.cpus or os.cpu_count() or 1
    quota = str(cores * PERIOD_US)
    name = f"{_NAME}{os.getpid()}-{uuid4().hex[:12]}"
    if str(info.get("CgroupVersion", "1")) == "2":
        values = {
            "memory.max": str(limits.memory),
            "pids.max": str(limits.build_processes),
            "cpu.max": f"{quota} {PERIOD_US}",
        }
        with contextlib.suppress(OSError):
            (ROOT / "cgroup.subtree_control").write_text("+memory +pids +cpu")
        return _filled(name, {ROOT / name: values})
    return _filled(
        name,
        {
            ROOT / "memory" / name: {"memory.limit_in_bytes": str(limits.memory)},
            ROOT / "pids" / name: {"pids.max": str(limits.build_processes)},
            ROOT / "cpu" / name: {"cpu.cfs_period_us": str(PERIOD_US), "cpu.cfs_quota_us": quota},
        },
    )


def _filled(name: str, groups: Mapping[Path, Mapping[str, str]]) -> BuildGroup | None:
    """The group, if all of its limits can be set."""
    made: list[Path] = []
    try:
        for folder, values in groups.items():
            folder.mkdir()
            made.append(folder)
            for file, value in values.items():
                (folder / file).write_text(value)
    except OSError:
        _remove(name)
        return None
    for folder in made:  # without these, what does not fit goes to the swap
        swap = {"memory.memsw.limit_in_bytes": groups[folder].get("memory.limit_in_bytes", ""), "memory.swap.max": "0"}
        for file, value in swap.items():
            with contextlib.suppress(OSError):
                if value and (folder / file).exists():
                    (folder / file).write_text(value)
    return BuildGroup(f"/{name}", tuple(made))
