"""Asking a server: what is asked of which address, by a process of its own, and what came of it."""

from __future__ import annotations

import json
import os
import stat
import sys
from base64 import b64encode
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from repro_tui.clients import http_child as asker
from repro_tui.model.errors import Inconclusive
from repro_tui.support import process
from repro_tui.support.cancel import CancelToken
from repro_tui.support.text import show

ASKER = Path(asker.__file__)
MOST_ANSWER = 64 << 20
MOST_RESULT = 8 << 20
MEMORY = 1 << 30
ATTEMPTS = 5
CONCURRENCY = 4
# Where the host keeps the certificates that it trusts, which an asker on this machine may know.
_CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR")


@dataclass(frozen=True, slots=True)
class Server:
    """Where a server is. `port` 0: it is found among those that are listened at, `ports` first. `prefix` is the path
    before the protocol's own, `query` and `headers` go with every question."""

    host: str = "127.0.0.1"
    port: int = 0
    scheme: str = "http"
    prefix: str = ""
    query: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    ports: tuple[int, ...] = ()

    def path(self, path: str) -> str:
        """A path of the protocol as this server is asked for it."""
        return f"{self.prefix}{path}{'?' if self.query else ''}{self.query}"


def server_of(url: str, prefix: str) -> Server:
    """The server of a URL, whose user and password are handed over as HTTP's basic authorization."""
    parts = urlsplit(url)
    headers = {}
    if parts.username is not None:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        headers["Authorization"] = "Basic " + b64encode(pair.encode()).decode()
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return Server(parts.hostname or "", port, parts.scheme, prefix, parts.query, headers)


@dataclass(frozen=True, slots=True)
class HttpQuestion:
    """One question: `body` is the file that is sent, `answer` the name of the file that takes what comes back.

    `words` say in the log what is asked. Of an optional question any status is an answer.
    """

    path: str
    answer: str
    words: str
    body: str = ""
    method: str = "POST"
    optional: bool = False


@dataclass(frozen=True, slots=True)
class HttpOutcome:
    """How it ended. `statuses` are HTTP's, one a question, 0 where there was no answer. `failed` says what stopped it
    ("" where nothing did), `words` at which question, and `status` with which status of HTTP; `silence` why an optional
    question has no answer."""

    host: str = ""
    port: int = 0
    statuses: tuple[int, ...] = ()
    failed: str = ""
    words: str = ""
    status: int = 0
    answer: str = ""
    silence: str = ""
    timed_out: bool = False


@dataclass(frozen=True, slots=True)
class Job:
    """What an asker does: waits until the server is ready (at most `wait_s`), then asks."""

    server: Server
    asks: tuple[HttpQuestion, ...] = ()
    ready: tuple[str, ...] = ()
    strict: bool = True
    wait_s: float = 10.0
    timeout_s: float = 600.0
    attempts: int = ATTEMPTS

    def document(self, folder: str) -> str:
        """The job as the asker reads it; `folder` is where answers go, as it sees it."""
        server = self.server
        asks = [asdict(ask) | {"path": server.path(ask.path)} for ask in self.asks]
        told = {name: getattr(server, name) for name in ("host", "port", "scheme", "headers", "ports")}
        told |= {name: getattr(self, name) for name in ("strict", "wait_s", "timeout_s", "attempts")}
        ready = [server.path(path) for path in self.ready]
        own = {"asks": asks, "ready": ready, "folder": folder, "most": MOST_ANSWER, "concurrency": CONCURRENCY}
        return json.dumps(told | own)


def ask_from_here(
    job: Job, folder: Path, cancel: CancelToken, timeout_s: float, on_line: Callable[[str], None] | None = None
) -> HttpOutcome:
    """Asks from this machine, in a child that may take 1 GiB; job and answers are files of `folder`, which is ours."""
    (folder / "result.json").unlink(missing_ok=True)
    path = folder / "job.json"
    path.touch(mode=0o600)
    path.write_text(job.document(str(folder)), "ascii")
    environment = {name: os.environ[name] for name in _CERTIFICATES if name in os.environ}
    done = process.run(
        [*process.limited(MEMORY), sys.executable, "-I", str(ASKER), str(path)],
        environment={"PATH": os.defpath, "LC_ALL": "C.UTF-8"} | environment,
        cancel=cancel,
        timeout_s=max(0.1, timeout_s),
        keep=1 << 14,
        on_line=on_line,
    )
    if done.timed_out:
        return HttpOutcome(failed="it had not answered everything in time", timed_out=True)
    return read_result(folder, done.text)


def read_result(folder: Path, said: str = "") -> HttpOutcome:
    """What an asker left in `folder`; nobody trusts one that ran inside a container. `said` are its last words."""
    try:
        told = json.loads(read_regular(folder / "result.json", MOST_RESULT))
        failed = told["failed"] or {}
        return HttpOutcome(
            host=str(told["host"]),
            port=int(told["port"]),
            statuses=tuple(int(status) for status in told["statuses"]),
            failed=str(failed.get("what", "")),
            words=str(failed.get("words", "")),
            status=int(failed.get("status", 0)),
            answer=_plain_name(failed.get("answer", "")),
            silence=str(told["silence"]),
        )
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        last = show(said.strip().rpartition("\n")[2], 300)
        raise Inconclusive(
            f"what asks the server ended without a result{f': {last}' if last else ''}", "see the run's log"
        ) from error


def _plain_name(name: Any) -> str:
    text = str(name)
    return text if "/" not in text and text not in (".", "..") else ""


def read_regular(path: Path, most: int) -> bytes:
    """A regular file's bytes, never through a link. Raises OSError, ValueError where it holds more than `most`."""
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(handle, "rb") as stream:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise ValueError("it is not a regular file")
        content = stream.read(most + 1)
    if len(content) > most:
        raise ValueError(f"it has more than {most:,} bytes")
    return content


def answer_of(folder: Path, name: str) -> Any:
    """A small answer as JSON; None where there is none that can be read."""
    try:
        return json.loads(read_regular(folder / name, MOST_RESULT))
    except (OSError, ValueError, RecursionError):
        return None


def first_words(folder: Path, name: str) -> str:
    """What a server said when it refused: the message of its JSON, else its first words."""
    try:
        raw = read_regular(folder / name, MOST_RESULT) if name else b""
    except (OSError, ValueError):
        return ""
    try:
        told = json.loads(raw)
    except (ValueError, RecursionError):
        told = None
    if isinstance(told, dict):
        told = next((told[key] for key in ("message", "error", "detail") if told.get(key)), None)
        if told is not None:
            return show(told, 400)
    return show(" ".join(raw[:2000].decode("utf-8", "replace").split()), 300)
