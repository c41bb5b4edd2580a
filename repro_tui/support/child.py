"""A Python process of our own for bytes that nobody trusts: it is limited in memory and time, and may crash."""

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

from repro_tui.model.errors import Inconclusive
from repro_tui.support import process
from repro_tui.support.cache import Cache
from repro_tui.support.cancel import CancelToken
from repro_tui.support.forked import NUMBER

KEPT = 1 << 16


def python_child(
    module: str, arguments: Sequence[str], *, cache: Cache, cancel: CancelToken, memory: int, timeout_s: float
) -> process.Completed:
    """Runs the module's `main` with at most `memory` bytes of address space; the last 64 KiB that it says are kept.

    It is forked from a process that has already imported what readers need (support.forked), which this program starts
    at its first question and which ends with it. Raises Inconclusive where it cannot be started, and Cancelled.
    """
    question = {
        "module": module,
        "arguments": list(arguments),
        "memory": memory,
        "folder": str(Path.cwd()),
        "home": str(cache.root),
    }
    began = time.monotonic()
    return process.attend(_forker.ask(json.dumps(question).encode("ascii")), began, cancel, timeout_s, KEPT)


class _Reader:
    """A reader that was forked for this program, held as a child of its own is: see process.Child."""

    def __init__(self, words: int, told: int) -> None:
        self.stdout = FileIO(words)
        self._told = FileIO(told)
        self._status: int | None = None
        self.pid = self._number() or 0
        if not self.pid:  # there is nothing to wait for: its words are why
            self._status = -signal.SIGKILL

    def poll(self) -> int | None:
        return self._wait(0.0)

    def wait(self, timeout: float | None = None) -> int:
        status = self._wait(timeout)
        if status is None:
            raise subprocess.TimeoutExpired("a reader", timeout or 0.0)
        return status

    def _wait(self, timeout: float | None) -> int | None:
        if self._status is None and select.select([self._told], [], [], timeout)[0]:
            status = self._number()
            self._status = -signal.SIGKILL if status is None else status
        if self._status is not None:
            self._told.close()
        return self._status

    def _number(self) -> int | None:
        """What is told next; None where the process that tells it is gone."""
        raw = self._told.read(NUMBER.size)
        return NUMBER.unpack(raw)[0] if raw and len(raw) == NUMBER.size else None


class _Forker:
    """The process that readers are forked from: started at the first question, and again where it has ended."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.process: subprocess.Popen[bytes] | None = None
        self.socket: socket.socket | None = None

    def ask(self, question: bytes) -> _Reader:
        words, words_in = os.pipe()
        told, told_in = os.pipe()
        try:
            with self.lock:
                self._send(question, [words_in, told_in])
        except OSError as error:
            os.close(words)
            os.close(told)
            raise Inconclusive(f"the reader of tables could not be started: {error.strerror}") from error
        finally:
            os.close(words_in)
            os.close(told_in)
        return _Reader(words, told)

    def _send(self, question: bytes, pipes: list[int]) -> None:
        if self.socket is not None and self.process is not None and self.process.poll() is None:
            with contextlib.suppress(BrokenPipeError, ConnectionError):
                socket.send_fds(self.socket, [question], pipes)
                return
        self.close()
        socket.send_fds(self._start(), [question], pipes)

    def _start(self) -> socket.socket:
        self.socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "repro_tui.support.forked"],
                env=_environment(),
                cwd="/",
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        return self.socket

    def close(self) -> None:
        """Its readers end with it."""
        if self.socket is not None:
            self.socket.close()
            self.socket = None
        if self.process is not None:
            self.process.wait()
            self.process = None


_forker = _Forker()
atexit.register(_forker.close)


def _environment() -> dict[str, str]:
    import repro_tui

    root = str(Path(repro_tui.__file__).parent.parent)
    return {
        "PATH": os.defpath,
        "PYTHONPATH": root,
        "HOME": "/nonexistent",
        "OMP_NUM_THREADS": "2",
        "OPENBLAS_NUM_THREADS": "1",
        "LC_ALL": "C.UTF-8",
    }
