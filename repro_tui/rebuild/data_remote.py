"""Fetches data from any URL that fsspec reads.

A file is streamed into the cache by a daemon thread, because a client library may hang in a call that nothing can
interrupt. The calling thread waits, and stops waiting when the audit is cancelled, or when nothing has arrived for
STALLED_S seconds; the thread is then left behind and its result is discarded. At most LARGEST bytes are read per file,
and MOST_FILES files per folder.
"""

from __future__ import annotations

import io
import re
import threading
import time
from contextlib import AbstractContextManager
from typing import BinaryIO, Protocol, cast

from repro_tui.model.errors import Cancelled, Inconclusive
from repro_tui.model.record import DataItem
from repro_tui.model.workspace import FetchedFile
from repro_tui.rebuild.data_store import MOST_FILES, Fetched, Fetching, as_file
from repro_tui.support.cache import Stored
from repro_tui.support.cancel import CancelToken
from repro_tui.support.context import Context
from repro_tui.support.extras import bring_scheme
from repro_tui.support.redact import strip_url, strip_urls
from repro_tui.support.text import show

STALLED_S = 60.0
LARGEST = 1 << 40
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


def fetch_url(item: DataItem, fetching: Fetching) -> Fetched:
    """The file or folder at a URL. An object in the cache with the recorded hash is used without a request.

    Raises Inconclusive where it cannot be fetched.
    """
    context = fetching.context
    stored = context.cache.find_object(sha256=item.sha256, md5=None if item.sha256 else item.md5)
    if stored:
        return Fetched({"": as_file(stored)}, True)
    system, path = open_system(item.source)
    if _is_folder(system, path, item.source):
        return Fetched(_folder(system, path, item.source, context), False)
    return Fetched({"": as_file(fetch_object(system, path, item.source, context))}, False)


def open_system(url: str) -> tuple[FileSystem, str]:
    """The fsspec file system of a URL, and the path in it. Raises Inconclusive, which names a missing package."""
    shown = show(strip_url(url), 300)
    if not _URL.fullmatch(url) or "::" in url:
        raise Inconclusive(
            f"{shown} is not a URL that data can be read from", "record a plain URL, without chaining (::)"
        )
    import fsspec
    from fsspec.registry import known_implementations

    protocol = url.partition("://")[0]
    try:
        system, path = fsspec.core.url_to_fs(url)
    except ImportError as error:
        hint = bring_scheme(protocol) or known_implementations.get(protocol, {}).get("err", "") or str(error)
        raise Inconclusive(f"{shown}: {protocol}:// needs a package that is not installed", show(hint, 200)) from error
    except Exception as error:
        raise _unreadable(url, error) from error
    return system, path


def fetch_object(system: FileSystem, path: str, url: str, context: Context) -> Stored:
    """Streams one remote file into the cache. Raises Inconclusive where it cannot be fetched, and Cancelled."""
    return _Transfer(system, path, url, context).wait()


def _folder(system: FileSystem, path: str, url: str, context: Context) -> dict[str, FetchedFile]:
    names = _list_files(system, path, url, context)
    files = {}
    for name in sorted(names):
        relative = name.removeprefix(path.rstrip("/") + "/")
        if relative.startswith("/") or ".." in relative.split("/"):
            raise Inconclusive(
                f"{show(strip_url(url), 300)} lists a path outside its folder: {show(relative, 200)}",
                "record single files",
            )
        files[relative] = as_file(fetch_object(system, name, url, context))
    return files


def _list_files(system: FileSystem, path: str, url: str, context: Context) -> list[str]:
    context.cancel.check()
    try:
        names = system.find(path)
    except Exception as error:
        raise _unreadable(url, error) from error
    if not names:
        raise Inconclusive(f"the folder {show(strip_url(url), 300)} is empty", "correct the URL")
    if len(names) > MOST_FILES:
        problem = f"the folder {show(strip_url(url), 300)} has {len(names):,} files, more than {MOST_FILES:,}"
        raise Inconclusive(problem, "record a smaller folder, or an archive")
    return names


def _is_folder(system: FileSystem, path: str, url: str) -> bool:
    if url.startswith(("http://", "https://")):
        return False
    try:
        return bool(system.isdir(path))
    except Exception as error:
        raise _unreadable(url, error) from error


def _unreadable(url: str, error: BaseException) -> Inconclusive:
    reason = show(strip_urls(str(error)) or type(error).__name__, 300)
    return Inconclusive(f"{show(strip_url(url), 300)} cannot be fetched: {reason}", _remedy(error))


def _remedy(error: BaseException) -> str:
    if isinstance(error, FileNotFoundError):
        return "correct the URL: there is no such file"
    if isinstance(error, PermissionError):
        return "set the credentials that its client reads, or ask for access"
    if isinstance(error, TimeoutError):
        return "check the network and the server, and run the audit again"
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
                    raise _unreadable(self.url, TimeoutError(f"nothing arrived for {STALLED_S:.0f} s"))
        finally:
            self.stop.cancel()
        if isinstance(self.error, Inconclusive):
            raise self.error
        if self.error is not None:
            raise _unreadable(self.url, self.error) from self.error
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
