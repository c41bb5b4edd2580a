"""`repro-tui prune`: removes old audits that nothing refers to, and old entries of the cache."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path

import click

from repro_tui.support.text import quote

_AGE = re.compile(r"(\d+(?:\.\d+)?)\s*([smhdw])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}


@click.command("prune")
@click.option("--audits", "age", metavar="AGE", help="Remove audits that were started longer ago, such as 30d or 12w.")
@click.option("--cache", "size", metavar="SIZE", help="Remove the oldest entries of the cache until it has this size.")
@click.option("--dry-run", is_flag=True, help="Only list what would be removed.")
def command(age: str | None, size: str | None, dry_run: bool) -> None:
    """Remove old audits, and entries of the cache. Everything in the cache can be rebuilt; an audit cannot.

    Audits stay that are running, that are pinned (repro-tui pin), and that an accepted change refers to in the nearest
    repro.toml or in the policy file of any audit that is kept here.
    """
    from repro_tui.model.errors import Refused

    if age is None and size is None:
        raise Refused("nothing to prune is named: expected --audits AGE, such as 30d, or --cache SIZE, such as 20GiB")
    seconds = None if age is None else _seconds(age)
    limit = None if size is None else _size(size)
    if seconds is not None:
        _prune_audits(seconds, dry_run)
    if limit is not None:
        _prune_cache(limit, dry_run)


def _seconds(text: str) -> float:
    match = _AGE.fullmatch(text.strip())
    if match is None:
        message = f"{quote(text)} is not an age: expected a number with s, m, h, d or w, such as 30d"
        raise click.BadParameter(message, param_hint="--audits")
    return float(match[1]) * _SECONDS[match[2]]


def _size(text: str) -> int:
    from repro_tui.support.sizes import size_of

    try:
        return size_of(text)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--cache") from error


def _prune_audits(seconds: float, dry_run: bool) -> None:
    from repro_tui.audit.retention import plan_retention
    from repro_tui.support.cache import remove_tree
    from repro_tui.support.text import plural, show

    plan = plan_retention(seconds, Path.cwd())
    for kept in plan.keep:
        click.echo(f"kept {show(kept.folder.name, 100)}: {show(kept.reason, 500)}")
    for folder in plan.remove:
        click.echo(f"{'would remove' if dry_run else 'removed'} {show(folder.name, 100)}")
        if not dry_run:
            remove_tree(folder)
    click.echo(f"{plural(len(plan.remove), 'audit')} {'would be removed' if dry_run else 'removed'}")


def _prune_cache(limit: int, dry_run: bool) -> None:
    """Removes the oldest entries until the whole cache has at most `limit` bytes."""
    from repro_tui.cli.cache import refuse_while_running, size_of_folder
    from repro_tui.support.cache import Cache
    from repro_tui.support.paths import cache_root
    from repro_tui.support.sizes import size_text

    cache = Cache(cache_root())
    refuse_while_running(cache)
    before = left = size_of_folder(cache.root, set())[0]
    entries = _oldest_first(cache.root)
    while left > limit and entries:
        entries, left = _remove_oldest(entries, left, limit, dry_run)
        left = left if dry_run else size_of_folder(cache.root, set())[0]  # files that entries share stay until the last
    word = "would be removed" if dry_run else "removed"
    click.echo(f"cache: {size_text(max(0, before - left))} {word}; {size_text(max(0, left))} left")
    if left > limit:
        click.echo("cache: what is left is no entry of its own: repro-tui cache prune --all empties it")


def _oldest_first(root: Path) -> list[Path]:
    """The entries of a cache by age. The manifest of a folder is no entry of its own, as it goes with it."""
    from repro_tui.cli.cache import entries_of

    aged = []
    for entry in entries_of(root, everything=False):
        if entry.suffix == ".manifest" and entry.with_suffix("").is_dir():
            continue
        with contextlib.suppress(FileNotFoundError):  # an audit that is ending removes its own entries
            aged.append((entry.lstat().st_mtime, entry))
    return [entry for _, entry in sorted(aged)]


def _remove_oldest(entries: list[Path], left: int, limit: int, dry_run: bool) -> tuple[list[Path], int]:
    """Removes as many entries as seem to be enough; returns the others, and the bytes that seem to be left."""
    from repro_tui.cli.cache import size_of_folder
    from repro_tui.support.cache import remove_tree

    rest = list(entries)
    while rest and left > limit:
        entry = rest.pop(0)
        with contextlib.suppress(FileNotFoundError):
            left -= size_of_folder(entry, set())[0] if entry.is_dir() else entry.lstat().st_blocks * 512
            if not dry_run:
                remove_tree(entry.with_name(f"{entry.name}.manifest"))  # first: a folder without one is rebuilt
                remove_tree(entry)
    return rest, left
