"""What to do next, by what an audit has shown: what to revert, run, record or open.

It is one instruction, without a full stop. The interface words the same step with its keys.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from repro_tui.model.causes import Causes, Culprit
from repro_tui.model.gate import GateReport
from repro_tui.model.grade import Grade
from repro_tui.model.predictions import SAME_VERDICTS, PredictionsArea, Verdict
from repro_tui.model.report import Areas, SideReport, Sides
from repro_tui.report.acceptance import acceptance_of
from repro_tui.report.cause_sentences import CauseWording, culprit_name
from repro_tui.report.differences import differences_of
from repro_tui.report.words import failures_of, nothing_was_run
from repro_tui.support.text import join_names, show, without_hashes

NOTHING = "nothing to do"
MOST_REVERTED, LONGEST_COMMAND = 3, 120


def next_step(
    sides: Sides, areas: Areas, verdict: Verdict, causes: Causes | None, gate: GateReport | None = None
) -> str:
    """What to do after an audit; `gate` is how it was judged."""
    if remedy := failure_remedy(sides):
        return remedy
    area = areas.predictions
    if verdict in ("not-comparable", "undecided"):
        return _plain(area.do) or "correct what is named above, and audit again"
    if dirty := uncommitted(sides):
        return f"commit the changes of {join_names(dirty)}, and audit again"
    if step := _after_acceptance(area, gate or GateReport()):
        return step
    if verdict in SAME_VERDICTS:
        return _after_same(area, areas)
    if causes is None:
        return _search(sides)
    return what_to_revert(sides, areas, causes) or _without_answer(causes)


def next_after_grade(grade: Grade, area: PredictionsArea, rebuilt: SideReport) -> str:
    """What to do after a verification."""
    if grade.level == "R0":
        remedies = list(dict.fromkeys(_plain(gap.do) for gap in grade.gaps if gap.do))
        return "; ".join(remedies) or "record what is missing"
    if grade.level in ("R1", "R2"):
        return _plain(rebuilt.do or area.do) or "correct what is named above, and verify again"
    if grade.level in ("R5", "R6"):
        return NOTHING
    if area.verdict in ("not-comparable", "undecided") and area.do:
        return _plain(area.do)
    return "check that the recorded commit, packages, data and parameters are those that gave the recorded outputs"


def uncommitted(sides: Sides) -> list[str]:
    """The letters of the sides whose uncommitted changes were not run."""
    both = (("A", sides.a), ("B", sides.b))
    return [letter for letter, side in both if (side.record.get("code") or {}).get("dirty")]


def failure_remedy(sides: Sides) -> str:
    """What to do about the sides that failed; "" where none did."""
    failures = list(failures_of(sides))
    if not failures:
        return ""
    remedies = {letters: _plain(side.do) for letters, side in failures if side.do}
    if not remedies:
        return "see the log of the step that failed, and audit again"
    if len(remedies) == 1:
        return next(iter(remedies.values()))
    return "; ".join(f"for {letters}, {remedy}" for letters, remedy in remedies.items())


def what_to_revert(sides: Sides, areas: Areas, causes: Causes, *, values: bool = False) -> str:
    """What to revert in B for A's predictions, where a hybrid has shown it; `values`: to which values."""
    wording = CauseWording(causes, differences_of(areas))
    groups = wording.restoring()
    if not groups:
        return ""
    if len(groups) > 1 and all(len(group) == 1 for group in groups):
        names = [_reverted(group[0], sides.b, causes.culprits, values) for group in groups[:MOST_REVERTED]]
        return f"unless the change is intended, revert {join_names(names, 'or')} in {show(sides.b.name, 60)}"
    group = groups[0]
    parts = [_reverted(name, sides.b, causes.culprits, values) for name in group[:MOST_REVERTED]]
    if len(group) > MOST_REVERTED:
        parts.append(f"{len(group) - MOST_REVERTED} more")
    return f"unless the change is intended, revert {join_names(parts)} in {show(sides.b.name, 60)}"


def _reverted(name: str, side: SideReport, culprits: Sequence[Culprit], values: bool) -> str:
    """What to revert, to which value, and the file that has it where the record names one."""
    culprit = next((item for item in culprits if culprit_name(item) == name), None)
    if culprit is None:
        return name
    to = (
        f" to {show(culprit.a, 40)}"
        if values and isinstance(culprit.a, int | float | str) and _is_short(culprit)
        else ""
    )
    place = _file_of(culprit, side)
    return f"{name}{to}{f' ({place})' if place else ''}"


def _is_short(culprit: Culprit) -> bool:
    hashes = culprit.path[:1] in (("files",), ("commits",)) and len(culprit.path) < 3
    return not hashes and not str(culprit.a).startswith("hidden:") and len(str(culprit.a)) <= 40


def _file_of(culprit: Culprit, side: SideReport) -> str:
    """The file of B's record in which a guilty parameter or package stands; "" where it may be another."""
    table = side.record.get("parameters" if culprit.factor == "parameters" else "environment")
    if not isinstance(table, dict):
        return ""
    if culprit.factor == "parameters":
        laid_over = table.get("values") or {}
        if culprit.path[0] in laid_over:
            return _record_file(side)
        return show(table.get("file") or "", 80) if not table.get("files") else ""
    if culprit.path[:1] == ("packages",):
        return show(table.get("requirements") or table.get("lock") or "", 80)
    return ""


def _record_file(side: SideReport) -> str:
    provenance = side.record.get("provenance")
    places = provenance.values() if isinstance(provenance, dict) else ()
    files = {str(place).partition(":")[0] for place in places if ":" in str(place)}
    return show(files.pop(), 80) if len(files) == 1 else "the record"


def _after_acceptance(area: PredictionsArea, gate: GateReport) -> str:
    """What to do about accepted changes: of one that has expired, or of a drift that does not gate; else ""."""
    expired = [change.path for change in gate.changes if change.state == "expired"]
    if expired:
        names = join_names([show(path, 100) for path in expired], "and", most=3)
        return f"revert {names}, or accept it again with a later date (repro-tui accept)"
    mark = acceptance_of(area)
    if mark is None or area.verdict != "drift":
        return ""
    return f"{NOTHING} until {mark.until}" if mark.until else f"{NOTHING} about what is known"


def _after_same(area: PredictionsArea, areas: Areas) -> str:
    if area.noise.runs == 1:
        return "audit again with --repeat 3, which shows whether the outputs change from run to run"
    others = [getattr(areas, name).status for name in ("code", "environment", "parameters", "data")]
    return f"{NOTHING} for the predictions" if {"different", "unknown"} & set(others) else NOTHING


def can_be_searched(sides: Sides) -> bool:
    """Whether the cause of a drift could be searched for: both sides were rebuilt, and neither is a live endpoint."""
    live = any((side.record.get("predict") or {}).get("url") for side in (sides.a, sides.b))
    return not live and not nothing_was_run(sides)


def _search(sides: Sides) -> str:
    if not can_be_searched(sides):
        return "look at the rows that moved most; the parts of a live endpoint cannot be exchanged to find the cause"
    command = " ".join(shlex.quote(show(side.reference or side.name, 200)) for side in (sides.a, sides.b))
    if len(command) > LONGEST_COMMAND or without_hashes(command) != command:
        return "audit again with --explain, which searches for the cause"
    return f"search for the cause with repro-tui explain {command}"


def _without_answer(causes: Causes) -> str:
    if causes.budget_spent:
        return "continue the search with a larger --explain-budget: what was run is in the cache"
    return "look at the rows that moved most, and at what was tried (causes.hybrids)"


def _plain(text: str) -> str:
    return show(text, 400).strip().removesuffix(".")
