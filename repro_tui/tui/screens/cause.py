"""The cause: what the report's `causes` hold, or what could be the cause and how to ask for it."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text
from textual.app import ComposeResult
from textual.content import Content
from textual.widgets import Static

from repro_tui.model.causes import Causes, Culprit
from repro_tui.model.finding import Area, AreaName, Finding
from repro_tui.support.text import plural, shorten_middle, show
from repro_tui.tui.actions import AUDIT, GLOBAL, GRID, some
from repro_tui.tui.export import Table
from repro_tui.tui.finding_table import finding_table
from repro_tui.tui.screens.base import AuditScreen, ReadingPane
from repro_tui.tui.screens.findings import values
from repro_tui.tui.widgets.bars import KeyBar, TitleBar
from repro_tui.tui.widgets.charts import bars
from repro_tui.tui.widgets.grid import ColumnSpec, Grid
from repro_tui.tui.widgets.safe import joined, lines, safe

SEARCHED: tuple[AreaName, ...] = ("code", "environment", "parameters", "data")
COLUMNS = [
    ColumnSpec("area", 12),
    ColumnSpec("what differs", 16, 3),
    ColumnSpec("A", 12, 3, side="a"),
    ColumnSpec("B", 12, 3, side="b"),
]


class Candidates:
    """Whatever differs, as rows: one of these, or several together, made the predictions move."""

    def __init__(self, found: Sequence[tuple[AreaName, Finding]]) -> None:
        self.found = found

    def __len__(self) -> int:
        return len(self.found)

    def cells(self, row: int, widths: Sequence[int]) -> Sequence[Text]:
        """Area, path, A, B."""
        area, finding = self.found[row]
        a, b = values(finding, widths[2], widths[3])
        name = shorten_middle(show(" › ".join(finding.path), 300), max(5, widths[1]))
        return (Text(area, style="quiet"), Text(name, style="loud"), a, b)


class CauseScreen(AuditScreen):
    """What made the predictions move."""

    CSS_PATH = "cause.tcss"
    title_text = "Cause"

    def compose(self) -> ComposeResult:
        """Words and bars above, what differs below."""
        yield TitleBar()
        with ReadingPane(id="words"):
            yield Static("", id="causes", markup=False)
        yield Grid(COLUMNS, id="candidates", empty="code, environment, parameters and data are the same")
        yield KeyBar(some(GRID, "open"), AUDIT, GLOBAL)

    def on_mount(self) -> None:
        """What differs has the keys."""
        super().on_mount()
        self.query_one(Grid).focus()

    def on_resize(self) -> None:
        """Bars follow the width."""
        self.changed()

    def changed(self) -> None:
        """Shows what is known."""
        found = [
            (name, finding)
            for name in SEARCHED
            if isinstance(area := self.store.area(name), Area)
            for finding in area.findings
            if finding.change != "same"
        ]
        self.query_one(Grid).show_rows(Candidates(found), keep=True)
        report = self.store.report
        causes = report.causes if report else None
        width = max(40, self.size.width - 4)
        told = causes_told(causes, width) if causes else self._not_asked(len(found))
        self.query_one("#causes", Static).update(told)

    def _not_asked(self, candidates: int) -> Content:
        report = self.store.report
        if self.store.running:
            return safe("The audit is running: a cause is looked for when the predictions have been compared.")
        if report is None or report.verdict != "drift":
            verdict = report.verdict if report else "not known"
            return safe(f"There is no drift to explain: the verdict is {verdict}.", "bold")
        names = self.store.references()
        how = f"repro-tui {names[0]} {names[1]} --explain"
        parts: list[Content | str] = [
            safe("Nobody has asked for the cause of this drift yet.", "bold"),
            safe(f"It is among the {candidates:,} differences below, or several of them together."),
        ]
        parts.append(joined(["To ask: ", safe(how, "bold $accent")]))
        return lines(parts)

    # -- what is under the cursor -------------------------------------------------------------------------------

    def current(self) -> tuple[AreaName, Finding] | None:
        """The difference under the cursor."""
        grid = self.query_one(Grid)
        return grid.source.found[grid.cursor] if isinstance(grid.source, Candidates) and grid.count else None

    def selected(self) -> object:
        """The causes, or where there are none the difference under the cursor."""
        from dataclasses import asdict

        if self.store.report and self.store.report.causes:
            return asdict(self.store.report.causes)
        current = self.current()
        return asdict(current[1]) if current else None

    def table(self) -> Table | None:
        """What differs."""
        source = self.query_one(Grid).source
        return finding_table("differences", [f for _, f in source.found]) if isinstance(source, Candidates) else None

    def on_grid_opened(self, event: Grid.Opened) -> None:
        """A difference opens."""
        current = self.current()
        if current is not None:
            self.auditor.push_finding(*current)


def causes_told(causes: Causes, width: int) -> Content:
    """Sentences first, then shares and interactions as bars, culprits, what restores A, and what stayed open."""
    found: list[Content | str] = [safe(text, "bold") for text in causes.sentences]
    shares = sorted(causes.shares.items(), key=lambda item: -abs(item[1]))
    if shares:
        found += ["", Content.styled("share of the change", "bold $accent")]
        found.append(bars([(name, share, "") for name, share in shares], width))
    together = [(" + ".join(item.factors), item.dividend, "only together") for item in causes.interactions]
    if together:
        found += ["", Content.styled("interactions", "bold $accent"), bars(together, width, "$text-secondary")]
    found += _told(causes)
    return lines(found)


def _told(causes: Causes) -> list[Content | str]:
    found: list[Content | str] = [""]
    if causes.smallest:
        found.append(_pair("smallest set that reproduces B", " + ".join(causes.smallest)))
    found += [_pair("reverting this restores A", " + ".join(names)) for names in causes.restores]
    found += [_pair("culprit", _culprit(culprit)) for culprit in causes.culprits]
    if not causes.separable:
        found.append(safe("some of it cannot be told apart: one does not run without the other", "$text-warning"))
    for one in causes.unresolved:
        tried = f"could not be tried: B's {', '.join(one.from_b)}: {one.why}"
        found.append(safe(show(tried, 300), "$text-warning"))
    found.append(safe(f"{plural(causes.runs, 'run')}, {causes.cached:,} from the cache", "dim"))
    if causes.budget_spent:
        found.append(safe("the budget was spent: this is the best answer so far", "$text-warning"))
    return found


def _culprit(culprit: Culprit) -> str:
    path = show(" › ".join(culprit.path), 200)
    enough = "enough alone" if culprit.sufficient else "not enough alone"
    values = " → ".join("absent" if value is None else show(str(value), 80) for value in (culprit.a, culprit.b))
    return f"{culprit.factor} {path}: {values} ({enough})"


def _pair(name: str, told: str) -> Content:
    return joined([Content.styled(f"{name:<32}", "dim"), safe(told)])
