"""HTTP requests to a served model: the job that is handed to a child process, and the outcome that it reports.

The child is `http_child`: a script without dependencies, so that it also runs inside a container with the image's own
Python. It exchanges two files with this side: the job (JSON) and `result.json`, next to the responses.
"""

from __future__ import annotations

import json
import os
import sys
from base64 import b64encode
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

from repro_tui.clients import http_child
from repro_tui.model.errors import Inconclusive
from repro_tui.support import process
from repro_tui.support.cancel import CancelToken
from repro_tui.support.regular import read_regular
from repro_tui.support.text import show

HTTP_CHILD = Path(http_child.__file__)
MOST_ANSWER = 64 << 20
MOST_RESULT = 8 << 20
MEMORY = 1 << 30
ATTEMPTS = 5
CONCURRENCY = 4
# Where the host keeps its trusted certificates: only a child on this machine may use them.
_CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR")


@dataclass(frozen=True, slots=True)
class Server:
    """The address of a server.

    `port` 0 means: find it among the listening ports, trying `ports` first. `prefix` is the path in front of the
    protocol's own; `query` and `headers` are sent with every request.
    """

    host: str = "127.0.0.1"
    port: int = 0
    scheme: str = "http"
    prefix: str = ""
    query: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    ports: tuple[int, ...] = ()

    def path(self, path: str) -> str:
        """A path of the protocol as this server expects it, with prefix and query."""
        return f"{self.prefix}{path}{'?' if self.query else ''}{self.query}"


def server_of(url: str, prefix: str) -> Server:
    """The server of a URL; its user and password become an HTTP basic Authorization header."""
    parts = urlsplit(url)
    headers = {}
    if parts.username is not None:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        headers["Authorization"] = "Basic " + b64encode(pair.encode()).decode()
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return Server(parts.hostname or "", port, parts.scheme, prefix, parts.query, headers)


@dataclass(frozen=True, slots=True)
class HttpQuestion:
    """One request: `body` is the file that is sent, `answer` the name of the file that the response is written to.

    `label` names the request in the log. For an optional request, any status counts as a response.
    """

    path: str
    answer: str
    label: str
    body: str = ""
    method: str = "POST"
    optional: bool = False


@dataclass(frozen=True, slots=True)
class HttpOutcome:
    """How a job ended.

    `statuses` has one HTTP status per request, 0 if there was no response. `failed` is the reason that the job
    stopped ("" if it did not), `label` the request that failed, `status` its HTTP status and `answer` the file with its
    response; `silence` says why an optional request has no response.
    """

    host: str = ""
    port: int = 0
    statuses: tuple[int, ...] = ()
    failed: str = ""
    label: str = ""
    status: int = 0
    answer: str = ""
    silence: str = ""
    timed_out: bool = False


@dataclass(frozen=True, slots=True)
class Job:
    """What the child does: it waits until the server is ready (at most `wait_s` seconds), then sends the requests."""

    server: Server
    requests: tuple[HttpQuestion, ...] = ()
    ready: tuple[str, ...] = ()
    strict: bool = True
    wait_s: float = 10.0
    timeout_s: float = 600.0
    attempts: int = ATTEMPTS

    def document(self, folder: str) -> str:
        """The job as JSON for the child; `folder` is where responses go, as the child sees it."""
        server = self.server
        requests = [asdict(request) | {"path": server.path(request.path)} for request in self.requests]
        document = {name: getattr(server, name) for name in ("host", "port", "scheme", "headers", "ports")}
        document |= {name: getattr(self, name) for name in ("strict", "wait_s", "timeout_s", "attempts")}
        ready = [server.path(path) for path in self.ready]
        own = {"requests": requests, "ready": ready, "folder": folder, "most": MOST_ANSWER, "concurrency": CONCURRENCY}
        return json.dumps(document | own)


def ask_from_here(
    job: Job, folder: Path, cancel: CancelToken, timeout_s: float, on_line: Callable[[str], None] | None = None
) -> HttpOutcome:
    """Runs a job from this machine, in a child limited to 1 GiB; job and responses are files in our own `folder`."""
    (folder / "result.json").unlink(missing_ok=True)
    path = folder / "job.json"
    path.touch(mode=0o600)
    path.write_text(job.document(str(folder)), "ascii")
    environment = {name: os.environ[name] for name in _CERTIFICATES if name in os.environ}
    done = process.run(
        [*process.limited(MEMORY), sys.executable, "-I", str(HTTP_CHILD), str(path)],
        environment={"PATH": os.defpath, "LC_ALL": "C.UTF-8"} | environment,
        cancel=cancel,
        timeout_s=max(0.1, timeout_s),
        keep=1 << 14,
        on_line=on_line,
    )
    if done.timed_out:
        return HttpOutcome(failed="it had not answered every request in time", timed_out=True)
    return read_result(folder, done.text)


def read_result(folder: Path, output: str = "") -> HttpOutcome:
    """The outcome that a child left in `folder`, which is untrusted if it ran inside a container.

    `output` is what the child printed, for the message. Raises Inconclusive if there is no valid result.
    """
    try:
        result = json.loads(read_regular(folder / "result.json", most=MOST_RESULT, links=False))
        failed = result["failed"] or {}
        return HttpOutcome(
            host=str(result["host"]),
            port=int(result["port"]),
            statuses=tuple(int(status) for status in result["statuses"]),
            failed=str(failed.get("reason", "")),
            label=str(failed.get("label", "")),
            status=int(failed.get("status", 0)),
            answer=_plain_name(failed.get("answer", "")),
            silence=str(result["silence"]),
        )
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        last = show(output.strip().rpartition("\n")[2], 300)
        raise Inconclusive(
            f"the process that queries the server ended without a result{f': {last}' if last else ''}",
            "see the run's log",
        ) from error


def _plain_name(name: object) -> str:
    text = str(name)
    return text if "/" not in text and text not in (".", "..") else ""


def answer_of(folder: Path, name: str) -> object:
    """A small response parsed as JSON; None if it is absent or cannot be read."""
    try:
        document: object = json.loads(read_regular(folder / name, most=MOST_RESULT, links=False))
    except (OSError, ValueError, RecursionError):
        return None
    return document


def refusal_message(folder: Path, name: str) -> str:
    """The server's own message when it refused a request: from its JSON, else the beginning of its text."""
    try:
        raw = read_regular(folder / name, most=MOST_RESULT, links=False) if name else b""
    except (OSError, ValueError):
        return ""
    try:
        refusal = json.loads(raw)
    except (ValueError, RecursionError):
        refusal = None
    if isinstance(refusal, dict):
        refusal = next((refusal[key] for key in ("message", "error", "detail") if refusal.get(key)), None)
        if refusal is not None:
            return show(refusal, 400)
    return show(" ".join(raw[:2000].decode("utf-8", "replace").split()), 300)
