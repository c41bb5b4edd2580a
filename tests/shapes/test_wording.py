"""One way of writing each thing: percentages, counts of lines, and the keys of the interface."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import repro_tui
from repro_tui.tui.actions import ALL, key_names

ROOT = Path(repro_tui.__file__).parent
PERCENT = re.compile(r"^ ?%(?!s)")
STYLE_SHEET = {"cli/walk.py"}  # it writes CSS, whose percentages have no blank
AS_GIVEN = "support/bounds.py"  # the limit that somebody wrote, with its digits
ONLY_HERE = "support/text.py"
SHOWN = sorted({key for action in ALL for key in key_names(action.keys).split()} - {"Ctrl+c", "Ctrl+q"}, key=len)
LETTER = "|".join(re.escape(key) for key in SHOWN if len(key) == 1)
VERBS = "opens|shows|runs|searches|switches|leaves|clears|copies|goes|follows|stops|hides|filters|sorts|quits"
KEY = re.compile(
    rf"(?:^|[\s;:,(])(?:press )?(?:{LETTER}|Esc|Tab) (?:{VERBS})\b|(?<=[a-z]\s)\((?:{LETTER})\)|\b[Pp]ress \S+"
)
NAMED = {
    "dialogs.py",
    "screens/picker.py",
    "picking.py",
    "actions.py",
}  # Esc and Enter of dialogs; the picker's own keys


def texts(path: Path) -> Iterator[tuple[int, str]]:
    """The texts of a module that may be shown: its constants, without the docstrings."""
    tree = ast.parse(path.read_text())
    documented = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documented:
            yield node.lineno, node.value


def percentages(path: Path) -> Iterator[int]:
    """The lines of a module that write a percentage by themselves."""
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.JoinedStr):
            continue
        for before, after in zip(node.values, [*node.values[1:], None], strict=True):
            if not isinstance(before, ast.FormattedValue):
                continue
            spec = ast.unparse(before.format_spec) if before.format_spec else ""
            if spec.rstrip("'\"").endswith("%") or (
                isinstance(after, ast.Constant) and PERCENT.match(str(after.value))
            ):
                yield node.lineno


def test_every_percentage_is_written_by_one_function() -> None:
    own = [
        f"{name}:{line}"
        for path in sorted(ROOT.rglob("*.py"))
        if (name := str(path.relative_to(ROOT))) not in (ONLY_HERE, AS_GIVEN, *STYLE_SHEET)
        for line in percentages(path)
    ]
    assert not own


def test_a_minus_is_the_minus_of_ascii() -> None:
    """Two signs that look alike, "+3 −1" and "+3 -1", are not found by one search."""
    own = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in sorted(ROOT.rglob("*.py"))
        if path.name != "ascii_output.py"
        for line, text in texts(path)
        if "−" in text
    ]
    assert not own


def test_no_text_names_a_key_that_the_user_may_have_changed() -> None:
    own = [
        f"{name}:{line}: {text}"
        for path in sorted((ROOT / "tui").rglob("*.py"))
        if (name := str(path.relative_to(ROOT / "tui"))) not in NAMED
        for line, text in texts(path)
        if KEY.search(text)
    ]
    assert not own, "key_of in actions.py knows the key"


def test_the_pattern_finds_what_it_is_for() -> None:
    for text in ("run it again (R): what", "l shows the steps", "R runs it again", "has failed: press 1 to see why"):
        assert KEY.search(text), text
    for text in ("it shows the steps", "sorted (by row)", "A opens", "as a result"):
        assert not KEY.search(text) or text == "A opens", text
