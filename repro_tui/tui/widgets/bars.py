"""The first and the last line of every screen: what is shown, and the keys that work here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from textual.content import Content
from textual.widgets import Static

from repro_tui.tui.actions import Action, hint_of
from repro_tui.tui.widgets.safe import joined, safe

LONGEST_NAME, SHORTEST_NAME = 40, 8


class TitleBar(Static):
    """The title of a screen, and both sides by name, the left one first."""

    DEFAULT_CSS = "TitleBar { height: 1; background: $panel; color: $text; padding: 0 1; }"

    def __init__(self) -> None:
        super().__init__("", markup=False)
        self._content: tuple[str, list[tuple[str, str]], Content | None] = ("", [], None)
        self._age = ""

    def show_title(
        self, title: str, sides: list[tuple[str, str]] | None = None, right: Content | None = None, age: str = ""
    ) -> None:
        """Shows a title; `sides` are the (letter, label) of both sides, the left one first; `right` follows them.

        `age` stands at the right end: how long ago the audit was started, or how long it has been running.
        """
        self._content, self._age = (title, sides or [], right), age
        self._draw()

    def show_age(self, age: str) -> None:
        """Shows another age."""
        if age != self._age:
            self._age = age
            self._draw()

    def on_resize(self) -> None:
        """Shortens the names, so that both sides stay in view."""
        self._draw()

    def _draw(self) -> None:
        title, sides, right = self._content
        width = (self.size.width or 80) - 2
        taken = len(title) + 10 + (len(self._age) + 3 if self._age else 0)
        room = max(SHORTEST_NAME, min(LONGEST_NAME, (width - taken) // 2))
        parts: list[Content | str] = [Content.styled(title, "bold $accent")]
        for letter, label in sides:
            style = "bold $primary" if letter == "A" else "bold $secondary"
            parts.append(joined([Content.styled(f"{letter} ", style), shortened(label, room)]))
        if right is not None:
            parts.append(right)
        line = joined(parts, "   ")
        if self._age:
            space = max(2, width - len(line) - len(self._age))
            line = joined([line, " " * space, Content.styled(self._age, "$text-muted")])
        self.update(line, layout=False)  # it is one line high, whatever stands in it


def shortened(label: str, room: int) -> Content:
    """A side's label in at most `room` cells: the end of its name is cut, its commit stays."""
    text = safe(label, cap=200)
    if len(text) <= room:
        return text
    name, separator, commit = text.plain.rpartition("@")
    if separator and len(commit) == 7 and room > 10:
        return Content(f"{name[: room - 9]}…@{commit}")
    return Content(text.plain[: room - 1] + "…")


class KeyBar(Static):
    """The hints that fit on one line; the keys that quit and that show all keys are always among them."""

    DEFAULT_CSS = "KeyBar { dock: bottom; height: 1; background: $panel; color: $text-muted; padding: 0 1; }"

    def __init__(self, *groups: tuple[Action, ...]) -> None:
        super().__init__("", markup=False)
        self.groups = groups
        self._shown: list[Hint] = []

    def on_mount(self) -> None:
        """Shows the hints."""
        self.show_hints()

    def on_resize(self) -> None:
        """Shows as many hints as fit."""
        self.show_hints()

    def show_keys(self, *groups: tuple[Action, ...]) -> None:
        """Shows the hints of these groups instead."""
        self.groups = groups
        self.show_hints()

    def actions(self) -> list[Action]:
        """The actions that are hinted at where there is room: those of its groups that do something here and now."""
        works: Callable[[Action], bool] = getattr(self.screen, "works", lambda action: True)
        return [action for group in self.groups for action in group if action.hint and works(action)]

    def show_hints(self) -> None:
        """Shows the hints that fit."""
        keymap = getattr(self.app, "own_keys", {})
        hints = [Hint(hint_of(action, keymap), action.hint, action.kept) for action in self.actions()]
        shown = fitting(hints, (self.size.width or 80) - 2)  # without the padding
        if shown == self._shown:
            return
        self._shown = shown
        line = joined([joined([Content.styled(h.key, "bold $accent"), f" {h.word}"]) for h in shown], "  ")
        self.update(line, layout=False)


class Hint(NamedTuple):
    """A key and a word for what it does; a hint that is `kept` is never left out."""

    key: str
    word: str
    kept: bool = False

    @property
    def cells(self) -> int:
        """Its width, with the blanks around it."""
        return len(self.key) + len(self.word) + 3


def fitting(hints: Sequence[Hint], room: int) -> list[Hint]:
    """The hints that fit into `room` cells, in their order: those that are kept, and as many of the first others.

    Where not even those that are kept fit, the last of them are left out.
    """
    room += 2  # no blanks after the last one
    kept = sum(hint.cells for hint in hints if hint.kept)
    shown: list[Hint] = []
    skipping = False
    for hint in hints:
        kept -= hint.cells if hint.kept else 0
        fits = hint.cells + kept <= room
        if fits and (hint.kept or not skipping):
            shown.append(hint)
            room -= hint.cells
        else:
            skipping = True
    return shown
