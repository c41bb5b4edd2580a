"""The commits of a history, as `git log` lists them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from repro_tui.support.text import show

COMMITTED = ("--no-show-signature", "--max-count=1", "--format=%ct", "--end-of-options")
FORM = "--format=%H%x00%an%x00%aI%x00%s%x00%T%x00"


@dataclass(frozen=True, slots=True)
class Commit:
    """One commit of a log: full id, author's name, date (ISO 8601), first line of its message, id of its tree."""

    id: str
    author: str
    date: str
    subject: str
    tree: str = ""


@dataclass(frozen=True, slots=True)
class Log:
    """The commits that only `a` and only `b` have, newest first, at most MOST_COMMITS each; the counts are complete."""

    only_a: tuple[Commit, ...] = ()
    only_b: tuple[Commit, ...] = ()
    count_a: int = 0
    count_b: int = 0


def parse_moment(output: bytes) -> datetime | None:
    """When a commit was made, in UTC, from the output of `git log` with COMMITTED; None where there is no such time."""
    try:
        return datetime.fromtimestamp(int(output), UTC)
    except (ValueError, OverflowError, OSError):
        return None


def parse_log(output: bytes) -> tuple[Commit, ...]:
    """The commits in the output of `git log` with FORM."""
    fields = output.decode("utf-8", "replace").split("\0")
    return tuple(
        Commit(commit.strip(), show(author, 100), date, show(subject, 200), tree)
        for commit, author, date, subject, tree in zip(*(fields[n::5] for n in range(5)), strict=False)
    )
