"""Every action of the interface, once: keys, help, the hints at the bottom and the palette are all made from here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from textual.binding import Binding, BindingType


@dataclass(frozen=True, slots=True)
class Action:
    """One action: the keys that do it, Textual's name of it, what it does in words, and its hint.

    `hint` is the word at the bottom of the screen ("": none), `label` the keys named there where they are several.
    """

    keys: str
    name: str
    title: str
    where: str
    hint: str = ""
    label: str = ""

    @property
    def id(self) -> str:
        """What the configuration calls it: `cells.sort`."""
        words = self.name.removeprefix("app.").replace("'", "").replace(")", "").replace("(", "-")
        return f"{self.where.rpartition(' ')[2]}.{words.replace('_', '-')}"

    @property
    def binding(self) -> Binding:
        """This action for Textual."""
        return Binding(self.keys, self.name, self.title, show=False, id=self.id)


HELP = Action("question_mark", "app.help", "Show the keys", "everywhere", "keys")
GLOBAL = (
    HELP,
    Action("ctrl+p,colon", "app.command_palette", "Find any action or finding", "everywhere", "find", ":"),
    Action("q,ctrl+c,ctrl+q", "app.leave", "Quit; while an audit runs, ask whether it goes on", "everywhere", "quit"),
    Action("y", "app.copy", "Copy the value under the cursor", "everywhere", "copy"),
    Action("Y", "app.copy_json", "Copy it as JSON", "everywhere"),
    Action("tab", "app.focus_next", "Next pane", "everywhere", "panes"),
    Action("shift+tab", "app.focus_previous", "Previous pane", "everywhere"),
    Action("r", "app.reload", "Read it again from the disk", "everywhere"),
)
AUDIT = (
    Action("escape", "up", "Clear the filter, then go one screen up", "an audit", "up"),
    Action("1", "app.show('overview')", "Overview", "an audit", "areas", "1-7"),
    Action("2", "app.show('environment')", "Environment", "an audit"),
    Action("3", "app.show('parameters')", "Parameters", "an audit"),
    Action("4", "app.show('data')", "Data", "an audit"),
    Action("5", "app.show('predictions')", "Predictions", "an audit"),
    Action("6", "app.show('code')", "Code", "an audit"),
    Action("7", "app.show('cause')", "Cause", "an audit"),
    Action("l", "app.show('progress')", "Steps and logs", "an audit", "log"),
    Action("w", "export", "Write the finding, the table or the report to a file", "an audit", "write"),
    Action("e", "edit", "Open what is under the cursor in your editor", "an audit"),
    Action("o", "artifact", "Open the audit's files: predictions, inputs, logs, records", "an audit", "files"),
    Action("x", "swap", "Swap the sides on the screen", "an audit"),
    Action("s", "stack", "A beside B, or A above B", "an audit"),
    Action("plus", "zoom", "Give this pane the whole screen, or none", "an audit"),
    Action("R", "app.run_again", "Run this audit again", "an audit"),
    Action("E", "app.explain", "Run it again, and look for the cause of the drift", "an audit"),
)
LIST = (
    Action("slash", "filter", "Filter; in a table of predictions by an expression, too", "a list", "filter"),
    Action("n", "difference(1)", "Next difference", "a list", "next"),
    Action("N", "difference(-1)", "Previous difference", "a list"),
    Action("d", "only_differences", "Only differences, or all", "a list", "only diffs"),
)
GRID = (
    Action("up,k", "cursor(-1)", "Up", "a table"),
    Action("down,j", "cursor(1)", "Down", "a table"),
    Action("pageup,ctrl+u", "page(-1)", "A page up", "a table"),
    Action("pagedown,ctrl+d,space", "page(1)", "A page down", "a table"),
    Action("home,g", "edge(-1)", "First row", "a table"),
    Action("end,G", "edge(1)", "Last row", "a table"),
    Action("left", "sideways(-1)", "Close what is below this row; in a wide table, to the left", "a table"),
    Action("right", "sideways(1)", "Show what is below this row; in a wide table, to the right", "a table"),
    Action("enter", "open", "Open", "a table", "open"),
)
CELLS = (
    Action("t", "sort", "Sort the table by another column", "predictions", "sort"),
    Action("v", "chart", "Next chart: histogram, scatter, flips, slices, stress", "predictions", "chart"),
)
PROGRESS = (Action("c", "cancel", "Stop the audit", "progress", "stop"),)
ALL = (*GLOBAL, *AUDIT, *LIST, *GRID, *CELLS, *PROGRESS)


def bindings(*groups: tuple[Action, ...]) -> list[BindingType]:
    """The bindings of some groups."""
    return [action.binding for group in groups for action in group]


def some(group: tuple[Action, ...], *names: str) -> tuple[Action, ...]:
    """Those actions of a group that a screen has."""
    return tuple(action for action in group if action.name.partition("(")[0] in names)


NAMES = {
    "question_mark": "?",
    "slash": "/",
    "colon": ":",
    "plus": "+",
    "escape": "Esc",
    "enter": "Enter",
    "space": "Space",
    "tab": "Tab",
    "shift+tab": "Shift+Tab",
    "pageup": "PgUp",
    "pagedown": "PgDn",
    "home": "Home",
    "end": "End",
    "up": "↑",
    "down": "↓",
    "left": "←",
    "right": "→",
}


def key_names(keys: str) -> str:
    """Keys as a person reads them."""
    return " ".join(NAMES.get(key, key.replace("ctrl+", "Ctrl+")) for key in keys.split(","))


def area_key(name: str, keymap: Mapping[str, str]) -> str:
    """The key that opens an area's screen."""
    return next(hint_of(replace(a, label=""), keymap) for a in AUDIT if a.name == f"app.show('{name}')")


def hint_of(action: Action, keymap: Mapping[str, str]) -> str:
    """The key that a hint names: the user's own where there is one."""
    own = keymap.get(action.id)
    return key_names((own or action.keys).split(",")[0]) if own or not action.label else action.label


def key_table() -> str:
    """The table of keys in Markdown, for the documentation."""
    lines = ["| where | keys | what | name in the configuration |", "|---|---|---|---|"]
    for action in ALL:
        keys = " ".join(f"`{name}`" for name in key_names(action.keys).split())
        lines.append(f"| {action.where} | {keys} | {action.title} | `{action.id}` |")
    return "\n".join(lines) + "\n"
