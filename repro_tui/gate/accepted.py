"""Marks what was accepted: findings and columns that are exactly the change of an entry, with its reason and date."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from repro_tui.gate.identity import is_at, is_exact, is_this_change
from repro_tui.gate.predictions import AREA, covered, is_deterministic, why_not_within
from repro_tui.model.finding import Accepted, Area, AreaName, Finding
from repro_tui.model.gate import AcceptedChange, KnownChange, KnownState
from repro_tui.model.predictions import Column, PredictionsArea
from repro_tui.support.text import show

ORDER: tuple[KnownState, ...] = ("applies", "expired", "unclear", "changed", "absent")  # of findings under one pattern


@dataclass(slots=True)
class AcceptanceBook:
    """The entries of a policy file, and what came of each so far; `today` is the day of the audit (UTC, YYYY-MM-DD).

    What came of those that are `closed` does not change any more.
    """

    entries: Sequence[AcceptedChange]
    today: str
    closed: set[int] = field(default_factory=set)
    _states: dict[int, tuple[KnownState, str]] = field(default_factory=dict)

    def of_area(self, area: str) -> list[tuple[int, AcceptedChange]]:
        """The entries about one area, with their numbers."""
        named = enumerate(self.entries)
        return [(number, entry) for number, entry in named if entry.path.partition(".")[0] == area]

    def is_expired(self, entry: AcceptedChange) -> bool:
        """Whether the last day of an entry is over."""
        return entry.until < self.today

    def mark(self, entry: AcceptedChange) -> Accepted:
        """The mark of what an entry accepts."""
        expired = self.is_expired(entry)
        return Accepted("record", entry.reason, entry.owner, entry.until, expired, entry.audit)

    def note(self, number: int, state: KnownState, text: str = "") -> None:
        """Keeps what came of an entry: the first of ORDER counts, as a pattern may stand for several findings."""
        before = self._states.get(number)
        if number in self.closed:
            return
        if before is None or ORDER.index(state) < ORDER.index(before[0]):
            self._states[number] = state, text

    def seen(self, numbers: Sequence[int]) -> Accepted | None:
        """The mark of what these entries accept: of one that holds, if there is one; it replaces those that expired."""
        holding = [number for number in numbers if not self.is_expired(self.entries[number])]
        for number in numbers:
            if number in holding:
                self.note(number, "applies")
            elif holding:
                self.note(number, "absent", "a later acceptance replaces it")
            else:
                self.note(number, "expired")
        return self.mark(self.entries[(holding or numbers)[0]]) if numbers else None

    def changes(self) -> tuple[KnownChange, ...]:
        """What came of each entry."""
        result = []
        for number, entry in enumerate(self.entries):
            state, text = self._states.get(number, ("absent", "no such difference was seen"))
            known = KnownChange(entry.path, state, entry.reason, entry.owner, entry.until, entry.audit, text)
            result.append(known)
        return tuple(result)


def with_accepted(name: AreaName, area: Area, book: AcceptanceBook) -> Area:
    """The area with the accepted findings marked; an entry that has expired only marks where no other one does."""
    entries = book.of_area(name)
    if not entries:
        return area
    return replace(area, findings=tuple(_marked(name, finding, entries, book) for finding in area.findings))


def _marked(
    name: AreaName, finding: Finding, entries: Sequence[tuple[int, AcceptedChange]], book: AcceptanceBook
) -> Finding:
    if finding.change == "same":
        return finding
    accepting: list[int] = []
    for number, entry in entries:
        if not is_at(entry, name, finding):
            continue
        if is_this_change(entry, name, finding):
            accepting.append(number)
        elif finding.change == "unknown" or not is_exact(name, finding):
            book.note(number, "unclear", "it cannot be told whether what is seen there is what was accepted")
        else:
            book.note(number, "changed", f"it is now {_values(finding)}")
    return replace(finding, accepted=book.seen(accepting)) if accepting else finding


def _values(finding: Finding) -> str:
    if finding.change == "added":
        return f"only in B: {show(finding.b, 80)}"
    if finding.change == "removed":
        return f"only in A: {show(finding.a, 80)}"
    return f"{show(finding.a, 80)} → {show(finding.b, 80)}"


def with_accepted_predictions(area: PredictionsArea, book: AcceptanceBook) -> PredictionsArea:
    """The predictions with a drift marked that was accepted, as a whole by its evidence or by columns within bounds."""
    entries = book.of_area(AREA)
    if not entries or area.verdict != "drift":
        for number, _ in entries if area.status == "unknown" else ():
            book.note(number, "unclear", f"the verdict is {area.verdict}")
        return area
    whole = book.seen(
        [number for number, entry in entries if entry.evidence and _is_evidence(number, entry, area, book)]
    )
    within: dict[str, list[int]] = {}
    for number, entry in entries:
        reasons = {c.name: why_not_within(entry, c, area) for c in covered(entry, area)} if entry.bounds else {}
        over = "; ".join(f"{show(column, 80)}: {reason}" for column, reason in reasons.items() if reason)
        if over:
            book.note(number, "changed", over)  # and so it stays, though other columns are within
            book.closed.add(number)
        for column in (column for column, reason in reasons.items() if not reason):
            within.setdefault(column, []).append(number)
    marks = {column: book.seen(numbers) for column, numbers in within.items()}
    columns: tuple[Column, ...] = tuple(
        replace(column, accepted=marks[column.name]) if column.name in marks else column for column in area.columns
    )
    return replace(area, columns=columns, accepted=whole)


def _is_evidence(number: int, entry: AcceptedChange, area: PredictionsArea, book: AcceptanceBook) -> bool:
    """Whether this is the very drift that an entry accepts."""
    if not area.evidence or not is_deterministic(area):
        book.note(number, "unclear", "the differing cells are not the same in every run, or not kept whole")
        return False
    if area.evidence != entry.evidence:
        book.note(number, "changed", "other cells differ")
        return False
    return True
