"""The glyph and the colour of a verdict, wherever the interface shows one: drift is red, the same is green.

The theme says what `$text-error` and the others look like; `styles` has the styles of cells by the names used here.
"""

from __future__ import annotations

from typing import NamedTuple

from repro_tui.report.words import Tone, tone


class VerdictLook(NamedTuple):
    """`glyph` stands before a verdict, `style` is that of a cell of a grid, `colour` that of prose."""

    glyph: str
    style: str
    colour: str


_LOOKS: dict[Tone, VerdictLook] = {
    "good": VerdictLook("=", "good", "$text-success"),
    "bad": VerdictLook("≠", "bad", "$text-error"),
    "open": VerdictLook("?", "warn", "$text-warning"),
}


def verdict_look(verdict: str) -> VerdictLook:
    """The look of a verdict; a word that is not a verdict has that of an inconclusive one."""
    return _LOOKS[tone(verdict)]


def tone_look(tone: Tone) -> VerdictLook:
    """The look of a tone, as a grade has one."""
    return _LOOKS[tone]
