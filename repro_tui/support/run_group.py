"""The control group of a run or a build: noted with its owner, made before it starts, and ended with it.

Where no group can be made, the run has none. What is limited by it, and what is not, is said in the report.
"""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator
from pathlib import Path

from repro_tui.model.run import Limits
from repro_tui.support.cache import Cache
from repro_tui.support.control_groups.group import ControlGroup, GroupLimits, remove_groups
from repro_tui.support.control_groups.places import CONTROLLERS, everywhere, group_places, top_places

PER_PROCESS = (
    "The memory of this code was limited for each process, not for all of them together nor for files in memory, and "
    "the number of processes was not limited, because no control group can be made here (see repro-tui doctor)."
)
# Processes of the sandbox itself, which are in the group too.
OF_THE_SANDBOX = 8
_NAMES = dict(zip(CONTROLLERS, ("memory", "processes", "cores"), strict=True))


@contextlib.contextmanager
def run_group(limits: Limits, cache: Cache) -> Iterator[ControlGroup]:
    """A group with these limits, and with nothing in it where none can be made; it is ended on leaving the block."""
    name = _new_name()
    group = ControlGroup({place.folder / name: place for place in group_places()})
    processes = limits.processes + OF_THE_SANDBOX
    with _created(group, GroupLimits(limits.memory, processes, limits.cpus), [*group.folders], cache) as made:
        yield made


@contextlib.contextmanager
def engine_group(limits: Limits, cache: Cache) -> Iterator[ControlGroup]:
    """A group for the containers of a build by an engine that sees our groups; it is ended on leaving the block.

    It is empty where no group can be made that limits memory, processes and cores.
    """
    name = _new_name()
    group = ControlGroup({place.folder / name: place for place in top_places()})
    folders = everywhere(name) if group.folders else []
    with _created(group, GroupLimits(limits.memory, limits.build_processes, limits.cpus), folders, cache) as made:
        yield made


def _new_name() -> str:
    return f"repro-tui-{uuid.uuid4().hex}"


@contextlib.contextmanager
def _created(group: ControlGroup, limits: GroupLimits, folders: list[Path], cache: Cache) -> Iterator[ControlGroup]:
    """The group, or one with nothing in it if the kernel refuses; all of `folders` are ended with it."""
    if folders:
        cache.owner.note(groups=[str(folder) for folder in folders])
        try:
            group.create(limits)
        except OSError:
            group = ControlGroup()
    try:
        yield group
    finally:
        remove_groups(folders)


def means_of_limits(group: ControlGroup, cores: int) -> dict[str, str]:
    """What limits memory, processes and cores of a run, for the report: a control group, or what there is instead."""
    instead = {"memory": "per process", "processes": "not limited", "cores": "not limited"}
    held = {_NAMES[name]: "control group" for name in group.controllers}
    return instead | held | ({} if cores else {"cores": "all"})
