"""The resource limits of one local run, set by prlimit (util-linux) before the run starts."""

from __future__ import annotations

import os

from repro_tui.model.run import Limits

OPEN_FILES = 4096


def limited(limits: Limits, timeout_s: float, *, memory: bool = True) -> list[str]:
    """The command prefix that sets the limits: address space, CPU time, file size, open files, no core dumps.

    Without `memory`, the address space is not limited: use `memory_limited` inside a container whose own starter needs
    much address space.
    """
    processor_s = int(timeout_s * (limits.cpus or os.cpu_count() or 1)) + 10
    return [
        "prlimit",
        *([f"--as={limits.memory}"] if memory else []),
        f"--cpu={processor_s}",
        f"--fsize={limits.output}",
        f"--nofile={OPEN_FILES}",
        "--core=0",
        "--",
    ]


def memory_limited(limits: Limits) -> list[str]:
    """The command prefix that limits the address space, by the `sh` of the image that it runs in."""
    return ["/bin/sh", "-c", f'ulimit -v {limits.memory >> 10} && exec "$@"', "sh"]
