"""Starts the audit of what the picker's lines say, or says what is wrong with which line; called in a thread."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from repro_tui.audit.folder import AuditFolder
from repro_tui.model.errors import ReproError
from repro_tui.sources.resolve import same_reference
from repro_tui.support.text import show
from repro_tui.tui.picking import line_of, problem_of


@dataclass(frozen=True, slots=True)
class PlannedAudit:
    """The folder of an audit that was started; or why none was.

    `same` says that A and B are the same deployment, which the user has to confirm ("": they are not); `problems` are
    what is wrong with each line, by side; `mistakes` what is wrong with both together.
    """

    folder: AuditFolder | None = None
    same: str = ""
    problems: Mapping[str, str] = field(default_factory=dict)
    mistakes: tuple[str, ...] = ()


def plan_audit(a: str, b: str, here: Path, *, confirmed: bool = False) -> PlannedAudit:
    """Plans the audit of A against B and starts it, unless something is wrong; then nothing has run."""
    from repro_tui.audit.begin import begin, mistakes_in
    from repro_tui.formats.config import load_config
    from repro_tui.model.overrides import Overrides
    from repro_tui.model.request import Settings

    references = {"a": a, "b": b}
    problems = {side: problem_of(reference, here) for side, reference in references.items()}
    if any(problems.values()):
        return PlannedAudit(problems=problems)
    if not confirmed and same_reference(a, b, here):
        names = show(a, 100) if a == b else f"{show(a, 100)} and {show(b, 100)}"
        return PlannedAudit(same=f"A and B are the same deployment, {names}")
    settings = Settings(limits=load_config().limits)
    try:
        return PlannedAudit(begin(a, b, settings, Overrides()))
    except ReproError as error:
        mistakes = [str(mistake) for mistake in getattr(error, "mistakes", ())] or [str(error)]
        of_side = {side: mistakes_in(reference, settings) for side, reference in references.items()}
        shared = [mistake for mistake in mistakes if not any(mistake in known for known in of_side.values())]
        problems = {side: line_of(of_side[side], reference) for side, reference in references.items()}
        return PlannedAudit(problems=problems, mistakes=tuple(shared))
