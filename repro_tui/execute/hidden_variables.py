"""Keeps the environment of a run out of command lines, which every user of the machine can read in /proc.

The variables are arguments of the `env` that a sandbox starts (`support.isolation.inside`). They are put into a script
in memory instead, which a shell inside, without any variable of its own, reads as its standard input before it becomes
the command. Nothing of it stays open in the run.
"""

from __future__ import annotations

import fcntl
import os
import re
import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import IO

STARTED = ["/usr/bin/env", "-i", "-C"]
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@contextmanager
def hidden_variables(command: Sequence[str]) -> Iterator[tuple[list[str], IO[bytes] | None]]:
    """The command without the values of variables in it, and the standard input that it has to have (None: empty)."""
    arguments = list(command)
    start = next((at for at in range(len(arguments)) if arguments[at : at + 3] == STARTED), None)
    if start is None:
        yield arguments, None
        return
    folder = start + len(STARTED)
    end = folder + 1
    while "=" in arguments[end]:
        end += 1
    with _in_memory(_script(arguments[folder + 1 : end])) as script:
        yield [*arguments[: folder + 1], "/bin/sh", "-s", *arguments[end:]], script


def _script(variables: Sequence[str]) -> str:
    """Exports `NAME=VALUE`s and becomes the command. A name that no shell knows is left to an `env` of its own."""
    named = [variable.partition("=") for variable in variables]
    exported = [f"export {name}={shlex.quote(value)}\n" for name, _, value in named if _NAME.fullmatch(name)]
    others = [shlex.quote(f"{name}={value}") for name, _, value in named if not _NAME.fullmatch(name)]
    by = f"/usr/bin/env {' '.join(others)} " if others else ""
    return f'unset PWD OLDPWD SHLVL\n{"".join(exported)}exec {by}"$@" </dev/null\n'


@contextmanager
def _in_memory(content: str) -> Iterator[IO[bytes]]:
    number = os.memfd_create("variables", os.MFD_ALLOW_SEALING | os.MFD_CLOEXEC)
    with os.fdopen(number, "r+b", buffering=0) as stream:
        stream.write(content.encode("utf-8", "surrogateescape"))
        stream.seek(0)
        fcntl.fcntl(number, fcntl.F_ADD_SEALS, fcntl.F_SEAL_WRITE | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK)
        yield stream
