"""Keeps the environment of a run out of command lines, which every user of the machine can read in /proc.

The variables are arguments of the `env` that a sandbox starts (`support.isolation.inside`). They are put into a script
in memory, which a shell inside reads as its standard input and becomes that `env`. Nothing of it stays open in the run.
"""

from __future__ import annotations

import fcntl
import os
import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import IO

STARTED = ["/usr/bin/env", "-i", "-C"]


@contextmanager
def hidden_variables(command: Sequence[str]) -> Iterator[tuple[list[str], IO[bytes] | None]]:
    """The command without the values of variables in it, and the standard input that it has to have (None: empty)."""
    arguments = list(command)
    start = next((at for at in range(len(arguments)) if arguments[at : at + 3] == STARTED), None)
    if start is None:
        yield arguments, None
        return
    end = start + len(STARTED) + 1
    while "=" in arguments[end]:
        end += 1
    with _in_memory(f'exec {shlex.join(arguments[start:end])} "$@" </dev/null\n') as script:
        yield [*arguments[:start], "/bin/sh", "-s", *arguments[end:]], script


@contextmanager
def _in_memory(content: str) -> Iterator[IO[bytes]]:
    number = os.memfd_create("variables", os.MFD_ALLOW_SEALING | os.MFD_CLOEXEC)
    with os.fdopen(number, "r+b", buffering=0) as stream:
        stream.write(content.encode("utf-8", "surrogateescape"))
        stream.seek(0)
        fcntl.fcntl(number, fcntl.F_ADD_SEALS, fcntl.F_SEAL_WRITE | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK)
        yield stream
