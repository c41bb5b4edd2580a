"""What the overview shows where the screen has the room for it: the outputs, how far they moved, and what causes it."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content

from repro_tui.model.predictions import Column, PredictionsArea
from repro_tui.model.report import Report
from repro_tui.report.cause_rows import effects
from repro_tui.report.differences import Difference, differences_of
from repro_tui.report.outcome import worst_first
from repro_tui.report.words import number, verdict_glyph
from repro_tui.support.text import plural
from repro_tui.tui.names import short_names
from repro_tui.tui.widgets.charts import bars
from repro_tui.tui.widgets.prose import Item
from repro_tui.tui.widgets.safe import safe

Parts = list[Content | str | Item]
MOST_DIFFERING, MOST_OUTPUTS = 16, 10
LONGEST_NAME = 32
GAP = "  "


def differing(report: Report) -> Parts:
    """What differs in the areas, the important things first; of many, some of each area."""
    differences = differences_of(report.areas)
    parts: Parts = [Content.styled("What differs", "bold")] if differences else []
    groups: dict[str, list[Difference]] = {"": differences}
    if len(differences) > MOST_DIFFERING:
        names = dict.fromkeys(item.area for item in differences)
        groups = {name: [item for item in differences if item.area == name] for name in names}
    room = MOST_DIFFERING // len(groups)
    for name, group in groups.items():
        for item in group[:room]:
            phrase = item.phrase.removeprefix("parameters.")
            parts.append(Item(Content.styled(f"{item.area:<12}", "dim"), phrase))
        if more := group[room:]:
            parts.append(safe(f"{name:<12}and {plural(len(more), 'more difference')}", "dim"))
    return parts


def shares(report: Report, width: int) -> Parts:
    """The share of the change that each factor causes, as bars of `width` cells; nothing without a cause."""
    known = effects(report.causes) if report.causes is not None and not report.causes.note else []
    if not known:
        return []
    return [
        "",
        Content.styled("Share of the change", "bold"),
        bars([(name, share, "") for name, share in known], width),
    ]


def outputs(area: PredictionsArea, width: int) -> Parts:
    """The output columns with what came of each, the worst first, and how far the values of the worst one moved."""
    if area.rows is None or not area.columns:
        return []
    columns = worst_first(area.columns)
    names = short_names([column.name for column in columns], LONGEST_NAME)
    rows = [(name, *_result(column)) for name, column in zip(names, columns[:MOST_OUTPUTS], strict=False)]
    widths = [max(len(row[cell]) for row in rows) for cell in range(len(rows[0]))]
    parts: Parts = [Content.styled("Outputs", "bold")]
    for column, row in zip(columns, rows, strict=False):
        texts = (text.ljust(size) for text, size in zip(row, widths, strict=True))
        style = "bold $text-error" if column.verdict == "drift" else ""
        parts.append(safe(f"{verdict_glyph(column.verdict)} {GAP.join(texts)}".rstrip(), style, cap=400))
    if more := len(columns) - MOST_OUTPUTS:
        parts += [safe(f"and {plural(more, 'more output')}", "dim")] if more > 0 else []
    return [*parts, *_decades(columns, names, width)]


def _result(column: Column) -> Sequence[str]:
    """What came of one output: its verdict, how many rows differ, how far, and how many flip."""
    differ = f"{plural(column.different, 'row')} differ{'s' if column.different == 1 else ''}"
    moved = f"max |Δ| {number(column.max_abs)}" if column.max_abs else ""
    flips = f"{plural(column.flips, 'flip')}" if column.flips else ""
    return column.verdict, differ, moved, flips


def _decades(columns: Sequence[Column], names: Sequence[str], width: int) -> Parts:
    """How far the values of the worst output with distances moved, a bar for each decade."""
    name, column = next(((n, c) for n, c in zip(names, columns, strict=True) if c.histogram), ("", None))
    if column is None:
        return []
    total = sum(cells for _, _, cells in column.histogram)
    rows: list[tuple[str, float | None, str]] = [
        (f"1e{low:g} to 1e{high:g}", cells / total, plural(cells, "cell")) for low, high, cells in column.histogram
    ]
    title = f"How far {name} moved: cells by decade of |Δ|"
    return ["", Content.styled(title, "bold"), bars(rows, width)]
