"""The picker: choose A and B among deployments, files and revisions, with completion; or open a past audit."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.text import Text
from textual import events, work
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.screen import Screen
from textual.widgets import Input, Static

from repro_tui.audit.folder import AuditFolder, AuditSummary, list_audits
from repro_tui.model.errors import ReproError
from repro_tui.sources.complete import Completion, completions
from repro_tui.support.text import show
from repro_tui.tui.actions import GLOBAL, GRID, bindings, some
from repro_tui.tui.dialogs import MessageDialog
from repro_tui.tui.navigation import OpenAudit
from repro_tui.tui.widgets.bars import KeyBar, TitleBar
from repro_tui.tui.widgets.grid import ColumnSpec, Grid
from repro_tui.tui.widgets.safe import safe, text_of
from repro_tui.tui.widgets.verdict_colours import verdict_look
from repro_tui.tui.workers import hand_over

PAST_COLUMNS = [
    ColumnSpec("", 1),
    ColumnSpec("past audit", 16),
    ColumnSpec("A → B", 20, 1),
    ColumnSpec("when (UTC)", 19),
]
KEYS = some(GRID, "open")


class ReferenceRows:
    """The references to choose from as rows."""

    def __init__(self, references: Sequence[Completion]) -> None:
        self.references = references

    def __len__(self) -> int:
        return len(self.references)

    def cells(self, row: int, widths: Sequence[int]) -> Sequence[Text]:
        """The reference, and what it refers to."""
        completion = self.references[row]
        return (Text(show(completion.reference, 200), style="loud"), text_of(completion.told, widths[1]))


class PastRows:
    """The past audits as rows, each with its verdict."""

    def __init__(self, audits: Sequence[AuditSummary]) -> None:
        self.audits = audits

    def __len__(self) -> int:
        return len(self.audits)

    def cells(self, row: int, widths: Sequence[int]) -> Sequence[Text]:
        """Glyph, verdict, both references, time."""
        audit = self.audits[row]
        verdict = audit.verdict or {"running": "running", "died": "stopped"}.get(audit.state, "unknown")
        glyph, style = ("…", "busy") if verdict == "running" else verdict_look(verdict)[:2]
        names = f"{show(audit.a, 60)} → {show(audit.b, 60)}"
        when = audit.started.replace("T", " ").removesuffix("Z")
        return (Text(glyph, style=style), Text(verdict, style=style), text_of(names, widths[2]), Text(when))


class PickerScreen(Screen[None]):
    """The first screen when no audit was named: references for A and B, and the past audits."""

    CSS_PATH = "picker.tcss"
    AUTO_FOCUS = ""
    BINDINGS = bindings(GLOBAL)

    def __init__(self) -> None:
        super().__init__()
        self.side = "a"  # the side that a reference from the list is for

    def compose(self) -> ComposeResult:
        """Both references, the list to choose them from, and the past audits."""
        yield TitleBar()
        yield Static("", id="guide", markup=False)
        for side, placeholder in (("a", "the baseline: NAME, FILE#NAME or git:REV"), ("b", "the candidate")):
            with Horizontal(classes="side"):
                yield Static(safe(side.upper(), f"bold ${'primary' if side == 'a' else 'secondary'}"), markup=False)
                yield Input(placeholder=placeholder, id=side, compact=True, select_on_focus=False)
        yield Grid(
            [ColumnSpec("reference", 16, 2), ColumnSpec("", 20, 3)],
            empty="no deployment, file or revision matches",
            id="references",
        )
        yield Grid(PAST_COLUMNS, empty="no audits yet: repro-tui demo makes one", id="audits")
        yield KeyBar(KEYS, GLOBAL)

    def on_mount(self) -> None:
        """Fills the lists."""
        self.query_one(TitleBar).show_title("repro-tui", right=safe("Choose A and B, or open a past audit", "dim"))
        self.reload()
        self.query_one("#references" if self.query_one("#references", Grid).count else "#audits").focus()

    def reload(self) -> None:
        """Reads the lists again."""
        self.query_one("#audits", Grid).show_rows(PastRows(list_audits()))
        self._offer("")
        self._show_next_step()

    def _show_next_step(self) -> None:
        a, b = self._typed()
        next_step = (
            "Choose a reference for A with Enter, or type one; ↓ moves to the list."
            if not a
            else "Choose a reference for B."
            if not b
            else "Press Enter to start the audit."
        )
        self._show_guide(next_step)

    def _show_guide(self, text: str, style: str = "dim") -> None:
        self.query_one("#guide", Static).update(safe(text, style))

    def _typed(self) -> tuple[str, str]:
        a, b = (self.query_one(f"#{side}", Input).value.strip() for side in ("a", "b"))
        return a, b

    def _offer(self, typed: str) -> None:
        self.query_one("#references", Grid).show_rows(ReferenceRows(completions(typed, Path.cwd())))

    # -- typing and choosing ------------------------------------------------------------------------------------

    def on_input_changed(self, event: Input.Changed) -> None:
        """Lists the references that complete what was typed."""
        if event.input.has_focus:
            self.side = event.input.id or "a"
            self._offer(event.value.strip())

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        """Lists the references for the focused field."""
        if isinstance(event.widget, Input):
            self.side = event.widget.id or "a"
            self._offer(event.widget.value.strip())

    def on_key(self, event: events.Key) -> None:
        """Moves from a field to the list with ↓ or Esc."""
        if isinstance(self.focused, Input) and event.key in ("down", "escape"):
            self.query_one("#references").focus()
            event.stop()

    def on_grid_opened(self, event: Grid.Opened) -> None:
        """Makes a reference A or B, or opens a past audit."""
        source = event.grid.source
        if isinstance(source, PastRows):
            self.post_message(OpenAudit(AuditFolder(source.audits[event.row].path)))
        elif isinstance(source, ReferenceRows):
            self._use(source.references[event.row].reference)

    def _use(self, reference: str) -> None:
        """Puts a reference into the current field; a folder is completed further, and A and B once more starts."""
        box = self.query_one(f"#{self.side}", Input)
        if reference.endswith("/"):
            box.value = reference
            box.focus()
            return
        a, b = self._typed()
        if a and b and self.query_one("#references").has_focus and reference in (a, b):
            self._start()
            return
        box.value = reference
        self.side = "b"
        self._offer("")
        a, b = self._typed()
        if a and b:
            self.query_one("#b").focus()
        else:
            self.query_one("#references").focus()
        self._show_next_step()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Moves from A to B on Enter, and starts the audit from B."""
        if event.input.id == "a":
            self.query_one("#b").focus()
            self._show_next_step()
        else:
            self._start()

    def _start(self) -> None:
        a, b = self._typed()
        if not (a and b):
            self._show_guide("Choose both A and B.", "$text-warning")
            return
        if any(worker.group == "plan" for worker in self.workers):
            return  # Enter was pressed twice: one audit is enough
        self._show_guide("Reading both records …")
        self._plan(a, b)

    @work(thread=True, group="plan")
    def _plan(self, a: str, b: str) -> None:
        from repro_tui.audit.begin import begin
        from repro_tui.formats.config import load_config
        from repro_tui.model.overrides import Overrides
        from repro_tui.model.request import Settings

        try:
            folder = begin(a, b, Settings(limits=load_config().limits), Overrides())
        except ReproError as error:
            mistakes = [str(mistake) for mistake in getattr(error, "mistakes", ())] or [str(error)]
            hand_over(self._refused, mistakes)
            return
        hand_over(self.post_message, OpenAudit(folder))

    def _refused(self, mistakes: list[str]) -> None:
        self._show_guide("Nothing was run.", "$text-warning")
        self.app.push_screen(MessageDialog("Refused", mistakes))

    def selected(self) -> object:
        """The reference, or the past audit's folder, under the cursor."""
        grid = self.focused
        if isinstance(grid, Grid) and grid.count:
            source = grid.source
            if isinstance(source, PastRows):
                return str(source.audits[grid.cursor].path)
            if isinstance(source, ReferenceRows):
                return source.references[grid.cursor].reference
        return None
