"""The first screen of a finished audit: is it the same, and if not, what moved; every number opens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from repro_tui.model.finding import AREAS, Area
from repro_tui.model.grade import Grade, Metric
from repro_tui.model.predictions import SAME_VERDICTS, PredictionsArea
from repro_tui.model.report import Report, SideReport
from repro_tui.report.summary import VERDICT_WORDS
from repro_tui.report.words import grade_tone, isolation_words, metric_cells, metric_glyph
from repro_tui.support.text import plural, show
from repro_tui.tui.actions import AUDIT, GLOBAL, GRID, area_key, some
from repro_tui.tui.editor import text_of_file
from repro_tui.tui.navigation import Interface, ScreenName, ShowScreen
from repro_tui.tui.screens.base import AuditScreen
from repro_tui.tui.store import AuditStore
from repro_tui.tui.widgets.bars import KeyBar, TitleBar
from repro_tui.tui.widgets.grid import ColumnSpec, Grid
from repro_tui.tui.widgets.prose import Item, Prose
from repro_tui.tui.widgets.safe import STATUS_GLYPHS, joined, lines, safe, text_of

ORDER: tuple[ScreenName, ...] = ("predictions", "parameters", "environment", "data", "code")
WARNS, INDENT = Content.styled("! ", "$text-warning"), Content("  ")
MATCHES = {"match": True, "off": False, "not known": None}
STYLES = {"same": "good", "different": "bad loud", "unknown": "warn", "not-recorded": "quiet"}


class AreaRows:
    """The five areas, one row each, and after a drift its cause."""

    def __init__(self, store: AuditStore, keymap: Mapping[str, str]) -> None:
        self.store, self.keymap = store, keymap
        drift = store.report is not None and store.report.verdict == "drift"
        audited = store.report is not None and store.report.grade is None
        self.names: tuple[ScreenName, ...] = (*ORDER, "cause") if drift and audited else ORDER
        assert set(ORDER) == set(AREAS)

    def __len__(self) -> int:
        return len(self.names)

    def cells(self, row: int, widths: Sequence[int]) -> Sequence[Text]:
        """Glyph, the key that opens it, area, status, what was counted."""
        name = self.names[row]
        glyph, *told = self._told(name, widths[4])
        return (glyph, Text(area_key(name, self.keymap), style="quiet"), *told)

    def _told(self, name: ScreenName, width: int) -> Sequence[Text]:
        if name == "cause":
            return _cause(self.store, width)
        area = self.store.areas.get(name)
        if area is None:
            waiting = "…" if self.store.running else "?"
            return (Text(waiting), Text(name), Text("not yet" if self.store.running else "not compared"), Text(""))
        style = STYLES[area.status]
        told = _predictions(area) if isinstance(area, PredictionsArea) else _counts(area)
        status = area.verdict if isinstance(area, PredictionsArea) else area.status
        return (
            Text(STATUS_GLYPHS[area.status], style=style),
            Text(name),
            Text(status, style=style),
            text_of(told, width),
        )


def _cause(store: AuditStore, width: int) -> Sequence[Text]:
    causes = store.report.causes if store.report else None
    if causes is None:
        return (Text("?", style="warn"), Text("cause"), Text("not looked for", style="quiet"), Text(""))
    told = text_of(causes.sentences[0] if causes.sentences else "", width)
    if causes.note or not causes.shares:
        return (Text("?", style="warn"), Text("cause"), Text("not found", style="warn"), told)
    return (Text("!", style="bad"), Text("cause"), Text("found", style="bad"), told)


def _counts(area: Area) -> str:
    names = ("changed", "added", "removed", "unknown", "same")
    glyphs = {"changed": "≠", "added": "+", "removed": "-", "unknown": "?", "same": "="}
    return "  ".join(f"{glyphs[name]} {area.counts[name]:,} {name}" for name in names if area.counts.get(name))


def _predictions(area: PredictionsArea) -> str:
    if area.what:
        return area.what
    rows = f"{area.rows.matched:,} rows matched"
    flips = sum(column.flips or 0 for column in area.columns if column.kind == "label")
    return f"{rows}, {area.differences:,} cells differ" + (f", {flips:,} labels flip" if flips else "")


class OverviewScreen(AuditScreen):
    """The verdict, the sentences, the five areas."""

    CSS_PATH = "overview.tcss"
    title_text = "Overview"

    def compose(self) -> ComposeResult:
        """The verdict strip, the areas, and what there is to read."""
        yield TitleBar()
        yield Static("", id="verdict", markup=False)
        columns = [
            ColumnSpec("", 1),
            ColumnSpec("key", 3),
            ColumnSpec("area", 12),
            ColumnSpec("status", 18),
            ColumnSpec("what was found", 20, 1),
        ]
        yield Grid(columns, id="areas")
        with VerticalScroll(id="words", can_focus=True):
            yield Prose(id="summary")
        yield KeyBar(some(GRID, "open"), AUDIT, GLOBAL)

    def on_mount(self) -> None:
        """The areas have the keys."""
        super().on_mount()
        self.query_one(Grid).focus()

    def changed(self) -> None:
        """Shows what is known."""
        self.query_one(Grid).show_rows(AreaRows(self.store, cast(Interface, self.app).own_keys), keep=True)
        strip = self.query_one("#verdict", Static)
        report = self.store.report
        strip.set_classes(_mood(self.store))
        if report is None:
            strip.update(_unfinished(self.store))
            self.query_one(Prose).tell([Item(WARNS, text) for text in self.store.warnings])
            return
        strip.update(_verdict(report))
        self.query_one(Prose).tell(_words(report))

    def on_grid_opened(self, event: Grid.Opened) -> None:
        """An area opens."""
        source = event.grid.source
        if isinstance(source, AreaRows):
            self.post_message(ShowScreen(source.names[event.row]))

    def selected(self) -> object:
        """The summary's sentences."""
        return list(self.store.report.summary) if self.store.report else None

    def texts(self) -> dict[str, str] | None:
        """The report as it is on the disk."""
        path = self.store.folder.path / "report.json"
        return text_of_file(path) if path.exists() else None


def _mood(store: AuditStore) -> str:
    if store.report is None:
        return "running" if store.running else "unknown"
    return {0: "same", 1: "different"}.get(store.report.exit_status, "unknown")


def _unfinished(store: AuditStore) -> Content:
    if store.running:
        return safe("The audit is running: areas that are finished can be opened already (l shows the steps).", "bold")
    why = f": {store.last_words}" if store.last_words else ""
    return safe(f"The audit ended without a report{why}. R runs it again, and goes on from what is cached.", "bold")


def _verdict(report: Report) -> Content:
    area = report.areas.predictions
    verdict = report.verdict
    glyph = "=" if verdict in SAME_VERDICTS else "≠" if verdict == "drift" else "?"
    head = report.summary[0] if report.summary else VERDICT_WORDS[verdict]
    if report.grade is not None:
        glyph = {"good": "=", "bad": "≠", "open": "?"}[grade_tone(report.grade)]
    found = [safe(f"{glyph} {head}", "bold", 600)]
    if report.grade is not None:
        found.append(safe(_compared(report.grade, report.sides.a), cap=300))
    if area.rule:
        found.append(safe(f"rule: {area.rule}", cap=300))
    if area.worst:
        row = area.worst[0]
        key = ", ".join(f"{name} {value}" for name, value in row.key.items())
        found.append(safe(f"worst row: {key}: {row.column} {row.a} → {row.b}", cap=300))
    return lines(found)


def _compared(grade: Grade, recorded: SideReport) -> str:
    """What a grade rests on, in a few words."""
    if grade.level in ("R0", "R1", "R2"):
        return "nothing could be compared with what was recorded"
    counts = {word: sum(metric.matches is value for metric in grade.metrics) for word, value in MATCHES.items()}
    metrics = ", ".join(f"{count} {word}" for word, count in counts.items() if count)
    told = f"{plural(len(grade.metrics), 'recorded metric')}: {metrics}" if metrics else "no metric was recorded"
    gaps = f"; not in the record: {', '.join(gap.field for gap in grade.gaps)}" if grade.gaps else ""
    return f"compared: {_recorded(recorded)}; {told}{gaps}"


def _recorded(side: SideReport) -> str:
    """The recorded predictions, which are A's one run."""
    if not side.runs:
        return "no predictions were recorded"
    return f"{side.runs[0].rows or 0:,} recorded predictions ({side.runs[0].output_format})"


def _metrics(metrics: Sequence[Metric]) -> list[Content | str | Item]:
    """The metrics as a table in lines; what is to be said of one stands below it."""
    if not metrics:
        return []
    rows = [(show(metric.name, 28), *metric_cells(metric)) for metric in metrics]
    head = ("metric", "recorded", "rebuilt", "Δ", "match")
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]

    def line(row: Sequence[str]) -> str:
        first, *numbers, last = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        right = (cell.strip().rjust(width) for cell, width in zip(numbers, widths[1:], strict=False))
        return "  ".join((first, *right, last)).rstrip()

    found: list[Content | str | Item] = [safe(f"  {line(head)}", "dim")]
    for metric, row in zip(metrics, rows, strict=True):
        style = {True: "", False: "bold $text-error", None: "$text-warning"}[metric.matches]
        found.append(safe(f"{metric_glyph(metric)} {line(row)}", style))
        if metric.note:
            found.append(Item(Content("    "), metric.note, "dim"))
    return [*found, ""]


def _words(report: Report) -> list[Content | str | Item]:
    found: list[Content | str | Item] = _metrics(report.grade.metrics) if report.grade else []
    told = [text for text in report.summary[1:] if not _is_of_metric(text, report)]
    found += [Item(Content("• "), text) for text in told]
    if report.warnings:
        found += [
            "",
            Content.styled("Warnings", "bold $warning"),
            *(Item(WARNS, text) for text in report.warnings),
        ]
    for letter, side in (("A", report.sides.a), ("B", report.sides.b)):
        found += ["", *_side(letter, side, recorded=report.grade is not None and letter == "A")]
    return found


def _is_of_metric(text: str, report: Report) -> bool:
    """Whether a sentence says what stands in the table of metrics already."""
    metrics = report.grade.metrics if report.grade else ()
    return any(
        text.startswith((f"{metric.name} does not match:", f"{metric.name} is not known:")) for metric in metrics
    )


def _side(letter: str, side: SideReport, recorded: bool) -> list[Content | str | Item]:
    isolation = side.isolation
    how = f"ran in: {isolation.kind}, network {isolation.network}" if isolation else "ran in: it did not run"
    if isolation and isolation.kind == "remote":
        how = isolation_words(isolation)
    ran = _recorded(side) if recorded else f"{how}; {plural(len(side.runs), 'run')}"
    found: list[Content | str | Item] = [
        joined([Content.styled(f"{letter} ", "bold"), safe(side.name, "bold"), "  ", safe(side.reference, "dim")]),
        Item(INDENT, ran),
    ]
    found += [Item(INDENT, f"{part.step}: {part.how} ({part.matches})") for part in side.rebuild]
    return found + [Item(INDENT, f"missing: {item.field}: {item.why}", "$text-warning") for item in side.missing]
