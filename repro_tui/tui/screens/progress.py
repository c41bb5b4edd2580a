"""The screen of the steps: both sides' steps as they run, and the log of the step under the cursor."""

from __future__ import annotations

from textual import events
from textual.app import ComposeResult
from textual.containers import Container, Vertical
from textual.content import Content
from textual.widgets import Static

from repro_tui.support.text import plural
from repro_tui.tui.actions import AUDIT, GLOBAL, GRID, PROGRESS, SIDE, Action, bindings, key_of, some
from repro_tui.tui.dialogs import QuestionDialog
from repro_tui.tui.failure import failures
from repro_tui.tui.logs import Step, landing_step, log_of
from repro_tui.tui.navigation import StopAudit
from repro_tui.tui.screens.base import WIDE, AuditScreen
from repro_tui.tui.screens.log import LogScreen
from repro_tui.tui.steps import Steps
from repro_tui.tui.store import AuditStore
from repro_tui.tui.text_lines import TextLines
from repro_tui.tui.widgets.bars import KeyBar, TitleBar
from repro_tui.tui.widgets.grid import ColumnSpec, Grid
from repro_tui.tui.widgets.log_pane import LogPane
from repro_tui.tui.widgets.safe import notify, safe

COLUMNS = [ColumnSpec("step", 19), ColumnSpec("A", 20, 1, side="a"), ColumnSpec("B", 20, 1, side="b")]
OTHER = {"a": "b", "b": "a"}
FOCUSES = ("steps", "log", "second")


class ProgressScreen(AuditScreen):
    """The steps of the engine, and their logs."""

    CSS_PATH = "progress.tcss"
    BINDINGS = bindings(GLOBAL, AUDIT, SIDE, PROGRESS)
    title_text = "Progress"
    idle = frozenset({"app.show('progress')"})

    def __init__(self, store: AuditStore) -> None:
        super().__init__(store)
        self.side = ""  # whose log is shown, where both have one
        self.shown: dict[str, Step] = {}  # the step whose log each pane shows
        self._landed: Step | None = None  # the step that the cursor was put on, which follows the running one

    def compose(self) -> ComposeResult:
        """The steps above, their logs below."""
        yield TitleBar()
        yield Static("", id="state", markup=False)
        yield Grid(COLUMNS, id="steps", classes="pane")
        with Container(id="logs"):
            for name in FOCUSES[1:]:
                with Vertical(id=f"{name}-pane", classes="pane"):
                    yield LogPane(numbers=False, id=name)
        yield KeyBar(*self._hints())

    def _hints(self) -> tuple[tuple[Action, ...], ...]:
        return (*((PROGRESS,) if self.store.running else ()), some(GRID, "open"), SIDE, AUDIT, GLOBAL)

    def on_mount(self) -> None:
        """Focuses the steps."""
        super().on_mount()
        self.query_one("#steps").border_title = "steps"
        self.query_one("#steps").focus()

    def on_resize(self, event: events.Resize) -> None:
        """Gives the steps and the logs the room that they need."""
        self.changed()

    def changed(self) -> None:
        """Shows the current state of the steps."""
        grid = self.query_one("#steps", Grid)
        steps = Steps(self.store)
        user_moved = self._landed is not None and self._row_step(grid) != self._landed[1]
        grid.show_rows(steps, keep=True)
        if not user_moved:
            self._land(grid, steps)
        self.query_one(KeyBar).show_keys(*self._hints())
        grid.styles.height = min(len(steps) + 2, max(5, self.size.height // 2))
        self._show_state()
        self._show_log()
        self._grow()

    def _grow(self) -> None:
        """Shows what was added to the logs."""
        for name in FOCUSES[1:]:
            pane = self.query_one(f"#{name}", LogPane)
            if pane.text is not None and pane.text.grow():
                pane.changed()

    @staticmethod
    def _row_step(grid: Grid) -> str:
        source = grid.source
        return source.names[grid.cursor] if isinstance(source, Steps) and grid.count else ""

    def _land(self, grid: Grid, steps: Steps) -> None:
        """Puts the cursor on the step that failed or that is running, or else on the last one."""
        step = landing_step(self.store)
        if step is not None and step[1] in steps.names:
            self._landed, self.side = step, step[0] or self.side
            grid.move_to(steps.names.index(step[1]))

    def tick(self) -> None:
        """Moves the glyphs and the times of what is running."""
        super().tick()
        grid = self.query_one("#steps", Grid)
        if self.store.running and isinstance(grid.source, Steps):
            grid.refresh_rows(*grid.source.running())
            self._show_state()
            self._grow()

    def _show_state(self) -> None:
        store = self.store
        if store.running:
            since = store.age.removeprefix("running ")
            leave = key_of("app.leave", store.keys)
            text = f"{store.clock.beat()} running: {leave} leaves it running or stops it   {since}"
            line = safe(text, "bold $text-accent")
        elif failed := failures(store):
            calm = failed[0].calm
            style = "bold $text-warning" if calm else "bold $text-error"
            line = safe(f"{'·' if calm else '!'} {failed[0].title}", style)
        else:
            line = safe(f"finished   {store.seconds:.1f} s", "dim")
        self.query_one("#state", Static).update(line)

    # -- the logs -----------------------------------------------------------------------------------------------

    def on_grid_highlighted(self, event: Grid.Highlighted) -> None:
        """Shows the log of the step under the cursor."""
        self._show_log()

    def _places(self) -> list[Step]:
        """The steps under the cursor whose logs are shown, the wanted side first; two where there is room for both."""
        grid = self.query_one("#steps", Grid)
        if not isinstance(grid.source, Steps) or not grid.count:
            return []
        row = min(grid.cursor, grid.count - 1)
        sides = grid.source.sides(row)
        if self.size.width < WIDE:
            sides.sort(key=lambda side: (side != self.side, not self._has_output(side, grid.source.names[row])))  # type: ignore[union-attr]
            sides = sides[:1]
        return [(side, grid.source.names[row]) for side in sides]

    def _has_output(self, side: str, name: str) -> bool:
        return log_of(self.store, side, name) is not None

    def _show_log(self) -> None:
        places = self._places()
        for name, place in zip(FOCUSES[1:], (*places, None, None), strict=False):
            self.query_one(f"#{name}-pane").display = place is not None or name == "log"
            self._show_in(name, place)

    def _show_in(self, name: str, place: Step | None) -> None:
        pane = self.query_one(f"#{name}", LogPane)
        pane.empty = f"({self._no_output()})"
        if place is None:
            self.shown.pop(name, None)
            pane.show_text(None)
            self.query_one(f"#{name}-pane").border_title = "log"
            return
        if self.shown.get(name) != place or pane.text is None:
            self._open_in(pane, place)
            self.shown[name] = place
        self.query_one(f"#{name}-pane").border_title = self._title(place, pane)

    def _no_output(self) -> str:
        return "no output yet" if self.store.running else "no output"

    def _open_in(self, pane: LogPane, place: Step) -> None:
        """Shows the end of a log, and of a failed step its error, wherever in the last lines that is."""
        source = log_of(self.store, *place)
        lines = TextLines(source) if source is not None else None
        if lines is not None:
            lines.grow()
        failed = self.store.steps[place].status == "failed"
        error = lines.last_error() if lines is not None and failed else None
        pane.marked = error.line if error is not None else -1
        pane.show_text(lines, at=error.line if error is not None else None, follow=True)

    def _title(self, place: Step, pane: LogPane) -> Content:
        side, step = place
        name = f"log of {f'{side.upper()} ' if side else ''}{step}"
        count = plural(pane.text.total, "line") if pane.text is not None else self._no_output()
        alone = side and self.size.width < WIDE and (OTHER[side], step) in self.store.steps
        key, opens = (key_of(name, self.store.keys) for name in ("side", "open"))
        more = f"   {key} {OTHER[side].upper()}'s log" if alone else ""
        return safe(f"{name}   {count}   {opens} opens it{more}")

    def _open_log(self, place: Step | None) -> None:
        if place is not None:
            self.app.push_screen(LogScreen(self.store, *place))

    def on_grid_opened(self, event: Grid.Opened) -> None:
        """Opens the log at full size."""
        self._open_log(self.shown.get("log"))

    def on_log_pane_entered(self, event: LogPane.Entered) -> None:
        """Opens the log at full size."""
        self._open_log(self.shown.get(event.pane.id or ""))

    def action_zoom(self) -> None:
        """Opens the log at full size, also from the steps."""
        self._open_log(self.shown.get("second" if self.query_one("#second").has_focus else "log"))

    def action_side(self) -> None:
        """Shows the log of the other side."""
        place = self.shown.get("log")
        if place is None or (OTHER.get(place[0], "-"), place[1]) not in self.store.steps:
            notify(self, "The other side has no such step.")
        else:
            self.side = OTHER[place[0]]
            self._show_log()

    def selected(self) -> object:
        """The last lines of the log."""
        pane = self.query_one("#log", LogPane)
        return pane.text.lines(len(pane.text) - 200, len(pane.text)) if pane.text is not None else None

    def works(self, action: Action) -> bool:
        """Whether an action does something: a step without a log has nothing to open."""
        return super().works(action) and (action.name != "open" or bool(self.shown))

    # -- stopping -----------------------------------------------------------------------------------------------

    def action_cancel(self) -> None:
        """Stops the audit after a confirmation."""
        if self.store.running:
            answers = (("s", "stop it; what is cached is kept"), ("escape", "let it run"))
            self.app.push_screen(QuestionDialog("Stop this audit?", answers), self._stop)

    def _stop(self, answer: str | None) -> None:
        if answer == "s":
            self.post_message(StopAudit())
