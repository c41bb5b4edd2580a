"""Another system's own client behind a process of its own, with a limit of time: one line of JSON comes back."""

from __future__ import annotations

import json
import socket
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
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
    """An empty folder for a client to stand in and to leave things in; it is removed afterwards."""
    folder = context.cache.temporary()
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        remove_tree(folder)


@dataclass(frozen=True, slots=True)
class ClientChild:
    """A system that is asked: its name as it is said, what to do where it does not answer, and the time in seconds."""

    name: str
    do: str
    timeout_s: float

    def answer(
        self, words: tuple[str, ...], environment: Mapping[str, str], standing: Path, context: Context
    ) -> dict[str, Any]:
        """The last line of `python -m WORDS`. Raises Inconclusive where there is no answer, or it is an error."""
        done = process.run(
            [sys.executable, "-m", *words],
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
            said = show(context.redactor.scrub(strip_urls(str(answer["error"]))), 400)
            raise Inconclusive(f"{self.name}: {said}", str(answer.get("do") or self.do))
        return answer


def must_answer(uri: str, variable: str, asked: ClientChild) -> None:
    """Raises Inconclusive at once where nothing listens at a server's address, which the variable names; what a proxy
    leads to is not tried."""
    try:
        parts = urlsplit(uri)
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError as error:
        raise Inconclusive(f"{variable} is not a readable URL", "correct it") from error
    host = parts.hostname or ""
    proxied = {parts.scheme, "all"} & getproxies().keys() and not proxy_bypass(host)
    if parts.scheme not in ("http", "https") or proxied:
        return
    try:
        socket.create_connection((host, port), timeout=CONNECT_S).close()
    except OSError as error:
        raise Inconclusive(f"{asked.name}: nothing answers there ({error.strerror or error})", asked.do) from error
    except UnicodeError as error:
        raise Inconclusive(f"{variable} names no host that can be looked up", "correct it") from error


def _parsed(text: str) -> dict[str, Any]:
    last = text.strip().rpartition("\n")[2]
    try:
        answer = json.loads(last)
    except ValueError:
        answer = None
    return answer if isinstance(answer, dict) else {"error": f"its client ended with: {last}"}
