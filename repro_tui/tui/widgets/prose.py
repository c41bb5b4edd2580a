"""Prose with hanging indents: a long line continues below its own text, so that bullets and keys stand out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from textual.content import Content
from textual.geometry import Size
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
    """Lines and items below each other, which are wrapped for the width that the layout gives them.

    Of more than `most` lines (None: any number) the last one ends with an ellipsis.
    """

    DEFAULT_CSS = "Prose { width: 1fr; height: auto; }"

    def __init__(
        self, parts: Sequence[Content | str | Item] = (), *, id: str | None = None, most: int | None = None
    ) -> None:
        super().__init__("", id=id, markup=False)
        self.parts, self.most = parts, most
        self._wrapped: tuple[int, Content] | None = None

    def show_parts(self, parts: Sequence[Content | str | Item]) -> None:
        """Shows these lines and items instead."""
        if parts != self.parts:
            self.parts, self._wrapped = parts, None
            self.refresh(layout=True)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """The number of lines at this width."""
        return self._content(width).get_height(self.styles.get_rules(), width) if width else 0

    def render(self) -> Content:
        """The lines at the widget's own width."""
        return self._content(self.content_size.width)

    def _content(self, width: int) -> Content:
        if self._wrapped is None or self._wrapped[0] != width:
            content = lines(hanging(part, width) if isinstance(part, Item) else part for part in self.parts)
            self._wrapped = width, content if self.most is None else cut_to(content, self.most, width or 80)
        return self._wrapped[1]


def hanging(item: Item, width: int) -> Content:
    """An item in lines of at most `width` cells, of which the later ones start below the first one's text."""
    room = max(20, width - len(item.head))
    text = ("\n" + " " * len(item.head)).join(wrapped(show(item.text, LONGEST), room))
    return joined([item.head, Content.styled(text, item.style) if item.style else Content(text)])


def cut_to(content: Content, most: int, width: int) -> Content:
    """The first lines, the last of them with an ellipsis where more follow: nothing is cut off unseen."""
    rows = content.split("\n")
    if len(rows) <= most:
        return content
    last = rows[most - 1]
    return lines([*rows[: most - 1], joined([last[: width - 2].rstrip(), " …"])])
