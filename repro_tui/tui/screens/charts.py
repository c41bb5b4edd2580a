"""The charts of one output column, as many as there is room for, and its measures; charts are counted in a thread."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import zip_longest

from textual import work
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from repro_tui.model.predictions import Column, PredictionsArea
from repro_tui.report.words import kind_words, measure_rows
from repro_tui.tui.differences import DifferingCells
from repro_tui.tui.widgets.charts import FINEST, Mark, bars, flip_matrix, histogram, scatter
from repro_tui.tui.widgets.safe import joined, lines, safe
from repro_tui.tui.widgets.stress import stress_table
from repro_tui.tui.workers import hand_over

TITLES = {
    "histogram": "how far values moved: |Δ| by decade",
    "scatter": "A against B",
    "flips": "which labels flip",
    "slices": "where rows moved: slices of the inputs",
    "stress": "what moves a side's own predictions (--stress)",
}
LEAST = 9  # lines per chart, at least
PAIR = 37  # cells for a measure and its name


def kinds_of(area: PredictionsArea | None, column: Column | None) -> list[str]:
    """The charts of a column (names in TITLES), the most informative first; without a column, those of the area."""
    area_charts = ["slices", *(("stress",) if area and area.stress else ())]
    if column is None:
        return area_charts
    conditions = {
        "histogram": _has_distance(column),
        "scatter": _is_number(column),
        "flips": bool(column.flip_matrix),
    }
    return [*(name for name, has_chart in conditions.items() if has_chart), *area_charts]


def _has_distance(column: Column) -> bool:
    """Whether |Δ| is how far a row moved; the items of a ranking are names, even if they are numbers."""
    items = column.kind == "ranking" and column.rule.startswith("exact")
    return column.max_abs is not None and not column.members and not items


def _is_number(column: Column) -> bool:
    """Whether each row has a single number on each side."""
    return _has_distance(column) and "list" not in f"{column.type_a} {column.type_b}"


class Charts(VerticalScroll, can_focus=True):
    """The charts of one column, from chart number `first` on; `all_kinds` shows all of them, and scrolls."""

    DEFAULT_CSS = "Charts Static { width: 1fr; height: auto; padding: 0 1; }"

    def __init__(self, *, id: str | None = None, all_kinds: bool = False, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.column: Column | None = None
        self.area: PredictionsArea | None = None
        self.differences: DifferingCells | None = None
        self.first = 0
        self._all = all_kinds
        if all_kinds:
            self.styles.scrollbar_gutter = "stable"  # else charts drawn before the bar appeared are too wide

    def compose(self) -> ComposeResult:
        """One text with all charts."""
        yield Static("", id="drawn", markup=False)

    def show_column(self, area: PredictionsArea, column: Column | None, differences: DifferingCells | None) -> None:
        """Draws the charts of a column, from its first one on if it is another column."""
        if column is not self.column:
            self.first = 0
        self.area, self.column, self.differences = area, column, differences
        self._draw()

    def next_kind(self) -> bool:
        """Shows the next chart; returns False where it starts over with the first one."""
        kinds = kinds_of(self.area, self.column)
        self.first = (self.first + 1) % len(kinds)
        self._draw()
        return self.first > 0

    def on_resize(self) -> None:
        """Draws for the new size."""
        self._draw()

    def _draw(self) -> None:
        if self.area is not None and self.size.width and self.display:
            self._count(self.scrollable_content_region.width - 2, self.size.height)

    @work(thread=True, exclusive=True, group="charts")
    def _count(self, width: int, height: int) -> None:
        kinds = kinds_of(self.area, self.column)
        kinds = kinds[self.first :] + kinds[: self.first]
        room = len(kinds) if self._all else max(1, height // LEAST)
        shown = kinds[:room]
        each = max(LEAST, min(22, height // len(shown))) if self._all else height // len(shown)
        parts: list[Content | str] = []
        for kind in shown:
            parts += [Content.styled(TITLES[kind], "bold $accent"), self.chart(kind, width, max(4, each - 2)), ""]
        hand_over(self._show, lines(parts[:-1]))

    def _show(self, drawn: Content) -> None:
        if self.is_mounted:
            self.query_one("#drawn", Static).update(drawn)

    def chart(self, kind: str, width: int, height: int) -> Content:
        """One chart of this size in cells; called in a worker thread, as it may count millions of cells."""
        column = self.column
        if kind == "stress" and self.area is not None:
            return stress_table(self.area.stress, width)
        if kind == "slices" or column is None:
            return self._slices(width)
        if kind == "flips":
            return flip_matrix(column.flip_matrix, width, height)
        if self.differences is None:
            return safe("the differing cells are not in this folder", "dim")
        if kind == "histogram":
            return histogram(self.differences.histogram(column.name, FINEST), marks_of(column), width, height)
        points = self.differences.points(column.name, 2 * width, 4 * (height - 2))
        if points is None:
            return safe("no cell has numbers on both sides", "dim")
        return scatter(points.low, points.high, points.dots, width, height)

    def _slices(self, width: int) -> Content:
        slices = self.area.slices if self.area else ()
        if not slices:
            return safe("none: rows did not move more often in any slice of the inputs than elsewhere", "dim")
        return bars([(entry.name, entry.share, entry.sentence) for entry in slices], width, below=True)


def marks_of(column: Column) -> list[Mark]:
    """The lines of the tolerance and of the noise in a histogram, as far as they are known."""
    marks = []
    if column.atol:
        marks.append(Mark(column.atol, "tolerance", "┃", "$text-warning"))
    if column.noise_abs:
        marks.append(Mark(column.noise_abs, "noise", "┊", "$text-accent"))
    return marks


class Measures(Static):
    """The rule and the measures of a column, in one or two columns of text depending on the width."""

    def __init__(self, column: Column | None = None, *, id: str | None = None) -> None:
        super().__init__("", id=id, markup=False)
        self.column, self.drawn_for = column, 0

    def show_column(self, column: Column) -> None:
        """Shows the measures of this column."""
        self.column = column
        self._draw()

    def on_mount(self) -> None:
        """Draws one column of text until the width is known."""
        self._draw()

    def on_resize(self) -> None:
        """Draws for a new width; a change of the height alone is the result of drawing."""
        if self.content_size.width != self.drawn_for:
            self.call_after_refresh(self._draw)

    def _draw(self) -> None:
        self.drawn_for = self.content_size.width
        if self.column is not None:
            self.update(measures(self.column, self.drawn_for))


def measures(column: Column, width: int = 0) -> Content:
    """A column's rule and measures; from 2 * PAIR cells of `width` on, short measures stand in two columns."""
    content: list[Content | str] = [safe(f"{column.name}: {column.verdict}", "bold"), safe(f"rule: {column.rule}")]
    if column.smallest_passing:
        passing = ", ".join(f"{name} {value:.3g}" for name, value in column.smallest_passing.items())
        content.append(safe(f"smallest tolerance that would pass: {passing}"))
    types = column.type_a if column.type_a == column.type_b else f"{column.type_a} → {column.type_b}"
    content.append(safe(f"kind {kind_words(column)}, type {types}", "dim"))
    if column.members:
        content.append(safe(f"of the columns {', '.join(column.members)}", "dim", cap=400))
    if column.note:
        content.append(safe(column.note, "$text-warning"))
    values: list[tuple[str, object]] = [
        ("max |Δ|", column.max_abs if _has_distance(column) or column.members else None),
        ("max relative", column.max_rel),
        ("flips", column.flips),
        ("not finite", column.non_finite or None),
        ("nulls A, B", _nulls(column)),
        ("noise |Δ|", column.noise_abs),
        ("beyond own noise", column.beyond_noise),
    ]
    pairs = [(name, _number(value)) for name, value in values if value is not None] + measure_rows(column)
    content += _two_columns(pairs) if width >= 2 * PAIR else [_pair(*pair) for pair in pairs]
    return lines(content)


def _pair(name: str, value: str) -> Content:
    return joined([Content.styled(f"{name:<22} ", "dim"), safe(value)])


def _two_columns(pairs: list[tuple[str, str]]) -> Iterator[Content]:
    """Short pairs down the left and then down the right column; long pairs on lines of their own below."""
    short = [pair for pair in pairs if len(pair[0]) <= 22 and len(pair[1]) <= PAIR - 24]
    half = (len(short) + 1) // 2
    for left, right in zip_longest(short[:half], short[half:]):
        pair = _pair(*left)
        yield joined([pair, " " * (PAIR - len(pair)), _pair(*right)]) if right else pair
    yield from (_pair(*pair) for pair in pairs if pair not in short)


def _nulls(column: Column) -> str | None:
    return f"{column.nulls_a:,}, {column.nulls_b:,}" if column.nulls_a or column.nulls_b else None


def _number(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)
