"""The time as of which packages that were not recorded are resolved."""

from __future__ import annotations

from pathlib import Path

from repro_tui.clients.git.commits import COMMITTED, parse_moment
from repro_tui.clients.git.process import GitProcess
from repro_tui.model.record import Record
from repro_tui.model.workspace import CodeTree
from repro_tui.rebuild.environments.resolution import ResolvedAt
from repro_tui.support.context import Context, Step


def resolved_at(record: Record, code: CodeTree | None, step: Step, context: Context) -> ResolvedAt:
    """The recorded time, else that of the commit, else now."""
    as_of = record.environment.as_of
    if as_of is not None:
        return ResolvedAt(as_of, as_of[:10])
    date = _commit_date(code, context) if code else None
    if date is None:
        if code:
            step.log(f"the date of commit {code.commit[:12]} is not known: packages are resolved as of now")
        return ResolvedAt(None)
    return ResolvedAt(date, f"{date[:10]}, the commit's date")


def _commit_date(code: CodeTree, context: Context) -> str | None:
    """When the commit was made, in UTC; None where its history is not available."""
    known = context.cache.read_note("dates", code.commit)
    if known is not None:
        return str(known["date"])
    if not (Path(code.git_dir) / "HEAD").is_file():
        return None
    git = GitProcess(context.cache.root / "git", context.cancel)
    moment = parse_moment(git.run("log", *COMMITTED, code.commit, git_dir=Path(code.git_dir)).output)
    if moment is None:
        return None
    date = f"{moment:%Y-%m-%dT%H:%M:%SZ}"
    context.cache.write_note("dates", code.commit, {"date": date})
    return date
