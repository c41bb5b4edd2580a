"""The screen of the cause: the report's `causes` and every hybrid that was tried, or else what may be the cause."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Container
from textual.content import Content
from textual.widgets import Static

from repro_tui.model.causes import Causes, Culprit
from repro_tui.model.finding import Area, AreaName, Finding
from repro_tui.model.report import Areas, Report
from repro_tui.report.cause_rows import effects
from repro_tui.report.cause_sentences import CauseWording, culprit_name
from repro_tui.report.differences import differences_of, is_all_known, value_pair
from repro_tui.report.words import sentence
from repro_tui.support.text import brief_part, join_names, plural, shorten_middle, show, signed_part, without_hashes
from repro_tui.tui.actions import AUDIT, GLOBAL, GRID, area_key, key_of, some
from repro_tui.tui.dialogs import MessageDialog
from repro_tui.tui.difference.listed import COLUMNS, DifferenceRows
from repro_tui.tui.failure import why_not_compared
from repro_tui.tui.finding_table import finding_table, text_table
from repro_tui.tui.navigation import OpenFinding
from repro_tui.tui.screens.base import WIDE, AuditScreen, ReadingPane
from repro_tui.tui.store import LedgerEntry
from repro_tui.tui.widgets.bars import KeyBar, TitleBar
from repro_tui.tui.widgets.charts import bars
from repro_tui.tui.widgets.grid import ColumnSpec, Grid
from repro_tui.tui.widgets.safe import joined, lines, safe, text_of, wrapped
from repro_tui.tui.written_table import WrittenTable

MOST_CULPRITS = 60
ROOM_FOR_STAGES, LONGEST_STAGE = 90, 24  # cells
SEARCHED: tuple[AreaName, ...] = ("code", "environment", "parameters", "data")
HYBRID_COLUMNS = [
    ColumnSpec("search", 8, 1),
    ColumnSpec("taken from B", 16, 4),
    ColumnSpec("change", 8, right=True),
    ColumnSpec("rows as B", 9, right=True),
    ColumnSpec("outputs", 11, 1),
]


def _hybrid_columns(entries: Sequence[LedgerEntry], width: int) -> list[ColumnSpec]:
    """The columns of the hybrids; from ROOM_FOR_STAGES cells on the stages of the search stand there whole."""
    if width < ROOM_FOR_STAGES:
        return HYBRID_COLUMNS
    longest = min(LONGEST_STAGE, max(len(show(entry["stage"], LONGEST_STAGE)) for entry in entries))
    return [replace(c, least=max(longest, c.least), share=0) if c.title == "search" else c for c in HYBRID_COLUMNS]


class Ledger:
    """The hybrids of A and B that were tried as rows, the latest last; entries are those of explain/ledger.jsonl."""

    def __init__(self, entries: Sequence[LedgerEntry], factors: Sequence[str] = ()) -> None:
        self.entries, self.factors = entries, factors

    def __len__(self) -> int:
        return len(self.entries)

    def cells(self, row: int, widths: Sequence[int]) -> Sequence[Text]:
        """The stage of the search, what came from B, its part of the change and of the rows, and which side it is."""
        entry = self.entries[row]
        score = entry.get("score")
        from_b = self._from_b(entry, max(5, widths[1]))
        change = "" if score is None else f"{'-' if signed_part(score).startswith('-') else ''}{brief_part(score)}"
        rows = entry.get("rows_as_b")
        return (
            text_of(entry["stage"], widths[0], "quiet"),
            Text(from_b, style="loud"),
            Text(change),
            Text("" if rows is None else brief_part(rows)),
            text_of(str(entry["told"]).rpartition(", ")[2], max(5, widths[4])),
        )

    def _from_b(self, entry: LedgerEntry, width: int) -> str:
        """What came from B in `width` cells: all names, or those that did not come from B, or as many as fit."""
        names = [show(name, 200) for name in entry["from_b"]]
        section, names = _common_section(names)
        text = f"{section}{', '.join(names)}"
        left_out = [name for name in self.factors if name not in names]
        if len(text) > width and entry["stage"] == "factors" and set(names) <= set(self.factors):
            text = f"all but {', '.join(left_out)}" if left_out else "all"
        shown = len(names)
        while len(text) > width and shown > 1:
            shown -= 1
            text = f"{section}{', '.join(names[:shown])} +{len(names) - shown:,}"
        return shorten_middle(text, width)


def _common_section(names: list[str]) -> tuple[str, list[str]]:
    """The beginning that all of several names share, once ("packages: "), and the names without it."""
    sections = {name.rpartition(" ")[0] for name in names}
    if len(names) < 2 or len(sections) > 1 or not (section := sections.pop()):
        return "", names
    return f"{section}: ", [name.rpartition(" ")[2] for name in names]


class CauseScreen(AuditScreen):
    """What made the predictions move."""

    CSS_PATH = "cause.tcss"
    title_text = "Cause"

    def compose(self) -> ComposeResult:
        """Sentences and bars above, the table below."""
        yield TitleBar()
        with Container(id="body"):
            with ReadingPane(id="words", classes="pane"):
                yield Static("", id="causes", markup=False)
            yield Grid(COLUMNS, id="candidates", empty="", classes="pane")
        yield KeyBar(some(GRID, "open"), AUDIT, GLOBAL)

    def on_mount(self) -> None:
        """Focuses the table."""
        super().on_mount()
        self.query_one(Grid).focus()

    def on_resize(self) -> None:
        """Fits the bars to the width."""
        self.changed()

    def changed(self) -> None:
        """Shows what is known."""
        differences = [
            (name, finding)
            for name in SEARCHED
            if isinstance(area := self.store.area(name), Area)
            for finding in area.findings
            if finding.change != "same"
        ]
        self._show_rows(differences)
        report = self.store.report
        causes = report.causes if report else None
        width = max(40, (self.size.width // 2 if self.size.width >= WIDE else self.size.width) - 4)
        content = (
            causes_content(causes, report.areas, width) if report and causes else self._without_causes(len(differences))
        )
        self.query_one("#causes", Static).update(content)
        self.query_one("#words").border_title = "the answer" if report and causes else "the search"

    def _show_rows(self, differences: Sequence[tuple[AreaName, Finding]]) -> None:
        """Shows the hybrids that were tried, or the differences where no cause was searched for."""
        grid, hybrids = self.query_one(Grid), self.store.ledger
        follows = not isinstance(grid.source, Ledger) or grid.cursor >= grid.count - 1
        causes = self.store.report.causes if self.store.report else None
        grid.show_columns(_hybrid_columns(hybrids, grid.size.width) if hybrids else COLUMNS)
        count = plural(len(hybrids), "hybrid") if hybrids else plural(len(differences), "difference")
        grid.border_title = count if hybrids or differences else ""
        grid.empty = self._no_difference()
        ledger = Ledger(tuple(hybrids), causes.factors if causes else ())
        grid.show_rows(ledger if hybrids else DifferenceRows(differences), keep=True)
        if hybrids and self.store.running and follows:  # who went up to read a hybrid stays there
            grid.action_edge(1)

    def _no_difference(self) -> str:
        """The areas that are the same, and those of which that is not known, in place of an empty list."""
        areas = {name: self.store.area(name) for name in SEARCHED}
        same = [name for name, area in areas.items() if area is not None and area.status == "same"]
        rest = [name for name in SEARCHED if name not in same]
        texts = [f"{join_names(same)} {'are' if len(same) > 1 else 'is'} the same"] if same else []
        return "; ".join([*texts, *([f"not known: {join_names(rest)}"] if rest else [])])

    def _without_causes(self, candidates: int) -> Content:
        """What to show where there is no cause (yet): why, and how to search for one."""
        report = self.store.report
        if self.store.running:
            return self._search_progress()
        if reason := why_not_compared(self.store):
            return safe(f"There is no drift to explain: {reason}.", "bold")
        if report is None or report.verdict != "drift":
            verdict = report.verdict if report else "not known"
            return safe(f"There is no drift to explain: the verdict is {verdict}.", "bold")
        if not candidates:
            return safe(self._no_candidates(report), "bold")
        names = self.store.references()
        command = f"repro-tui {names[0]} {names[1]} --explain"
        parts: list[Content | str] = [
            safe("The cause of this drift has not been searched for.", "bold"),
            safe(f"It is one of the {candidates:,} differences below, or several of them together."),
        ]
        parts.append(
            joined(
                [
                    safe(key_of("app.explain", self.store.keys), "bold $accent"),
                    " searches for it; or  ",
                    safe(command, "bold $accent"),
                ]
            )
        )
        return lines(parts)

    def _no_candidates(self, report: Report) -> str:
        """What to make of a drift where no difference is known that could be its cause."""
        against = "what was recorded of it" if report.grade is not None else "A"
        overview = area_key("overview", self.store.keys)
        return (
            f"B drifts from {against}, but no difference was found that could be the cause: it is nothing that was "
            f"compared. The overview ({overview}) has the warnings, and what is missing in the records."
        )

    def _search_progress(self) -> Content:
        step = self.store.steps.get(("", "explain"))
        if step is None:
            return safe(
                "The audit is running. The search for the cause begins once the predictions have been compared."
            )
        progress = f"Searching for the cause: {plural(len(self.store.ledger), 'hybrid')} of A and B tried so far."
        return lines([safe(progress, "bold"), safe(step.text, "dim")])

    # -- what is under the cursor -------------------------------------------------------------------------------

    def current(self) -> tuple[AreaName, Finding] | None:
        """The difference under the cursor."""
        grid = self.query_one(Grid)
        return grid.source.differences[grid.cursor] if isinstance(grid.source, DifferenceRows) and grid.count else None

    def selected(self) -> object:
        """The hybrid under the cursor, or the causes, or the difference under the cursor."""
        from dataclasses import asdict

        grid = self.query_one(Grid)
        if isinstance(grid.source, Ledger) and grid.count:
            return grid.source.entries[grid.cursor]
        if self.store.report and self.store.report.causes:
            return asdict(self.store.report.causes)
        current = self.current()
        return asdict(current[1]) if current else None

    def table(self) -> WrittenTable | None:
        """The hybrids, or the differences."""
        source = self.query_one(Grid).source
        if isinstance(source, Ledger):
            rows = [(entry["stage"], ", ".join(entry["from_b"]), entry["told"]) for entry in source.entries]
            return text_table("hybrids", ("search", "taken from B", "outputs"), rows)
        if isinstance(source, DifferenceRows):
            return finding_table("differences", [finding for _, finding in source.differences])
        return None

    def on_grid_opened(self, event: Grid.Opened) -> None:
        """Opens a difference, or shows a hybrid in full."""
        grid = self.query_one(Grid)
        if isinstance(grid.source, Ledger) and grid.count:
            entry = grid.source.entries[grid.cursor]
            parts = [f"B's {name}" for name in entry["from_b"]]
            self.app.push_screen(MessageDialog(entry["stage"], [f"{entry['told']}:", *parts]))
            return
        current = self.current()
        if current is not None:
            self.post_message(OpenFinding(*current))


def causes_content(causes: Causes, areas: Areas, width: int) -> Content:
    """The causes in lines of `width` cells: the answer, shares and interactions as bars, the culprits, what is open."""
    content: list[Content | str] = [
        safe(line, style) for text, style in _answer(causes, areas) for line in wrapped(text, width)
    ]
    if shares := effects(causes):
        content += ["", Content.styled("share of the change", "bold $accent")]
        content.append(bars([(name, share, "") for name, share in shares], width))
    together = [(" + ".join(item.factors), item.dividend, "") for item in causes.interactions]
    if together:
        overlap = any(item.dividend < 0 for item in causes.interactions)
        title = "together (below 0: they overlap)" if overlap else "only together"
        content += ["", Content.styled(title, "bold $accent"), bars(together, width, "$text-secondary")]
    if causes.culprits:
        content += ["", Content.styled("culprits, A → B", "bold $accent"), *_culprit_lines(causes, width)]
    content += _details(causes, width)
    return lines(content)


def _answer(causes: Causes, areas: Areas) -> list[tuple[str, str]]:
    """The answer in sentences with their styles, as the summary has it; or as the search has it, without shares.

    What else differs and does nothing is not the answer: it is not as loud.
    """
    if not causes.factors or causes.note:
        return [(show(text), "bold") for text in causes.sentences]
    wording = CauseWording(causes, differences_of(areas), is_all_known(areas))
    texts = ((wording.cause(), "bold"), (wording.restores(), "bold"), (wording.others(), ""))
    return [(sentence(without_hashes(_with_capital(text))), style) for text, style in texts if text]


def _with_capital(text: str) -> str:
    return f"R{text[1:]}" if text.startswith("reverting ") else text


def _culprit_lines(causes: Causes, width: int) -> list[Content | str]:
    """The culprits with their values on both sides; those inside another are indented below it."""
    names: list[tuple[str, Culprit]] = []
    for culprit in causes.culprits[:MOST_CULPRITS]:
        above = [each for each in causes.culprits if each is not culprit and _is_inside(culprit, each)]
        name = f"  {show(culprit.path[-1], 80)}" if above else culprit_name(culprit)
        names.append((name if culprit.path != ("commits",) else "commits", culprit))
    first = min(max(len(name) for name, _ in names), max(12, width // 2))
    rows: list[Content | str] = []
    for name, culprit in names:
        marks = [("alone enough", culprit.sufficient), ("alone restores A", culprit.alone)]
        marked = ", ".join(text for text, holds in marks if holds)
        values = _culprit_values(culprit)
        shown = name if len(name) <= first else f"…{name[1 - first :]}"
        rows.append(
            joined([safe(f"{shown:<{first}}"), "  ", safe(values), safe(f"  {marked}" if marked else "", "dim")])
        )
    if left := len(causes.culprits) - MOST_CULPRITS:
        rows += [safe(f"and {left:,} more in report.json", "dim")] if left > 0 else []
    return rows


def _is_inside(culprit: Culprit, above: Culprit) -> bool:
    inside = len(culprit.path) > len(above.path) and culprit.path[: len(above.path)] == above.path
    return culprit.factor == above.factor and inside


def _culprit_values(culprit: Culprit) -> str:
    """Both values around their first difference; of commits the seven digits by which git names them."""
    if culprit.a is None or culprit.b is None:
        return "" if culprit.a is culprit.b is None else f"only in {'B' if culprit.a is None else 'A'}"
    if culprit.path == ("commits",):
        return f"{show(culprit.a, 7)[:7]} → {show(culprit.b, 7)[:7]}"
    if culprit.path[:1] == ("files",) and len(culprit.path) < 3:
        return "other content"
    return value_pair(culprit.a, culprit.b) or "other content"


def _details(causes: Causes, width: int) -> list[Content | str]:
    """What reproduces B and restores A, and what remained open."""
    details: list[Content | str] = [""]
    if causes.smallest:
        details.append(_pair("smallest set that reproduces B", " + ".join(causes.smallest)))
    details += [_pair("reverting this restores A", " + ".join(names)) for names in causes.restores]
    details += [safe(line) for text in causes.remarks for line in wrapped(show(without_hashes(text)), width)]
    if not causes.separable:
        inseparable = "some culprits cannot be separated: one does not run without the other"
        details.append(safe(inseparable, "$text-warning"))
    for failure in causes.unresolved:
        untried = f"could not be tried: B's {', '.join(failure.from_b)}: {failure.why}"
        details.append(safe(show(untried, 300), "$text-warning"))
    details.append(safe(f"{plural(causes.runs, 'run')}, {causes.cached:,} from the cache", "dim"))
    if causes.budget_spent:
        details.append(safe("the budget is spent: this is the best answer so far", "$text-warning"))
    return details


def _pair(name: str, value: str) -> Content:
    return joined([Content.styled(f"{name:<32}", "dim"), safe(value)])
