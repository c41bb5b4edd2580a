"""Which audits and entries of the cache can go, and which stay: nothing is removed that somebody still refers to.

An audit stays while it runs, if it is pinned, if an accepted change names it, and if what it says cannot be read: what
is not known to be over is kept. The policy files that are asked are the nearest one and those of all audits.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from repro_tui.audit.folder import AuditFolder
from repro_tui.evidence.manifest import PIN
from repro_tui.model.errors import Refused
from repro_tui.support.paths import audits_root
from repro_tui.support.regular import is_regular
from repro_tui.support.text import show


@dataclass(frozen=True, slots=True)
class Retained:
    """An audit that would be old enough to go, and why it stays."""

    folder: Path
    reason: str


@dataclass(slots=True)
class RetentionPlan:
    """The folders of audits to remove, the oldest first, and those that stay although they are old."""

    remove: list[Path] = field(default_factory=list)
    keep: list[Retained] = field(default_factory=list)


def pin(folder: Path, *, pinned: bool) -> None:
    """Marks an audit's folder as one that is kept, or takes the mark away."""
    mark = folder / PIN
    if pinned:
        mark.touch(mode=0o600)
    else:
        mark.unlink(missing_ok=True)


def plan_retention(seconds: float, here: Path, now: datetime | None = None) -> RetentionPlan:
    """The audits that were started more than `seconds` ago and that nothing refers to any more."""
    now = now or datetime.now(UTC)
    plan = RetentionPlan()
    root = audits_root()
    folders = sorted(path for path in root.iterdir() if is_regular(path / "audit.json")) if root.is_dir() else []
    named, unreadable = _named_audits(folders, here)
    for path in folders:
        if reason := _why_kept(path, seconds, now, named, unreadable):
            if reason != "young":
                plan.keep.append(Retained(path, reason))
        else:
            plan.remove.append(path)
    return plan


def _why_kept(path: Path, seconds: float, now: datetime, named: dict[str, str], unreadable: dict[str, str]) -> str:
    """Why an audit stays; "" if it can go."""
    folder = AuditFolder(path)
    try:
        request = folder.request()
        started = datetime.fromisoformat(request.started)
    except (Refused, ValueError):
        return "its request cannot be read: remove the folder by hand"
    if (now - started).total_seconds() <= seconds:
        return "young"
    if folder.state() == "running":
        return "it is running"
    if (path / PIN).exists():
        return "it is pinned"
    if request.id in named:
        return f"an accepted change in {show(named[request.id], 200)} names it"
    return unreadable.get(request.policy_file, "")


def _named_audits(folders: list[Path], here: Path) -> tuple[dict[str, str], dict[str, str]]:
    """The audits that accepted changes name, each with the file; and the files that cannot be read, each with why."""
    from repro_tui.sources.policy import read_policy

    named: dict[str, str] = {}
    unreadable: dict[str, str] = {}
    for file in dict.fromkeys(_policy_files(folders, here)):
        try:
            accepted = read_policy(Path(file)).accepted
        except Refused as error:
            unreadable[file] = f"it cannot be read what its policy file accepts: {error}"
            continue
        named |= {entry.audit: file for entry in accepted if entry.audit}
    return named, unreadable


def _policy_files(folders: list[Path], here: Path) -> Iterator[str]:
    from repro_tui.sources.recordfile import nearest_file

    nearest = nearest_file(here)
    if nearest is not None:
        yield str(nearest)
    for path in folders:
        with contextlib.suppress(Refused):
            file = AuditFolder(path).request().policy_file
            if file and Path(file).is_file():
                yield file
