"""The lines at the top and the bottom of every screen: which audit this is, and the keys that matter here."""

from __future__ import annotations

from textual.content import Content
from textual.widgets import Static

from repro_tui.tui.actions import HELP, Action, hint_of
from repro_tui.tui.widgets.safe import joined, safe

LONGEST_NAME, SHORTEST_NAME = 40, 8


class TitleBar(Static):
    """What is shown, and both sides by name, the left one first."""

    DEFAULT_CSS = "TitleBar { height: 1; background: $panel; color: $text; padding: 0 1; }"

    def __init__(self) -> None:
        super().__init__("", markup=False)
        self._told: tuple[str, list[tuple[str, str]], Content | None] = ("", [], None)

    def tell(self, title: str, sides: list[tuple[str, str]] | None = None, right: Content | None = None) -> None:
        """Sets the line; `sides` are the letters and labels of both sides, the left one first."""
        self._told = (title, sides or [], right)
        self._draw()

    def on_resize(self) -> None:
        """Both sides stay in view: their names give way."""
        self._draw()

    def _draw(self) -> None:
        title, sides, right = self._told
        room = max(SHORTEST_NAME, min(LONGEST_NAME, ((self.size.width or 80) - len(title) - 14) // 2))
        parts: list[Content | str] = [Content.styled(title, "bold $accent")]
        for letter, label in sides:
            style = "bold $primary" if letter == "A" else "bold $secondary"
            parts.append(joined([Content.styled(f"{letter} ", style), shortened(label, room)]))
        if right is not None:
            parts.append(right)
        self.update(joined(parts, "   "))


def shortened(label: str, room: int) -> Content:
    """A side's label, cut at the end of the name: its commit stays."""
    text = safe(label, cap=200)
    if len(text) <= room:
        return text
    name, at, commit = text.plain.rpartition("@")
    if at and len(commit) == 7 and room > 10:
        return Content(f"{name[: room - 9]}…@{commit}")
    return Content(text.plain[: room - 1] + "…")


class KeyBar(Static):
    """The hints that fit on one line; the way to all keys is always one of them."""

    DEFAULT_CSS = "KeyBar { dock: bottom; height: 1; background: $panel; color: $text-muted; padding: 0 1; }"

    def __init__(self, *groups: tuple[Action, ...]) -> None:
        super().__init__("", markup=False)
        self.groups = groups

    def on_mount(self) -> None:
        """Shows the hints."""
        self._draw()

    def on_resize(self) -> None:
        """Shows as many as fit."""
        self._draw()

    def tell(self, *groups: tuple[Action, ...]) -> None:
        """Shows the hints of other groups."""
        self.groups = groups
        self._draw()

    def _draw(self) -> None:
        keymap = getattr(self.app, "own_keys", {})
        hints = [(hint_of(a, keymap), a.hint) for group in self.groups for a in group if a.hint]
        shown = fitting(hints, (hint_of(HELP, keymap), HELP.hint), self.size.width or 80)
        self.update(joined([joined([Content.styled(key, "bold $accent"), f" {word}"]) for key, word in shown], "  "))


Hint = tuple[str, str]


def fitting(hints: list[Hint], always: Hint, room: int) -> list[Hint]:
    """The hints that fit into `room` cells, in their order; `always` is the last of them where it would not fit."""
    found: list[Hint] = []
    for place, hint in enumerate(hints):
        kept = _cells(always) if always in hints[place + 1 :] else 0
        if _cells(hint) + kept > room:
            return [*found, always] if kept else found
        room -= _cells(hint)
        found.append(hint)
    return found


def _cells(hint: Hint) -> int:
    return len(hint[0]) + len(hint[1]) + 3
