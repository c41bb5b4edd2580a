"""Reads files from any URL that fsspec reads.

A file is streamed into the cache by a daemon thread, because a client library may hang in a call that nothing can
interrupt. The calling thread waits, and stops waiting when the audit is cancelled, or when nothing has arrived for
STALLED_S seconds; the thread is then left behind and its result is discarded. At most LARGEST bytes are read per file.
"""

from __future__ import annotations

import io
import re
import socket
import threading
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any, BinaryIO, Protocol, cast
from urllib.parse import urlsplit

from repro_tui.clients.remote_clients import client_of
from repro_tui.model.errors import Cancelled, Inconclusive
from repro_tui.support.cache import Stored
from repro_tui.support.cancel import CancelToken
from repro_tui.support.context import Context
from repro_tui.support.extras import bring_scheme
from repro_tui.support.redact import strip_url, strip_urls
from repro_tui.support.text import show

STALLED_S = 60.0
LARGEST = 1 << 40
OTHER_PLACE = "copy the data to where https, S3, Google Cloud, Azure or ssh reads it, or to this machine"
KNOWN_HOST = "connect to it once with ssh, and check its key, which is then kept in ~/.ssh/known_hosts"
REACH = "check the network and the server, and run the audit again"
NO_CONNECTION = frozenset(
    {
        *("ClientConnectorError", "ClientConnectorDNSError", "ConnectionTimeoutError"),  # aiohttp: http, gs, S3
        *("EndpointConnectionError", "ConnectTimeoutError", "ServiceRequestError"),  # botocore, azure
        *("NoValidConnectionsError",),  # paramiko
    }
)
_QUOTED_URL = re.compile(r"""[a-z][a-z0-9+.-]*://[^\s"'<>]+""")
_URL = re.compile(r"[a-z][a-z0-9+.-]*://[^\s]+")


class FileSystem(Protocol):
    """What is used of an fsspec file system."""

    def find(self, path: str) -> list[str]:
        """The paths of all files below a folder."""
        ...

    def isdir(self, path: str) -> bool:
        """Whether a path is a folder."""
        ...

    def exists(self, path: str) -> bool:
        """Whether a path exists."""
        ...

    def open(self, path: str, mode: str) -> AbstractContextManager[BinaryIO]:
        """A file, open for reading."""
        ...


def open_system(url: str, options: Mapping[str, Any] | None = None) -> tuple[FileSystem, str]:
    """The fsspec file system of a URL, made with these options of its client, and the path in it.

    Raises Inconclusive, which names a missing package.
    """
    shown = show(strip_url(url), 300)
    if not _URL.fullmatch(url) or "::" in url:
        raise Inconclusive(
            f"{shown} is not a URL that data can be read from", "record a plain URL, without chaining (::)"
        )
    from fsspec.registry import known_implementations

    protocol = url.partition("://")[0]
    try:
        system, path = client_of(url, options or {})
    except ImportError as error:
        hint = bring_scheme(protocol) or known_implementations.get(protocol, {}).get("err", "") or str(error)
        raise Inconclusive(
            f"{show(_server(url), 300)}: {protocol}:// needs a package that is not installed", show(hint, 200)
        ) from error
    except Exception as error:
        if isinstance(error, ValueError) and str(error).startswith("Protocol not known"):
            raise Inconclusive(f"{shown}: there is no client for {protocol}://", OTHER_PLACE) from error
        raise unreadable(url, error) from error
    return system, path


def fetch_object(system: FileSystem, path: str, url: str, context: Context) -> Stored:
    """Streams one remote file into the cache. Raises Inconclusive where it cannot be fetched, and Cancelled.

    A server that could not be reached in this audit is not waited for again.
    """
    key = (_server(url), "")
    if known := context.unreachable.get(key):
        raise Inconclusive(known.what, known.do) from known.__cause__
    try:
        return _Transfer(system, path, url, context).wait()
    except Inconclusive as error:
        if _is_unreachable(error.__cause__):
            context.unreachable[key] = error
        raise


def is_absent(error: BaseException | None) -> bool:
    """Whether an error says that there is no such file, rather than that its server cannot be asked.

    fsspec's http client says of every failure that the file was not found, and gives the reason as its cause; sshfs
    gives its library's own error.
    """
    if not isinstance(error, FileNotFoundError) or "bucket" in str(error).lower():
        return False
    cause = error.__cause__
    return cause is None or getattr(cause, "status", 0) in (404, 410) or type(cause).__name__ == "SFTPNoSuchFile"


def unreadable(url: str, error: BaseException) -> Inconclusive:
    """The error of a file that cannot be read, with the reason and what to do about it.

    The error of a server that cannot be reached names the server, not the file: it is the same for all its files.
    """
    if isinstance(error, FileNotFoundError) and error.__cause__ is not None and not is_absent(error):
        error = error.__cause__
    if _is_unreachable(error):
        reason = _QUOTED_URL.sub(lambda match: _server(match.group()), str(error)) or type(error).__name__
        return Inconclusive(f"{show(_server(url), 300)} cannot be reached: {show(reason, 300)}", REACH)
    reason = show(strip_urls(str(error)) or type(error).__name__, 300)
    return Inconclusive(f"{show(strip_url(url), 300)} cannot be fetched: {reason}", _remedy(error))


def _server(url: str) -> str:
    """The server of a URL, or the bucket, without credentials."""
    parts = urlsplit(strip_url(url))
    return f"{parts.scheme}://{parts.netloc}"


def _is_unreachable(error: BaseException | None) -> bool:
    """Whether an error, or one that caused it, is that of a connection that was not made.

    The clients have classes of their own for this, which may not be installed: they are known by their names.
    """
    while error is not None:
        if isinstance(error, ConnectionError | socket.gaierror) or type(error).__name__ in NO_CONNECTION:
            return True
        error = error.__cause__
    return False


def _remedy(error: BaseException) -> str:
    if isinstance(error, FileNotFoundError):
        return "correct the URL: there is no such file"
    if type(error).__name__ == "HostKeyNotVerifiable":
        return KNOWN_HOST
    denied = isinstance(error, PermissionError) or type(error).__name__ == "SFTPPermissionDenied"
    if denied or getattr(error, "status", 0) in (401, 403):
        return "set the credentials that its client reads, or ask for access"
    if isinstance(error, TimeoutError):
        return REACH
    return "check the URL, the network, and the credentials that its client reads"


class _Transfer:
    """The transfer of one file by a daemon thread; see the module for why."""

    def __init__(self, system: FileSystem, path: str, url: str, context: Context) -> None:
        self.system, self.path, self.url, self.context = system, path, url, context
        self.last_arrival, self.stop, self.ended = time.monotonic(), CancelToken(), threading.Event()
        self.stored: Stored | None = None
        self.error: BaseException | None = None

    def wait(self) -> Stored:
        threading.Thread(target=self._run, name="fetch", daemon=True).start()
        try:
            while not self.ended.wait(0.1):
                self.context.cancel.check()
                if time.monotonic() - self.last_arrival > STALLED_S:
                    raise unreadable(self.url, TimeoutError(f"nothing arrived for {STALLED_S:.0f} s"))
        finally:
            self.stop.cancel()
        if isinstance(self.error, Inconclusive):
            raise self.error
        if self.error is not None:
            raise unreadable(self.url, self.error) from self.error
        assert self.stored is not None
        return self.stored

    def _run(self) -> None:
        try:
            with self.system.open(self.path, "rb") as stream:
                self.stored = self.context.cache.add_object(
                    cast(BinaryIO, _WatchedStream(stream, self)), self.stop, limit=LARGEST
                )
        except (Exception, Cancelled) as error:  # noqa: BLE001 - raised by wait
            self.error = error
        finally:
            self.ended.set()


class _WatchedStream(io.RawIOBase):
    """A stream that notes when bytes last arrived."""

    def __init__(self, stream: BinaryIO, transfer: _Transfer) -> None:
        super().__init__()
        self._stream, self._transfer = stream, transfer

    def read(self, size: int = -1, /) -> bytes:
        chunk = self._stream.read(size)
        self._transfer.last_arrival = time.monotonic()
        return chunk
