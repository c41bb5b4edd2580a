"""A Python that has imported what readers of untrusted bytes need, and forks one for each question.

`python -m repro_tui.support.forked` takes its questions from the socket that is its standard input. A reader starts in
milliseconds, where a process of its own would spend a third of a second on imports; nothing that one reader does can be
seen by the next. Each question is one message: JSON, the pipe that the reader says its words to, and the pipe that its
process id and then its exit status (as `waitpid` has it) are told to.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import resource
import select
import signal
import socket
import struct
import sys
from typing import Any, NoReturn

NUMBER = struct.Struct("=q")
LONGEST = 1 << 16


def main() -> int:
    """Answers questions until there is nobody to ask any; readers that still run then are killed."""
    _prepare()
    asked = socket.socket(fileno=os.dup(0))
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    readers: dict[int, int] = {}
    while True:
        ready = select.select([asked.fileno(), woken], [], [])[0]
        if woken in ready:
            os.read(woken, LONGEST)
            _collect(readers)
        if asked.fileno() in ready:
            message, pipes, _, _ = socket.recv_fds(asked, LONGEST, 2)
            if not message:
                break
            _fork(json.loads(message), pipes, readers)
    for reader in readers:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(reader, signal.SIGKILL)
    return 0


def _prepare() -> None:
    """The imports. What threads they start (an allocator has one) no reader needs: a fork would lose them."""
    import pyarrow as pa

    from repro_tui.support.arrow import without_pandas

    pa.set_memory_pool(pa.system_memory_pool())  # the others reserve address space, of which there is a limit
    without_pandas()
    for module in ("repro_tui.support.tables_text", "repro_tui.support.tables"):
        importlib.import_module(module)
    gc.freeze()  # what is shared with readers is not written to


def _collect(readers: dict[int, int]) -> None:
    for reader, told in list(readers.items()):
        ended, status = os.waitpid(reader, os.WNOHANG)
        if ended:
            del readers[reader]
            _tell(told, os.waitstatus_to_exitcode(status))
            os.close(told)


def _fork(question: dict[str, Any], pipes: list[int], readers: dict[int, int]) -> None:
    words, told = pipes
    try:
        reader = os.fork()
    except OSError as error:
        os.write(words, str(error.strerror).encode())
        os.close(told)
        os.close(words)
        return
    if reader == 0:
        _read(question, words)
    os.close(words)
    readers[reader] = told
    _tell(told, reader)


def _tell(pipe: int, number: int) -> None:
    with contextlib.suppress(BrokenPipeError):
        os.write(pipe, NUMBER.pack(number))


def _read(question: dict[str, Any], words: int) -> NoReturn:
    """The reader: a session of its own, its limits, and no file of the others."""
    status = 70
    try:
        os.setsid()
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.dup2(words, 1)
        os.dup2(words, 2)
        os.closerange(3, max(os.sysconf("SC_OPEN_MAX"), 4096))
        os.chdir(question["folder"])
        os.environ["HOME"] = question["home"]
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_AS, (question["memory"], question["memory"]))
        status = importlib.import_module(question["module"]).main(question["arguments"])
    except BaseException:  # noqa: BLE001 - the process that this was forked from goes on above
        sys.excepthook(*sys.exc_info())
    finally:
        with contextlib.suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(status)  # threads of Arrow that are still starting would have its teardown abort the process


if __name__ == "__main__":
    sys.exit(main())
