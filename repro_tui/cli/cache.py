"""`repro-tui cache`: shows what the cache holds, and frees space."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from repro_tui.support.sizes import size_text

if TYPE_CHECKING:
    from repro_tui.support.cache import Cache

KINDS = {
    "code": "folders/code",
    "composed trees": "folders/tree",
    "environments": "folders/environments",
    "parameters": "folders/parameters",
    "tables": "folders/tables",
    "data objects": "objects",
    "git clones": "git",
    "uv's packages": "uv",
}


@click.group("cache")
def command() -> None:
    """Show or prune the cache. Everything in it can be rebuilt."""


@command.command("info")
def info() -> None:
    """Show what the cache holds, by kind."""
    from repro_tui.support.paths import cache_root

    root = cache_root()
    click.echo(str(root))
    counted: set[tuple[int, int]] = set()
    total = 0
    for name, folder in KINDS.items():
        size, files = size_of_folder(root / folder, counted)
        total += size
        click.echo(f"  {name:<16} {size_text(size):>11}  {files:>8,} files")
    click.echo(f"  {'total':<16} {size_text(total):>11}  (files that share content count once)")


@command.command("prune")
@click.option(
    "--older-than",
    "days",
    type=click.FloatRange(0),
    default=30.0,
    show_default=True,
    metavar="DAYS",
    help="Remove entries that are older.",
)
@click.option("--all", "everything", is_flag=True, help="Remove everything.")
def prune(days: float, everything: bool) -> None:
    """Remove old entries. Refuses while an audit is running, as the audit may use them."""
    from repro_tui.support.cache import Cache, remove_tree
    from repro_tui.support.paths import cache_root

    cache = Cache(cache_root())
    refuse_while_running(cache)
    before, _ = size_of_folder(cache.root, set())
    limit = math.inf if everything else time.time() - days * 86400  # a clock that was set back makes files of tomorrow
    for entry in list(entries_of(cache.root, everything)):
        with contextlib.suppress(FileNotFoundError):  # an audit that is ending removes its own entries
            if entry.lstat().st_mtime <= limit:
                remove_tree(entry)
    after, _ = size_of_folder(cache.root, set())
    click.echo(f"removed {size_text(before - after)}; {size_text(after)} left")


def refuse_while_running(cache: Cache) -> None:
    """Raises Refused while an audit is running, which may use any entry."""
    from repro_tui.execute.reap import living
    from repro_tui.model.errors import Refused

    running = living(cache)
    if running:
        raise Refused(f"an audit is running ({running[0]}): prune the cache after it has ended")


def entries_of(root: Path, everything: bool) -> Iterator[Path]:
    """The entries that can be removed one by one; with `everything`, the notes and the index of hashes, too."""
    patterns = ["folders/*/*", "objects/*/*", "git/*", "temporary/*"]
    if everything:
        patterns += ["uv", "notes", "md5", "hashes.sqlite*"]
    for pattern in patterns:
        yield from root.glob(pattern)


def size_of_folder(folder: Path, counted: set[tuple[int, int]]) -> tuple[int, int]:
    """The bytes on disk and the number of files below a folder; `counted` are the inodes counted already."""
    from repro_tui.model.errors import Inconclusive
    from repro_tui.support.walks import walk

    size = files = 0
    with contextlib.suppress(Inconclusive, FileNotFoundError, NotADirectoryError):
        for _, entry in walk(folder):
            try:
                status = entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue
            files += 1
            if (status.st_dev, status.st_ino) not in counted:
                counted.add((status.st_dev, status.st_ino))
                size += status.st_blocks * 512
    return size, files
