"""The owner of what must not outlive a process of ours: its temporary files, control groups, children and run folders.

Idea: a process holds a locked file below `owners/` of the cache as long as it runs; the kernel unlocks it, however the
process ends. Temporary files carry the owner's name, children have it in their environment, and what lies elsewhere
(control groups, folders of an audit) is noted in the owner's file before it is made. So the next start finds the owners
that are dead, and removes everything of theirs at once; nothing of a running one is touched.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import threading
import uuid
import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from repro_tui.support.control_groups.group import remove_groups
from repro_tui.support.file_lock import is_locked, new_lock
from repro_tui.support.process import OWNER_VARIABLE

# What a run or a build makes in the folder of its side, and removes at its end; and files that were being written.
RUN_FOLDERS = ("output-*", "build-*", ".*.tmp")
_LONGEST = 1 << 20
_DEEPEST = 6  # folders below an audit's own in which runs are: of a side, a condition, a hybrid


class Owner:
    """This process as an owner in one cache, until it is released or ends."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        self.name = uuid.uuid4().hex
        self._stream, self._lock = new_lock(folder / self.name), threading.Lock()
        self.release = weakref.finalize(self, _release, self._stream, folder / self.name)

    def close(self) -> None:
        """Drops the lock and keeps the file, as the end of the process does."""
        self.release.detach()
        self._stream.close()

    def note(self, **places: object) -> None:
        """Notes what is about to be made: `groups` (control groups), `folder` (of an audit), or `unfinished` (the kind
        and the key of a folder of the cache)."""
        line = json.dumps(places, default=os.fspath)
        with self._lock:
            self._stream.write(line + "\n")
            self._stream.flush()


def _release(stream: IO[str], file: Path) -> None:
    with contextlib.suppress(OSError):
        file.unlink(missing_ok=True)
    stream.close()


@dataclass(frozen=True, slots=True)
class Leftovers:
    """What a dead owner has noted: control groups, folders of its audits, and entries of the cache that it began."""

    groups: list[Path] = field(default_factory=list)
    folders: list[Path] = field(default_factory=list)
    unfinished: list[tuple[str, str]] = field(default_factory=list)

    def run_folders(self) -> Iterator[Path]:
        """The folders of runs, and the temporary files, below the folders of audits; links are not followed."""
        pending = [(folder, 0) for folder in self.folders]
        while pending:
            folder, level = pending.pop()
            with contextlib.suppress(OSError):
                for path in list(folder.iterdir()):
                    if any(path.match(pattern) for pattern in RUN_FOLDERS):
                        yield path
                    elif level < _DEEPEST and path.is_dir() and not path.is_symlink():
                        pending.append((path, level + 1))


def living_owners(folder: Path) -> set[str]:
    """The names of the owners that are alive."""
    return {path.name for path in _files(folder) if not _is_free(path)}


def reap_owners(folder: Path, remove: Callable[[Leftovers], None]) -> None:
    """Ends what dead owners left running, and has `remove` remove what they noted, but for their temporary files.

    What cannot be ended now keeps its owner's file, for the next start.
    """
    for path in _files(folder):
        with contextlib.suppress(OSError), path.open("rb") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)  # by one of us only; a running owner holds it
            left = _noted(stream.read(_LONGEST).decode("ascii", "replace"))
            ended = remove_groups(left.groups)
            end_children(path.name)
            remove(left)
            if ended:
                path.unlink(missing_ok=True)


def end_children(owner: str) -> None:
    """Kills the processes of this user that have this owner's name in their environment, with their groups."""
    mark = f"{OWNER_VARIABLE}={owner}".encode("ascii")
    for path in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            if mark in path.read_bytes().split(b"\0"):
                pid = int(path.parent.name)
                if os.getpgid(pid) == pid:
                    os.killpg(pid, signal.SIGKILL)
                os.kill(pid, signal.SIGKILL)


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if not path.name.startswith(".")] if folder.is_dir() else []


def _is_free(path: Path) -> bool:
    with contextlib.suppress(OSError):
        return not is_locked(path)
    return True


def _noted(text: str) -> Leftovers:
    left = Leftovers()
    for line in text.splitlines():
        with contextlib.suppress(ValueError, TypeError, AttributeError):  # a line that a crash cut off
            places = json.loads(line)
            left.groups.extend(map(Path, places.get("groups", ())))
            left.folders.extend(map(Path, [places["folder"]] if "folder" in places else []))
            if "unfinished" in places:
                kind, key = places["unfinished"]
                left.unfinished.append((str(kind), str(key)))
    return left
