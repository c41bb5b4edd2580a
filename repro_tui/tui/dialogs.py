"""The dialogs over a screen: all keys, a question, a choice, a line to type, a message, a value to copy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from repro_tui.support.text import show, show_lines
from repro_tui.tui.actions import ALL, PICKER, key_names
from repro_tui.tui.widgets.grid import ColumnSpec, Grid
from repro_tui.tui.widgets.prose import Item, Prose
from repro_tui.tui.widgets.safe import joined, safe


class HelpDialog(ModalScreen[None]):
    """All keys, grouped by where they work, with the user's own in place of the defaults."""

    CSS_PATH = "dialogs.tcss"
    BINDINGS = [Binding("escape,question_mark,q,enter", "dismiss", "Close", show=False)]

    def __init__(self, keymap: Mapping[str, str], in_picker: bool = False) -> None:
        super().__init__()
        self.keymap, self.in_picker = keymap, in_picker

    def compose(self) -> ComposeResult:
        """The keys, from the list of actions."""
        with VerticalScroll(id="box") as box:
            box.border_title = "Keys"
            box.border_subtitle = "Esc closes"
            yield Prose(_key_lines(self.keymap, self.in_picker))


def _key_lines(keymap: Mapping[str, str], in_picker: bool) -> list[Content | Item]:
    """The keys with their titles; those of the picker stand first in the picker, and last everywhere else."""
    lines: list[Content | Item] = []
    where = ""
    for action in sorted(ALL, key=lambda action: (action in PICKER) is not in_picker):
        if action.where != where:
            where = action.where
            title = "Everywhere" if where == "everywhere" else f"In {where}"
            lines.append(Content.styled(f"{chr(10) if lines else ''}{title}", "bold"))
        keys = key_names(keymap.get(action.id, action.keys))
        lines.append(Item(Content.styled(f"{keys:<17}", "$accent"), action.title))
    return lines


class QuestionDialog(ModalScreen[str]):
    """A question whose answers each have a key; Esc is the last one, and Enter does the same. Returns the key.

    `detail` are lines below the question: what it is about.
    """

    CSS_PATH = "dialogs.tcss"

    def __init__(self, question: str, answers: Sequence[tuple[str, str]], detail: Sequence[str] = ()) -> None:
        super().__init__()
        self.question, self.answers, self.detail = question, answers, detail

    def compose(self) -> ComposeResult:
        """The question and its answers."""
        with Vertical(id="box") as box:
            box.border_title = "Question"
            yield Static(safe(self.question, "bold"), markup=False)
            yield Static("", markup=False)
            if self.detail:
                with VerticalScroll(id="detail"):
                    for line in self.detail:
                        yield Static(safe(line, cap=400), markup=False)
            for key, answer in self.answers:
                yield Static(
                    joined([Content.styled(key_names(key).ljust(8), "bold $accent"), safe(answer)]), markup=False
                )

    def on_key(self, event: events.Key) -> None:
        """Closes the dialog with an answer's key."""
        key = self.answers[-1][0] if event.key == "enter" else event.key
        if key in [name for name, _ in self.answers]:
            event.stop()
            self.dismiss(key)


class ChoiceRows:
    """The choices of a dialog as rows."""

    def __init__(self, choices: Sequence[str]) -> None:
        self.choices = choices

    def __len__(self) -> int:
        return len(self.choices)

    def cells(self, row: int, widths: Sequence[int]) -> Sequence[Text]:
        """One choice."""
        return (Text(show(self.choices[row], 300)),)


class ChoiceDialog(ModalScreen[str | None]):
    """A list to choose from with the cursor. Returns the choice, or None for Esc."""

    CSS_PATH = "dialogs.tcss"
    BINDINGS = [Binding("escape,q", "dismiss", "Close", show=False)]

    def __init__(self, question: str, choices: Sequence[str], current: str = "") -> None:
        super().__init__()
        self.question, self.choices, self.current = question, choices, current

    def compose(self) -> ComposeResult:
        """The list."""
        with Vertical(id="box") as box:
            box.border_title = self.question
            box.border_subtitle = "Enter chooses, Esc closes"
            yield Grid([ColumnSpec("", 20, 1)], id="choices")

    def on_mount(self) -> None:
        """Puts the cursor on the current choice."""
        grid = self.query_one(Grid)
        grid.styles.height = min(len(self.choices) + 1, 18)
        grid.show_rows(ChoiceRows(self.choices))
        if self.current in self.choices:
            grid.move_to(self.choices.index(self.current))
        grid.focus()

    def on_grid_opened(self, event: Grid.Opened) -> None:
        """Returns the choice under the cursor."""
        self.dismiss(self.choices[event.row])


class PromptDialog(ModalScreen[str | None]):
    """A line to type. Returns its text, or None for Esc or an empty line."""

    CSS_PATH = "dialogs.tcss"
    BINDINGS = [Binding("escape", "dismiss", "Close", show=False)]

    def __init__(self, question: str, value: str = "") -> None:
        super().__init__()
        self.question, self.value = question, value

    def compose(self) -> ComposeResult:
        """The line, with the proposed text in it."""
        with Vertical(id="box") as box:
            box.border_title = self.question
            box.border_subtitle = "Enter accepts, Esc closes"
            yield Input(self.value, id="line", compact=True, select_on_focus=False)

    def on_mount(self) -> None:
        """Focuses the line."""
        self.query_one(Input).focus()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Returns the text."""
        self.dismiss(event.value.strip() or None)


class MessageDialog(ModalScreen[None]):
    """A message, such as an error, in full."""

    CSS_PATH = "dialogs.tcss"
    BINDINGS = [Binding("escape,enter,q", "dismiss", "Close", show=False)]

    def __init__(self, title: str, sentences: Sequence[str]) -> None:
        super().__init__()
        self.heading, self.sentences = title, sentences

    def compose(self) -> ComposeResult:
        """The sentences."""
        with VerticalScroll(id="box") as box:
            box.border_title = safe(self.heading, cap=200)  # Textual reads a title of type str as markup
            box.border_subtitle = "Esc closes"
            for sentence in self.sentences:
                for line in show_lines(sentence):
                    yield Static(safe(line), markup=False)


class CopiedDialog(ModalScreen[None]):
    """The text that was sent to the terminal's clipboard, also to be selected: no terminal confirms that it arrived."""

    CSS_PATH = "dialogs.tcss"
    BINDINGS = [Binding("escape,q", "dismiss", "Close", show=False)]

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = "\n".join(show_lines(text))

    def compose(self) -> ComposeResult:
        """The text."""
        from textual.widgets import TextArea

        with Vertical(id="box") as box:
            box.border_title = "Sent to the terminal's clipboard"
            box.border_subtitle = "or select it here; Esc closes"
            yield TextArea(self.text, read_only=True, id="copied")
