"""Keeps the environment of a run out of command lines, which every user of the machine can read in /proc.

The variables are arguments of the sandbox: `--setenv NAME VALUE` of bubblewrap, or `NAME=VALUE` of `env`. They are put
into a file in memory that only the command has open. bubblewrap reads it, or a shell that then becomes `env`.
"""

from __future__ import annotations

import fcntl
import os
import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

SET = "--setenv"


@contextmanager
def hidden_variables(command: Sequence[str]) -> Iterator[tuple[list[str], tuple[int, ...]]]:
    """The command without the values of variables in it, and the file numbers that it has to inherit."""
    arguments = list(command)
    if SET in arguments and "bwrap" in arguments:
        start = arguments.index(SET)
        end = start
        while arguments[end : end + 1] == [SET]:
            end += 3
        content = "".join(f"{word}\0" for word in arguments[start:end])
        with _in_memory(content) as number:
            yield [*arguments[:start], "--args", str(number), *arguments[end:]], (number,)
    elif "env" in arguments and arguments[arguments.index("env") + 1 : arguments.index("env") + 3] == ["-i", "-C"]:
        start = arguments.index("env")
        end = start + 4
        while "=" in arguments[end]:
            end += 1
        with _in_memory(f'exec {shlex.join(arguments[start:end])} "$@"\n') as number:
            yield [*arguments[:start], "sh", f"/proc/self/fd/{number}", *arguments[end:]], (number,)
    else:
        yield arguments, ()


@contextmanager
def _in_memory(content: str) -> Iterator[int]:
    number = os.memfd_create("variables", os.MFD_ALLOW_SEALING)
    try:
        os.write(number, content.encode("utf-8", "surrogateescape"))
        os.lseek(number, 0, os.SEEK_SET)
        fcntl.fcntl(number, fcntl.F_ADD_SEALS, fcntl.F_SEAL_WRITE | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK)
        yield number
    finally:
        os.close(number)
