"""Prose in lines that go on below their own beginning, so that a bullet or a key stands alone at the left."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import NamedTuple

from textual.content import Content
from textual.widgets import Static

from repro_tui.support.text import show
from repro_tui.tui.widgets.safe import joined, lines

LONGEST = 2000  # characters


class Item(NamedTuple):
    """A head such as a bullet, and the text beside it, which is cleaned here."""

    head: Content
    text: str
    style: str = ""


class Prose(Static):
    """Lines and items under each other, wrapped anew when the width changes."""

    DEFAULT_CSS = "Prose { width: 1fr; height: auto; }"

    def __init__(self, parts: Sequence[Content | str | Item] = (), *, id: str | None = None) -> None:
        super().__init__("", id=id, markup=False)
        self.parts, self.drawn_for = parts, 0

    def tell(self, parts: Sequence[Content | str | Item]) -> None:
        """Sets the lines."""
        self.parts = parts
        self._draw()

    def on_mount(self) -> None:
        """Draws them as if there were room, until there is."""
        self._draw()

    def on_resize(self) -> None:
        """Wraps for the new width: a change of the height alone is our own doing."""
        if self.content_size.width != self.drawn_for:
            self.call_after_refresh(self._draw)  # not within the layout, which would keep the old height

    def _draw(self) -> None:
        width = self.drawn_for = self.content_size.width
        self.update(lines(hung(part, width or 80) if isinstance(part, Item) else part for part in self.parts))


def hung(item: Item, width: int) -> Content:
    """An item in lines of at most `width` cells, the later ones below the first one's text."""
    room = max(20, width - len(item.head))
    text = ("\n" + " " * len(item.head)).join(textwrap.wrap(show(item.text, LONGEST), room))
    return joined([item.head, Content.styled(text, item.style) if item.style else Content(text)])
