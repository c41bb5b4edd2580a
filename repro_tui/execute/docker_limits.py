"""What a Docker engine can limit: some, such as rootless ones without control groups, discard limits silently."""

from __future__ import annotations

from collections.abc import Mapping

UNLIMITED = (
    "The Docker engine did not limit the {} of this code, because it has no control group for it: docker info says why."
)
_SUPPORT = {"memory": "MemoryLimit", "processes": "PidsLimit", "cores": "CpuCfsQuota"}


def nano_cpus(info: Mapping[str, object], cores: int) -> int | None:
    """The processor time of a container, in 1e-9 cores: `cores`, but at most those of the engine (0: all of them).

    None where the engine cannot limit it; it would refuse the container.
    """
    count = info.get("NCPU")
    available = count if isinstance(count, int) else 0
    if not info.get("CpuCfsQuota", True) or not (cores or available):
        return None
    return min(cores or available, available or cores) * 10**9


def means_of_engine(info: Mapping[str, object]) -> dict[str, str]:
    """What limits memory, processes and cores of a container, for the report."""
    return {name: "engine" if info.get(key, True) else "not limited" for name, key in _SUPPORT.items()}


def unlimited(info: Mapping[str, object]) -> tuple[str, ...]:
    """The warning about what the engine does not limit; empty if it limits all."""
    names = [name for name, means in means_of_engine(info).items() if means != "engine"]
    return (UNLIMITED.format(" and the ".join(names)),) if names else ()
