"""The picker: A and B are typed, with completion, or chosen among deployments, files and revisions; past audits open.

Every key is handled here, in the order of the keys: no widget has the focus. A letter is typed into the current line,
wherever the cursor is. What Enter will do is said in the line below A and B, and what runs is what stands there:

- the row of the list that ↑ or ↓ moved to, if the cursor was moved there;
- else the text as it is typed, if it is a reference;
- else the only reference that continues it, if the line shows that one (its rest is dim, and Tab would complete it).

The references are read in a thread: a folder may have thousands of files. Until they are there, only what is typed
counts. Whether A and B exist is checked in a thread, too; nothing runs unless both do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from textual import events, work
from textual.app import ComposeResult
from textual.containers import Container
from textual.screen import Screen
from textual.widgets import Static

from repro_tui.audit.folder import AuditFolder, AuditSummary, list_audits
from repro_tui.sources.complete import Completion, CompletionSet, folder_typed, read_completions, shared_beginning
from repro_tui.support.text import plural, show
from repro_tui.tui.actions import PICKER, Action, bindings
from repro_tui.tui.dialogs import MessageDialog, QuestionDialog
from repro_tui.tui.navigation import OpenAudit
from repro_tui.tui.picker_rows import PAST_COLUMNS, REFERENCE_COLUMNS, PastRows, ReferenceRows
from repro_tui.tui.picking import LONGEST, OTHER, Picking, past_sentence, problem_of
from repro_tui.tui.planned_audit import PlannedAudit, plan_audit
from repro_tui.tui.screens.base import NARROW
from repro_tui.tui.typed_line import TypedLine
from repro_tui.tui.widgets.bars import KeyBar, TitleBar
from repro_tui.tui.widgets.grid import Grid
from repro_tui.tui.widgets.pick_list import PickList
from repro_tui.tui.widgets.reference_line import ReferenceLine
from repro_tui.tui.widgets.safe import safe
from repro_tui.tui.workers import hand_over

EMPTY = ("no repro.toml in this folder or above it", "no deployment, file or revision contains this")
HINTS = {"a": "the baseline: NAME, FILE#NAME, git:REV, runs:/ID …", "b": "the candidate"}


class PickerScreen(Screen[None]):
    """The first screen when no audit was named: references for A and B, and the past audits."""

    CSS_PATH = "picker.tcss"
    AUTO_FOCUS = ""
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (NARROW, "-normal")]
    BINDINGS = bindings(PICKER)

    def __init__(self) -> None:
        super().__init__()
        self.side = "a"  # the line that is typed into
        self.among_past = False  # whether the cursor is among the past audits
        self.here = Path.cwd()
        self.known: CompletionSet | None = None  # None while they are read
        self.reading: str | None = None  # the folder whose references are being read
        self.busy = False  # an audit is being planned: what is typed must remain what it is planned for
        self.refused = False  # since the last key that changed something
        self.actions: Mapping[str, Action] = {}

    def compose(self) -> ComposeResult:
        """Both lines, what Enter does, the references to choose from, and the past audits."""
        yield TitleBar()
        for side, hint in HINTS.items():
            yield ReferenceLine(side, hint)
        yield Static("", id="guide", markup=False)
        with Container(id="lists"):
            yield PickList("References", REFERENCE_COLUMNS, id="references")
            yield PickList("Past audits", PAST_COLUMNS, id="audits")
        yield KeyBar(PICKER)

    def on_mount(self) -> None:
        """Reads the lists."""
        own = getattr(self.app, "own_keys", {})
        self.actions = {key: action for action in PICKER for key in own.get(action.id, action.keys).split(",")}
        self.query_one(TitleBar).show_title("repro-tui", right=safe("Choose A and B, or open a past audit", "dim"))
        self.reload()

    def reload(self) -> None:
        """Reads the references and the past audits again."""
        self.known = None
        self._show_references()
        self._read_past()

    # -- what is typed and chosen --------------------------------------------------------------------------------

    def line(self, side: str) -> ReferenceLine:
        """The line of a side."""
        return self.query_one(f"#{side}", ReferenceLine)

    @property
    def current(self) -> ReferenceLine:
        """The line that is typed into."""
        return self.line(self.side)

    @property
    def references(self) -> PickList:
        """The list of references."""
        return self.query_one("#references", PickList)

    @property
    def past(self) -> PickList:
        """The list of past audits."""
        return self.query_one("#audits", PickList)

    def _row(self) -> Completion | None:
        """The reference that the user moved to."""
        rows = self.references.grid.source
        return (
            rows.references[self.references.row]
            if isinstance(rows, ReferenceRows) and self.references.row >= 0
            else None
        )

    def _audit(self) -> AuditSummary | None:
        """The past audit that the user moved to."""
        rows, row = self.past.grid.source, self.past.row
        return rows.audits[row] if isinstance(rows, PastRows) and row >= 0 else None

    @property
    def picking(self) -> Picking:
        """What is typed and chosen, and with it what Enter would do."""
        return Picking(self.side, {side: self.line(side).text for side in HINTS}, self.known, self._row(), self.here)

    def _type(self, line: TypedLine, side: str = "") -> None:
        """Changes a line (the current one): its error is gone, and the list has no cursor any more."""
        target = self.line(side or self.side)
        if line.text != target.line.text:
            target.problem = ""
        target.line = line
        self.among_past = self.refused = False
        self._show_references()

    # -- showing -------------------------------------------------------------------------------------------------

    def _show_references(self) -> None:
        """Lists the references that contain what is typed; reads them first where the folder is another one."""
        typed = self.current.text
        if self.known is None or self.known.folder != folder_typed(typed):
            self.known = None
            if self.reading != folder_typed(typed):
                self.reading = folder_typed(typed)
                self._read(self.reading)
        matches = self.known.matching(typed) if self.known else []
        self.references.show_rows(ReferenceRows(matches), EMPTY[bool(typed)] if self.known else "reading …")
        self._show()

    def _show(self) -> None:
        """Shows everything that depends on the lines and the cursors."""
        picking = self.picking
        for side in HINTS:
            line = self.line(side)
            rest = picking.continuation if side == self.side and not picking.row else ""
            line.rest = rest[len(line.text) :] if line.line.text == line.text else ""
            line.draw(active=side == self.side and not self.among_past)
        if not self.among_past:
            self.past.clear()
        self.query_one("#guide", Static).update(safe(*self._sentence(picking)))
        total = sum(not item.is_folder for item in self.known.items) if self.known else 0
        part = f"{self.references.count:,} of {total:,}" if picking.text else f"{total:,}"
        self.references.show_title(part if self.known else "reading …", active=not self.among_past)
        self.past.show_title(f"{self.past.count:,}", active=self.among_past)
        self._show_keys(picking)

    def _sentence(self, picking: Picking) -> tuple[str, str]:
        """What Enter does now, or what is being done; and the sentence's style."""
        if self.busy:
            a, b = (show(picking.typed[side], LONGEST) for side in HINTS)
            return f"Reading both records: A {a} and B {b} …", "$text-accent"
        if self.refused:
            return "Nothing was run.", "$text-warning"
        if self.among_past:
            audit = self._audit()
            return past_sentence(audit) if audit else "", ""
        return picking.sentence()

    def _show_keys(self, picking: Picking) -> None:
        left_out = [] if not self.current.line.text and not self.among_past else ["app.help"]
        if self.among_past:
            left_out += ["complete", "other_line"]
        elif not self.past.count:
            left_out += ["past"]
        enter = "open" if self.among_past else "audit" if picking.audits else "use"
        hints = {"accept": enter} | ({"past": "references"} if self.among_past else {})
        shown = [action for action in PICKER if action.name not in left_out]
        self.query_one(KeyBar).show_keys(tuple(replace(a, hint=hints.get(a.name, a.hint)) for a in shown))

    # -- reading, in threads -------------------------------------------------------------------------------------

    @work(thread=True, exclusive=True, group="references")
    def _read(self, folder: str) -> None:
        try:
            known = read_completions(folder, self.here)
        except OSError:  # a folder that may not be read
            known = CompletionSet(folder, ())
        hand_over(self._has_read, known)

    def _has_read(self, known: CompletionSet) -> None:
        self.reading = None
        if self.is_mounted and folder_typed(self.current.text) == known.folder:
            self.known = known
            self._show_references()

    @work(thread=True, exclusive=True, group="past")
    def _read_past(self) -> None:
        hand_over(self._has_read_past, PastRows(list_audits()))

    def _has_read_past(self, rows: PastRows) -> None:
        if self.is_mounted:
            self.past.show_rows(rows, "none yet: repro-tui demo makes one")
            if self.among_past:
                self.past.move(1)
            self._show()

    @work(thread=True, group="check")
    def _check(self, side: str, reference: str) -> None:
        hand_over(self._has_checked, side, reference, problem_of(reference, self.here))

    def _has_checked(self, side: str, reference: str, problem: str) -> None:
        """Shows why a reference is none below its line, and goes back there unless the other line is being typed."""
        if not self.is_mounted or self.line(side).text != reference or self.busy:
            return
        self.line(side).problem = problem
        if problem and side != self.side and not self.current.line.text and not self.among_past:
            self.side = side
            self._show_references()
        else:
            self._show()

    # -- keys ----------------------------------------------------------------------------------------------------

    async def on_key(self, event: events.Key) -> None:
        """Handles every key: an action of the bar, editing, or a letter."""
        event.stop()
        event.prevent_default()
        action = self.actions.get(event.key)
        self.refused = False
        if action is not None and (action.name != "app.help" or not (self.current.line.text or self.among_past)):
            await self.run_action(action.name)
        elif not self.busy:
            line = self.current.line
            edited = line.insert(event.character) if event.is_printable and event.character else line.edit(event.key)
            if event.key == "right" and line.cursor == len(line.text) and self.current.rest:
                edited = TypedLine.at_end(line.text + self.current.rest)
            if edited is not None:
                self._type(edited)

    def on_paste(self, event: events.Paste) -> None:
        """Types what is pasted; a second line goes to B. A line end in it never starts anything."""
        event.stop()
        lines = [line.strip() for line in event.text.splitlines() if line.strip()]
        if not lines or self.busy:
            return
        if len(lines) > 1 and self.side == "a" and not self.line("b").line.text:
            self._type(TypedLine.at_end(lines[1]), "b")
        self._type(self.current.line.insert(lines[0]))

    def on_reference_line_chosen(self, message: ReferenceLine.Chosen) -> None:
        """Goes to the line that was clicked."""
        self._go_to(message.side)

    def on_grid_highlighted(self, event: Grid.Highlighted) -> None:
        """Follows a click into a list."""
        if event.grid.cursor >= 0:
            self.among_past = event.grid is self.past.grid
            if self.among_past:
                self.references.clear()
            self._show()

    def on_grid_opened(self, event: Grid.Opened) -> None:
        """Uses the row that was clicked a second time."""
        self.action_accept()

    def _go_to(self, side: str) -> None:
        if not self.busy:
            self.side, self.among_past = side, False
            self._show_references()

    def action_choose(self, step: int) -> None:
        """Moves the cursor of the list; above the first reference, what is typed counts again."""
        if not self.busy:
            (self.past if self.among_past else self.references).move(step, leave=not self.among_past)
            self._show()

    def action_page(self, step: int) -> None:
        """Moves the cursor of the list by a page."""
        if not self.busy:
            (self.past if self.among_past else self.references).page(step)
            self._show()

    def action_complete(self) -> None:
        """Completes the line as far as all references that begin with it agree."""
        typed = self.current.text
        if self.busy or self.among_past or self.known is None:
            return
        row = self._row()
        going_on = [row.reference] if row else [item.reference for item in self.known.beginning_with(typed)]
        shared = shared_beginning(going_on)
        if shared and shared != typed:
            self._type(TypedLine.at_end(shared))

    def action_other_line(self) -> None:
        """Goes to the other line."""
        self._go_to(OTHER[self.side])

    def action_past(self) -> None:
        """Goes to the past audits, or back to the line."""
        if self.busy or not self.past.count:
            return
        self.among_past = not self.among_past
        self.references.clear()
        self.past.move(1)
        self._show()

    def action_back(self) -> None:
        """Leaves the past audits, or the row that was moved to; else goes back to A, or clears the line."""
        if self.busy:
            return
        if self.among_past or self._row():
            self.among_past = False
            self.references.clear()
            self._show()
        elif self.side == "b":
            self._go_to("a")
        else:
            self._type(TypedLine())

    def action_accept(self) -> None:
        """Opens the past audit; else uses the reference, and audits where both are there."""
        if self.busy:
            return
        if self.among_past:
            audit = self._audit()
            if audit is not None:
                self.post_message(OpenAudit(AuditFolder(audit.path)))
            return
        picking = self.picking
        if not picking.chosen:
            return
        self._type(TypedLine.at_end(picking.chosen))
        if picking.is_folder:
            return
        if not picking.audits:
            self.side = OTHER[picking.side]
            self._show_references()
            self._check(picking.side, picking.chosen)
        else:
            self.busy = True
            self._show()
            self._plan()

    # -- the audit ---------------------------------------------------------------------------------------------

    @work(thread=True, group="plan")
    def _plan(self, *, confirmed: bool = False) -> None:
        a, b = self.line("a").text, self.line("b").text
        hand_over(self._planned, plan_audit(a, b, self.here, confirmed=confirmed))

    def _planned(self, planned: PlannedAudit) -> None:
        """Opens the audit; or asks where A and B are the same, or shows what is wrong."""
        if planned.folder is not None:
            self.post_message(OpenAudit(planned.folder))
        elif planned.same:
            question = f"{planned.same}: only repeated runs can differ."
            answers = (("y", "audit it against itself"), ("escape", "no, go back to B"))
            self.app.push_screen(QuestionDialog(question, answers), self._answered)
        else:
            self._refuse(planned)

    def _refuse(self, planned: PlannedAudit) -> None:
        self.busy = False
        for side, problem in planned.problems.items():
            self.line(side).problem = problem
        self.side = next((side for side, problem in planned.problems.items() if problem), self.side)
        self.refused = True
        self._show_references()
        if planned.mistakes:
            title = f"Refused: {plural(len(planned.mistakes), 'mistake')}"
            self.app.push_screen(MessageDialog(title, planned.mistakes))

    def _answered(self, answer: str | None) -> None:
        if answer == "y":
            self._plan(confirmed=True)
        else:
            self.busy = False
            self._go_to("b")

    def selected(self) -> object:
        """The past audit's folder, or the reference, that Enter would open or use."""
        audit = self._audit() if self.among_past else None
        return str(audit.path) if audit else self.picking.chosen or None
