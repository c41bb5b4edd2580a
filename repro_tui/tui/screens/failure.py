"""The first screen of an audit that failed: the step, the error, what to try, what is declared differently, the log."""

from __future__ import annotations

from collections.abc import Sequence

from textual import events
from textual.app import ComposeResult
from textual.containers import Container, Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Static

from repro_tui.model.finding import AreaName
from repro_tui.model.report import Report
from repro_tui.report.words import STATUS_GLYPHS
from repro_tui.support.text import join_names, plural
from repro_tui.support.tracebacks import LoggedError
from repro_tui.tui.actions import AUDIT, GLOBAL, GRID, RETRY, SIDE, bindings, key_of, some
from repro_tui.tui.difference.listed import COLUMNS, DifferenceRows
from repro_tui.tui.editor import text_of_file
from repro_tui.tui.failure import DECLARED, Failure, declared_differences, failures, log_lines, reason_text
from repro_tui.tui.navigation import OpenFinding
from repro_tui.tui.screens.base import NARROW, AuditScreen
from repro_tui.tui.screens.log import LogScreen
from repro_tui.tui.store import AuditStore
from repro_tui.tui.text_lines import TextLines
from repro_tui.tui.widgets.bars import KeyBar, TitleBar
from repro_tui.tui.widgets.grid import Grid
from repro_tui.tui.widgets.log_pane import LogPane
from repro_tui.tui.widgets.prose import Item, Prose
from repro_tui.tui.widgets.safe import notify, safe

INDENT = Content("  ")
SHORT_LOG = 6  # rows
MOST_OF_ERROR = 240  # characters


def _brief(text: str) -> str:
    """The start of an error, which the log has in whole."""
    return text if len(text) <= MOST_OF_ERROR else f"{text[:MOST_OF_ERROR]}…"


class FailureScreen(AuditScreen):
    """What failed, and what to do about it."""

    CSS_PATH = "failure.tcss"
    BINDINGS = bindings(GLOBAL, AUDIT, SIDE)
    title_text = "Failed"

    def __init__(self, store: AuditStore) -> None:
        super().__init__(store)
        self.failures: list[Failure] = []
        self.failure: Failure | None = None  # the one whose log is shown
        self.log_place: tuple[str, str] | None = None  # its side and step
        self.lines: TextLines | None = None
        self.error: LoggedError | None = None

    def compose(self) -> ComposeResult:
        """The failure above; the end of the log, and what is declared differently."""
        yield TitleBar()
        with VerticalScroll(id="failure", can_focus=True):
            yield Prose(id="reason")
        with Container(id="panes"):
            with Vertical(id="log-pane", classes="pane"):
                yield LogPane(id="log", empty="it has no log")
            with Vertical(id="declared-pane", classes="pane"):
                yield Static("", id="areas", markup=False)
                yield Grid(COLUMNS, id="declared", empty="nothing was compared")
        yield KeyBar(some(GRID, "open"), RETRY, *((SIDE,) if self._alike() else ()), AUDIT, GLOBAL)

    def _alike(self) -> bool:
        return any(len(failure.letters) > 1 for failure in failures(self.store)) or len(failures(self.store)) > 1

    def on_mount(self) -> None:
        """Focuses the log, or what differs where there is no log."""
        super().on_mount()
        self.query_one("#log" if self.lines is not None else "#declared").focus()

    def on_resize(self, event: events.Resize) -> None:
        """Gives what differs the rows that it needs, and the log the rest."""
        self._lay_out()

    def changed(self) -> None:
        """Shows the failures."""
        self.failures = failures(self.store)
        self.failure = self.failures[0] if self.failures else None
        self._read_log("")
        calm = bool(self.failure and self.failure.calm)
        self.title_text = "Nothing was run" if calm else "Stopped" if self._was_stopped() else "Failed"
        self._show_sides()
        reason = self.query_one("#failure")
        reason.set_class(calm or self._was_stopped(), "calm")
        self.query_one("#reason", Prose).show_parts(self._parts())
        self._show_declared()
        self._lay_out()

    def _was_stopped(self) -> bool:
        return bool(self.failure and self.failure.stopped)

    def _read_log(self, side: str) -> bool:
        """Shows a log at its error, or at its end; returns whether there is one."""
        log = log_lines(self.store, self.failure, side) if self.failure is not None else None
        if log is None:
            return False
        letter, step, lines = log
        lines.grow()
        self.log_place, self.lines, self.error = (letter, step), lines, lines.last_error()
        pane = self.query_one("#log", LogPane)
        pane.numbers = self.size.width >= NARROW
        pane.show_text(lines, at=self.error.line if self.error else None, follow=True)
        pane.marked = self.error.line if self.error else -1
        self._show_log_title()
        return True

    def _show_log_title(self) -> None:
        if self.log_place is None or self.lines is None:
            return
        side, step = self.log_place
        name = f"log of {f'{side.upper()} ' if side else ''}{step}"
        at = f"the error is line {self.lines.number(self.error.line):,} of " if self.error else ""
        count = f"{at}{self.lines.total:,}" if at else plural(self.lines.total, "line")
        text = f"   {count}   {key_of('open', self.store.keys)} opens it"
        room = self.size.width // 2 if self.size.width >= NARROW else self.size.width
        if len(name) + len(text) > room - 4:  # one line, as the bar at the bottom says it as well
            text = f"   {count}"
        self.query_one("#log-pane").border_title = safe(name + text)

    # -- the sentences ------------------------------------------------------------------------------------------

    def _parts(self) -> list[Content | str | Item]:
        parts: list[Content | str | Item] = []
        report = self.store.report
        if report is not None and report.grade is not None and report.summary:
            parts.append(Item(INDENT, report.summary[0], "bold"))
        for failure in self.failures:
            parts += self._sentences(failure, self.error if failure is self.failure else self._error_of(failure))
        if self._known_areas() and not declared_differences(self.store):
            parts.append(Item(INDENT, self._no_difference()))
        if report is not None:
            parts += [Item(INDENT, text, "dim") for text in _rest(report, self.failures)]
        return parts

    def _error_of(self, failure: Failure) -> LoggedError | None:
        log = log_lines(self.store, failure)
        if log is None:
            return None
        log[2].grow()
        return log[2].last_error()

    def _sentences(self, failure: Failure, error: LoggedError | None) -> list[Content | str | Item]:
        glyph = "·" if failure.calm else "!"
        parts: list[Content | str | Item] = [
            Item(
                Content.styled(f"{glyph} ", "bold $text-warning" if failure.calm else "bold $text-error"),
                failure.title,
                "bold",
            )
        ]
        if error is not None and not failure.calm:
            parts.append(Item(INDENT, _brief(error.text), "bold $text-error"))
            parts += [Item(Content("    "), f"caused by {_brief(cause)}", "$text-error") for cause in error.causes]
        reason = reason_text(failure, error)
        if reason and (error is None or error.text not in reason or len(reason) < 3 * len(error.text)):
            parts.append(Item(INDENT, reason[0].upper() + reason[1:]))
        if failure.do:
            parts.append(Item(Content.styled("→ ", "bold $accent"), failure.do[0].upper() + failure.do[1:], "bold"))
        return parts

    # -- what is declared differently ---------------------------------------------------------------------------

    def _show_declared(self) -> None:
        differences = declared_differences(self.store)
        grid = self.query_one("#declared", Grid)
        grid.show_rows(DifferenceRows(differences), keep=True)
        self.query_one("#declared-pane").border_title = f"different{self._basis()}"
        self.query_one("#areas", Static).update(safe("  ".join(self._area_counts()), "dim"))

    def _known_areas(self) -> list[AreaName]:
        """The areas of which it is known whether they differ."""
        areas = ((name, self.store.area(name)) for name in DECLARED)
        return [name for name, area in areas if area is not None and area.status in ("same", "different")]

    def _basis(self) -> str:
        """What all areas are based on: " as declared", " as built", or "" where it is not the same of all."""
        known = {area.basis for name in self._known_areas() if (area := self.store.area(name)) is not None}
        return f" as {known.pop()}" if len(known) == 1 else ""

    def _no_difference(self) -> str:
        """The areas that are the same, and those of which that is not known."""
        same = self._known_areas()
        unknown = [name for name in DECLARED if name not in same and not self._is_not_recorded(name)]
        rest = f"; {join_names(unknown)} could not be compared" if unknown else ""
        return f"{join_names(same).capitalize()} {'are' if len(same) > 1 else 'is'} the same{self._basis()}{rest}."

    def _is_not_recorded(self, name: AreaName) -> bool:
        area = self.store.area(name)
        return area is not None and area.status == "not-recorded"

    def _area_counts(self) -> list[str]:
        """Each area with its state: how many of its findings differ, or that it is the same, or not known."""
        texts: list[str] = []
        for name in DECLARED:
            area = self.store.area(name)
            count = sum(finding.change not in ("same", "unknown") for finding in area.findings) if area else 0
            texts.append(f"{name} {STATUS_GLYPHS[area.status] if area else '?'}{f' {count:,}' if count else ''}")
        return texts

    def _lay_out(self) -> None:
        """A narrow terminal has the log above what differs, each with the rows that it needs; a wide one beside it."""
        log, declared = self.query_one("#log-pane"), self.query_one("#declared-pane")
        rows = len(declared_differences(self.store)) + 3  # the frame, the areas, the titles
        log.display = self.lines is not None
        declared.display = rows > 3 or not self._known_areas()
        if self.size.width >= NARROW or not (log.display and declared.display):
            log.styles.height = declared.styles.height = "1fr"
        elif (short := self._log_rows()) is not None:
            log.styles.height, declared.styles.height = short + 1, "1fr"
        else:
            log.styles.height, declared.styles.height = "1fr", min(rows, max(4, self.size.height // 4))

    def _log_rows(self) -> int | None:
        """The rows that a short log takes; None where it is a long one."""
        pane = self.query_one("#log", LogPane)
        if self.lines is None or len(self.lines) > SHORT_LOG:
            return None
        rows = sum(len(pane.rows(line)) for line in range(len(self.lines)))
        return rows if rows <= SHORT_LOG else None

    # -- keys ---------------------------------------------------------------------------------------------------

    def on_log_pane_entered(self, event: LogPane.Entered) -> None:
        """Opens the log at the error."""
        self._open_log()

    def action_zoom(self) -> None:
        """Opens the log at full size, where it has the focus."""
        if self.query_one("#log").has_focus:
            self._open_log()
        else:
            super().action_zoom()

    def _open_log(self) -> None:
        if self.log_place is not None:
            at = self.error.line if self.error is not None else None
            self.app.push_screen(LogScreen(self.store, *self.log_place, at=at))

    def on_grid_opened(self, event: Grid.Opened) -> None:
        """Opens what differs."""
        source = event.grid.source
        if isinstance(source, DifferenceRows):
            area, finding = source.differences[event.row]
            self.post_message(OpenFinding(area, finding, from_its_area=True))

    def action_side(self) -> None:
        """Shows the log of the other failure, or of the other side of this one."""
        if len(self.failures) > 1:
            shown = self.failures.index(self.failure) if self.failure in self.failures else 0
            self.failure = self.failures[(shown + 1) % len(self.failures)]
            self._read_log("")
        elif self.log_place is None or not self._read_log({"a": "b", "b": "a"}.get(self.log_place[0], "-")):
            notify(self, "The other side has no log of this step.")

    def selected(self) -> object:
        """What differs, under the cursor, where that has the focus; else the failure in plain sentences."""
        grid = self.query_one("#declared", Grid)
        if grid.has_focus and isinstance(grid.source, DifferenceRows) and grid.count:
            from dataclasses import asdict

            return asdict(grid.source.differences[grid.cursor][1])
        texts = [text for failure in self.failures for text in (failure.title, failure.reason, failure.do) if text]
        return [*texts, *([self.error.text] if self.error else [])] or None

    def texts(self) -> dict[str, str] | None:
        """The report's file."""
        path = self.store.folder.path / "report.json"
        return text_of_file(path) if path.exists() else None


def _rest(report: Report, shown: Sequence[Failure]) -> list[str]:
    """The state of the side that did not fail, and the warnings, those of both sides once."""
    texts: list[str] = []
    for letter, side in (("A", report.sides.a), ("B", report.sides.b)):
        if shown and shown[0].letters and not side.failed and side.rebuild:
            built = f"{letter} did not fail: it was built"
            runs = f" and run {'once' if len(side.runs) == 1 else f'{len(side.runs)} times'}" if side.runs else ""
            texts.append(f"{built}{runs}." if runs else f"{built}, but no run of it was finished.")
    known = set(report.warnings)
    for warning in report.warnings:
        letter, mark, text = warning.partition(": ")
        if letter == "A" and mark and f"B: {text}" in known:
            texts.append(f"! A and B: {text}")
        elif not (letter == "B" and f"A: {text}" in known):
            texts.append(f"! {warning}")
    return texts
