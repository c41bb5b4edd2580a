"""The control group of one run or build: noted with its owner, made before it starts, and ended with it.

Where no group can be made, the run has none. What is limited by it, and what is not, is said in the report.
"""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator

from repro_tui.model.run import Limits
from repro_tui.support.cache import Cache
from repro_tui.support.control_groups.group import ControlGroup, GroupLimits
from repro_tui.support.control_groups.places import CONTROLLERS, group_places

PER_PROCESS = (
    "The memory of this code was limited for each process, not for all of them together nor for files in memory, and "
    "the number of processes was not limited, because no control group can be made here (see repro-tui doctor)."
)
_NAMES = dict(zip(CONTROLLERS, ("memory", "processes", "cores"), strict=True))


@contextlib.contextmanager
def run_group(limits: Limits, cache: Cache) -> Iterator[ControlGroup]:
    """A group with these limits, and with nothing in it where none can be made; it is ended on leaving the block."""
    group = _created(limits, cache)
    try:
        yield group
    finally:
        group.end()


def _created(limits: Limits, cache: Cache) -> ControlGroup:
    name = f"repro-tui-{uuid.uuid4().hex}"
    group = ControlGroup({place.folder / name: place for place in group_places()})
    if group.folders:
        cache.owner.note(groups=[str(folder) for folder in group.folders])
        try:
            group.create(GroupLimits(limits.memory, limits.processes, limits.cpus))
        except OSError:
            return ControlGroup()
    return group


def means_of_limits(group: ControlGroup, cores: int) -> dict[str, str]:
    """What limits memory, processes and cores of a run, for the report: a control group, or what there is instead."""
    instead = {"memory": "per process", "processes": "not limited", "cores": "not limited"}
    held = {_NAMES[name]: "control group" for name in group.controllers}
    return instead | held | ({} if cores else {"cores": "all"})
