"""Charts drawn with characters: how far values moved, A against B, which labels flip, and bars.

Every chart is drawn into a `Raster` of character cells. A bar has a resolution of an eighth of a cell (the block
elements ▁ to █), a scatter plot of 2 x 4 dots per cell (the Braille patterns). A non-empty bin always gets at least the
lowest mark: one cell among a million is visible.

A histogram counts cells by log10|Δ|. It is given FINEST bins per decade, of which the width decides how many are drawn
as one bar: with bins (-32, 10) and (-16, 40), 8 bins per decade, the bars stand over 1e-4 and 1e-2, and the second one
reaches the top.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from textual.content import Content

from repro_tui.support.text import plural, show, signed_part
from repro_tui.tui.names import short_names
from repro_tui.tui.widgets.safe import joined, lines, safe, wrapped

EIGHTHS = " ▁▂▃▄▅▆▇█"
BRAILLE = 0x2800
# The bits of the dots of a Braille character, by column and by row from the top.
DOTS = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))
FINEST = 8  # bins per decade that a histogram is given
LABEL = 8
UNKNOWN = "not known"


@dataclass(frozen=True, slots=True)
class Mark:
    """A vertical line across a histogram: its |Δ|, its name, its character and its style."""

    at: float
    name: str
    character: str
    style: str


class Raster:
    """A canvas of character cells, each with a style."""

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        self.cells: dict[tuple[int, int], tuple[str, str]] = {}

    def put(self, x: int, y: int, text: str, style: str = "", over: bool = True) -> None:
        """Writes to the right from (x, y), as far as there is room; without `over`, only into empty cells."""
        for offset, character in enumerate(text):
            cell = (x + offset, y)
            if 0 <= x + offset < self.width and 0 <= y < self.height and (over or cell not in self.cells):
                self.cells[cell] = (character, style)

    def content(self) -> Content:
        """The canvas as lines."""
        return lines(self._line(y) for y in range(self.height))

    def _line(self, y: int) -> Content:
        parts: list[Content | str] = []
        run, style = "", ""
        for x in range(self.width):
            character, own = self.cells.get((x, y), (" ", ""))
            if own != style:
                parts.append(Content.styled(run, style) if style else Content(run))
                run, style = "", own
            run += character
        parts.append(Content.styled(run.rstrip() if not style else run, style) if style else Content(run.rstrip()))
        return joined(parts)


def histogram(bins: Sequence[tuple[int, int]], marks: Sequence[Mark], width: int, height: int) -> Content:
    """How many cells moved how far, by decade of |Δ|.

    `bins` are (number of the bin of log10|Δ|, cells) in ascending order, FINEST bins per decade; `marks` are drawn
    across the bars. The last two of the `height` lines are the axis and the legend.
    """
    if not bins:
        return safe("no cell has a numeric difference", "dim")
    mark_bins = [math.log10(mark.at) * FINEST for mark in marks]
    lowest = math.floor(min([bins[0][0], *mark_bins]) / FINEST)
    highest = math.floor(max([bins[-1][0], *mark_bins]) / FINEST) + 1
    parts = next((p for p in (8, 4, 2, 1) if (highest - lowest) * p <= width), 1)
    each = max(1, min(4, width // max(1, (highest - lowest) * parts)))
    heights: dict[int, int] = {}
    for number, cells in bins:
        bar = math.floor(number * parts / FINEST) - lowest * parts
        heights[bar] = heights.get(bar, 0) + cells
    raster, room = Raster(width, height), max(1, height - 2)
    most = max(heights.values())
    for bar, cells in heights.items():
        _bar(raster, bar * each, each, max(1, round(cells / most * room * 8)), room)
    for mark, mark_bin in zip(marks, mark_bins, strict=True):
        x = int((mark_bin * parts / FINEST - lowest * parts) * each)
        for y in range(room):
            raster.put(x, y, mark.character, mark.style)
    _decades(raster, lowest, highest, parts * each, room)
    legend = [Content.styled(f"{m.character} {m.name} {m.at:.3g}", m.style) for m in marks]
    legend.append(Content.styled(f"█ at most {most:,} cells", "dim"))
    return lines([*raster.content().split("\n")[: height - 1], joined(legend, "   ")])


def _bar(raster: Raster, x: int, each: int, eighths: int, room: int) -> None:
    for up in range(math.ceil(eighths / 8)):
        full = min(8, eighths - up * 8)
        raster.put(x, room - 1 - up, EIGHTHS[full] * max(1, each - (each > 2)), "$text-primary")


def _decades(raster: Raster, lowest: int, highest: int, decade: int, y: int) -> None:
    step = max(1, math.ceil(LABEL / max(1, decade)))
    for number in range(lowest, highest + 1, step):
        raster.put((number - lowest) * decade, y, f"1e{number}", "dim")


def scatter(low: float, high: float, dots: Sequence[tuple[int, int, int, int]], width: int, height: int) -> Content:
    """A on the horizontal and B on the vertical axis; dots with a flip are in the colour of errors, A = B is dotted.

    `dots` are (x, y, cells, flips) on a raster of 2 * width by 4 * (height - 2); both axes go from `low` to `high`.
    """
    room = max(1, height - 2)
    bits: dict[tuple[int, int], int] = {}
    flips: set[tuple[int, int]] = set()
    for x, y, _, flipped in dots:
        cell = (x // 2, room - 1 - y // 4)
        bits[cell] = bits.get(cell, 0) | DOTS[x % 2][3 - y % 4]
        if flipped:
            flips.add(cell)
    raster = Raster(width, height)
    for x in range(width):
        raster.put(x, 1 + room - 1 - x * room // width, "·", "dim")
    for (x, y), dotted in bits.items():
        style = "bold $text-error" if (x, y) in flips else "$text-primary"
        raster.put(x, y + 1, chr(BRAILLE + dotted), style)
    raster.put(0, 0, f"B ↑ {high:.4g}", "dim")
    if width >= 40:
        raster.put(width - 18, 0, "⣿ flips", "bold $text-error")
        raster.put(width - 9, 0, "· A = B", "dim")
    raster.put(0, height - 1, f"{low:.4g}", "dim")
    end = f"{high:.4g} → A"
    raster.put(width - len(end), height - 1, end, "dim")
    return raster.content()


def flip_matrix(flips: Sequence[tuple[str, str, int]], width: int, height: int) -> Content:
    """How often each label of A (rows) became each label of B (columns), the most frequent labels first."""
    if not flips:
        return safe("no label flips", "dim")
    rows = _by_weight((a, cells) for a, _, cells in flips)[: max(1, height - 2)]
    columns = _by_weight((b, cells) for _, b, cells in flips)
    first = min(18, 1 + max(len("A \\ B"), *(len(safe(row, cap=200)) for row in rows)))
    each = max(8, min(14, max(len(safe(column, cap=200)) for column in columns) + 2))
    columns = columns[: max(1, (width - first) // each)]
    count = {(a, b): cells for a, b, cells in flips}
    most = max(count.values())
    named = dict(zip(columns, short_names(columns, each - 1), strict=True))
    head = [_fit("A \\ B", first, "bold dim")] + [_fit(named[c], each, "bold $text-secondary", True) for c in columns]
    sides = dict(zip(rows, short_names(rows, first - 1), strict=True))
    table = [joined(head)]
    for row in rows:
        cells = [_heat(count.get((row, column), 0), most, each) for column in columns]
        table.append(joined([_fit(sides[row], first, "bold $text-primary"), *cells]))
    left = len({b for _, b, _ in flips}) - len(columns)
    if left > 0:
        hidden = plural(left, "more label")
        table.append(Content.styled(f"{hidden} of B: widen the terminal", "dim"))
    return lines(table)


def _by_weight(pairs: Iterable[tuple[str, int]]) -> list[str]:
    """The names by the sum of their cells, the largest first."""
    weights: dict[str, int] = {}
    for name, cells in pairs:
        weights[name] = weights.get(name, 0) + cells
    return sorted(weights, key=lambda name: (-weights[name], name))


def _fit(text: str, width: int, style: str, right: bool = False) -> Content:
    shown = safe(text, cap=200).plain
    shown = shown if len(shown) < width else shown[: width - 2] + "…"
    return Content.styled(shown.rjust(width) if right else shown.ljust(width), style)


def _heat(cells: int, most: int, width: int) -> Content:
    share = cells / most
    style = "bold $text-error on $error-muted" if share > 0.5 else "$text-error" if share > 0.1 else "$text-warning"
    return Content.styled((f"{cells:,}" if cells else "·").rjust(width), style if cells else "dim")


def bars(
    rows: Sequence[tuple[str, float | None, str]], width: int, style: str = "$text-primary", *, below: bool = False
) -> Content:
    """One line per row of (name, share, text): the name, a bar of the share (-1 to 1), and the text beside it or below.

    A negative share has a bar in another colour, and a minus. One that is not known (None) has words in place of a bar:
    an empty bar would say that it is nothing.
    """
    if not rows:
        return Content("")
    first = min(32, max(len(safe(name, cap=60)) for name, _, _ in rows) + 1)
    short = short_names([name for name, _, _ in rows], first - 1)
    room = max(4, min(40, width - first - 16))
    chart: list[Content] = []
    for name, (_, share, text) in zip(short, rows, strict=True):
        bar, rest, percent = _bar_of(share, room, style)
        beside = Content("") if below else safe(text, cap=200)
        chart.append(joined([_fit(name, first, ""), bar, rest, Content.styled(f" {percent:>7} ", "bold"), beside]))
        if below:
            indented = wrapped(show(text, 400), max(20, width - 2))
            chart += [Content.styled(f"  {line}", "dim") for line in indented]
    return lines(chart)


def _bar_of(share: float | None, room: int, style: str) -> tuple[Content, Content, str]:
    """A bar of `room` cells, its rest, and its number; of an unknown share what is said instead."""
    if share is None:
        return Content.styled(UNKNOWN[:room].ljust(room), "$text-warning"), Content(""), "?"
    filled = min(room, max(0, round(abs(share) * room)))
    bar = Content.styled("█" * filled, style if share >= 0 else "$text-warning")
    return bar, Content.styled("░" * (room - filled), "dim"), signed_part(share)
