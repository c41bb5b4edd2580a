"""The lines at the top and the bottom of every screen: which audit this is, and the keys that matter here."""

from __future__ import annotations

from textual.content import Content
from textual.widgets import Static

from repro_tui.tui.actions import Action
from repro_tui.tui.widgets.safe import joined, safe


class TitleBar(Static):
    """What is shown, and both sides by name."""

    DEFAULT_CSS = "TitleBar { height: 1; background: $panel; color: $text; padding: 0 1; }"

    def tell(self, title: str, a: str = "", b: str = "", right: Content | None = None) -> None:
        """Sets the line; `a` and `b` are the sides' labels."""
        parts: list[Content | str] = [Content.styled(title, "bold $accent")]
        if a or b:
            parts += [joined([Content.styled("A ", "bold $primary"), safe(a, cap=40)])]
            parts += [joined([Content.styled("B ", "bold $secondary"), safe(b, cap=40)])]
        if right is not None:
            parts.append(right)
        self.update(joined(parts, "   "))


class KeyBar(Static):
    """The hints that fit on one line."""

    DEFAULT_CSS = "KeyBar { dock: bottom; height: 1; background: $panel; color: $text-muted; padding: 0 1; }"

    def __init__(self, *groups: tuple[Action, ...]) -> None:
        super().__init__("", markup=False)
        self._hints = [action.hint for group in groups for action in group if action.hint]

    def on_mount(self) -> None:
        """Shows the hints."""
        self._draw()

    def on_resize(self) -> None:
        """Shows as many as fit."""
        self._draw()

    def _draw(self) -> None:
        parts, room = [], self.size.width or 80
        for hint in self._hints:
            room -= len(hint) + 2
            if room < 0:
                break
            key, _, word = hint.partition(" ")
            parts.append(joined([Content.styled(key, "bold $accent"), f" {word}"]))
        self.update(joined(parts, "  "))
