"""The cause: what the report's `causes` hold and every mixture that was tried, or what could be the cause."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.text import Text
from textual.app import ComposeResult
from textual.content import Content
from textual.widgets import Static

from repro_tui.model.causes import Causes, Culprit
from repro_tui.model.finding import Area, AreaName, Finding
from repro_tui.report.words import culprit_text
from repro_tui.support.text import part, plural, shorten_middle, show, signed_part
from repro_tui.tui.actions import AUDIT, GLOBAL, GRID, some
from repro_tui.tui.dialogs import MessageDialog
from repro_tui.tui.finding_table import finding_table, text_table
from repro_tui.tui.navigation import OpenFinding
from repro_tui.tui.screens.base import AuditScreen, ReadingPane
from repro_tui.tui.screens.findings import values
from repro_tui.tui.widgets.bars import KeyBar, TitleBar
from repro_tui.tui.widgets.charts import bars
from repro_tui.tui.widgets.grid import ColumnSpec, Grid
from repro_tui.tui.widgets.safe import joined, lines, safe, text_of
from repro_tui.tui.written_table import WrittenTable

SEARCHED: tuple[AreaName, ...] = ("code", "environment", "parameters", "data")
COLUMNS = [
    ColumnSpec("area", 12),
    ColumnSpec("what differs", 16, 3),
    ColumnSpec("A", 12, 3, side="a"),
    ColumnSpec("B", 12, 3, side="b"),
]


TRIED = [
    ColumnSpec("searched", 12, 1),
    ColumnSpec("taken from B", 16, 3),
    ColumnSpec("change", 8, right=True),
    ColumnSpec("rows as B", 9, right=True),
    ColumnSpec("outputs", 11, 1),
]


class Ledger:
    """The mixtures of A and B that were tried, the newest last, as rows."""

    def __init__(self, tried: Sequence[dict[str, Any]]) -> None:
        self.tried = tried

    def __len__(self) -> int:
        return len(self.tried)

    def cells(self, row: int, widths: Sequence[int]) -> Sequence[Text]:
        """Where was searched, what was from B, how much of the change and of the rows that made, and whose they are."""
        entry = self.tried[row]
        score = entry.get("score")
        from_b = shorten_middle(show(", ".join(entry["from_b"]), 2000), max(5, widths[1]))
        change = "" if score is None else _brief(signed_part(score))
        rows = entry.get("rows_as_b")
        return (
            text_of(entry["stage"], widths[0], "quiet"),
            Text(from_b, style="loud"),
            Text(change),
            Text("" if rows is None else _brief(part(rows))),
            text_of(str(entry["told"]).rpartition(", ")[2], max(5, widths[4])),
        )


def _brief(told: str) -> str:
    """A part of a whole as a narrow column has room for it."""
    return told.replace("less than ", "<").replace("more than ", ">")


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
        self._show_rows(found)
        report = self.store.report
        causes = report.causes if report else None
        width = max(40, self.size.width - 4)
        told = causes_told(causes, width) if causes else self._not_asked(len(found))
        self.query_one("#causes", Static).update(told)

    def _show_rows(self, found: Sequence[tuple[AreaName, Finding]]) -> None:
        """What was tried, where a cause was looked for; else what differs."""
        grid, tried = self.query_one(Grid), self.store.ledger
        grid.show_columns(TRIED if tried else COLUMNS)
        grid.show_rows(Ledger(tuple(tried)) if tried else Candidates(found), keep=True)
        if tried and self.store.running:
            grid.action_edge(1)

    def _not_asked(self, candidates: int) -> Content:
        report = self.store.report
        if self.store.running:
            return self._under_way()
        if report is None or report.verdict != "drift":
            verdict = report.verdict if report else "not known"
            return safe(f"There is no drift to explain: the verdict is {verdict}.", "bold")
        names = self.store.references()
        how = f"repro-tui {names[0]} {names[1]} --explain"
        parts: list[Content | str] = [
            safe("Nobody has asked for the cause of this drift yet.", "bold"),
            safe(f"It is among the {candidates:,} differences below, or several of them together."),
        ]
        parts.append(joined([safe("E", "bold $accent"), " looks for it now; or  ", safe(how, "bold $accent")]))
        return lines(parts)

    def _under_way(self) -> Content:
        step = self.store.steps.get(("", "explain"))
        if step is None:
            return safe("The audit is running: a cause is looked for when the predictions have been compared.")
        words = f"Looking for the cause: {plural(len(self.store.ledger), 'mixture')} of A and B tried so far."
        return lines([safe(words, "bold"), safe(step.text, "dim")])

    # -- what is under the cursor -------------------------------------------------------------------------------

    def current(self) -> tuple[AreaName, Finding] | None:
        """The difference under the cursor."""
        grid = self.query_one(Grid)
        return grid.source.found[grid.cursor] if isinstance(grid.source, Candidates) and grid.count else None

    def selected(self) -> object:
        """The causes, or where there are none the difference under the cursor."""
        from dataclasses import asdict

        grid = self.query_one(Grid)
        if isinstance(grid.source, Ledger) and grid.count:
            return grid.source.tried[grid.cursor]
        if self.store.report and self.store.report.causes:
            return asdict(self.store.report.causes)
        current = self.current()
        return asdict(current[1]) if current else None

    def table(self) -> WrittenTable | None:
        """What was tried, or what differs."""
        source = self.query_one(Grid).source
        if isinstance(source, Ledger):
            rows = [(e["stage"], ", ".join(e["from_b"]), e["told"]) for e in source.tried]
            return text_table("mixtures", ("searched", "taken from B", "outputs"), rows)
        return finding_table("differences", [f for _, f in source.found]) if isinstance(source, Candidates) else None

    def on_grid_opened(self, event: Grid.Opened) -> None:
        """A difference opens; a mixture is told in full."""
        grid = self.query_one(Grid)
        if isinstance(grid.source, Ledger) and grid.count:
            entry = grid.source.tried[grid.cursor]
            words = [f"B's {name}" for name in entry["from_b"]]
            self.app.push_screen(MessageDialog(entry["stage"], [f"{entry['told']}:", *words]))
            return
        current = self.current()
        if current is not None:
            self.post_message(OpenFinding(*current))


def causes_told(causes: Causes, width: int) -> Content:
    """Sentences first, then shares and interactions as bars, culprits, what restores A, and what stayed open."""
    found: list[Content | str] = [safe(text, "bold") for text in causes.sentences]
    shares = sorted(causes.shares.items(), key=lambda item: -abs(item[1]))
    if shares:
        found += ["", Content.styled("share of the change", "bold $accent")]
        found.append(bars([(name, share, "") for name, share in shares], width))
    together = [(" + ".join(item.factors), item.dividend, "") for item in causes.interactions]
    if together:
        found += ["", Content.styled("only together", "bold $accent"), bars(together, width, "$text-secondary")]
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
    return f"{culprit.factor} {show(' › '.join(culprit.path), 200)}: {culprit_text(culprit)}"


def _pair(name: str, told: str) -> Content:
    return joined([Content.styled(f"{name:<32}", "dim"), safe(told)])
