"""One value of A beside, or above, the same of B, with what changed highlighted."""

from __future__ import annotations

from typing import Any

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from repro_tui.support.text import show, show_lines
from repro_tui.tui.widgets.safe import ABSENT, changed_segments, highlighted, joined, lines, safe

MOST_LINES = 2000


class SideBySide(Widget):
    """Two panes, A left and B right (or the other way round); stacked, one above the other."""

    ALLOW_MAXIMIZE = True
    DEFAULT_CSS = """
    SideBySide { layout: horizontal; height: 1fr; }
    SideBySide.stacked { layout: vertical; }
    SideBySide > VerticalScroll { width: 1fr; height: 1fr; padding: 0 1; border-title-color: $foreground; }
    SideBySide > VerticalScroll { border: round $surface-lighten-2; }
    SideBySide > VerticalScroll:focus { border: round $accent; }
    SideBySide Static { width: 1fr; height: auto; }
    """

    def compose(self) -> ComposeResult:
        """Two scrolling panes."""
        for side in ("a", "b"):
            with VerticalScroll(id=f"pane-{side}") as pane:
                pane.border_title = side.upper()
                yield Static("", id=f"text-{side}", markup=False)

    def tell(self, a: Any, b: Any) -> None:
        """Shows both values."""
        one, other = both_sides(a, b)
        self.query_one("#text-a", Static).update(one)
        self.query_one("#text-b", Static).update(other)

    def swap(self, swapped: bool) -> None:
        """B left of A, or A left of B."""
        first, last = ("#pane-b", "#pane-a") if swapped else ("#pane-a", "#pane-b")
        if self.children and self.children[0] is not self.query_one(first):
            self.move_child(self.query_one(first), before=self.query_one(last))


def both_sides(a: Any, b: Any) -> tuple[Content, Content]:
    """Both values as content, line by line where they have several."""
    if (isinstance(a, str) and "\n" in a) or (isinstance(b, str) and "\n" in b):
        return _blocks(a, b)
    one, other = (ABSENT if value is None else show(value) for value in (a, b))
    if a is None or b is None:
        return safe(one, "$text-error" if b is None else "dim"), safe(other, "$text-success" if a is None else "dim")
    cut_a, cut_b = changed_segments(one, other)
    return highlighted(cut_a, "bold $text-error on $error-muted"), highlighted(
        cut_b, "bold $text-success on $success-muted"
    )


def _blocks(a: Any, b: Any) -> tuple[Content, Content]:
    """Two texts of several lines, with equal lines on one height."""
    import difflib

    one, other = (show_lines(value, 400, MOST_LINES) if isinstance(value, str) else [] for value in (a, b))
    left: list[Content | str] = []
    right: list[Content | str] = []
    for tag, a_from, a_to, b_from, b_to in difflib.SequenceMatcher(None, one, other, autojunk=False).get_opcodes():
        height = max(a_to - a_from, b_to - b_from)
        left += _column(one[a_from:a_to], height, tag == "equal", "- ", "$text-error")
        right += _column(other[b_from:b_to], height, tag == "equal", "+ ", "$text-success")
    return lines(left), lines(right)


def _column(found: list[str], height: int, same: bool, mark: str, style: str) -> list[Content | str]:
    shown: list[Content | str] = [
        Content("  " + line) if same else joined([Content.styled(mark + line, style)]) for line in found
    ]
    return shown + [""] * (height - len(found))
