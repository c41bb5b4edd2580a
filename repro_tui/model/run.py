"""Runs: single executions of a workspace on the validation inputs, in a fresh process or container."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

RunStatus = Literal["succeeded", "failed", "timed-out", "out-of-memory", "no-output", "unreadable-output"]
IsolationKind = Literal["container", "bubblewrap", "namespace", "none", "remote"]


@dataclass(frozen=True, slots=True)
class Isolation:
    """The isolation that was actually obtained, and what the probe before the run saw.

    `limits` says what limited the memory, the processes and the cores of the run: a control group (all of its processes
    together), the container engine, or what there was instead.
    """

    kind: IsolationKind
    network: Literal["none", "host"]
    probed: bool = False
    detail: dict[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    limits: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of one run: memory, output and log in bytes, cores (0: all), and processes.

    The build of an image has limits of its own besides memory and cores: its processes, its time in seconds, and the
    disk that it may fill, in bytes. `stall_time` is how many seconds a registry may be silent during a pull, and the
    Docker engine in a call (fifteen times of it where it may have to copy gigabytes). `plugin_time` is how many one
    call of another package's plug-in may take, besides the time limit of a run.
    """

    memory: int = 8 << 30
    cpus: int = 0
    processes: int = 128
    output: int = 16 << 30
    log: int = 4 << 20
    build_processes: int = 4096
    build_time: int = 3600
    build_disk: int = 64 << 30
    stall_time: int = 60
    plugin_time: int = 3600


@dataclass(frozen=True, slots=True)
class WrittenFile:
    """A file that a predict step wrote in its working folder besides its output: path in the tree, size in bytes."""

    path: str
    size: int


@dataclass(frozen=True, slots=True)
class Run:
    """How one run ended. `predictions` is the normalised Parquet (absolute; empty unless succeeded).

    `output_sha256` is the digest of the raw bytes that the predict step wrote: two runs with the same digest are
    byte-identical. `log` is the file with its bounded output, `tail` its last lines. `exit_code` is None if it did not
    end by itself. `what` (the reason) and `do` (the remedy) explain any status other than succeeded.

    `written` are the first of the files that it wrote in its working folder besides the output, which are thrown away;
    `written_files` and `written_bytes` count all of them. `notes` say how its output and its working folder were read
    and made, where that is not obvious.
    """

    number: int
    status: RunStatus
    seconds: float
    exit_code: int | None = None
    predictions: str = ""
    output_sha256: str = ""
    output_format: str = ""
    rows: int | None = None
    log: str = ""
    tail: tuple[str, ...] = ()
    what: str = ""
    do: str = ""
    isolation: Isolation | None = None
    written: tuple[WrittenFile, ...] = ()
    written_files: int = 0
    written_bytes: int = 0
    notes: tuple[str, ...] = ()
