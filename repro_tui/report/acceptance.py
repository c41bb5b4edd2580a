"""What was accepted or is known, in words: the same on screens, in reports and in the summary."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from repro_tui.model.finding import Accepted
from repro_tui.model.gate import GateReport, KnownChange, KnownState
from repro_tui.model.predictions import PredictionsArea
from repro_tui.support.text import join_names, plural, show

MOST_NAMED = 3  # accepted changes that a sentence names; it counts the others
LONGEST_REASON = 160
STATES: dict[KnownState, str] = {
    "applies": "accepted",
    "expired": "expired",
    "changed": "not what was accepted",
    "unclear": "unclear",
    "absent": "not seen",
}
STATE_GLYPHS: dict[KnownState, str] = {"applies": "=", "expired": "!", "changed": "≠", "unclear": "?", "absent": "·"}
KNOWN_HEAD = ["", "accepted change", "state", "until", "owner", "reason", "note"]


def accepted_words(mark: Accepted | None, cap: int = LONGEST_REASON) -> str:
    """Why a difference does not gate, and until when; or that its acceptance has expired. "" without one."""
    if mark is None:
        return ""
    reason = show(mark.reason, cap)
    if mark.by == "baseline":
        return reason
    owner = f" by {show(mark.owner, 60)}" if mark.owner else ""
    if mark.expired:
        return f"expired: accepted{owner} until {show(mark.until, 20)} ({reason})"
    return f"accepted{owner} until {show(mark.until, 20)}: {reason}"


def acceptance_of(area: PredictionsArea) -> Accepted | None:
    """The mark of a drift as a whole: its own, or that of its columns, if all of them have one."""
    if area.accepted is not None and (area.is_accepted or not any(c.accepted for c in area.drifting)):
        return area.accepted
    marks = [column.accepted for column in area.drifting]
    if not marks or None in marks:
        return None
    present = [mark for mark in marks if mark is not None]
    return min(present, key=lambda mark: (not mark.expired, mark.until or "9999"))


def accepted_columns(area: PredictionsArea) -> str:
    """The marks of a drift as a whole and of its columns, in one line; "" where there are none."""
    columns = [f"{show(c.name, 80)} ({accepted_words(c.accepted)})" for c in area.columns if c.accepted]
    return "; ".join(filter(None, (accepted_words(area.accepted), *columns)))


def verdict_suffix(area: PredictionsArea) -> str:
    """What stands behind the verdict of predictions that drift as was accepted or is known; "" otherwise."""
    mark = acceptance_of(area)
    if mark is None or area.verdict != "drift":
        return ""
    return " (expired)" if mark.expired else " (known)" if mark.by == "baseline" else " (accepted)"


def known_rows(gate: GateReport) -> list[list[str]]:
    """The accepted changes of the policy file as rows of texts under KNOWN_HEAD: those that need a look first."""
    order = ("expired", "changed", "unclear", "applies", "absent")
    changes = sorted(gate.changes, key=lambda change: order.index(change.state))
    return [
        [STATE_GLYPHS[c.state], c.path, STATES[c.state], c.until, c.owner, show(c.reason, 600), c.note] for c in changes
    ]


def gate_words(gate: GateReport) -> str:
    """What decides the exit status, in one line."""
    areas = join_names(list(gate.areas)) or "no area"
    file = f" ({show(gate.file, 300)})" if gate.file else ""
    baseline = f"; only what is not in audit {show(gate.baseline, 80)}" if gate.baseline else ""
    return f"gates on {areas}{file}{baseline}"


def gate_cautions(gate: GateReport) -> Iterator[str]:
    """What a reader of the verdict has to know of what was accepted; none of it is ever left unsaid."""
    expired = _in_state(gate, "expired")
    if expired:
        yield f"expired: {_listed(expired, lambda c: f'the acceptance of {_path(c)} ended on {c.until}')}"
    for state in ("changed", "unclear"):
        for change in _in_state(gate, state)[:MOST_NAMED]:
            seen = "is not what is seen" if state == "changed" else "is unclear"
            note = f" ({show(change.note, 120)})" if change.note else ""
            yield f"what was accepted of {_path(change)} {seen}{note}"
        if more := _in_state(gate, state)[MOST_NAMED:]:
            yield f"{len(more):,} more accepted changes are {STATES[state]}"
    accepted = _in_state(gate, "applies")
    if accepted:
        named = _listed(accepted, lambda c: f"{_path(c)} until {c.until} ({show(c.reason, 80).rstrip('.')})")
        yield f"accepted: {named}"
    if gate.known:
        yield f"{plural(gate.known, 'difference')} {'is' if gate.known == 1 else 'are'} known from the baseline"


def gate_notes(gate: GateReport) -> Iterator[str]:
    """Accepted changes that were not seen: they can be removed from the policy file."""
    absent = _in_state(gate, "absent")
    if absent:
        names = join_names([_path(change) for change in absent], most=6)
        yield f"Accepted, but no longer seen: {names}"


def _in_state(gate: GateReport, state: KnownState) -> list[KnownChange]:
    return [change for change in gate.changes if change.state == state]


def _path(change: KnownChange) -> str:
    return show(change.path, 100)


def _listed(changes: Sequence[KnownChange], phrase: Callable[[KnownChange], str]) -> str:
    more = len(changes) - MOST_NAMED
    texts = [phrase(change) for change in changes[:MOST_NAMED]]
    return join_names([*texts, *([f"{more:,} more"] if more > 0 else [])])
