"""The forker: a Python process that has imported everything that readers of untrusted bytes need, and forks one reader
for each request.

`python -m repro_tui.formats.forked` receives its requests from the socket that is its standard input. A reader starts
in milliseconds, where a new process would spend a third of a second on imports. Readers do not see each other's memory
and open files; the memory layout, however, is the same for all.

Each request is one message: JSON, the pipe for the reader's output, and the pipe for its process id and then its exit
status (negative: the signal that ended it). A reader is killed as soon as the second pipe has no reader left, and when
this process ends, however that happens.
"""

from __future__ import annotations

import contextlib
import ctypes
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
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn, TypedDict

NUMBER = struct.Struct("=q")
LONGEST = 1 << 16
FAILED = 70
_SIGNAL_AT_PARENTS_END = 1  # PR_SET_PDEATHSIG


class _Request(TypedDict):
    """A reader's module with its arguments, the folder that is its HOME, and its limit of memory in bytes."""

    home: str
    memory: int
    module: str
    arguments: list[str]


def main() -> int:
    """Serves requests until the socket is closed."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    warnings.filterwarnings("ignore", category=DeprecationWarning)  # about forking next to an allocator's idle thread
    _prepare()
    with socket.socket(fileno=os.dup(0)) as requests:
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        forker = _Forker(requests)
        try:
            while forker.serve():
                pass
        finally:
            forker.kill_readers()
    return 0


def _prepare() -> None:
    """Imports what readers need. A fork loses the threads that imports start (an allocator's), which is harmless."""
    import pyarrow as pa

    from repro_tui.formats.arrow import without_pandas

    pa.set_memory_pool(pa.system_memory_pool())  # the others reserve address space, which is limited
    without_pandas()
    for module in ("repro_tui.formats.tables_csv", "repro_tui.formats.tables_json", "repro_tui.formats.tables"):
        importlib.import_module(module)
    gc.freeze()  # keeps the pages that are shared with readers unwritten


class _Forker:
    """The running readers by process id, each with the pipe for its exit status."""

    def __init__(self, requests: socket.socket) -> None:
        self.requests, self.readers = requests, dict[int, int]()
        self.woken, wake = os.pipe()
        os.set_blocking(wake, False)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self.poll = select.poll()
        for file in (requests.fileno(), self.woken):
            self.poll.register(file, select.POLLIN)

    def serve(self) -> bool:
        """Waits for the next event and handles it; returns whether more requests can come."""
        ready = dict(self.poll.poll())
        for reader, status_pipe in self.readers.items():
            if status_pipe in ready:  # its read end is closed
                self.poll.unregister(status_pipe)
                _kill(reader)
        if self.woken in ready:
            os.read(self.woken, LONGEST)
            self._collect()
        return self.requests.fileno() not in ready or self._accept()

    def _collect(self) -> None:
        for reader, status_pipe in list(self.readers.items()):
            ended, status = os.waitpid(reader, os.WNOHANG)
            if ended:
                del self.readers[reader]
                with contextlib.suppress(KeyError):
                    self.poll.unregister(status_pipe)
                _write_number(status_pipe, os.waitstatus_to_exitcode(status))
                os.close(status_pipe)

    def _accept(self) -> bool:
        message, pipes, _, _ = socket.recv_fds(self.requests, LONGEST, 2)
        if not message:
            return False
        with _closing(pipes):
            self._fork(json.loads(message), *_two_pipes(pipes))
        return True

    def _fork(self, request: _Request, output: int, status_pipe: int) -> None:
        parent = os.getpid()
        try:
            reader = os.fork()
        except OSError as error:
            with contextlib.suppress(BrokenPipeError):
                os.write(output, str(error.strerror).encode())
            return
        if reader == 0:
            _read(request, output, parent)
        with contextlib.suppress(ProcessLookupError):  # before its id is sent, after which its group may be killed
            os.setpgid(reader, reader)
        self.readers[reader] = kept = os.dup(status_pipe)
        self.poll.register(kept, 0)
        _write_number(kept, reader)

    def kill_readers(self) -> None:
        """Kills the readers that are still running."""
        for reader in self.readers:
            _kill(reader)


@contextlib.contextmanager
def _closing(files: list[int]) -> Iterator[None]:
    """Closes files on leaving the block; an invalid request is ignored, and does not end the forker."""
    try:
        yield
    except ValueError:
        pass
    finally:
        for file in files:
            os.close(file)


def _two_pipes(pipes: list[int]) -> tuple[int, int]:
    if len(pipes) != 2:
        raise ValueError("no more files can be opened")
    return pipes[0], pipes[1]


def _kill(reader: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(reader, signal.SIGKILL)


def _close(file: int) -> None:
    with contextlib.suppress(OSError):
        os.close(file)


def _write_number(pipe: int, number: int) -> None:
    with contextlib.suppress(BrokenPipeError):
        os.write(pipe, NUMBER.pack(number))


def _read(request: _Request, output: int, parent: int) -> NoReturn:
    """Runs a request in the forked reader: in its own group, with limits, and without the forker's open files."""
    status = FAILED
    try:
        ctypes.CDLL(None).prctl(_SIGNAL_AT_PARENTS_END, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(FAILED)
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for target in (1, 2):
            os.dup2(output, target)
        for file in list(Path("/proc/self/fd").iterdir()):
            if int(file.name) > 2:
                _close(int(file.name))
        os.environ["HOME"] = request["home"]
        resource.setrlimit(resource.RLIMIT_AS, (request["memory"], request["memory"]))
        status = importlib.import_module(request["module"]).main(request["arguments"])
        sys.stdout.flush()
    except BaseException:  # noqa: BLE001 - the forker's own code continues above
        status = FAILED
        sys.excepthook(*sys.exc_info())
        sys.stderr.flush()
    finally:
        os._exit(status)  # a normal exit could abort while Arrow's threads are still starting


if __name__ == "__main__":
    os._exit(main())
