"""What `--stress` found, as rows that all formats and the screen share: a thing, how it was changed, A and B."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from repro_tui.model.predictions import Stress
from repro_tui.report.words import ABSENT, Tone, number
from repro_tui.support.text import plural, show

TITLE = "What should not matter, changed one at a time"
STILL = "still"


@dataclass(frozen=True, slots=True)
class StressRow:
    """One thing that was varied, and what came of it on each side (None: it was not tried there)."""

    name: str
    a: Stress | None = None
    b: Stress | None = None

    @property
    def sides(self) -> tuple[Stress | None, Stress | None]:
        """A and B."""
        return self.a, self.b

    @property
    def what(self) -> str:
        """How it was changed; on each side where that is not the same."""
        told = {side: found.what for side, found in zip("AB", self.sides, strict=True) if found and found.what}
        if len(set(told.values())) > 1:
            return "; ".join(f"{side}: {what}" for side, what in told.items())
        return next(iter(told.values()), "")


def stress_rows(found: Sequence[Stress]) -> list[StressRow]:
    """One row a thing, in the order in which they were tried."""
    sides = {(one.side, one.name): one for one in found}
    return [
        StressRow(name, sides.get(("a", name)), sides.get(("b", name)))
        for name in dict.fromkeys(one.name for one in found)
    ]


def stress_tone(found: Stress | None) -> Tone:
    """Whether a side stands still, moves, or is an open question."""
    if found is None or found.moved is None:
        return "open"
    return "bad" if found.moved else "good"


def stress_glyph(found: Stress | None) -> str:
    """The glyph that leads a side's result."""
    if found is None:
        return ABSENT
    if found.moved and found.verdict == "not-comparable":
        return "!"
    return {"good": "=", "bad": "≠", "open": "?"}[stress_tone(found)]


def stress_words(found: Stress | None) -> str:
    """A side's result: still, how far it moves, or why that is not known."""
    if found is None:
        return "not tried"
    if found.moved is None:
        return found.note or "not known"
    if not found.moved:
        return STILL if found.max_abs is None else f"{STILL} (|Δ| at most {number(found.max_abs)}: {found.verdict})"
    return found.note or f"moves {show(found.column, 80)}{_by(found)} in {plural(found.different, 'row')}"


def _by(found: Stress) -> str:
    return f" by up to {number(found.max_abs)}" if found.max_abs is not None else ""


def movers(found: Sequence[Stress]) -> Iterator[tuple[str, list[str]]]:
    """Each side that moves with something, and with what."""
    for side in "ab":
        names = [one.name for one in found if one.side == side and one.moved]
        if names:
            yield side.upper(), names
