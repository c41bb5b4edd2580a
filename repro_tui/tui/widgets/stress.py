"""What `--stress` found, drawn: a line for each thing with A and B, and below them what has no room there."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from textual.content import Content

from repro_tui.model.predictions import Stress
from repro_tui.report.stress import UNCHANGED, StressRow, stress_glyph, stress_rows, stress_tone, stress_words
from repro_tui.report.words import number
from repro_tui.support.text import plural, show
from repro_tui.tui.widgets.safe import joined, lines

STYLES = {"good": "$text-success", "bad": "$text-error", "open": "$text-warning"}
NAME = 11  # cells: the longest name is `batch size`
LONGEST = 400


def stress_table(found: Sequence[Stress], width: int) -> Content:
    """Thing, A, B; what a cell cuts off, and how each moving thing was changed, is told in full below."""
    rows = stress_rows(found)
    each = max(8, (width - NAME) // 2)
    told: list[Content] = [_head(each), *(_row(row, each) for row in rows)]
    below = [line for row in rows for text in _in_full(row) for line in textwrap.wrap(text, max(20, width))]
    if below:
        told += [Content(""), *(Content.styled(line, "dim") for line in below)]
    return lines(told)


def _head(each: int) -> Content:
    return Content.styled(f"{'':<{NAME}}{'A':<{each}}{'B':<{each}}".rstrip(), "bold dim")


def _row(row: StressRow, each: int) -> Content:
    return joined([Content(f"{show(row.name, 40):<{NAME}}"), *(_cell(side, each) for side in row.sides)])


def _cell(found: Stress | None, width: int) -> Content:
    told = [f"{stress_glyph(found)} {words}" for words in _short(found)]
    fitting = next((text for text in told if len(text) < width), told[-1])
    return Content.styled(fitting[: width - 1].ljust(width), STYLES[stress_tone(found)])


def _short(found: Stress | None) -> list[str]:
    """A result in a few words, and in fewer."""
    if found is None or found.moved is None:
        return ["not tried" if found is None else "not known"]
    if not found.moved:
        return [UNCHANGED]
    if found.verdict == "not-comparable":
        return ["fails"]
    if not found.max_abs:
        return [f"moves in {plural(found.different, 'row')}", "moves"]
    return [f"{number(found.max_abs)} in {plural(found.different, 'row')}", f"by {number(found.max_abs)}"]


def _in_full(row: StressRow) -> Iterator[str]:
    """How a thing was changed and what came of it, for each side that does not simply stand still."""
    told = [(side, one) for side, one in zip("AB", row.sides, strict=True) if one and one.moved is not False]
    texts = {side: f"{show(row.name, 40)}{_how(one)}: {show(stress_words(one), LONGEST)}" for side, one in told}
    if len(set(texts.values())) < len(texts):
        texts = {"A and B": texts["A"]}
    return (f"{side}, {text}" for side, text in texts.items())


def _how(found: Stress) -> str:
    return f" ({show(found.what, LONGEST)})" if found.what else ""
