"""Which columns of a table are shown: the user hides one, or keeps those whose name contains a text, or widens one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from repro_tui.support.text import quote


@dataclass
class ColumnView:
    """The columns of a table by name, in their order, and what the user did to them."""

    names: Sequence[str]
    hidden: set[str] = field(default_factory=set)
    containing: str = ""
    wide: set[str] = field(default_factory=set)

    @property
    def shown(self) -> list[str]:
        """The columns that are shown."""
        text = self.containing.lower()
        return [name for name in self.names if name not in self.hidden and text in name.lower()]

    @property
    def left_out(self) -> list[str]:
        """The columns that are not shown."""
        shown = set(self.shown)
        return [name for name in self.names if name not in shown]

    @property
    def extent(self) -> str:
        """How many columns are shown of how many, and why not all: "57 of 60 columns (3 hidden)"; "" if all are."""
        if not self.left_out:
            return ""
        hidden = len(self.hidden)
        named = f"named like {quote(self.containing, 40)}" if self.containing else ""
        reasons = [reason for reason in (named, f"{hidden:,} hidden" if hidden else "") if reason]
        return f"{len(self.shown):,} of {len(self.names):,} columns ({', '.join(reasons)})"

    def hide(self, name: str) -> str:
        """Hides a column; returns why it is not hidden, or ""."""
        if self.shown == [name]:
            return "This is the only column that is shown."
        self.hidden.add(name)
        return ""

    def keep(self, containing: str) -> str:
        """Keeps the columns whose name contains a text; returns why nothing changed, or ""."""
        before, self.containing = self.containing, containing
        if self.shown:
            return ""
        self.containing = before
        return f"No column that is shown has {quote(containing, 80)} in its name."

    def show_all(self) -> None:
        """Shows all columns again."""
        self.hidden.clear()
        self.containing = ""

    def widen(self, name: str) -> None:
        """Widens a column, or makes it as narrow as before."""
        self.wide ^= {name}


def visible_part(widths: Sequence[int], first: int, current: int, room: int) -> tuple[int, int]:
    """The first column to show and how many, such that the current one is among them and no room is left unused.

    `widths` are those of all columns, each followed by one cell; `first` is the one that was the first before.
    """

    def count_from(start: int) -> int:
        left = room
        for number, width in enumerate(widths[start:]):
            left -= width + 1
            if left < 0:
                return max(1, number)
        return len(widths) - start

    first = max(0, min(first, current))
    while current >= first + count_from(first):
        first += 1
    while first and count_from(first - 1) > count_from(first) and first - 1 + count_from(first - 1) == len(widths):
        first -= 1
    return first, count_from(first)
