"""Every action of the interface, once: keys, help, the hints at the bottom and the palette are all made from here."""

from __future__ import annotations

from dataclasses import dataclass

from textual.binding import Binding, BindingType


@dataclass(frozen=True, slots=True)
class Action:
    """One action: the keys that do it, Textual's name of it, and what it does in words."""

    keys: str
    name: str
    title: str
    where: str
    hint: str = ""

    @property
    def binding(self) -> Binding:
        """This action for Textual."""
        identity = self.name.replace("app.", "").replace("(", "-").replace("'", "").replace(")", "")
        return Binding(self.keys, self.name, self.title, show=False, id=f"{self.where}.{identity}")


GLOBAL = (
    Action("question_mark", "app.help", "Show the keys", "everywhere", "? keys"),
    Action("ctrl+p,colon", "app.command_palette", "Find any action or finding", "everywhere", ": find"),
    Action("q", "app.leave", "Quit; while an audit runs, ask whether it goes on", "everywhere", "q quit"),
    Action("y", "app.copy", "Copy the value under the cursor", "everywhere", "y copy"),
    Action("Y", "app.copy_json", "Copy it as JSON", "everywhere"),
)
AUDIT = (
    Action("escape", "up", "Clear the filter, then go one screen up", "an audit", "Esc up"),
    Action("1", "app.show('overview')", "Overview", "an audit", "1-7 areas"),
    Action("2", "app.show('environment')", "Environment", "an audit"),
    Action("3", "app.show('parameters')", "Parameters", "an audit"),
    Action("4", "app.show('data')", "Data", "an audit"),
    Action("5", "app.show('predictions')", "Predictions", "an audit"),
    Action("6", "app.show('code')", "Code", "an audit"),
    Action("7", "app.show('progress')", "Progress and logs", "an audit"),
    Action("R", "app.run_again", "Run this audit again", "an audit"),
)
LIST = (
    Action("slash", "filter", "Filter the list", "a list", "/ filter"),
    Action("n", "next_difference", "Next difference", "a list", "n next"),
    Action("N", "previous_difference", "Previous difference", "a list"),
    Action("d", "only_differences", "Only differences, or all", "a list", "d diffs"),
    Action("s", "stack", "A beside B, or A above B", "a list", "s stack"),
    Action("plus", "zoom", "Give the detail pane the whole screen, or none", "a list"),
)
GRID = (
    Action("up,k", "cursor(-1)", "Up", "a table"),
    Action("down,j", "cursor(1)", "Down", "a table"),
    Action("pageup,ctrl+u", "page(-1)", "A page up", "a table"),
    Action("pagedown,ctrl+d,space", "page(1)", "A page down", "a table"),
    Action("home,g", "edge(-1)", "First row", "a table"),
    Action("end,G", "edge(1)", "Last row", "a table"),
    Action("enter", "open", "Open", "a table", "Enter open"),
)
PROGRESS = (Action("c", "cancel", "Stop the audit", "progress", "c stop"),)
ALL = (*GLOBAL, *AUDIT, *LIST, *GRID, *PROGRESS)


def bindings(*groups: tuple[Action, ...]) -> list[BindingType]:
    """The bindings of some groups."""
    return [action.binding for group in groups for action in group]


def key_names(keys: str) -> str:
    """Keys as a person reads them."""
    names = {
        "question_mark": "?",
        "slash": "/",
        "colon": ":",
        "plus": "+",
        "escape": "Esc",
        "enter": "Enter",
        "space": "Space",
        "pageup": "PgUp",
        "pagedown": "PgDn",
        "home": "Home",
        "end": "End",
        "up": "↑",
        "down": "↓",
    }
    return " ".join(names.get(key, key.replace("ctrl+", "Ctrl+")) for key in keys.split(","))


def key_table() -> str:
    """The table of keys in Markdown, for the documentation."""
    lines = ["| where | keys | what |", "|---|---|---|"]
    for action in ALL:
        keys = " ".join(f"`{name}`" for name in key_names(action.keys).split())
        lines.append(f"| {action.where} | {keys} | {action.title} |")
    return "\n".join(lines) + "\n"
