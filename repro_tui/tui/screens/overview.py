"""The first screen of a finished audit: whether the predictions are the same, and if not, what moved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import cast

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Container, Vertical, VerticalScroll
from textual.content import Content

from repro_tui.model.causes import Causes
from repro_tui.model.finding import AREAS, Area, Change
from repro_tui.model.grade import Grade, Metric
from repro_tui.model.predictions import PredictionsArea
from repro_tui.model.report import Report, SideReport
from repro_tui.report.acceptance import verdict_suffix
from repro_tui.report.cause_rows import effects
from repro_tui.report.outcome import VERDICT_WORDS
from repro_tui.report.summary import next_of
from repro_tui.report.words import (
    STATUS_GLYPHS,
    area_remarks,
    grade_tone,
    isolation_words,
    loose_memory,
    metric_cells,
    metric_glyph,
    predictions_words,
)
from repro_tui.support.text import join_names, plural, shorten_middle, show, signed_part
from repro_tui.tui.actions import AUDIT, GLOBAL, GRID, area_key, key_of, some
from repro_tui.tui.editor import text_of_file
from repro_tui.tui.navigation import Interface, ScreenName, ShowScreen
from repro_tui.tui.next_line import next_line
from repro_tui.tui.overview_parts import differing, outputs, shares
from repro_tui.tui.screens.base import WIDE, AuditScreen
from repro_tui.tui.store import AuditStore
from repro_tui.tui.widgets.bars import KeyBar, TitleBar
from repro_tui.tui.widgets.grid import ColumnSpec, Grid
from repro_tui.tui.widgets.prose import Item, Prose
from repro_tui.tui.widgets.safe import joined, safe, text_of
from repro_tui.tui.widgets.verdict_colours import tone_look, verdict_look

ORDER: tuple[ScreenName, ...] = ("predictions", "parameters", "environment", "data", "code")
WARNING, INDENT, NO_HEAD = Content.styled("! ", "$text-warning"), Content("  "), Content("")
NEXT_HEAD = Content.styled("Next: ", "bold $accent")
TITLES = {"areas": "areas", "sides": "both sides", "words": "summary"}
MOST_WORST = 12
MOST_OF_VERDICT, MOST_OF_NEXT = 7, 3  # lines, as in overview.tcss
LONGEST_COLUMN = 30  # characters, so that the values of the worst row stay in view
COUNTED: tuple[Change, ...] = ("changed", "added", "removed", "unknown", "same")
MATCHES = {"matching": True, "different": False, "unknown": None}
STYLES = {"same": "good", "different": "bad loud", "unknown": "warn", "not-recorded": "quiet"}


COLUMNS = [
    ColumnSpec("", 1),
    ColumnSpec("key", 3),
    ColumnSpec("area", 12),
    ColumnSpec("status", 17),
    ColumnSpec("result", 20, 1),
]


class AreaRows:
    """The five areas as rows, and after a drift its cause."""

    def __init__(self, store: AuditStore, keymap: Mapping[str, str]) -> None:
        self.store, self.keymap = store, keymap
        drift = store.report is not None and store.report.verdict == "drift"
        audited = store.report is not None and store.report.grade is None
        self.names: tuple[ScreenName, ...] = (*ORDER, "cause") if drift and audited else ORDER
        assert set(ORDER) == set(AREAS)

    def __len__(self) -> int:
        return len(self.names)

    def cells(self, row: int, widths: Sequence[int]) -> Sequence[Text]:
        """Glyph, key, area, status, result."""
        name = self.names[row]
        glyph, *cells = self._cells_without_key(name, widths[4])
        return (glyph, Text(area_key(name, self.keymap), style="quiet"), *cells)

    def _cells_without_key(self, name: ScreenName, width: int) -> Sequence[Text]:
        if name == "cause":
            return _cause(self.store, width)
        area = self.store.areas.get(name)
        if area is None:
            waiting = "…" if self.store.running else "?"
            return (Text(waiting), Text(name), Text("not yet" if self.store.running else "not compared"), Text(""))
        style = STYLES[area.status]
        sides = self.store.report.sides if self.store.report else None
        result = _predictions(area) if isinstance(area, PredictionsArea) else _counts(area)
        result = "; ".join(filter(None, (result, *area_remarks(area, sides))))
        status = f"{area.verdict}{verdict_suffix(area)}" if isinstance(area, PredictionsArea) else area.status
        return (
            Text(STATUS_GLYPHS[area.status], style=style),
            Text(name),
            Text(status, style=style),
            text_of(result, width),
        )


def _cause(store: AuditStore, width: int) -> Sequence[Text]:
    causes = store.report.causes if store.report else None
    if causes is None:
        return (Text("?", style="warn"), Text("cause"), Text("not searched for", style="quiet"), Text(""))
    sentence = text_of(_first_sentence(causes), width)
    if causes.note or not causes.shares:
        return (Text("?", style="warn"), Text("cause"), Text("not found", style="warn"), sentence)
    return (Text("✓", style="good"), Text("cause"), Text("found", style="good"), sentence)


def _first_sentence(causes: Causes) -> str:
    """The shares in one line; else the first sentence of the answer."""
    shares = effects(causes)
    named = ", ".join(f"{name} {signed_part(share)}" for name, share in shares if share)
    if unknown := [name for name, share in shares if share is None]:
        named = ", ".join(filter(None, (named, f"not known: {join_names(unknown)}")))
    return named or (causes.sentences[0] if causes.sentences else "")


def _counts(area: Area) -> str:
    counts = [f"{area.counts[name]:,} {name}" for name in COUNTED if area.counts.get(name)]
    accepted = sum(finding.is_accepted for finding in area.findings)
    return ", ".join([*counts, *([f"{accepted:,} accepted or known"] if accepted else [])])


def _predictions(area: PredictionsArea) -> str:
    if area.rows is None or area.what:
        return predictions_words(area) if area.rows is None else area.what
    return predictions_words(area).replace(" matched", "", 1)  # so that all of it fits on a narrow screen


class OverviewScreen(AuditScreen):
    """The verdict, the five areas, and the summary."""

    CSS_PATH = "overview.tcss"
    title_text = "Overview"

    def __init__(self, store: AuditStore) -> None:
        super().__init__(store)
        self._next: tuple[Report, str] | None = None
        self._beside: bool | None = None

    def compose(self) -> ComposeResult:
        """The verdict, the areas, and the summary."""
        yield TitleBar()
        yield Prose(id="verdict", most=MOST_OF_VERDICT)
        with Container(id="body"):
            with Vertical(id="left"):
                yield Grid(COLUMNS, id="areas", classes="pane")
                with VerticalScroll(id="sides", can_focus=True, classes="pane"):
                    yield Prose(id="facts")
            with VerticalScroll(id="words", can_focus=True, classes="pane"):
                yield Prose(id="summary")
        yield Prose(id="next", most=MOST_OF_NEXT)
        yield KeyBar(some(GRID, "open"), AUDIT, GLOBAL)

    def on_mount(self) -> None:
        """Focuses the areas."""
        for pane, title in TITLES.items():
            self.query_one(f"#{pane}").border_title = title
        super().on_mount()
        self.query_one(Grid).focus()

    def changed(self) -> None:
        """Shows what is known."""
        self._show_areas()
        verdict, summary = self.query_one("#verdict", Prose), self.query_one("#summary", Prose)
        self.query_one("#next", Prose).show_parts([Item(NEXT_HEAD, self._next_line(), "bold")])
        report = self.store.report
        verdict.set_classes(_mood(self.store))
        if report is None:
            verdict.show_parts([_unfinished(self.store)])
            summary.show_parts([Item(WARNING, text) for text in self.store.warnings])
            return
        verdict.show_parts(_verdict(report))
        self._beside = self.size.width >= WIDE  # then the facts stand below the areas
        facts = _facts(report)
        if not self._beside:
            summary.show_parts([*_summary(report), "", *facts])
            return
        room = self.size.width // 2 - 4  # the facts stand below the areas, and there is room for more
        self.query_one("#facts", Prose).show_parts([*facts, *outputs(report.areas.predictions, room)])
        summary.show_parts([*_summary(report), "", *differing(report), *shares(report, room)])

    def _show_areas(self) -> None:
        """Shows the areas; the statuses take only the room that they need, and the results have the rest."""
        grid, rows = self.query_one(Grid), AreaRows(self.store, cast(Interface, self.app).own_keys)
        status = max(len(rows.cells(row, [80] * len(COLUMNS))[3]) for row in range(len(rows)))
        grid.show_columns([replace(c, least=max(status, len(c.title))) if c.title == "status" else c for c in COLUMNS])
        grid.show_rows(rows, keep=True)

    def _next_line(self) -> str:
        """What to do next. Of a report it is found once, as it may have thousands of differences to name."""
        keymap, report = cast(Interface, self.app).own_keys, self.store.report
        if report is None:
            return next_line(self.store, keymap)
        if self._next is None or self._next[0] is not report:
            self._next = report, next_line(self.store, keymap)
        return self._next[1]

    def on_resize(self) -> None:
        """Moves the facts of both sides below the areas, or back below the summary."""
        if self._beside is not (self.size.width >= WIDE):
            self.changed()

    def on_grid_opened(self, event: Grid.Opened) -> None:
        """Opens an area."""
        source = event.grid.source
        if isinstance(source, AreaRows):
            self.post_message(ShowScreen(source.names[event.row]))

    def selected(self) -> object:
        """The summary's sentences."""
        return list(self.store.report.summary) if self.store.report else None

    def texts(self) -> dict[str, str] | None:
        """The report's file."""
        path = self.store.folder.path / "report.json"
        return text_of_file(path) if path.exists() else None


def _mood(store: AuditStore) -> str:
    if store.report is None:
        return "running" if store.running else "unknown"
    return {0: "same", 1: "different"}.get(store.report.exit_status, "unknown")


def _unfinished(store: AuditStore) -> Item:
    if store.running:
        log = area_key("progress", store.keys)
        text = f"The audit is running. Finished areas can already be opened; {log} shows the steps."
        return Item(NO_HEAD, text, "bold")
    reason = f": {store.last_words}" if store.last_words else ""
    again = f"{key_of('app.run_again', store.keys)} runs it again, and reuses what is cached."
    return Item(NO_HEAD, f"The audit ended without a report{reason}. {again}", "bold")


def _verdict(report: Report) -> list[Item]:
    area = report.areas.predictions
    verdict = report.verdict
    head = report.summary[0] if report.summary else VERDICT_WORDS[verdict]
    look = tone_look(grade_tone(report.grade)) if report.grade is not None else verdict_look(verdict)
    items = [Item(NO_HEAD, show(f"{look.glyph} {head}", 600), "bold")]
    if report.grade is not None:
        items.append(Item(NO_HEAD, show(_basis(report.grade, report.sides.a), 300)))
    if area.rule:
        items.append(Item(NO_HEAD, show(f"rule: {area.rule}", 300)))
    if area.worst:
        row = area.worst[0]
        key = ", ".join(f"{name} {value}" for name, value in row.key.items())
        column = shorten_middle(show(row.column, 200), LONGEST_COLUMN)
        items.append(Item(NO_HEAD, show(f"worst row: {key}: {column} {row.a} → {row.b}", 300)))
    return items


def _basis(grade: Grade, recorded: SideReport) -> str:
    """What a grade is based on, in a few words."""
    if grade.level in ("R0", "R1", "R2"):
        return "nothing could be compared with what was recorded"
    counts = {word: sum(metric.matches is value for metric in grade.metrics) for word, value in MATCHES.items()}
    matches = ", ".join(f"{count} {word}" for word, count in counts.items() if count)
    metrics = f"{plural(len(grade.metrics), 'recorded metric')} ({matches})" if matches else "no recorded metrics"
    gaps = f"; not in the record: {', '.join(gap.field for gap in grade.gaps)}" if grade.gaps else ""
    return f"compared with {_recorded(recorded)} and {metrics}{gaps}"


def _recorded(side: SideReport) -> str:
    """The recorded predictions, which are the one run of side A."""
    if not side.runs:
        return "no recorded predictions"
    return f"{plural(side.runs[0].rows or 0, 'recorded prediction')} ({side.runs[0].output_format})"


def _metrics(metrics: Sequence[Metric]) -> list[Content | str | Item]:
    """The metrics as a table, each with its note below it."""
    if not metrics:
        return []
    rows = [(show(metric.name, 28), *metric_cells(metric)) for metric in metrics]
    head = ("metric", "recorded", "rebuilt", "Δ", "match")
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]

    def line(row: Sequence[str]) -> str:
        first, *numbers, last = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        right = (cell.strip().rjust(width) for cell, width in zip(numbers, widths[1:], strict=False))
        return "  ".join((first, *right, last)).rstrip()

    table: list[Content | str | Item] = [safe(f"  {line(head)}", "dim")]
    for metric, row in zip(metrics, rows, strict=True):
        style = {True: "", False: "bold $text-error", None: "$text-warning"}[metric.matches]
        table.append(safe(f"{metric_glyph(metric)} {line(row)}", style))
        if metric.note:
            table.append(Item(Content("    "), metric.note, "dim"))
    return [*table, ""]


def _gaps(grade: Grade) -> list[Content | str | Item]:
    """What the record lacks, each with what to do about it."""
    gaps = [Item(Content.styled("? ", "$text-warning"), f"{gap.field}: {gap.do or gap.why}") for gap in grade.gaps]
    return [Content.styled("Missing in the record", "bold"), *gaps, ""]


def _summary(report: Report) -> list[Content | str | Item]:
    """The metrics of a verification, the sentences after the verdict, the notes, and the warnings."""
    parts: list[Content | str | Item] = []
    if report.grade is not None:
        parts = [*(_gaps(report.grade) if report.grade.level == "R0" else ()), *_metrics(report.grade.metrics)]
    rest = report.summary[1:-1] if next_of(report.summary) else report.summary[1:]  # what is next has its own line
    parts += [Item(Content("• "), text) for text in rest if not _repeats_metric(text, report)]
    if notes := [text for text in report.notes if not _repeats_metric(text, report)]:
        parts += ["", Content.styled("Notes", "bold"), *(Item(Content("· "), text) for text in notes)]
    if report.warnings:
        parts += [
            "",
            Content.styled("Warnings", "bold $warning"),
            *(Item(WARNING, text) for text in report.warnings),
        ]
    return parts


def _facts(report: Report) -> list[Content | str | Item]:
    """Both sides, and the rows that moved most."""
    parts: list[Content | str | Item] = []
    for letter, side in (("A", report.sides.a), ("B", report.sides.b)):
        parts += [*_side(letter, side, recorded=report.grade is not None and letter == "A"), ""]
    rows = report.areas.predictions.worst[1 : MOST_WORST + 1]  # the first stands beside the verdict
    if rows:
        parts.append(Content.styled("More rows that moved most", "bold"))
    for row in rows:
        key = ", ".join(f"{name} {value}" for name, value in row.key.items())
        parts.append(Item(INDENT, show(f"{key}: {row.column} {row.a} → {row.b}", 300)))
    return [*parts, ""] if rows else parts


def _repeats_metric(text: str, report: Report) -> bool:
    """Whether a sentence repeats what the table of metrics shows."""
    metrics = report.grade.metrics if report.grade else ()
    return any(
        text.startswith((f"{metric.name} does not match:", f"{metric.name} could not be checked:"))
        for metric in metrics
    )


def _side(letter: str, side: SideReport, recorded: bool) -> list[Content | str | Item]:
    isolation = side.isolation
    bounds = f", memory {loose_memory(isolation)}" if isolation and loose_memory(isolation) else ""
    sandbox = f"ran in: {isolation.kind}, network {isolation.network}{bounds}" if isolation else "did not run"
    if isolation and isolation.kind == "remote":
        sandbox = isolation_words(isolation)
    runs = _recorded(side) if recorded else f"{sandbox}; {plural(len(side.runs), 'run')}"
    parts: list[Content | str | Item] = [
        joined([Content.styled(f"{letter} ", "bold"), safe(side.name, "bold"), "  ", safe(side.reference, "dim")]),
        Item(INDENT, runs),
    ]
    parts += [Item(INDENT, f"{part.step}: {part.how} ({part.matches})") for part in side.rebuild]
    return parts + [Item(INDENT, f"missing: {item.field}: {item.why}", "$text-warning") for item in side.missing]
