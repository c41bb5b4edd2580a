"""The manifest of a folder in the cache: the mode and the content of everything below it when it was built.

Idea: a stat proves nothing about bytes that changed below the file system (a failing disk or memory, or a write to the
device), so every file is read and its BLAKE3 is compared once in every process, which an audit has one of. Later
requests in the same process compare stats only, and read a file whose stat has changed since.

Cost: 12,000 files of 1 GB in the page cache take 0.4 s on two cores, mostly for opening the files.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import cast

from repro_tui.support.hashes import CHUNK
from repro_tui.support.plain import write_json

READERS = min(8, 2 * (os.cpu_count() or 1))
PART = 64  # files that a thread reads before it asks whether the audit was stopped
FOLDER, LINK = "folder", "link "

Stamp = tuple[int, int, int, int, int]
Entries = dict[str, Stamp]
Sums = dict[str, list[object]]
"""Relative path to mode and content."""


class DamagedFolder(Exception):
    """A folder of the cache is not what was built; the message names the first difference."""


def write_manifest(folder: Path, manifest: Path, check: Callable[[], None], temporary: Path) -> Entries:
    """Reads everything below a folder that was just built and writes its manifest, by way of the file `temporary`.

    Returns the stats of now.
    """
    entries = scan(folder)
    contents = _contents(folder, entries, check)
    sums = {name: [stamp[4], contents[name]] for name, stamp in entries.items()}
    write_json(manifest, {"entries": sums}, indent=None, temporary=temporary)
    return entries


def read_manifest(manifest: Path) -> Sums:
    """What a manifest says.

    Raises FileNotFoundError where there is none of this version, and DamagedFolder where it cannot be read.
    """
    try:
        document = json.loads(manifest.read_text("ascii"))
    except FileNotFoundError:
        raise
    except (OSError, ValueError, RecursionError) as error:
        raise DamagedFolder("its manifest cannot be read") from error
    if not isinstance(document, dict) or "entries" not in document:
        raise FileNotFoundError(f"{manifest} is of an older version")
    return cast("Sums", document["entries"])


def verify_folder(folder: Path, sums: Sums, verified: Mapping[str, Stamp], check: Callable[[], None]) -> Entries:
    """Compares a folder with its manifest and returns the stats as they are now.

    Everything is read but the entries whose stat is in `verified`, those that this process has read before. `check` may
    raise Cancelled. Raises DamagedFolder.
    """
    entries = scan(folder)
    if unequal := entries.keys() ^ sums.keys():
        name = min(unequal)
        raise DamagedFolder(f"{name} {'was added' if name in entries else 'is missing'}")
    for name, stamp in entries.items():
        if [stamp[4]] != sums[name][:1]:
            raise DamagedFolder(f"the mode of {name} has changed")
    unread = {name: stamp for name, stamp in entries.items() if verified.get(name) != stamp}
    for name, content in _contents(folder, unread, check).items():
        if [content] != sums[name][1:]:
            raise DamagedFolder(f"the content of {name} has changed")
    return entries


def scan(folder: Path) -> Entries:
    """Every file, link and folder below a folder by its relative path, with its size, times, inode and mode.

    Raises DamagedFolder for an entry of another user.
    """
    return dict(_scan(str(folder)))


def _scan(folder: str) -> Iterator[tuple[str, Stamp]]:
    pending, user = [""], os.geteuid()
    while pending:
        current = pending.pop()
        with os.scandir(f"{folder}/{current}") as listing:
            for entry in listing:
                name, status = current + entry.name, entry.stat(follow_symlinks=False)
                if status.st_uid != user:
                    raise DamagedFolder(f"{name} belongs to another user")
                if entry.is_dir(follow_symlinks=False):
                    pending.append(f"{name}/")
                    yield name, (0, 0, 0, 0, status.st_mode)
                else:
                    stamp = status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino, status.st_mode
                    yield name, stamp


def _contents(folder: Path, entries: Entries, check: Callable[[], None]) -> dict[str, str]:
    """The content of entries, read by several threads."""
    names = list(entries)
    parts = [names[start : start + PART] for start in range(0, len(names), PART)]

    def read(part: list[str]) -> list[str]:
        check()
        return [_content(f"{folder}/{name}", entries[name][4]) for name in part]

    with ThreadPoolExecutor(READERS, thread_name_prefix="verify") as pool:
        contents = [content for part in pool.map(read, parts) for content in part]
    return dict(zip(names, contents, strict=True))


def _content(path: str, mode: int) -> str:
    if stat.S_ISDIR(mode):
        return FOLDER
    if stat.S_ISLNK(mode):
        return LINK + os.readlink(path)  # noqa: PTH115
    if not stat.S_ISREG(mode):
        raise DamagedFolder(f"{path} is neither a file nor a folder")
    return _digest(path)


def _digest(path: str) -> str:
    from blake3 import blake3

    state = blake3()
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        while content := os.read(handle, CHUNK):
            state.update(content)
    except OSError as error:  # a damaged disk says so where it can
        raise DamagedFolder(f"{path} cannot be read: {error.strerror}") from error
    finally:
        os.close(handle)
    return str(state.hexdigest())
