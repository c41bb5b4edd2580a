"""A text that is scrolled by the rows of the screen: long lines are wrapped, or cut and scrolled sideways.

The place is a line and a row within it, and only the lines that are shown are wrapped: how many rows the whole text
takes is never known, so that a log of a million lines opens as fast as a short one, at any width.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import ClassVar, NamedTuple

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from repro_tui.tui.actions import GRID, bindings
from repro_tui.tui.text_lines import TextLines

WHEEL = 3  # rows


class RowPlace(NamedTuple):
    """A row of the screen: the line of the text, and the row within it."""

    line: int
    row: int


class LogPane(Widget, can_focus=True):
    """The widget that shows a text's lines.

    `follows`: the end stays in view while lines are added. `wraps`: long lines are wrapped. `search` is the text whose
    matches are marked, `marked` the line that is marked as a whole, such as the error (-1: none), and `current` the
    line of the current match.
    """

    BINDINGS = bindings(GRID)
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "log--number",
        "log--match",
        "log--current",
        "log--error",
        "log--bar",
        "log--thumb",
    }
    DEFAULT_CSS = """
    LogPane { background: $background; color: $foreground; height: 1fr; }
    LogPane > .log--number { color: $text-muted; }
    LogPane > .log--match { color: $text-warning; background: $warning-muted; text-style: $mark-style; }
    LogPane > .log--current { text-style: reverse; }
    LogPane > .log--error { color: $text-error; text-style: bold; }
    LogPane > .log--bar { color: $surface-lighten-2; }
    LogPane > .log--thumb { color: $text-muted; }
    """

    class Entered(Message):
        """Enter was pressed."""

        def __init__(self, pane: LogPane) -> None:
            self.pane = pane
            super().__init__()

        @property
        def control(self) -> LogPane:
            """The pane that sent it."""
            return self.pane

    class Scrolled(Entered):
        """What is in view changed."""

    def __init__(self, *, numbers: bool = True, empty: str = "no lines", id: str | None = None) -> None:
        super().__init__(id=id)
        self.numbers, self.empty = numbers, empty
        self.text: TextLines | None = None
        self.follows = False
        self.wraps = True
        self.search = ""
        self.marked = self.current = -1
        self.top = RowPlace(0, 0)
        self.sideways = 0
        self._target: int | None = None  # the line to show once the size is known

    # -- content ------------------------------------------------------------------------------------------------

    def show_text(self, text: TextLines | None, *, at: int | None = None, follow: bool = False) -> None:
        """Shows a text from its start, or (`follow`) its end; `at` is a line that is then in view."""
        self.text, self.follows = text, follow
        self.top, self.sideways, self.current = RowPlace(0, 0), 0, -1
        self._target = at
        if self.size.height:
            self._settle()
        self.refresh()

    def changed(self) -> None:
        """Shows what was added to the text."""
        if self.text is None:
            return
        if self.top.line >= max(1, len(self.text)):  # it has become shorter
            self.top = RowPlace(0, 0)
        if self.follows:
            self.top = self._end()
        self.refresh()

    def on_resize(self, event: events.Resize) -> None:
        """Keeps the end, or the wanted line, in view."""
        self._settle()
        self.refresh()

    def _settle(self) -> None:
        if self.follows:
            self.top = self._end()
        else:
            self.top = min(self._clamped(self.top), self._end())
        if self._target is not None:
            self.reveal(self._target)
            self._target = None
        self.post_message(self.Scrolled(self))

    # -- places -------------------------------------------------------------------------------------------------

    @property
    def _gutter(self) -> int:
        count = self.text.total if self.text is not None else 0
        return len(f"{count:,}") + 2 if self.numbers and self.size.width >= 40 else 0

    @property
    def _room(self) -> int:
        return max(4, self.size.width - self._gutter - 1)

    def rows(self, line: int) -> list[str]:
        """The rows of the screen that a line takes."""
        assert self.text is not None
        text = self.text.line(line)
        if not self.wraps:
            return [text]
        return wrapped_rows(text, self._room)

    def _clamped(self, place: RowPlace) -> RowPlace:
        """The place where there is one: at another width, a line has fewer rows."""
        if not self._count:
            return RowPlace(0, 0)
        line = min(place.line, self._count - 1)
        return RowPlace(line, min(place.row, len(self.rows(line)) - 1))

    @property
    def _count(self) -> int:
        return len(self.text) if self.text is not None else 0

    def _end(self) -> RowPlace:
        """The first place in view where the last row is at the bottom."""
        return self._above(RowPlace(self._count, 0), max(1, self.size.height))

    def _above(self, place: RowPlace, count: int) -> RowPlace:
        """The place `count` rows further up."""
        line, row = place
        while count > row and line > 0:
            count -= row
            line -= 1
            row = len(self.rows(line))
        return RowPlace(line, max(0, row - count))

    def _below(self, place: RowPlace, count: int) -> RowPlace:
        """The place `count` rows further down, at most that where the last row is at the bottom."""
        end = self._end()
        line, row = place
        while line < end.line and row + count >= (size := len(self.rows(line))):
            count -= size - row
            line, row = line + 1, 0
        return min(RowPlace(line, row + count), end)

    def places(self) -> Iterator[tuple[RowPlace, str]]:
        """The rows in view, with their texts."""
        left = self.size.height
        for line in range(self.top.line, self._count):
            for number, text in enumerate(self.rows(line)):
                if (line, number) >= self.top:
                    yield RowPlace(line, number), text
                    left -= 1
                    if not left:
                        return

    @property
    def last_line(self) -> int:
        """The last line in view; -1 if there is none."""
        line = -1
        for place, _ in self.places():
            line = place.line
        return line

    def at_end(self) -> bool:
        """Whether the last row is in view."""
        return self.top >= self._end()

    def reveal(self, line: int) -> None:
        """Brings a line into view, a third of the height below the top, unless its first row is in view."""
        if not 0 <= line < self._count:
            return
        if not any(place == (line, 0) for place, _ in self.places()):
            self._move(min(self._above(RowPlace(line, 0), self.size.height // 3), self._end()))

    def reveal_match(self, line: int, column: int) -> None:
        """Brings a match into view, which begins at character `column` of a line."""
        if self.text is None:
            return
        self.current, row, text = line, 0, self.text.line(line)
        if self.wraps:
            row = len(wrapped_rows(text[: column + 1], self._room)) - 1
        elif not self.sideways <= (cells := cell_len(text[:column])) < self.sideways + self._room // 2:
            self.sideways = max(0, cells - self._room // 4)
        if not any(place == (line, row) for place, _ in self.places()):
            self._move(min(self._above(RowPlace(line, row), self.size.height // 3), self._end()))
        self.refresh()

    def _move(self, place: RowPlace) -> None:
        self.top = place
        self.follows = self.follows and place >= self._end()
        self.refresh()
        self.post_message(self.Scrolled(self))

    # -- drawing ------------------------------------------------------------------------------------------------

    def render_lines(self, crop: Region) -> list[Strip]:
        """All visible rows: what stands in a row is known from those above it."""
        self._drawn = list(self._strips())
        return super().render_lines(crop)

    def render_line(self, y: int) -> Strip:
        """One visible row."""
        drawn: list[Strip] = getattr(self, "_drawn", [])
        return drawn[y] if y < len(drawn) else Strip.blank(self.size.width, self.rich_style)

    def _strips(self) -> Iterator[Strip]:
        width, base = self.size.width, self.rich_style
        if not self._count:
            style = base + self.get_component_rich_style("log--number", partial=True)
            yield Strip([Segment(set_cell_size(f"{self.empty}", width), style)])
            return
        thumb = self._thumb()
        for y, (place, text) in enumerate(self.places()):
            segments = [*self._numbered(place), *self._pieces(place.line, text)]
            strip = Strip(segments).adjust_cell_length(width - 1, base)
            bar = self.get_component_rich_style("log--thumb" if y in thumb else "log--bar", partial=True)
            yield Strip([*strip, Segment("┃" if y in thumb else "│", base + bar)])

    def _thumb(self) -> range:
        """The rows of the scroll bar's thumb, by lines."""
        height = self.size.height
        if self._count <= 1 or (self.top == (0, 0) and self.at_end()):
            return range(height)
        size = max(1, height * height // max(self._count, height))
        end = max(1, self._end().line)
        start = min(height - size, (height - size) * self.top.line // end) if not self.at_end() else height - size
        return range(start, start + size)

    def _numbered(self, place: RowPlace) -> list[Segment]:
        if not self._gutter or self.text is None:
            return []
        number = f"{self.text.number(place.line):,}" if place.row == 0 else ""
        style = self.rich_style + self.get_component_rich_style("log--number", partial=True)
        return [Segment(f"{number.rjust(self._gutter - 2)}  ", style)]

    def _pieces(self, line: int, text: str) -> Iterator[Segment]:
        """The segments of a row: its text, with the matches of the search marked."""
        base = self.rich_style
        if line == self.marked:
            base = base + self.get_component_rich_style("log--error", partial=True)
        if not self.wraps:
            text = _from_cell(text, self.sideways, self._room)
        start = 0
        for match in re.finditer(re.escape(self.search), text, re.IGNORECASE) if self.search else ():
            yield Segment(text[start : match.start()], base)
            yield Segment(match.group(), self._match_style(base, line))
            start = match.end()
        yield Segment(text[start:], base)

    def _match_style(self, base: Style, line: int) -> Style:
        style = base + self.get_component_rich_style("log--match", partial=True)
        return style + self.get_component_rich_style("log--current", partial=True) if line == self.current else style

    # -- keys ---------------------------------------------------------------------------------------------------

    def action_cursor(self, step: int) -> None:
        """Scrolls by one row."""
        self._scroll(step)

    def action_page(self, step: int) -> None:
        """Scrolls by a page."""
        self._scroll(step * max(1, self.size.height - 1))

    def _scroll(self, rows: int) -> None:
        self._move(self._below(self.top, rows) if rows > 0 else self._above(self.top, -rows))

    def action_edge(self, step: int) -> None:
        """Scrolls to the start (-1) or the end (1)."""
        self._move(RowPlace(0, 0) if step < 0 else self._end())

    def action_sideways(self, step: int) -> None:
        """Scrolls long lines that are not wrapped by half the width."""
        if not self.wraps:
            self.sideways = max(0, self.sideways + step * self._room // 2)
            self.refresh()

    @property
    def opens(self) -> bool:
        """Whether there is a log for Enter to open at full size."""
        return self.text is not None

    def action_open(self) -> None:
        """Sends Entered."""
        self.post_message(self.Entered(self))

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Scrolls down."""
        self._scroll(WHEEL)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Scrolls up."""
        self._scroll(-WHEEL)

    def toggle_wrap(self) -> None:
        """Wraps long lines, or cuts them."""
        self.wraps, self.sideways = not self.wraps, 0
        self.top = self._end() if self.follows else min(RowPlace(self.top.line, 0), self._end())
        self.refresh()

    def toggle_follow(self) -> None:
        """Follows the end, or stops."""
        self.follows = not self.follows
        if self.follows:
            self.top = self._end()
        self.refresh()
        self.post_message(self.Scrolled(self))


def wrapped_rows(text: str, width: int) -> list[str]:
    """A line as rows of at most `width` cells, with every character; marks without a width stay with what they mark."""
    if text.isascii():
        return [text[start : start + width] for start in range(0, len(text), width)] or [""]
    rows, room = [""], width
    for character in text:
        size = cell_len(character)
        if size > room:
            rows.append("")
            room = width
        rows[-1] += character
        room -= size
    return rows


def _from_cell(text: str, start: int, room: int) -> str:
    """A piece of a line by cells, with marks where it is cut."""
    if cell_len(text) <= room and not start:
        return text
    piece = text[start:] if text.isascii() else "".join(_dropped(text, start))
    head = "…" if start else ""
    if cell_len(piece) + len(head) > room:
        return head + set_cell_size(piece, room - len(head) - 1) + "…"
    return head + piece


def _dropped(text: str, cells: int) -> Iterator[str]:
    for character in text:
        if cells <= 0:
            yield character
        cells -= cell_len(character)
