"""The screen of the progress: both sides' steps as they run, and the log of the step under the cursor."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.text import Text
from textual.app import ComposeResult
from textual.content import Content
from textual.widgets import Static

from repro_tui.support.regular import open_regular
from repro_tui.tui.actions import AUDIT, GLOBAL, PROGRESS, bindings
from repro_tui.tui.dialogs import QuestionDialog
from repro_tui.tui.navigation import StopAudit
from repro_tui.tui.screens.base import AuditScreen
from repro_tui.tui.store import AuditStore, StepState
from repro_tui.tui.widgets.bars import KeyBar, TitleBar
from repro_tui.tui.widgets.grid import ColumnSpec, Grid
from repro_tui.tui.widgets.safe import lines, safe, text_of

GLYPHS = {"started": "…", "progress": "…", "done": "✓", "cached": "✓", "failed": "!", "skipped": "-", "": " "}
STYLES = {"failed": "bad loud", "started": "busy", "progress": "busy", "cached": "good", "done": "good"}
FIRST = ("code", "environment", "data", "parameters")
BEFORE = ("declared", "compare declared")
TAIL_BYTES = 64 << 10


class Steps:
    """The steps as rows, A beside B; a step of both sides stands under A."""

    def __init__(self, store: AuditStore) -> None:
        self.store = store
        names = dict.fromkeys((*BEFORE, *FIRST, *sorted(dict.fromkeys(step for _, step in store.steps), key=_order)))
        self.names = [name for name in names if any(step == name for _, step in store.steps) or name in FIRST]

    def __len__(self) -> int:
        return len(self.names)

    def cells(self, row: int, widths: Sequence[int]) -> Sequence[Text]:
        """Step, A, B."""
        name = self.names[row]
        both = self.store.steps.get(("", name))
        a = both or self.store.steps.get(("a", name))
        b = None if both else self.store.steps.get(("b", name))
        running = self.store.seconds if self.store.running else None
        return (Text(name), _state(a, widths[1], running), _state(b, widths[2], running))


def _order(name: str) -> tuple[int, int]:
    number = int(name.rpartition(" ")[2]) if name.startswith("run ") and name.rpartition(" ")[2].isdigit() else 0
    return (0 if name in FIRST else 1 if name.startswith("run") else 2, number)


def _state(step: StepState | None, width: int, now: float | None) -> Text:
    if step is None:
        return Text("")
    seconds = step.seconds
    if step.status in ("started", "progress") and now is not None:
        seconds = max(seconds, now - step.began)
    cached = "cache " if step.status == "cached" else ""
    head = f"{GLYPHS.get(step.status, '?')} {seconds:5.1f} s  {cached}"
    return Text(head + text_of(step.text, max(4, width - len(head))).plain, style=STYLES.get(step.status, ""))


class ProgressScreen(AuditScreen):
    """The steps of the engine, and their logs."""

    CSS_PATH = "progress.tcss"
    BINDINGS = bindings(GLOBAL, AUDIT, PROGRESS)
    title_text = "Progress"

    def compose(self) -> ComposeResult:
        """The steps above, the log below."""
        yield TitleBar()
        yield Static("", id="state", markup=False)
        yield Grid(
            [ColumnSpec("step", 19), ColumnSpec("A", 20, 1, side="a"), ColumnSpec("B", 20, 1, side="b")], id="steps"
        )
        log = Static("", id="log", markup=False)
        log.border_title = "log"
        yield log
        yield KeyBar(AUDIT, GLOBAL)

    def on_mount(self) -> None:
        """Focuses the steps."""
        super().on_mount()
        self.query_one(Grid).focus()

    def changed(self) -> None:
        """Shows the current state of the steps."""
        grid = self.query_one(Grid)
        grid.show_rows(Steps(self.store), keep=True)
        running = self.store.running
        self.query_one(KeyBar).show_keys(*((PROGRESS, AUDIT, GLOBAL) if running else (AUDIT, GLOBAL)))
        state = "running: q leaves it running or stops it" if running else "finished"
        line = safe(f"{state}   {self.store.seconds:.1f} s", "bold $text-accent" if running else "dim")
        self.query_one("#state", Static).update(line)
        self._show_log()

    def on_grid_highlighted(self) -> None:
        """Shows the log of the step under the cursor."""
        self._show_log()

    def _show_log(self) -> None:
        grid, log = self.query_one(Grid), self.query_one("#log", Static)
        if not isinstance(grid.source, Steps) or not len(grid.source):
            return
        name = grid.source.names[min(grid.cursor, len(grid.source) - 1)]
        log.border_title = f"log of {name}"
        height = max(1, log.size.height)
        shown: list[Content | str] = []
        for side in ("", "a", "b"):
            log_lines = self.lines_of(side, name)
            shown += [safe(f"{side.upper()}  {line}" if side else line, cap=400) for line in log_lines]
        log.update(lines(shown[-height:]) if shown else safe("(no output yet)", "dim"))

    def lines_of(self, side: str, name: str) -> list[str]:
        """The last lines of a step's log: of a run from its file, of other steps from the journal."""
        if name.startswith("run ") and side:
            path = self.store.folder.path / side / f"run-{name.rpartition(' ')[2]}.log"
            if tail := _tail(path):
                return tail
        step = self.store.steps.get((side, name))
        return list(step.log)[-200:] if step else []

    def action_cancel(self) -> None:
        """Stops the audit after a confirmation."""
        if self.store.running:
            answers = (("s", "stop it; what is cached is kept"), ("escape", "let it run"))
            self.app.push_screen(QuestionDialog("Stop this audit?", answers), self._stop)

    def _stop(self, answer: str | None) -> None:
        if answer == "s":
            self.post_message(StopAudit())


def _tail(path: Path) -> list[str]:
    try:
        with open_regular(path) as stream:
            stream.seek(max(0, path.stat().st_size - TAIL_BYTES))
            return stream.read().decode("utf-8", "replace").splitlines()[-200:]
    except OSError:
        return []
