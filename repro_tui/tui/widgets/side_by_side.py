"""A value of A beside or above the same value of B, with what changed highlighted."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from repro_tui.report.words import ABSENT
from repro_tui.support.text import show, show_lines
from repro_tui.tui.widgets.safe import changed_segments, highlighted, joined, lines, safe

MOST_LINES = 2000


class SideBySide(Widget):
    """Two panes, A left and B right or the other way round; with the class `stacked`, one above the other."""

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

    def show_values(self, a: object, b: object) -> None:
        """Shows both values; None is a value that is absent."""
        content_a, content_b = both_sides(a, b)
        self.query_one("#text-a", Static).update(content_a)
        self.query_one("#text-b", Static).update(content_b)

    def swap(self, swapped: bool) -> None:
        """Puts B left of A (`swapped`), or A left of B."""
        first, last = ("#pane-b", "#pane-a") if swapped else ("#pane-a", "#pane-b")
        if self.children and self.children[0] is not self.query_one(first):
            self.move_child(self.query_one(first), before=self.query_one(last))


def both_sides(a: object, b: object) -> tuple[Content, Content]:
    """Both values as content, aligned line by line where one has several lines."""
    if (isinstance(a, str) and "\n" in a) or (isinstance(b, str) and "\n" in b):
        return _blocks(a, b)
    text_a, text_b = (ABSENT if value is None else show(value) for value in (a, b))
    if a is None or b is None:
        style_a, style_b = ("$text-error" if b is None else "dim"), ("$text-success" if a is None else "dim")
        return safe(text_a, style_a), safe(text_b, style_b)
    segments_a, segments_b = changed_segments(text_a, text_b)
    return (
        highlighted(segments_a, "bold $text-error on $error-muted"),
        highlighted(segments_b, "bold $text-success on $success-muted"),
    )


def _blocks(a: object, b: object) -> tuple[Content, Content]:
    """Two texts of several lines, with equal lines at the same height."""
    import difflib

    lines_a, lines_b = (show_lines(value, 400, MOST_LINES) if isinstance(value, str) else [] for value in (a, b))
    left: list[Content | str] = []
    right: list[Content | str] = []
    for tag, a_from, a_to, b_from, b_to in difflib.SequenceMatcher(
        None, lines_a, lines_b, autojunk=False
    ).get_opcodes():
        height = max(a_to - a_from, b_to - b_from)
        left += _column(lines_a[a_from:a_to], height, tag == "equal", "- ", "$text-error")
        right += _column(lines_b[b_from:b_to], height, tag == "equal", "+ ", "$text-success")
    return lines(left), lines(right)


def _column(block: list[str], height: int, same: bool, mark: str, style: str) -> list[Content | str]:
    shown: list[Content | str] = [
        Content("  " + line) if same else joined([Content.styled(mark + line, style)]) for line in block
    ]
    return shown + [""] * (height - len(block))
