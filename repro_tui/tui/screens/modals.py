"""What lies over a screen: the keys, a question, an error, a value to copy."""

from __future__ import annotations

from collections.abc import Sequence

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static, TextArea

from repro_tui.support.text import show_lines
from repro_tui.tui.actions import ALL, key_names
from repro_tui.tui.widgets.safe import joined, lines, safe


class Help(ModalScreen[None]):
    """Every key, by where it works."""

    CSS_PATH = "modals.tcss"
    BINDINGS = [Binding("escape,question_mark,q,enter", "dismiss", "Close", show=False)]

    def compose(self) -> ComposeResult:
        """The table, made from the registry of actions."""
        with VerticalScroll(id="box") as box:
            box.border_title = "Keys"
            box.border_subtitle = "Esc closes"
            yield Static(lines(_key_lines()), markup=False)


def _key_lines() -> list[Content]:
    found: list[Content] = []
    where = ""
    for action in ALL:
        if action.where != where:
            where = action.where
            found.append(
                Content.styled(
                    f"{'' if not found else chr(10)}In {where}" if where != "everywhere" else "Everywhere", "bold"
                )
            )
        found.append(joined([Content.styled(key_names(action.keys).ljust(16), "$accent"), action.title]))
    return found


class Ask(ModalScreen[str]):
    """A question with a few answers, each with its key; Esc is the last."""

    CSS_PATH = "modals.tcss"

    def __init__(self, question: str, answers: Sequence[tuple[str, str]]) -> None:
        super().__init__()
        self.question, self.answers = question, answers

    def compose(self) -> ComposeResult:
        """The question and its answers."""
        with Vertical(id="box") as box:
            box.border_title = "Question"
            yield Static(safe(self.question, "bold"), markup=False)
            yield Static("", markup=False)
            for key, answer in self.answers:
                yield Static(
                    joined([Content.styled(key_names(key).ljust(8), "bold $accent"), safe(answer)]), markup=False
                )

    def on_key(self, event: object) -> None:
        """An answer's key answers."""
        key = getattr(event, "key", "")
        if key in [name for name, _ in self.answers]:
            event.stop()  # type: ignore[attr-defined]
            self.dismiss(key)


class Told(ModalScreen[None]):
    """An error, or several, in full."""

    CSS_PATH = "modals.tcss"
    BINDINGS = [Binding("escape,enter,q", "dismiss", "Close", show=False)]

    def __init__(self, title: str, sentences: Sequence[str]) -> None:
        super().__init__()
        self.heading, self.sentences = title, sentences

    def compose(self) -> ComposeResult:
        """The sentences."""
        with VerticalScroll(id="box") as box:
            box.border_title = self.heading
            box.border_subtitle = "Esc closes"
            for sentence in self.sentences:
                for line in show_lines(sentence):
                    yield Static(safe(line), markup=False)


class Copied(ModalScreen[None]):
    """What was sent to the terminal's clipboard, selectable too: nothing confirms that it arrived."""

    CSS_PATH = "modals.tcss"
    BINDINGS = [Binding("escape,q", "dismiss", "Close", show=False)]

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = "\n".join(show_lines(text))

    def compose(self) -> ComposeResult:
        """The text."""
        with Vertical(id="box") as box:
            box.border_title = "Sent to the terminal's clipboard"
            box.border_subtitle = "or select it here; Esc closes"
            yield TextArea(self.text, read_only=True, id="copied")
