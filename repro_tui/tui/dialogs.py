"""What lies over a screen: the keys, a question, a choice, a line to type, an error, a value to copy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, Static, TextArea

from repro_tui.support.text import show, show_lines
from repro_tui.tui.actions import ALL, key_names
from repro_tui.tui.widgets.grid import ColumnSpec, Grid
from repro_tui.tui.widgets.prose import Item, Prose
from repro_tui.tui.widgets.safe import joined, safe


class HelpDialog(ModalScreen[None]):
    """Every key, by where it works, with the user's own where there are any."""

    CSS_PATH = "dialogs.tcss"
    BINDINGS = [Binding("escape,question_mark,q,enter", "dismiss", "Close", show=False)]

    def __init__(self, keymap: Mapping[str, str]) -> None:
        super().__init__()
        self.keymap = keymap

    def compose(self) -> ComposeResult:
        """The table, made from the registry of actions."""
        with VerticalScroll(id="box") as box:
            box.border_title = "Keys"
            box.border_subtitle = "Esc closes"
            yield Prose(_key_lines(self.keymap))


def _key_lines(keymap: Mapping[str, str]) -> list[Content | Item]:
    found: list[Content | Item] = []
    where = ""
    for action in ALL:
        if action.where != where:
            where = action.where
            title = "Everywhere" if where == "everywhere" else f"In {where}"
            found.append(Content.styled(f"{chr(10) if found else ''}{title}", "bold"))
        keys = key_names(keymap.get(action.id, action.keys))
        found.append(Item(Content.styled(f"{keys:<17}", "$accent"), action.title))
    return found


class QuestionDialog(ModalScreen[str]):
    """A question with a few answers, each with its key; Esc is the last."""

    CSS_PATH = "dialogs.tcss"

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

    def on_key(self, event: events.Key) -> None:
        """An answer's key answers."""
        if event.key in [name for name, _ in self.answers]:
            event.stop()
            self.dismiss(event.key)


class Words:
    """Lines to choose from, as rows."""

    def __init__(self, words: Sequence[str]) -> None:
        self.words = words

    def __len__(self) -> int:
        return len(self.words)

    def cells(self, row: int, widths: Sequence[int]) -> Sequence[Text]:
        """One line."""
        return (Text(show(self.words[row], 300)),)


class ChoiceDialog(ModalScreen[str | None]):
    """One of a list, chosen with the cursor; Esc chooses nothing."""

    CSS_PATH = "dialogs.tcss"
    BINDINGS = [Binding("escape,q", "dismiss", "Close", show=False)]

    def __init__(self, question: str, words: Sequence[str], now: str = "") -> None:
        super().__init__()
        self.question, self.words, self.now = question, words, now

    def compose(self) -> ComposeResult:
        """The list."""
        with Vertical(id="box") as box:
            box.border_title = self.question
            box.border_subtitle = "Enter chooses, Esc closes"
            yield Grid([ColumnSpec("", 20, 1)], id="words")

    def on_mount(self) -> None:
        """The cursor starts on what is chosen now."""
        grid = self.query_one(Grid)
        grid.styles.height = min(len(self.words) + 1, 18)
        grid.show_rows(Words(self.words))
        if self.now in self.words:
            grid.move_to(self.words.index(self.now))
        grid.focus()

    def on_grid_opened(self, event: Grid.Opened) -> None:
        """This one."""
        self.dismiss(self.words[event.row])


class PromptDialog(ModalScreen[str | None]):
    """One line to type; Esc types nothing."""

    CSS_PATH = "dialogs.tcss"
    BINDINGS = [Binding("escape", "dismiss", "Close", show=False)]

    def __init__(self, question: str, value: str = "") -> None:
        super().__init__()
        self.question, self.value = question, value

    def compose(self) -> ComposeResult:
        """The line, with what is proposed in it."""
        with Vertical(id="box") as box:
            box.border_title = self.question
            box.border_subtitle = "Enter accepts, Esc closes"
            yield Input(self.value, id="line", compact=True, select_on_focus=False)

    def on_mount(self) -> None:
        """It has the keys."""
        self.query_one(Input).focus()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """What was typed."""
        self.dismiss(event.value.strip() or None)


class MessageDialog(ModalScreen[None]):
    """An error, or several, in full."""

    CSS_PATH = "dialogs.tcss"
    BINDINGS = [Binding("escape,enter,q", "dismiss", "Close", show=False)]

    def __init__(self, title: str, sentences: Sequence[str]) -> None:
        super().__init__()
        self.heading, self.sentences = title, sentences

    def compose(self) -> ComposeResult:
        """The sentences."""
        with VerticalScroll(id="box") as box:
            box.border_title = safe(self.heading, cap=200)  # a title that is text would be read as markup
            box.border_subtitle = "Esc closes"
            for sentence in self.sentences:
                for line in show_lines(sentence):
                    yield Static(safe(line), markup=False)


class CopiedDialog(ModalScreen[None]):
    """What was sent to the terminal's clipboard, selectable too: nothing confirms that it arrived."""

    CSS_PATH = "dialogs.tcss"
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
