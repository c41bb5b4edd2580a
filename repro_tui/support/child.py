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
from repro_tui.support.text import show

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
        "folder": _standing(),
        "home": str(cache.root),
    }
    began = time.monotonic()
    reader = _forker.ask(json.dumps(question).encode("ascii"), cancel)
    return process.attend(reader, began, cancel, timeout_s, KEPT)


def _standing() -> str:
    try:
        return str(Path.cwd())
    except FileNotFoundError:  # it was removed meanwhile
        return "/"


class _Reader:
    """A reader that was forked for this program, held as a child of its own is: see process.Child."""

    def __init__(self, words: FileIO, told: FileIO, pid: int) -> None:
        self.stdout, self._told, self.pid = words, told, pid
        self._status: int | None = None

    def poll(self) -> int | None:
        return self._wait(0.0)

    def wait(self, timeout: float | None = None) -> int:
        status = self._wait(timeout)
        if status is None:
            raise subprocess.TimeoutExpired("a reader", timeout or 0.0)
        return status

    def _wait(self, timeout: float | None) -> int | None:
        if self._status is None and select.select([self._told], [], [], timeout)[0]:
            status = _number(self._told)
            self._status = -signal.SIGKILL if status is None else status
        if self._status is not None:
            self._told.close()
        return self._status


def _number(told: FileIO) -> int | None:
    """What is told next; None where nobody is left to tell it."""
    raw = told.read(NUMBER.size)
    return NUMBER.unpack(raw)[0] if raw and len(raw) == NUMBER.size else None


def _not_started(why: str) -> Inconclusive:
    return Inconclusive(
        f"the process that reads tables could not be started: {why}",
        "see whether this machine is out of memory or processes; else install repro-tui again",
    )


class _Forker:
    """The process that readers are forked from: started at the first question, and again where it has ended."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.process: subprocess.Popen[bytes] | None = None
        self.socket: socket.socket | None = None

    def ask(self, question: bytes, cancel: CancelToken) -> _Reader:
        """The reader that works at this question. Raises Inconclusive where there is none, and Cancelled."""
        found = self._reader(question, cancel)
        if found == "":  # it was asked while something ended it: the next is a new one
            found = self._reader(question, cancel)
        if isinstance(found, _Reader):
            return found
        raise _not_started(found or "it was ended")

    def _reader(self, question: bytes, cancel: CancelToken) -> _Reader | str:
        """A reader, or why there is none: the last words of whoever should have been it."""
        words, told = self._asked(question)
        try:
            while not select.select([told], [], [], 0.1)[0]:
                cancel.check()
            pid = _number(told)
            if pid is not None:
                return _Reader(words, told, pid)
            why = self._why(words)
        except BaseException:
            words.close()
            told.close()
            raise
        words.close()
        told.close()
        return why

    def _asked(self, question: bytes) -> tuple[FileIO, FileIO]:
        """The pipes of the reader's words, and of its process id and exit status."""
        words, words_in = os.pipe()
        told, told_in = os.pipe()
        try:
            with self.lock:
                self._send(question, [words_in, told_in])
        except OSError as error:
            os.close(words)
            os.close(told)
            raise _not_started(error.strerror or type(error).__name__) from error
        finally:
            os.close(words_in)
            os.close(told_in)
        return FileIO(words), FileIO(told)

    def _why(self, words: FileIO) -> str:
        """What the reader, or else the process that should have forked it, said in the end."""
        said = words.read(KEPT) or b""
        with self.lock:
            if not said and self.process is not None and self.process.stderr is not None:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self.process.wait(10)
                    said = self.process.stderr.read(KEPT)
        return show(said.decode("utf-8", "replace").strip().rpartition("\n")[2], 300)

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
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        return self.socket

    def close(self) -> None:
        """Its readers end with it."""
        if self.socket is not None:
            self.socket.close()
            self.socket = None
        if self.process is not None:
            with self.process:
                pass
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
