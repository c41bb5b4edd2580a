"""Draws every line in ASCII, for a terminal that does not show UTF-8; each character stays in its cells.

The table is that of support/ascii_output.py. "≠", "≈", "→" and "…" are wider in ASCII and take the blanks after them:
"!=", "~=", "->" and "...". Where there are none, one character stands for each: cells of the text are never taken, as
they may be all that tells two values apart.
"""

from __future__ import annotations

from rich.cells import get_character_cell_size
from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

from repro_tui.support.ascii_output import ascii_cell

CUT = "…"
PAIRS = {"≠": "!=", "≈": "~=", "→": "->"}  # with a blank after it


class AsciiLines(LineFilter):
    """The filter that every drawn line passes."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """The segments with the same styles and widths, in ASCII."""
        if all(segment.text.isascii() for segment in segments):
            return segments
        line = iter(ascii_line("".join(segment.text for segment in segments if not segment.control)))
        drawn = []
        for text, style, control in segments:
            cells = 0 if control else sum(map(get_character_cell_size, text))
            drawn.append(Segment("".join(next(line) for _ in range(cells)) if not control else text, style, control))
        return drawn


def ascii_line(line: str) -> str:
    """A line in ASCII, as many characters long as the line is wide."""
    cells = [c if index == 0 else "" for c in line for index in range(get_character_cell_size(c))]
    drawn = [ascii_cell(c) if c else "?" for c in cells]
    for index, character in enumerate(cells):
        if character in PAIRS and cells[index + 1 : index + 2] == [" "]:
            drawn[index : index + 2] = PAIRS[character]
        elif character == CUT:
            _draw_cut(cells, drawn, index)
    return "".join(drawn)


def _draw_cut(cells: list[str], drawn: list[str], index: int) -> None:
    """Three dots for an ellipsis where blanks follow; the text that it cuts stays, as it may be all that differs."""
    after = index + 1
    while after < len(cells) and cells[after] == " ":
        after += 1
    if after == len(cells):
        after += 1
    if after - index > len("..."):
        drawn[index : index + len("...")] = "..."
