"""Keeps the environment of a run out of command lines, which every user of the machine can read in /proc.

The variables are arguments of an `env` that a sandbox or a container starts (`support.isolation.inside`, and the
Apptainer runner). They are put into a script in memory instead, which a shell inside reads as its standard input before
it becomes the command. Nothing of it stays open in the run.
"""

from __future__ import annotations

import fcntl
import os
import re
import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import IO

# The options of an `env` of ours, with how many words follow them.
_OPTIONS = {"-i": 0, "-C": 1, "-u": 1}
_ENV = ("env", "/usr/bin/env")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# Names that a shell does not let go (bash ends at `export UID=5`) or gives values of its own.
_OF_SHELLS = re.compile(
    r"BASH\w*|DIRSTACK|EUID|FUNCNAME|GROUPS|HISTCMD|IFS|LINENO|OPT(ARG|ERR|IND)|PIPESTATUS|PPID|PS4|RANDOM|SECONDS"
    r"|SHELLOPTS|SHLVL|SRANDOM|UID|EPOCH(REALTIME|SECONDS)|COPROC|MAPFILE|REPLY|_"
)
# What a shell adds to the environment by itself; bash adds two more when it starts a program, which `env` drops.
_ADDED = "PWD OLDPWD"


@contextmanager
def hidden_variables(command: Sequence[str]) -> Iterator[tuple[list[str], IO[bytes] | None]]:
    """The command without the values of variables in it, and the standard input that it has to have (None: empty)."""
    arguments = list(command)
    start = next((end for at in range(len(arguments)) if (end := _after_options(arguments, at)) > at + 1), None)
    if start is None:
        yield arguments, None
        return
    end = start
    while "=" in arguments[end]:
        end += 1
    with _in_memory(_script(arguments[start:end])) as script:
        yield [*arguments[:start], "/bin/sh", "-s", *arguments[end:]], script


def _after_options(arguments: Sequence[str], at: int) -> int:
    """Where the options of an `env` at this place end; `at` itself if there is none."""
    if arguments[at] not in _ENV:
        return at
    at += 1
    while at < len(arguments) and arguments[at] in _OPTIONS:
        at += 1 + _OPTIONS[arguments[at]]
    return at


def _script(variables: Sequence[str]) -> str:
    """Exports `NAME=VALUE`s and becomes the command. A name that shells have other plans for is left to `env`."""
    named = [variable.partition("=") for variable in variables]
    exported = [f"export {name}={shlex.quote(value)}" for name, _, value in named if _is_free(name)]
    others = [shlex.quote(f"{name}={value}") for name, _, value in named if not _is_free(name)]
    by = " ".join(["-u _ -u SHLVL", *others])
    # The path of `env` is looked up before PATH is the run's own. Bash warns of an LC_ALL that the image does not have.
    env = f'set -- "$(command -v env || echo {_ENV[1]})" {by} "$@"'
    return "\n".join((env, f"unset {_ADDED}", "{", ":", *exported, "} 2>/dev/null", 'exec "$@" </dev/null', ""))


def _is_free(name: str) -> bool:
    return bool(_NAME.fullmatch(name)) and not _OF_SHELLS.fullmatch(name)


@contextmanager
def _in_memory(content: str) -> Iterator[IO[bytes]]:
    number = os.memfd_create("variables", os.MFD_ALLOW_SEALING | os.MFD_CLOEXEC)
    with os.fdopen(number, "r+b", buffering=0) as stream:
        stream.write(content.encode("utf-8", "surrogateescape"))
        stream.seek(0)
        fcntl.fcntl(number, fcntl.F_ADD_SEALS, fcntl.F_SEAL_WRITE | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK)
        yield stream
