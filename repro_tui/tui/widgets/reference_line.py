"""A line to type a reference: its letter, the text, the rest that Tab would complete, and below it what is wrong."""

from __future__ import annotations

from textual import events
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.geometry import Offset
from textual.message import Message
from textual.widgets import Static

from repro_tui.support.text import show
from repro_tui.tui.typed_line import TypedLine
from repro_tui.tui.widgets.safe import joined, safe

MARGIN = 4  # cells before the text: the letter and the arrow


class ReferenceLine(Vertical):
    """The line of one side. It never has the focus: the picker's screen handles all keys itself, in their order.

    (Were the lines widgets with a focus of their own, keys that arrive faster than the focus moves would be typed into
    the line before.)
    """

    DEFAULT_CSS = """
    ReferenceLine { height: auto; }
    ReferenceLine Static { width: 1fr; height: auto; padding: 0 1; }
    ReferenceLine.active .typed { background: $surface-lighten-1; }
    ReferenceLine .wrong { padding: 0 1 0 5; max-height: 3; }
    """

    class Chosen(Message):
        """The line was clicked."""

        def __init__(self, side: str) -> None:
            self.side = side
            super().__init__()

    def __init__(self, side: str, hint: str) -> None:
        super().__init__(id=side)
        self.side, self.hint = side, hint
        self.line = TypedLine()
        self.rest, self.problem = "", ""

    def compose(self) -> ComposeResult:
        """The line, and the place for what is wrong with it."""
        yield Static("", classes="typed", markup=False)
        yield Static("", classes="wrong", markup=False)

    @property
    def text(self) -> str:
        """The reference as it is typed, without blanks around it."""
        return self.line.text.strip()

    def draw(self, *, active: bool) -> None:
        """Shows the line; `active` is the one that is typed into."""
        self.set_class(active, "active")
        colour = "primary" if self.side == "a" else "secondary"
        head = Content.styled(f"{self.side.upper()} {'▸' if active else ' '} ", f"bold ${colour}")
        typed, wrong = self.query(Static)
        typed.update(joined([head, self._content(active)]))
        wrong.update(safe(self.problem, "$text-error", 600))
        wrong.display = bool(self.problem)
        if active and self.is_mounted:
            first, _ = self.line.visible(self._room())
            column = MARGIN + 1 + len(show(self.line.text[first : self.line.cursor], 10_000))
            self.app.cursor_position = self.region.offset + Offset(column, 0)

    def _room(self) -> int:
        return max(8, (self.size.width or 80) - MARGIN - 3)

    def _content(self, active: bool) -> Content:
        line = self.line
        if not line.text:
            return joined([Content.styled(" ", "reverse") if active else "", safe(self.hint, "dim")])
        first, last = line.visible(self._room())
        before, after = line.text[first : line.cursor], line.text[line.cursor : last]
        if not active:
            return safe(before + after, cap=10_000)
        under, after = (after[0], after[1:]) if after else (self.rest[:1] or " ", "")
        rest = self.rest[1:] if line.cursor == len(line.text) else self.rest
        return joined(
            [
                safe(before, "bold", 10_000),
                safe(under, "reverse"),
                safe(after, "bold", 10_000),
                safe(rest, "dim", 400),
            ]
        )

    def on_click(self, event: events.Click) -> None:
        """A click chooses the line."""
        self.post_message(self.Chosen(self.side))
