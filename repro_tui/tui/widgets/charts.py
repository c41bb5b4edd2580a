"""Charts drawn with characters: how far values moved, A against B, which labels flip, and bars."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

from textual.content import Content

from repro_tui.support.text import show, signed_part
from repro_tui.tui.widgets.safe import joined, lines, safe

EIGHTHS = " ▁▂▃▄▅▆▇█"
BRAILLE = 0x2800
# The bit of each of a braille character's dots, by column and row from the top.
DOTS = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))
FINEST = 8  # bins a decade in which a histogram is asked for
LABEL = 8


@dataclass(frozen=True, slots=True)
class Mark:
    """A line across a histogram: where it stands (a |Δ|), its name, its character and its style."""

    at: float
    name: str
    character: str
    style: str


class Raster:
    """Characters with a style each, put together into lines."""

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        self.cells: dict[tuple[int, int], tuple[str, str]] = {}

    def put(self, x: int, y: int, text: str, style: str = "", over: bool = True) -> None:
        """Writes from (x, y) on to the right, as far as there is room."""
        for offset, character in enumerate(text):
            place = (x + offset, y)
            if 0 <= x + offset < self.width and 0 <= y < self.height and (over or place not in self.cells):
                self.cells[place] = (character, style)

    def content(self) -> Content:
        """All lines."""
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
    """|Δ| by decade: `bins` are (bin of log10, cells), FINEST bins a decade; `marks` stand across.

    The lowest two lines are the axis and what the marks are.
    """
    if not bins:
        return safe("no cell moved by a number", "dim")
    spots = [math.log10(mark.at) * FINEST for mark in marks]
    lowest = math.floor(min([bins[0][0], *spots]) / FINEST)
    highest = math.floor(max([bins[-1][0], *spots]) / FINEST) + 1
    parts = next((p for p in (8, 4, 2, 1) if (highest - lowest) * p <= width), 1)
    each = max(1, min(4, width // max(1, (highest - lowest) * parts)))
    heights: dict[int, int] = {}
    for at, cells in bins:
        place = math.floor(at * parts / FINEST) - lowest * parts
        heights[place] = heights.get(place, 0) + cells
    raster, room = Raster(width, height), max(1, height - 2)
    most = max(heights.values())
    for place, cells in heights.items():
        _bar(raster, place * each, each, max(1, round(cells / most * room * 8)), room)
    for mark, spot in zip(marks, spots, strict=True):
        x = int((spot * parts / FINEST - lowest * parts) * each)
        for y in range(room):
            raster.put(x, y, mark.character, mark.style)
    _decades(raster, lowest, highest, parts * each, room)
    told = [Content.styled(f"{m.character} {m.name} {m.at:.3g}", m.style) for m in marks]
    told.append(Content.styled(f"█ at most {most:,} cells", "dim"))
    return lines([*raster.content().split("\n")[: height - 1], joined(told, "   ")])


def _bar(raster: Raster, x: int, each: int, eighths: int, room: int) -> None:
    for up in range(math.ceil(eighths / 8)):
        full = min(8, eighths - up * 8)
        raster.put(x, room - 1 - up, EIGHTHS[full] * max(1, each - (each > 2)), "$text-primary")


def _decades(raster: Raster, lowest: int, highest: int, decade: int, y: int) -> None:
    step = max(1, math.ceil(LABEL / max(1, decade)))
    for number in range(lowest, highest + 1, step):
        raster.put((number - lowest) * decade, y, f"1e{number}", "dim")


def scatter(low: float, high: float, dots: Sequence[tuple[int, int, int, int]], width: int, height: int) -> Content:
    """A to the right against B upwards; cells with a flip in the colour of errors, the diagonal dotted.

    `dots` are (x, y, cells, flips) on a raster of 2 * width by 4 * (height - 2).
    """
    room = max(1, height - 2)
    bits: dict[tuple[int, int], int] = {}
    flips: set[tuple[int, int]] = set()
    for x, y, _, flipped in dots:
        place = (x // 2, room - 1 - y // 4)
        bits[place] = bits.get(place, 0) | DOTS[x % 2][3 - y % 4]
        if flipped:
            flips.add(place)
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
    """How often each label of A (rows) became which of B (columns), the most frequent labels first."""
    if not flips:
        return safe("no label flips", "dim")
    rows = _by_weight((a, cells) for a, _, cells in flips)[: max(1, height - 2)]
    columns = _by_weight((b, cells) for _, b, cells in flips)
    first = min(18, 1 + max(len("A \\ B"), *(len(safe(row, cap=200)) for row in rows)))
    each = max(8, min(14, max(len(safe(column, cap=200)) for column in columns) + 2))
    columns = columns[: max(1, (width - first) // each)]
    count = {(a, b): cells for a, b, cells in flips}
    most = max(count.values())
    head = [_fit("A \\ B", first, "bold dim")] + [_fit(c, each, "bold $text-secondary", True) for c in columns]
    found = [joined(head)]
    for row in rows:
        cells = [_heat(count.get((row, column), 0), most, each) for column in columns]
        found.append(joined([_fit(row, first, "bold $text-primary"), *cells]))
    left = len({b for _, b, _ in flips}) - len(columns)
    if left > 0:
        found.append(Content.styled(f"{left} more labels of B: widen the terminal", "dim"))
    return lines(found)


def _by_weight(pairs: object) -> list[str]:
    weights: dict[str, int] = {}
    for name, cells in pairs:  # type: ignore[attr-defined]
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
    rows: Sequence[tuple[str, float, str]], width: int, style: str = "$text-primary", *, below: bool = False
) -> Content:
    """One line a row: its name, a bar of its share (0 to 1; below 0 is said by its sign), and words beside or below."""
    if not rows:
        return Content("")
    first = min(32, max(len(safe(name, cap=60)) for name, _, _ in rows) + 1)
    room = max(4, min(40, width - first - 16))
    found: list[Content] = []
    for name, share, told in rows:
        filled = min(room, max(0, round(abs(share) * room)))
        bar = Content.styled("█" * filled, style if share >= 0 else "$text-warning")
        rest = Content.styled("░" * (room - filled), "dim")
        percent = Content.styled(f" {signed_part(share):>7} ", "bold")
        beside = Content("") if below else safe(told, cap=200)
        found.append(joined([_fit(name, first, ""), bar, rest, percent, beside]))
        if below:
            words = textwrap.wrap(show(told, 400), max(20, width - 2))
            found += [Content.styled(f"  {line}", "dim") for line in words]
    return lines(found)
