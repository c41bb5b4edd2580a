"""The one list of actions: key bindings, the help, the hints at the bottom and the palette are all made from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from textual.binding import Binding, BindingType


@dataclass(frozen=True, slots=True)
class Action:
    """One action of the interface.

    `keys` are its keys as Textual names them, separated by commas; `name` is Textual's action string, `title` says what
    it does, and `where` it works. `hint` is the word at the bottom of the screen ("" for none), and `label` replaces
    the key there, for a hint that stands for several keys. A hint that is `kept` is never left out for want of room.
    """

    keys: str
    name: str
    title: str
    where: str
    hint: str = ""
    label: str = ""
    kept: bool = False

    @property
    def id(self) -> str:
        """The action's name in the configuration, such as `predictions.sort`."""
        name = self.name.removeprefix("app.").replace("'", "").replace(")", "").replace("(", "-")
        return f"{self.where.rpartition(' ')[2]}.{name.replace('_', '-')}"

    @property
    def binding(self) -> Binding:
        """The binding of this action for Textual."""
        return Binding(self.keys, self.name, self.title, show=False, id=self.id)


HELP = Action("question_mark", "app.help", "Show the keys", "everywhere", "keys", kept=True)
SUSPEND = "Suspend the interface, as in any program: fg brings it back"
GLOBAL = (
    HELP,
    Action("ctrl+p,colon", "app.command_palette", "Find any action or finding", "everywhere", "find", ":"),
    Action(
        "q,ctrl+c,ctrl+q",
        "app.leave",
        "Quit; while an audit is running, ask whether to stop it",
        "everywhere",
        "quit",
        kept=True,
    ),
    Action("y", "app.copy", "Copy the value under the cursor", "everywhere", "copy"),
    Action("Y", "app.copy_json", "Copy the value as JSON", "everywhere"),
    Action("tab", "app.focus_next", "Next pane", "everywhere", "panes"),
    Action("shift+tab", "app.focus_previous", "Previous pane", "everywhere"),
    Action("r", "app.reload", "Reload from disk", "everywhere"),
    Action("ctrl+z", "app.suspend_process", SUSPEND, "everywhere"),
)
AUDIT = (
    Action("escape", "up", "Clear the filter, or go up one screen", "an audit", "up", kept=True),
    Action("1", "app.show('overview')", "Overview", "an audit", "areas", "1-7"),
    Action("2", "app.show('environment')", "Environment", "an audit"),
    Action("3", "app.show('parameters')", "Parameters", "an audit"),
    Action("4", "app.show('data')", "Data", "an audit"),
    Action("5", "app.show('predictions')", "Predictions", "an audit"),
    Action("6", "app.show('code')", "Code", "an audit"),
    Action("7", "app.show('cause')", "Cause", "an audit"),
    Action("l", "app.show('progress')", "Steps and logs", "an audit", "log"),
    Action("S", "app.share", "Copy a summary in Markdown, for an incident channel", "an audit", "share"),
    Action("w", "export", "Write the finding, the table or the report to a file", "an audit", "write"),
    Action("e", "edit", "Open what is under the cursor in your editor", "an audit"),
    Action("o", "artifact", "Open the audit's files: predictions, inputs, logs, records", "an audit", "files"),
    Action("x", "swap", "Swap the sides on the screen", "an audit"),
    Action("s", "stack", "Show A beside B, or A above B", "an audit"),
    Action("plus", "zoom", "Maximize this pane, or restore it", "an audit"),
    Action("R", "app.run_again", "Run this audit again", "an audit"),
    Action("E", "app.explain", "Run it again, and find the cause of the drift", "an audit"),
)
LIST = (
    Action("slash", "filter", "Filter; tables of values also take an expression", "a list", "filter"),
    Action("n", "difference(1)", "Next difference", "a list", "next"),
    Action("N", "difference(-1)", "Previous difference", "a list"),
    Action("d", "only_differences", "Show only differences, or everything", "a list", "only diffs"),
)
ACCEPT = (Action("a", "accept", "Accept this difference, with a reason and a last day", "a difference", "accept"),)
GRID = (
    Action("up,k", "cursor(-1)", "Up", "a table"),
    Action("down,j", "cursor(1)", "Down", "a table"),
    Action("pageup,ctrl+u", "page(-1)", "Page up", "a table"),
    Action("pagedown,ctrl+d,space", "page(1)", "Page down", "a table"),
    Action("home,g", "edge(-1)", "First row", "a table"),
    Action("end,G", "edge(1)", "Last row", "a table"),
    Action("left", "sideways(-1)", "Collapse this row; in a wide table, scroll left", "a table"),
    Action("right", "sideways(1)", "Expand this row; in a wide table, scroll right", "a table"),
    Action("enter", "open", "Open", "a table", "open"),
)
CELLS = (
    Action("t", "sort", "Sort the table by another column", "predictions", "sort"),
    Action("v", "chart", "Next chart: histogram, scatter, flips, slices, stress", "predictions", "chart"),
)
LOG = (
    Action("slash", "search", "Search a log or another text; the matches are marked", "a log", "search"),
    Action("n", "match(1)", "Next match", "a log", "next"),
    Action("N", "match(-1)", "Previous match", "a log"),
    Action("exclamation_mark", "error", "Go to the first error", "a log", "first error"),
    Action("f", "follow", "Follow the end while lines are added, or stop", "a log", "follow"),
    Action("z", "wrap", "Wrap long lines, or cut them and scroll with ← and →", "a log", "wrap"),
    Action("ampersand", "filter", "Show only the lines that contain a text", "a log", "only"),
)
SIDE = (Action("b", "side", "Show the other side's log of this step", "a log", "other side"),)
# Habits of VisiData.
COLUMNS = (
    Action("minus", "hide_column", "Hide the column under the cursor, and its cells", "columns", "hide"),
    Action("underscore", "widen_column", "Widen the column under the cursor, or narrow it again", "columns", "widen"),
    Action("c", "keep_columns", "Show only the columns whose name contains a text", "columns", "columns"),
    Action("C", "all_columns", "Show all columns again", "columns"),
)
PROGRESS = (Action("c", "cancel", "Stop the audit", "progress", "stop"),)
# In the picker every letter is typed, so that it has keys of its own, and none of those above.
PICKER = (
    Action(
        "enter,ctrl+j",
        "accept",
        "Use the reference; with both A and B, audit them; open a past audit",
        "the picker",
        "use",
    ),
    Action("down", "choose(1)", "Next reference or past audit in the list", "the picker", "choose", "↑↓"),
    Action("up", "choose(-1)", "Previous one; above the first, what is typed counts again", "the picker"),
    Action("pagedown", "page(1)", "Page down", "the picker"),
    Action("pageup", "page(-1)", "Page up", "the picker"),
    Action("tab", "complete", "Complete what is typed, as far as only one text continues it", "the picker", "complete"),
    Action("shift+tab", "other_line", "Go to the other line: from A to B, or from B to A", "the picker", "A or B"),
    Action("ctrl+r", "past", "Go to the past audits, or back to the line", "the picker", "past audits"),
    Action("escape", "back", "Go back: to the line, to A, or clear the line", "the picker", "back"),
    Action("ctrl+p", "app.command_palette", "Find any action", "the picker"),
    Action("question_mark", "app.help", "Show the keys, while the line is empty", "the picker", "keys", kept=True),
    Action("ctrl+c,ctrl+q", "app.leave", "Quit", "the picker", "quit", kept=True),
    Action("ctrl+z", "app.suspend_process", SUSPEND, "the picker"),
)
ALL = (*GLOBAL, *PICKER, *AUDIT, *LIST, *ACCEPT, *GRID, *CELLS, *COLUMNS, *LOG, *SIDE, *PROGRESS)


def bindings(*groups: tuple[Action, ...]) -> list[BindingType]:
    """The bindings of these groups of actions for Textual."""
    return [action.binding for group in groups for action in group]


def some(group: tuple[Action, ...], *names: str) -> tuple[Action, ...]:
    """The actions of a group with these names, for a screen that does not have all of them."""
    return tuple(action for action in group if action.name.partition("(")[0] in names)


RETRY = tuple(replace(action, hint="run again") for action in some(AUDIT, "app.run_again"))  # of a failure

NAMES = {
    "question_mark": "?",
    "slash": "/",
    "colon": ":",
    "plus": "+",
    "exclamation_mark": "!",
    "ampersand": "&",
    "minus": "-",
    "underscore": "_",
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
    """Keys as they are displayed: `ctrl+p,colon` is "Ctrl+p :"."""
    return " ".join(NAMES.get(key, key.replace("ctrl+", "Ctrl+")) for key in keys.split(","))


def key_of(name: str, keymap: Mapping[str, str]) -> str:
    """The key of an action by its name, such as `app.share`, with the user's own keys in `keymap`.

    Every text that names a key has it from here.
    """
    return next(hint_of(replace(action, label=""), keymap) for action in ALL if action.name == name)


def area_key(name: str, keymap: Mapping[str, str]) -> str:
    """The key that opens an area's screen."""
    return key_of(f"app.show('{name}')", keymap)


def hint_of(action: Action, keymap: Mapping[str, str]) -> str:
    """The key that a hint shows: the user's own in `keymap` where there is one."""
    own = keymap.get(action.id)
    return key_names((own or action.keys).split(",")[0]) if own or not action.label else action.label


def key_table() -> str:
    """The table of all keys in Markdown, for docs/interface.md."""
    lines = ["| where | keys | what | name in the configuration |", "|---|---|---|---|"]
    for action in ALL:
        keys = " ".join(f"`{name}`" for name in key_names(action.keys).split())
        lines.append(f"| {action.where} | {keys} | {action.title} | `{action.id}` |")
    return "\n".join(lines) + "\n"
