"""What a screen has to know of a pane of several widgets, whatever they show."""

from __future__ import annotations

from textual.widget import Widget


class Pane(Widget):
    """Several widgets that show both sides: they are swapped together, and maximized as one."""

    ALLOW_MAXIMIZE = True

    def swap(self, swapped: bool) -> None:
        """Shows B first (`swapped`), or A first."""
        raise NotImplementedError
