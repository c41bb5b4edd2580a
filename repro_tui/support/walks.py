"""Walks through folders that others made: by loops, of bounded depth, without following links.

`Path.rglob`, `os.walk` and `shutil.copytree` call themselves for every level, so that a few thousand nested folders end
in a RecursionError, and a path of more than 4,096 bytes cannot be named. No project nests more than DEEPEST folders:
what does is refused by name, before anything of it is used.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

from repro_tui.model.errors import Inconclusive
from repro_tui.support.text import show

DEEPEST = 200


def too_deep(folder: Path | str) -> Inconclusive:
    """The error for a folder with deeper nesting."""
    problem = f"{show(str(folder), 300)} has folders nested deeper than {DEEPEST:,} levels, or paths that are too long"
    return Inconclusive(problem, "remove the nested folders, or move what is needed to a folder with short paths")


def walk(folder: Path) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Yields every file and link below a folder with its relative path, in no fixed order; links are not followed.

    Raises Inconclusive where folders are nested too deeply, and OSError.
    """
    for name, entry, is_folder in _entries(folder):
        if not is_folder:
            yield name, entry


def folders_below(folder: Path) -> Iterator[Path]:
    """Yields a folder and every folder below it, each before its own. Raises as `walk` does."""
    yield folder
    for _, entry, is_folder in _entries(folder):
        if is_folder:
            yield Path(entry.path)


def _entries(folder: Path) -> Iterator[tuple[str, os.DirEntry[str], bool]]:
    pending = [("", str(folder), 0)]
    while pending:
        prefix, current, depth = pending.pop()
        with entries_of(current, folder) as entries:
            for entry in entries:
                name = prefix + entry.name
                is_folder = entry.is_dir(follow_symlinks=False)
                if is_folder:
                    check_depth(depth + 1, folder)
                    pending.append((name + "/", entry.path, depth + 1))
                yield name, entry, is_folder


def check_depth(depth: int, folder: Path | str) -> None:
    """Raises Inconclusive where a folder is more than DEEPEST levels below `folder`."""
    if depth > DEEPEST:
        raise too_deep(folder)


def entries_of(current: str, folder: Path | str) -> AbstractContextManager[Iterator[os.DirEntry[str]]]:
    """The entries of a folder `current` below `folder`. Raises Inconclusive where its path is too long, and OSError."""
    try:
        return os.scandir(current)
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            raise too_deep(folder) from error
        raise
