"""Fetches data from any URL that fsspec reads: one file, or every file of a folder (at most MOST_FILES)."""

from __future__ import annotations

from repro_tui.clients.remote_files import FileSystem, fetch_object, open_system, unreadable
from repro_tui.model.errors import Inconclusive
from repro_tui.model.record import DataItem
from repro_tui.model.workspace import FetchedFile
from repro_tui.rebuild.data_store import MOST_FILES, Fetched, Fetching, as_file
from repro_tui.support.context import Context
from repro_tui.support.redact import strip_url
from repro_tui.support.text import show


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
        raise unreadable(url, error) from error
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
        raise unreadable(url, error) from error
