"""Writes to the terminal only the cells that differ from what stands there: over SSH, a key press costs little.

Textual writes every line of a widget that is drawn again, with all of its styles. `Painted` remembers each cell that
was written, and of an update only those that differ are written (`CellWriter`).

What stands in the terminal is unknown after a resize or a suspension (`forget`); then everything is written.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import chain
from typing import cast

from rich.cells import cell_len, split_graphemes
from rich.color import Color, ColorSystem
from rich.console import Console, RenderableType
from rich.segment import Segment
from rich.style import Style
from textual._compositor import ChopsUpdate, CompositorUpdate, LayoutUpdate
from textual.app import App
from textual.screen import Screen

from repro_tui.tui.cell_writer import (
    PLAIN,
    CellLook,
    CellWriter,
    DrawnCell,
    Line,
    blank_look,
    erases_with_background,
    is_single,
)

ATTRIBUTES = {"bold": "1", "dim": "2", "italic": "3", "underline": "4", "blink": "5", "reverse": "7", "strike": "9"}


class Painted:
    """What stands in the terminal; `erases`: it keeps the background where something is erased."""

    def __init__(self, erases: bool = False) -> None:
        self._erases = erases
        self._lines: list[Line] = []
        self._width = 0

    def forget(self) -> None:
        """Something else may have written to the terminal, or resized it."""
        self._lines = []

    def paint(self, update: LayoutUpdate | ChopsUpdate, console: Console) -> str:
        """The text to write to the terminal for an update of Textual's compositor."""
        system = {"standard": ColorSystem.STANDARD, "256": ColorSystem.EIGHT_BIT}.get(console.color_system or "")
        system = system or ColorSystem.TRUECOLOR
        if isinstance(update, LayoutUpdate):
            pieces = _pieces_of_layout(update)
            if (update.region.width, update.region.height) != (self._width, len(self._lines)):
                self._width = update.region.width
                self._lines = [[None] * self._width for _ in range(update.region.height)]
        else:
            pieces = _pieces_of_chops(update)
            if not self._lines:
                return update.render_segments(console)  # there has been no layout yet: nothing is known
        fresh: dict[int, Line] = {}
        for x, y, segments in pieces:
            if 0 <= y < len(self._lines):
                line = fresh.setdefault(y, list(self._lines[y]))
                cells = _cells(segments, system)[: max(0, self._width - x)]
                line[x : x + len(cells)] = cells
        written = CellWriter(self._erases)
        for y, line in sorted(fresh.items()):
            _mend(line)
            written.line(y, self._lines[y], line)
            self._lines[y] = line
        return written.finished()


class Changes(CompositorUpdate):
    """An update of Textual's compositor that writes only what differs from what is painted."""

    def __init__(self, painted: Painted, update: LayoutUpdate | ChopsUpdate) -> None:
        self.painted, self.update = painted, update

    def render_segments(self, console: Console) -> str:
        """What is to be written; called just before it is, so that the painted cells are those of the terminal."""
        return self.painted.paint(self.update, console)


class PaintedApp(App[int]):
    """An application that writes only the cells that differ."""

    def __init__(self, *, ansi_color: bool | None = None) -> None:
        super().__init__(ansi_color=ansi_color)
        self.painted = Painted(erases_with_background())

    def _display(self, screen: Screen[object], renderable: RenderableType | None) -> None:
        update: object = renderable
        if isinstance(update, LayoutUpdate | ChopsUpdate):
            renderable = cast(RenderableType, Changes(self.painted, update))
        super()._display(screen, renderable)

    def on_mount(self) -> None:
        """Draws everything after a suspension: other programs have written to the terminal."""
        for suspended in (self.app_suspend_signal, self.app_resume_signal):
            suspended.subscribe(self, lambda app: self.painted.forget())

    def on_resize(self) -> None:
        """Draws everything after a resize, as terminals move their lines; it is also sent after Ctrl+Z and `fg`."""
        self.painted.forget()

    def paint_anew(self) -> None:
        """Draws everything: another program may have written to the terminal."""
        self.painted.forget()
        self.screen.refresh()


# -- the cells of an update -------------------------------------------------------------------------------------


def _pieces_of_layout(update: LayoutUpdate) -> Iterator[tuple[int, int, Iterable[Segment]]]:
    for y, strips in enumerate(update.strips, update.region.y):
        yield update.region.x, y, chain.from_iterable(strips)


def _pieces_of_chops(update: ChopsUpdate) -> Iterator[tuple[int, int, Iterable[Segment]]]:
    """The pieces of lines as ChopsUpdate.render_segments writes them."""
    for y, left, right in update.spans:
        for end, (x, strip) in zip(update.chop_ends[y], update.chops[y].items(), strict=False):
            if strip is not None and x <= right and end > left:
                yield x, y, strip if x >= left and end <= right else strip.crop(0, min(end, right) - x)


def _cells(segments: Iterable[Segment], system: ColorSystem) -> list[DrawnCell]:
    cells: list[DrawnCell] = []
    for text, style, control in segments:
        if control:
            continue
        look = _look(style, system) if style else PLAIN
        if text.isascii() or is_single(text):
            blank = DrawnCell(" ", blank_look(look))
            cells += [DrawnCell(character, look) if character != " " else blank for character in text]
            continue
        for start, end, width in split_graphemes(text)[0]:
            if width:
                cells += [DrawnCell(text[start:end], look), *[DrawnCell("", look)] * (width - 1)]
            elif cells:
                cells[-1] = cells[-1]._replace(text=cells[-1].text + text[start:end])
    return cells


@lru_cache(8192)
def _look(style: Style, system: ColorSystem) -> CellLook:
    attributes = tuple(code for name, code in ATTRIBUTES.items() if getattr(style, name))
    return CellLook(attributes, _codes(style.color, system, True), _codes(style.bgcolor, system, False))


def _codes(color: Color | None, system: ColorSystem, foreground: bool) -> str:
    return ";".join(color.downgrade(system).get_ansi_codes(foreground)) if color is not None else ""


def _mend(line: Line) -> None:
    """Blanks the halves of wide characters that something else was drawn over, as terminals do."""
    covered = 0
    for x, cell in enumerate(line):
        if cell is None:
            covered = 0
        elif cell.text == "":
            if not covered:
                line[x] = DrawnCell(" ", blank_look(cell.look))
            covered = max(0, covered - 1)
        else:
            covered = 0 if len(cell.text) == 1 and cell.text.isascii() else cell_len(cell.text) - 1
            if covered and [c.text if c else None for c in line[x + 1 : x + 1 + covered]] != [""] * covered:
                line[x], covered = DrawnCell(" ", blank_look(cell.look)), 0
