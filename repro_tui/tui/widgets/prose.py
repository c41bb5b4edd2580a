"""Prose with hanging indents: a long line continues below its own text, so that bullets and keys stand out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from textual.content import Content
from textual.widgets import Static

from repro_tui.support.text import show
from repro_tui.tui.widgets.safe import joined, lines, wrapped

LONGEST = 2000  # characters


class Item(NamedTuple):
    """A head such as a bullet, and the text after it, which is cleaned when it is drawn."""

    head: Content
    text: str
    style: str = ""


class Prose(Static):
    """Lines and items below each other, wrapped again whenever the width changes."""

    DEFAULT_CSS = "Prose { width: 1fr; height: auto; }"

    def __init__(self, parts: Sequence[Content | str | Item] = (), *, id: str | None = None) -> None:
        super().__init__("", id=id, markup=False)
        self.parts, self.drawn_for = parts, 0

    def show_parts(self, parts: Sequence[Content | str | Item]) -> None:
        """Shows these lines and items instead."""
        self.parts = parts
        self._draw()

    def on_mount(self) -> None:
        """Draws for 80 cells until the real width is known."""
        self._draw()

    def on_resize(self) -> None:
        """Wraps for a new width; a change of the height alone is the result of drawing."""
        if self.content_size.width != self.drawn_for:
            self.call_after_refresh(self._draw)  # not during the layout, which would keep the old height

    def _draw(self) -> None:
        width = self.drawn_for = self.content_size.width
        self.update(lines(hanging(part, width or 80) if isinstance(part, Item) else part for part in self.parts))


def hanging(item: Item, width: int) -> Content:
    """An item in lines of at most `width` cells, of which the later ones start below the first one's text."""
    room = max(20, width - len(item.head))
    text = ("\n" + " " * len(item.head)).join(wrapped(show(item.text, LONGEST), room))
    return joined([item.head, Content.styled(text, item.style) if item.style else Content(text)])
