"""What one local run may use: resource limits, set by util-linux's prlimit before anything of the run starts."""

from __future__ import annotations

import os

from repro_tui.model.run import Limits

OPEN_FILES = 4096


def limited(limits: Limits, timeout_s: float, *, memory: bool = True) -> list[str]:
    """The prefix of a command that sets its limits: address space, processor time, file size, open files, no core.

    Without `memory`, the address space is left to memory_limited, inside a container that is started by a program which
    needs much of it itself.
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
    """The prefix of a command that bounds its address space, by the `sh` of the image that it runs in."""
    return ["sh", "-c", f'ulimit -v {limits.memory >> 10} && exec "$@"', "sh"]
