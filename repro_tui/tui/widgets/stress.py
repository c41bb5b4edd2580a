"""The results of `--stress` as a table: a line per factor with A and B, and below it the details without room there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from textual.content import Content

from repro_tui.model.predictions import Stress
from repro_tui.report.stress import UNCHANGED, StressRow, stress_glyph, stress_rows, stress_tone, stress_words
from repro_tui.report.words import number
from repro_tui.support.text import plural, show
from repro_tui.tui.widgets.safe import joined, lines, wrapped

STYLES = {"good": "$text-success", "bad": "$text-error", "open": "$text-warning"}
NAME = 11  # cells: one more than the longest name, `batch size`
LONGEST = 400


def stress_table(results: Sequence[Stress], width: int) -> Content:
    """A line per factor with the results of A and B; below, in full, how each factor that matters was changed."""
    rows = stress_rows(results)
    each = max(8, (width - NAME) // 2)
    table: list[Content] = [_head(each), *(_row(row, each) for row in rows)]
    below = [line for row in rows for text in _in_full(row) for line in wrapped(text, max(20, width))]
    if below:
        table += [Content(""), *(Content.styled(line, "dim") for line in below)]
    return lines(table)


def _head(each: int) -> Content:
    return Content.styled(f"{'':<{NAME}}{'A':<{each}}{'B':<{each}}".rstrip(), "bold dim")


def _row(row: StressRow, each: int) -> Content:
    return joined([Content(f"{show(row.name, 40):<{NAME}}"), *(_cell(side, each) for side in row.sides)])


def _cell(result: Stress | None, width: int) -> Content:
    texts = [f"{stress_glyph(result)} {text}" for text in _short(result)]
    fitting = next((text for text in texts if len(text) < width), texts[-1])
    return Content.styled(fitting[: width - 1].ljust(width), STYLES[stress_tone(result)])


def _short(result: Stress | None) -> list[str]:
    """A result in a few words, followed by shorter forms for narrow columns."""
    if result is None or result.moved is None:
        return ["not tried" if result is None else "not known"]
    if not result.moved:
        return [UNCHANGED]
    if result.verdict == "not-comparable":
        return ["fails"]
    if not result.max_abs:
        return [f"moves in {plural(result.different, 'row')}", "moves"]
    return [f"{number(result.max_abs)} in {plural(result.different, 'row')}", f"by {number(result.max_abs)}"]


def _in_full(row: StressRow) -> Iterator[str]:
    """How a factor was changed and with what result, for each side that is not simply unchanged."""
    sides = zip("AB", row.sides, strict=True)
    texts = {side: _sentence(row.name, result) for side, result in sides if result and result.moved is not False}
    if len(set(texts.values())) < len(texts):
        texts = {"A and B": texts["A"]}
    return (f"{side}, {text}" for side, text in texts.items())


def _sentence(name: str, result: Stress) -> str:
    setting = f" ({show(result.what, LONGEST)})" if result.what else ""
    return f"{show(name, 40)}{setting}: {show(stress_words(result), LONGEST)}"
