"""Runs readers of untrusted bytes in child processes, which are limited in memory and time and may crash.

Idea: starting a Python process that imports Arrow takes a third of a second. So one process, the forker
(formats.forked), imports everything once and forks a reader for each request, in milliseconds. This module starts the
forker at the first request, sends it requests, and handles each reader like a direct child process.

Protocol: a request is one message (JSON) on a SOCK_SEQPACKET socket, with two pipes attached: one for the reader's
output, one for its process id and later its exit status. Whoever closes the second pipe ends the reader. If the forker
dies while it serves a request, a new one is started, once.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from io import FileIO
from pathlib import Path

from repro_tui.formats.forked import NUMBER
from repro_tui.model.errors import Inconclusive
from repro_tui.support import process
from repro_tui.support.cache import Cache
from repro_tui.support.cancel import CancelToken
from repro_tui.support.paths import import_root
from repro_tui.support.text import show

KEPT = 1 << 16
PATIENCE_S = 10.0  # for a process that only has to receive a message, or to end


def python_child(
    module: str, arguments: Sequence[str | Path], *, cache: Cache, cancel: CancelToken, memory: int, timeout_s: float
) -> process.Completed:
    """Runs the module's `main` in a child process and returns its exit status and the last 64 KiB of its output.

    `arguments` are passed as text, with paths made absolute, since the child's working directory is `/`. It may use
    `memory` bytes of address space and `timeout_s` seconds. Raises Inconclusive if it cannot be started, and Cancelled.
    """
    request = {
        "module": module,
        "arguments": [_as_utf8(argument) for argument in arguments],
        "memory": memory,
        "home": _as_utf8(cache.root),
    }
    began = time.monotonic()
    reader = _source.start_reader(json.dumps(request).encode("ascii"), cancel, began + timeout_s)
    return process.attend(reader, began, cancel, timeout_s, KEPT)


def _as_utf8(argument: str | Path) -> str:
    """An argument for a reader, which uses UTF-8 whatever the user's locale is."""
    absolute = argument.absolute() if isinstance(argument, Path) else argument
    return os.fsencode(absolute).decode("utf-8", "surrogateescape")


class _Forked:
    """A reader that was forked for this program; it can be used like a direct child (process.Child)."""

    def __init__(self, output: FileIO, status_pipe: FileIO, pid: int) -> None:
        self.stdout, self._status_pipe, self.pid = output, status_pipe, pid
        self._status: int | None = None

    def poll(self) -> int | None:
        return self._wait(0.0)

    def wait(self, timeout: float | None = None) -> int:
        status = self._wait(timeout)
        if status is None:
            raise subprocess.TimeoutExpired("a reader", timeout or 0.0)
        return status

    def _wait(self, timeout: float | None) -> int | None:
        if self._status is None and _readable(self._status_pipe, timeout):
            status = _number(self._status_pipe)
            self._status = -signal.SIGKILL if status is None else status
        if self._status is not None:
            self._status_pipe.close()
        return self._status


def _readable(file: FileIO, timeout: float | None) -> bool:
    """Whether data or the end of the file can be read within `timeout` seconds (poll works for any file number)."""
    poll = select.poll()
    poll.register(file, select.POLLIN)
    return bool(poll.poll(None if timeout is None else timeout * 1000))


def _number(pipe: FileIO) -> int | None:
    """The next number from a pipe; None if its writers are gone."""
    raw = pipe.read(NUMBER.size)
    return NUMBER.unpack(raw)[0] if raw and len(raw) == NUMBER.size else None


def _not_started(why: str) -> Inconclusive:
    return Inconclusive(
        f"the process that reads untrusted files could not be started: {why}",
        "check whether this machine is out of memory or processes; otherwise reinstall repro-tui",
    )


class _Source:
    """The forker process: started at the first request, and again if it has ended."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.process: subprocess.Popen[bytes] | None = None
        self.socket: socket.socket | None = None

    def start_reader(self, request: bytes, cancel: CancelToken, deadline: float) -> _Forked:
        """The reader that handles this request. Raises Inconclusive if it cannot be started, and Cancelled."""
        for _ in range(2):  # if the forker was killed during the request, it is started again
            with contextlib.ExitStack() as files:
                output, status_pipe, forker = self._request(request, files)
                while not _readable(status_pipe, 0.1):
                    cancel.check()
                    if time.monotonic() > deadline:
                        raise _not_started("it took longer than the time limit for reading")
                pid = _number(status_pipe)
                if pid is not None:
                    files.pop_all()
                    return _Forked(output, status_pipe, pid)
                why = _failure_reason(output, forker)
            if why:
                break
        raise _not_started(why or "it was killed")

    def _request(self, request: bytes, files: contextlib.ExitStack) -> tuple[FileIO, FileIO, subprocess.Popen[bytes]]:
        """Sends a request; returns the pipes for the reader's output and status, and the forker that received it."""
        try:
            with contextlib.ExitStack() as theirs:
                (output, output_end), (status_pipe, status_end) = _pipe(files, theirs), _pipe(files, theirs)
                with self.lock:
                    return (
                        output,
                        status_pipe,
                        self._send(request, [output_end.fileno(), status_end.fileno()]),
                    )
        except OSError as error:
            raise _not_started(error.strerror or type(error).__name__) from error

    def _send(self, request: bytes, pipes: list[int]) -> subprocess.Popen[bytes]:
        if self.socket is not None and self.process is not None and self.process.poll() is None:
            with contextlib.suppress(ConnectionError):
                socket.send_fds(self.socket, [request], pipes)
                return self.process
        self.close()
        ours, forker = self._start()
        # If the connection is lost, the forker has ended, and has written the reason to its standard error.
        with contextlib.suppress(ConnectionError):
            socket.send_fds(ours, [request], pipes)
        return forker

    def _start(self) -> tuple[socket.socket, subprocess.Popen[bytes]]:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.settimeout(PATIENCE_S)
        self.socket = ours
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "repro_tui.formats.forked"],
                env=process.marked(_environment()),
                cwd="/",
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        return ours, self.process

    def close(self) -> None:
        """Ends the forker, and its readers with it."""
        if self.socket is not None:
            self.socket.close()
            self.socket = None
        if self.process is not None:
            with self.process as forker:
                try:
                    forker.wait(PATIENCE_S)
                except subprocess.TimeoutExpired:
                    forker.kill()
            self.process = None


def _pipe(ours: contextlib.ExitStack, theirs: contextlib.ExitStack) -> tuple[FileIO, FileIO]:
    """A pipe: the end that is read here, and the end that is passed on."""
    read, write = os.pipe()
    return ours.enter_context(FileIO(read)), theirs.enter_context(FileIO(write, "w"))


def _failure_reason(output: FileIO, forker: subprocess.Popen[bytes]) -> str:
    """Why a request failed: the last output of the reader or the forker; "" if the forker was killed."""
    text = output.read(KEPT) if _readable(output, 0.0) else b""
    if not text:
        try:
            if forker.wait(PATIENCE_S) < 0 or forker.stderr is None:
                return ""
            text = forker.stderr.read(KEPT)
        except (subprocess.TimeoutExpired, ValueError):  # another thread may have closed it
            text = b""
    return (
        show((text or b"").decode("utf-8", "replace").strip().rpartition("\n")[2], 300) or "it ended without any output"
    )


_source = _Source()
atexit.register(_source.close)


def _environment() -> dict[str, str]:
    root = str(import_root())
    return {
        "PATH": os.defpath,
        "PYTHONPATH": root,
        "HOME": "/nonexistent",
        "OMP_NUM_THREADS": "2",
        "OPENBLAS_NUM_THREADS": "1",
        "LC_ALL": "C.UTF-8",
    }
