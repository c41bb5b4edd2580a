"""Runs another system's own client library in a child process with a time limit; it answers with one line of JSON."""

from __future__ import annotations

import json
import socket
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from repro_tui.model.errors import Inconclusive
from repro_tui.support import process
from repro_tui.support.cache import remove_tree
from repro_tui.support.context import Context
from repro_tui.support.redact import strip_urls
from repro_tui.support.text import show

CONNECT_S = 10.0


@contextmanager
def standing_folder(context: Context) -> Iterator[Path]:
    """An empty working directory for a client, which may leave files in it; it is removed afterwards."""
    folder = context.cache.temporary()
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        remove_tree(folder)


@dataclass(frozen=True, slots=True)
class ClientChild:
    """An external system: its name for messages, the remedy if it does not answer, and the time limit in seconds."""

    name: str
    do: str
    timeout_s: float

    def answer(
        self, arguments: tuple[str, ...], environment: Mapping[str, str], standing: Path, context: Context
    ) -> dict[str, object]:
        """The JSON object on the last line of `python -m ARGUMENTS`, run in the folder `standing`.

        Raises Inconclusive if the client does not answer in time, answers with an error, or crashes.
        """
        done = process.run(
            [sys.executable, "-m", *arguments],
            environment=environment,
            cancel=context.cancel,
            folder=standing,
            timeout_s=self.timeout_s,
            keep=16 << 20,
        )
        if done.timed_out:
            raise Inconclusive(f"{self.name} did not answer within {self.timeout_s:g} s", self.do)
        answer = _parsed(done.text)
        if "error" in answer:
            error = show(context.redactor.scrub(strip_urls(str(answer["error"]))), 400)
            raise Inconclusive(f"{self.name}: {error}", str(answer.get("do") or self.do))
        return answer


def must_answer(uri: str, variable: str, client: ClientChild) -> None:
    """Raises Inconclusive at once where nothing is listening at the address of a server, which `variable` holds.

    An address that is reached through a proxy is not tried.
    """
    try:
        parts = urlsplit(uri)
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError as error:
        raise Inconclusive(f"{variable} is not a valid URL", f"correct {variable}") from error
    host = parts.hostname or ""
    proxied = {parts.scheme, "all"} & getproxies().keys() and not proxy_bypass(host)
    if parts.scheme not in ("http", "https") or proxied:
        return
    try:
        socket.create_connection((host, port), timeout=CONNECT_S).close()
    except OSError as error:
        raise Inconclusive(f"{client.name}: the connection failed ({error.strerror or error})", client.do) from error
    except UnicodeError as error:
        raise Inconclusive(f"the host name in {variable} is not valid", f"correct {variable}") from error


def _parsed(text: str) -> dict[str, object]:
    last = text.strip().rpartition("\n")[2]
    try:
        answer = json.loads(last)
    except (ValueError, RecursionError):
        answer = None
    return (
        answer
        if isinstance(answer, dict)
        else {"error": f"its client ended without an answer; its last line was: {last}"}
    )
