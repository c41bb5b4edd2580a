"""The results of `--stress` as rows that all formats and the screen share: a factor, how it was changed, A and B."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from repro_tui.model.predictions import PredictionsArea, Stress
from repro_tui.report.words import ABSENT, Tone, number, sentence
from repro_tui.support.text import join_names, plural, show

TITLE = "Factors that should not matter, changed one at a time"
UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True)
class StressRow:
    """One factor that was varied, with the result on each side (None: not tried there)."""

    name: str
    a: Stress | None = None
    b: Stress | None = None

    @property
    def sides(self) -> tuple[Stress | None, Stress | None]:
        """A and B."""
        return self.a, self.b

    @property
    def what(self) -> str:
        """How it was changed; per side where the sides differ."""
        sides = zip("AB", self.sides, strict=True)
        settings = {side: result.what for side, result in sides if result and result.what}
        if len(set(settings.values())) > 1:
            return "; ".join(f"{side}: {setting}" for side, setting in settings.items())
        return next(iter(settings.values()), "")


def stress_rows(results: Sequence[Stress]) -> list[StressRow]:
    """One row per factor, in the order in which they were tried."""
    sides = {(result.side, result.name): result for result in results}
    return [
        StressRow(name, sides.get(("a", name)), sides.get(("b", name)))
        for name in dict.fromkeys(result.name for result in results)
    ]


def stress_tone(result: Stress | None) -> Tone:
    """Good where the side's predictions are unchanged, bad where they move, open where that is not known."""
    if result is None or result.moved is None:
        return "open"
    return "bad" if result.moved else "good"


def stress_glyph(result: Stress | None) -> str:
    """The glyph at the start of a side's result."""
    if result is None:
        return ABSENT
    if result.moved and result.verdict == "not-comparable":
        return "!"
    return {"good": "=", "bad": "≠", "open": "?"}[stress_tone(result)]


def stress_words(result: Stress | None) -> str:
    """A side's result: unchanged, how far it moves, or why that is not known."""
    if result is None:
        return "not tried"
    if result.moved is None:
        return result.note or "not known"
    if not result.moved:
        bound = f" (|Δ| at most {number(result.max_abs)}: {result.verdict})" if result.max_abs is not None else ""
        return UNCHANGED + bound
    return result.note or f"moves {show(result.column, 80)}{_distance(result)} in {plural(result.different, 'row')}"


def _distance(result: Stress) -> str:
    return f" by up to {number(result.max_abs)}" if result.max_abs else ""


def movers(results: Sequence[Stress]) -> Iterator[tuple[str, list[str]]]:
    """Each side whose predictions depend on a factor that should not matter, with the names of these factors."""
    for side in "ab":
        names = [result.name for result in results if result.side == side and result.moved]
        if names:
            yield side.upper(), names


def stress_sentences(area: PredictionsArea) -> Iterator[str]:
    """On which factors that should not matter each side's own predictions depend: one sentence per side."""
    for side in sorted({result.side for result in area.stress}):
        results = [result for result in area.stress if result.side == side]
        moving = [f"{result.name} ({_effect(result)})" for result in results if result.moved]
        steady = [result.name for result in results if result.moved is False]
        unknown = [f"{result.name} ({result.note})" for result in results if result.moved is None]
        name = f"{side.upper()}'s own predictions"
        clauses = [f"{name} move with the {join_names(moving)}"] if moving else []
        if steady:
            clauses.append(f"{'they' if moving else name} do not move with the {join_names(steady, 'or')}")
        if unknown:
            clauses.append(f"{'not known' if clauses else f'what moves {name} is not known'}: {', '.join(unknown)}")
        yield sentence(f"One factor varied at a time: {'; '.join(clauses)}")


def _effect(result: Stress) -> str:
    """How far one variation moved a side."""
    if result.note:
        return result.note
    largest = f" by up to {result.max_abs:.3g}" if result.max_abs else ""
    return f"{result.what}: {show(result.column, 80)}{largest} in {plural(result.different, 'row')}"
