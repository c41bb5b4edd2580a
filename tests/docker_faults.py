"""A relay before the real Docker engine, which cuts, truncates or stalls one request of all that pass."""

from __future__ import annotations

import contextlib
import re
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

Fault = Literal["request", "answer", "body", "stall", "late"]
LATE_S = 5.0
ENGINE = "/var/run/docker.sock"
_NAMED = ("containers", "images", "exec", "volumes", "distribution")


@dataclass
class FaultyEngine:
    """Relays to the engine. The `at`-th request (from 0) meets the fault, as does the first of the call `call`.

    "request": the connection is cut before the engine gets it; "answer": after it has; "body": in the middle of the
    answer; "stall": nobody answers; "late": the engine gets it after LATE_S seconds. `calls` are all that came, without
    names and parameters.
    """

    path: Path
    fault: Fault = "request"
    at: int = -1
    call: str = ""
    calls: list[str] = field(default_factory=list)
    met: bool = False
    ends: list[socket.socket] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(self.path))
        self.listener.listen(50)
        self.closed = threading.Event()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self.listener.accept()
                self.ends.append(near)
                threading.Thread(target=self._relay, args=(near,), daemon=True).start()

    def _relay(self, near: socket.socket) -> None:
        far = socket.socket(socket.AF_UNIX)
        self.ends.append(far)
        truncate, stalled = threading.Event(), threading.Event()
        with contextlib.suppress(OSError), far, near:
            far.connect(ENGINE)
            threading.Thread(target=self._answers, args=(far, near, truncate, stalled), daemon=True).start()
            for request, rest in _requests(near):
                if self._hits(request):
                    if self.fault == "request":
                        break
                    if self.fault == "stall":
                        stalled.set()
                        self.closed.wait()
                        break
                    if self.fault == "late":
                        self.closed.wait(LATE_S)
                    else:
                        truncate.set()
                far.sendall(request)
                for chunk in rest:
                    far.sendall(chunk)
            if not truncate.is_set():
                _shut(near, far)

    def _hits(self, request: bytes) -> bool:
        method, target, _ = request.split(b"\r\n", 1)[0].decode("latin-1").split(" ", 2)
        call = f"{method} {_without_names(target)}"
        with self.lock:
            number = len(self.calls)
            self.calls.append(call)
            hit = not self.met and (number == self.at or call == self.call)
            self.met = self.met or hit
        return hit

    def _answers(
        self, far: socket.socket, near: socket.socket, truncate: threading.Event, stalled: threading.Event
    ) -> None:
        with contextlib.suppress(OSError):
            while content := far.recv(65536):
                if truncate.is_set():
                    head = content.find(b"\r\n\r\n") + 4
                    near.sendall(content[: head + (len(content) - head) // 2] if self.fault == "body" else b"")
                    break
                near.sendall(content)
        if not stalled.is_set():  # the engine closes a connection on which nothing comes: that would be an answer
            _shut(near, far)

    def close(self) -> None:
        """Ends every connection."""
        self.closed.set()
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        _shut(*self.ends)
        for end in self.ends:
            end.close()


def _without_names(target: str) -> str:
    """The path of a request, with X for the name of an image or container, without version and parameters."""
    parts = re.sub(r"^/v[\d.]+", "", target).partition("?")[0].strip("/").split("/")
    if parts[0] in _NAMED and len(parts) > 1 and parts[1] not in ("create", "json"):
        parts = [parts[0], "X", *parts[2:][-1:]]
    return "/" + "/".join(parts)


def _shut(*ends: socket.socket) -> None:
    for end in ends:
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


def _requests(near: socket.socket) -> Iterator[tuple[bytes, Iterator[bytes]]]:
    """The requests of a connection: what came with the headers, and the rest of the body, which is to be read."""
    pending = b""
    while True:
        while b"\r\n\r\n" not in pending:
            more = near.recv(65536)
            if not more:
                return
            pending += more
        head, _, body = pending.partition(b"\r\n\r\n")
        lower = head.lower()
        length = re.search(rb"content-length: (\d+)", lower)
        if b"chunked" in lower or b"upgrade: tcp" in lower:  # the last request of its connection, as far as we see
            yield pending, iter(lambda: near.recv(65536), b"")
            return
        size = int(length.group(1)) if length else 0
        yield head + b"\r\n\r\n" + body[:size], _rest(near, size - len(body))
        pending = body[size:]


def _rest(near: socket.socket, missing: int) -> Iterator[bytes]:
    while missing > 0 and (chunk := near.recv(min(missing, 65536))):
        missing -= len(chunk)
        yield chunk


@contextlib.contextmanager
def faulty_engine(path: Path, fault: Fault = "request", *, at: int = -1, call: str = "") -> Iterator[FaultyEngine]:
    """A relay at this path for the time of the block."""
    relay = FaultyEngine(path, fault, at, call)
    try:
        yield relay
    finally:
        relay.close()
