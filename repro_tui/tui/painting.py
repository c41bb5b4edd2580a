"""Writes to the terminal only the cells that differ from what stands there: over SSH, a key press costs little.

Textual writes every line of a widget that is drawn again, with all of its styles. `Painted` remembers each cell that
was written. Of an update it writes the runs of cells that differ, and of a style what differs from the one before it.

What stands in the terminal is unknown after a resize or a suspension (`forget`); then everything is written. A line
with characters that are not one cell wide is written whole, and each of them is followed by an absolute position,
since terminals do not agree on the width of all of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import chain
from typing import NamedTuple, cast

from rich.cells import cell_len, split_graphemes
from rich.color import Color, ColorSystem
from rich.console import Console, RenderableType
from rich.segment import Segment
from rich.style import Style
from textual._compositor import ChopsUpdate, CompositorUpdate, LayoutUpdate
from textual.app import App
from textual.screen import Screen

ENDS = {"1": "22", "2": "22", "3": "23", "4": "24", "5": "25", "7": "27", "9": "29"}  # what ends an attribute
SEEN_ON_BLANKS = frozenset({"4", "5", "7", "9"})  # attributes that show where there is no text
NEAR = 4  # unchanged cells that are written again, as moving over them costs as much
ATTRIBUTES = {"bold": "1", "dim": "2", "italic": "3", "underline": "4", "blink": "5", "reverse": "7", "strike": "9"}
RESET = "\x1b[0m"


class CellLook(NamedTuple):
    """A style as parameters of SGR; "" is the terminal's own colour."""

    attributes: tuple[str, ...] = ()
    foreground: str = ""
    background: str = ""


class DrawnCell(NamedTuple):
    """What stands in one cell; "" in those that a wide character covers beside its first."""

    text: str
    look: CellLook


Line = list[DrawnCell | None]  # None: nobody knows
PLAIN = CellLook()


class Painted:
    """What stands in the terminal."""

    def __init__(self) -> None:
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
        written = _Writer()
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
        self.painted = Painted()

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
        if text.isascii() or _is_single(text):
            blank = DrawnCell(" ", _blank(look))
            cells += [DrawnCell(character, look) if character != " " else blank for character in text]
            continue
        for start, end, width in split_graphemes(text)[0]:
            if width:
                cells += [DrawnCell(text[start:end], look), *[DrawnCell("", look)] * (width - 1)]
            elif cells:
                cells[-1] = cells[-1]._replace(text=cells[-1].text + text[start:end])
    return cells


@lru_cache(4096)
def _is_single(text: str) -> bool:
    """Whether every character is one cell wide."""
    return all(cell_len(character) == 1 for character in text)


@lru_cache(8192)
def _look(style: Style, system: ColorSystem) -> CellLook:
    attributes = tuple(code for name, code in ATTRIBUTES.items() if getattr(style, name))
    return CellLook(attributes, _codes(style.color, system, True), _codes(style.bgcolor, system, False))


@lru_cache(1024)
def _blank(look: CellLook) -> CellLook:
    """What is seen of a look where there is no text: two blanks that look the same are the same."""
    return look if SEEN_ON_BLANKS.intersection(look.attributes) else CellLook(background=look.background)


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
                line[x] = DrawnCell(" ", _blank(cell.look))
            covered = max(0, covered - 1)
        else:
            covered = 0 if len(cell.text) == 1 and cell.text.isascii() else cell_len(cell.text) - 1
            if covered and [c.text if c else None for c in line[x + 1 : x + 1 + covered]] != [""] * covered:
                line[x], covered = DrawnCell(" ", _blank(cell.look)), 0


# -- writing ----------------------------------------------------------------------------------------------------


class _Writer:
    def __init__(self) -> None:
        self.parts: list[str] = []
        self.look = PLAIN
        self.place: tuple[int, int] | None = None  # where the next character would stand; None: nobody knows

    def line(self, y: int, before: Line, after: Line) -> None:
        """Writes what differs between two states of a line."""
        if before == after:
            return
        if _is_odd(before) or _is_odd(after):
            runs = _runs([cell is not None for cell in after], 0)
        else:
            changed = [old != new and new is not None for old, new in zip(before, after, strict=True)]
            runs = _runs(changed, NEAR)
        for start, end in runs:
            if None in after[start:end]:  # between two known pieces: it must not be written
                for left, right in _runs([cell is not None for cell in after[start:end]], 0):
                    self._write(y, start + left, after[start + left : start + right])
            else:
                self._write(y, start, after[start:end])

    def _write(self, y: int, x: int, cells: Sequence[DrawnCell | None]) -> None:
        for column, cell in enumerate(cells, x):
            if cell is None or not cell.text:
                continue
            look = cell.look
            if cell.text == " " and not SEEN_ON_BLANKS.intersection((*self.look.attributes, *look.attributes)):
                look = self.look._replace(background=look.background)
            self.parts += (self._move(column, y), _between(self.look, look), cell.text)
            self.look = look
            self.place = (column + 1, y) if _is_plain(cell) else None

    def _move(self, x: int, y: int) -> str:
        """The shortest way to a cell. Right of the last column terminals differ in where they are."""
        if self.place == (x, y):
            return ""
        if self.place and self.place[1] == y and self.place[0] < x:
            return f"\x1b[{x - self.place[0]}C"
        if self.place and (0, self.place[1] + 1) == (x, y):
            return "\r\n"
        return f"\x1b[{y + 1};{x + 1}H"

    def finished(self) -> str:
        """All that is to be written; the terminal is left in its own style."""
        return "".join((*self.parts, RESET)) if self.parts else ""


def _is_plain(cell: DrawnCell | None) -> bool:
    return cell is None or (len(cell.text) == 1 and (cell.text.isascii() or _is_single(cell.text)))


def _is_odd(line: Line) -> bool:
    return not all(map(_is_plain, line))


def _runs(chosen: Sequence[bool], near: int) -> list[tuple[int, int]]:
    """The beginnings and ends of runs of chosen cells; two runs that are that near are one."""
    runs: list[tuple[int, int]] = []
    for x, is_chosen in enumerate(chosen):
        if not is_chosen:
            continue
        if runs and x - runs[-1][1] <= near:
            runs[-1] = (runs[-1][0], x + 1)
        else:
            runs.append((x, x + 1))
    return runs


@lru_cache(8192)
def _between(before: CellLook, after: CellLook) -> str:
    """The shortest sequence from one look to another."""
    if before == after:
        return ""
    gone, kept = set(before.attributes) - set(after.attributes), set(before.attributes) & set(after.attributes)
    ends = {ENDS[code] for code in gone}
    codes = sorted(ends)
    codes += [code for code in after.attributes if code not in kept or ENDS[code] in ends]
    if after.foreground != before.foreground:
        codes.append(after.foreground or "39")
    if after.background != before.background:
        codes.append(after.background or "49")
    anew = ["0", *after.attributes, *filter(None, (after.foreground, after.background))]
    return f"\x1b[{min(';'.join(codes), ';'.join(anew), key=len)}m"
