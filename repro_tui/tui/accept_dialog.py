"""The dialog that asks why a change is accepted, and until when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from repro_tui.tui.widgets.safe import safe

BOUND = "Bound, such as flips <= 0.5 % (empty: exactly the cells that differ)"


@dataclass(frozen=True, slots=True)
class AcceptAnswer:
    """What was typed; `bound` limits a drift ("": exactly this one)."""

    reason: str
    until: date
    owner: str = ""
    bound: str = ""


class AcceptDialog(ModalScreen[AcceptAnswer | None]):
    """Lines for the reason, the last day and the owner. Returns the answer, or None for Esc; it writes nothing."""

    CSS_PATH = "accept_dialog.tcss"
    BINDINGS = [Binding("escape", "dismiss", "Close", show=False)]

    def __init__(self, pattern: str, summary: str, until: date, *, bounded: bool) -> None:
        super().__init__()
        self.pattern, self.summary, self.until, self.bounded = pattern, summary, until, bounded

    def compose(self) -> ComposeResult:
        """What is accepted, and the lines."""
        with Vertical(id="box") as box:
            box.border_title = "Accept this change"
            box.border_subtitle = "Enter goes on to what will be written, Esc closes"
            yield Static(safe(self.pattern, "bold", cap=300), markup=False)
            if self.summary:
                yield Static(safe(self.summary, cap=400), markup=False)
            yield Static("", markup=False)
            yield from self._line("reason", "Reason", "")
            yield from self._line("until", "Last day (UTC), YYYY-MM-DD", self.until.isoformat())
            yield from self._line("owner", "Who answers for it (optional)", "")
            if self.bounded:
                yield from self._line("bound", BOUND, "")
            yield Static("", id="problem", markup=False)

    def _line(self, name: str, label: str, value: str) -> ComposeResult:
        yield Static(safe(label, "dim"), markup=False, classes="label")
        yield Input(value, id=name, compact=True, select_on_focus=False)

    def on_mount(self) -> None:
        """Focuses the reason."""
        self.query_one("#reason", Input).focus()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Goes to the next line, and after the last one returns what was typed, if it can be."""
        lines = list(self.query(Input))
        following = lines[lines.index(event.input) + 1 :]
        if following:
            following[0].focus()
            return
        self._answer()

    def _answer(self) -> None:
        from repro_tui.audit.accept import parse_day
        from repro_tui.support.bounds import parse_bound

        values = {line.id or "": line.value.strip() for line in self.query(Input)}
        line = "reason"
        try:
            if not values["reason"]:
                raise ValueError("say why the change is accepted")
            line = "until"
            day = parse_day(values["until"])
            line = "bound"
            if values.get("bound"):
                parse_bound(values["bound"])
        except ValueError as error:
            self.query_one("#problem", Static).update(safe(f"! {error}", "bold $error", cap=300))
            self.query_one(f"#{line}", Input).focus()
            return
        self.dismiss(AcceptAnswer(values["reason"], day, values["owner"], values.get("bound", "")))
