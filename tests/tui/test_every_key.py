"""Each key of the table is pressed, and does what the table says."""

from __future__ import annotations

import stat
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from textual.widgets import Input

from repro_tui.audit.folder import engine_lock
from repro_tui.tui.actions import ALL, Action
from repro_tui.tui.app import Auditor
from repro_tui.tui.screens.predictions import PredictionsScreen
from repro_tui.tui.widgets.grid import Grid
from repro_tui.tui.widgets.log_pane import LogPane
from tests.tui.driving import press, written
from tests.tui.folders import finished, running


@dataclass(frozen=True)
class KeyCase:
    """Keys pressed before, and what holds after the action's own key."""

    before: tuple[str, ...]
    holds: Callable[[Auditor], object]
    size: tuple[int, int] = (120, 40)


def on(name: str) -> Callable[[Auditor], object]:
    return lambda app: type(app.screen).__name__ == name


def titled(name: str) -> Callable[[Auditor], object]:
    return lambda app: app.screen.title_text == name  # type: ignore[attr-defined]


def grid(app: Auditor, name: str = "findings") -> Grid:
    return app.screen.query_one(f"#{name}", Grid)


def at(row: int, name: str = "cells") -> Callable[[Auditor], object]:
    return lambda app: grid(app, name).cursor == row


def shows(*texts: str) -> Callable[[Auditor], object]:
    return lambda app: all(text in written(app) for text in texts)


def left(app: Auditor) -> object:
    return app.return_value == 1


def swapped(app: Auditor) -> object:
    head = written(app).splitlines()[0]
    return head.index("staging") < head.index("prod") and grid(app).swapped


def sorted_by_row(app: Auditor) -> object:
    assert isinstance(app.screen, PredictionsScreen)
    assert app.screen.differences is not None
    return app.screen.sort == "row" and app.screen.differences[0].key == '["A10000"]'


def asks(text: str) -> Callable[[Auditor], object]:
    return lambda app: isinstance(app.focused, Input) and app.focused.display and text in app.focused.placeholder


def notifies(text: str) -> Callable[[Auditor], object]:
    return lambda app: any(text in notification.message for notification in app._notifications)


def log_pane(app: Auditor) -> LogPane:
    return app.screen.query_one("#lines", LogPane)


def match(number: int) -> Callable[[Auditor], object]:
    return lambda app: app.screen.hit == number  # type: ignore[attr-defined]


CELLS = ("5", "tab")
JOURNAL = ("o", "end", "up", "enter")
SEARCHED = (*JOURNAL, "slash", *"step", "enter")
CASES = {
    "everywhere.help": KeyCase((), on("HelpDialog")),
    "everywhere.command-palette": KeyCase((), on("CommandPalette")),
    "everywhere.leave": KeyCase((), left),
    "everywhere.copy": KeyCase(("3",), lambda app: app.clipboard == "A: 0.5\nB: 0.6"),
    "everywhere.copy-json": KeyCase(("3",), lambda app: '"path": [' in app.clipboard),
    "everywhere.focus-next": KeyCase(("5",), lambda app: app.focused is grid(app, "cells")),
    "everywhere.focus-previous": KeyCase(("5", "tab"), lambda app: app.focused is grid(app, "columns")),
    "everywhere.reload": KeyCase(("2",), shows("numpy")),
    "audit.up": KeyCase(("6",), on("OverviewScreen")),
    "audit.show-overview": KeyCase(("2",), on("OverviewScreen")),
    "audit.show-environment": KeyCase((), titled("Environment")),
    "audit.show-parameters": KeyCase((), titled("Parameters")),
    "audit.show-data": KeyCase((), titled("Data")),
    "audit.show-predictions": KeyCase((), on("PredictionsScreen")),
    "audit.show-code": KeyCase((), titled("Code")),
    "audit.show-cause": KeyCase((), on("CauseScreen")),
    "audit.show-progress": KeyCase((), on("ProgressScreen")),
    "audit.share": KeyCase((), lambda app: app.clipboard.startswith("**≠ drift: prod against staging**")),
    "audit.export": KeyCase(("2",), lambda app: on("ChoiceDialog")(app) and shows("the whole report, markdown")(app)),
    "audit.edit": KeyCase(("3",), lambda app: True),  # see test_the_editor_gets_a_copy
    "audit.artifact": KeyCase((), on("ArtifactsScreen")),
    "audit.swap": KeyCase(("2",), swapped),
    "audit.stack": KeyCase(("3", "enter"), lambda app: not app.screen.query_one(Grid).source.beside),
    "audit.zoom": KeyCase(("5", "tab"), lambda app: app.screen.maximized is grid(app, "cells")),
    "audit.run-again": KeyCase((), shows("The audit cannot be run again")),
    "audit.explain": KeyCase((), shows("The audit cannot be run again")),
    "list.filter": KeyCase(("2",), lambda app: isinstance(app.focused, Input) and app.focused.id == "filter"),
    "list.difference-1": KeyCase(("2",), at(1, "findings")),
    "list.difference--1": KeyCase(("2", "n"), at(0, "findings")),
    "difference.accept": KeyCase(("3",), on("AcceptDialog")),
    "list.only-differences": KeyCase(CELLS, lambda app: grid(app, "cells").count == 60),
    "table.cursor--1": KeyCase((*CELLS, "end"), at(38)),
    "table.cursor-1": KeyCase(CELLS, at(1)),
    "table.page--1": KeyCase((*CELLS, "end"), lambda app: 0 < grid(app, "cells").cursor < 38),
    "table.page-1": KeyCase(CELLS, lambda app: grid(app, "cells").cursor == grid(app, "cells").size.height - 2),
    "table.edge--1": KeyCase((*CELLS, "end"), at(0)),
    "table.edge-1": KeyCase(CELLS, at(39)),
    "table.sideways-1": KeyCase(("6",), lambda app: grid(app).count == 5),
    "table.sideways--1": KeyCase(("6", "right"), lambda app: grid(app).count == 3),
    "table.open": KeyCase(("2",), on("FindingScreen")),
    "log.search": KeyCase(JOURNAL, asks("search")),
    "log.match-1": KeyCase(SEARCHED, match(1)),
    "log.match--1": KeyCase((*SEARCHED, "n"), match(0)),
    "log.error": KeyCase(JOURNAL, notifies("No line looks like an error")),
    "log.follow": KeyCase(JOURNAL, lambda app: log_pane(app).follows),
    "log.wrap": KeyCase(JOURNAL, lambda app: not log_pane(app).wraps),
    "log.filter": KeyCase(JOURNAL, asks("only lines")),
    "log.side": KeyCase(("l", "enter"), notifies("A has no step environment")),
    "predictions.sort": KeyCase(CELLS, lambda app: on("ChoiceDialog")(app) and shows("worst first")(app)),
    "columns.hide-column": KeyCase(("5",), lambda app: grid(app, "columns").count == 1),
    "predictions.chart": KeyCase(("5",), shows("which labels flip"), (80, 24)),
}
CASES |= {
    "columns.widen-column": KeyCase(("5",), lambda app: len(grid(app, "columns").columns) == 4),
    "columns.keep-columns": KeyCase(("5",), lambda app: on("PromptDialog")(app) and shows("name contains")(app)),
    "columns.all-columns": KeyCase(("5", "minus"), lambda app: grid(app, "columns").count == 2),
}


ELSEWHERE = ("progress", "the picker")  # see below, and test_picker.py
TERMINAL = ("app.suspend_process",)  # see test_terminal.py
PRESSED = [action for action in ALL if action.where not in ELSEWHERE and action.name not in TERMINAL]


@pytest.mark.parametrize("action", PRESSED, ids=lambda a: a.id)
async def test_key(action: Action, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VISUAL", "true")
    audit = finished(tmp_path / "audit")
    case = CASES[action.id]
    for key in action.keys.split(","):
        app = Auditor(audit)
        async with app.run_test(size=case.size) as pilot:
            await press(pilot, *case.before)
            assert not case.holds(app) or action.id in ("everywhere.reload", "audit.edit"), "it holds before the key"
            await press(pilot, key)
            if app.is_running:
                assert case.holds(app), f"{key}\n{written(app)}"
        assert case.holds is not left or left(app), key


async def test_stopping_asks_first(tmp_path: Path) -> None:
    folder = running(tmp_path / "audit")
    with engine_lock(folder.path):
        app = Auditor(folder)
        async with app.run_test(size=(80, 24)) as pilot:
            await press(pilot, "c")
            assert on("QuestionDialog")(app)
            await press(pilot, "escape")
            assert on("ProgressScreen")(app)


def test_every_action_has_a_case() -> None:
    assert {action.id for action in PRESSED} == set(CASES)


async def test_the_editor_gets_a_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The editor sees both values; what it does to its copy changes nothing."""
    editor = tmp_path / "editor"
    editor.write_text(f'#!/bin/sh\nfor file; do echo "$file"; cat "$file"; done > {tmp_path}/seen\n')
    editor.chmod(editor.stat().st_mode | stat.S_IEXEC)
    monkeypatch.setenv("VISUAL", str(editor))
    copies = tmp_path / "copies"
    copies.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(copies))
    app = Auditor(finished(tmp_path / "audit"))
    suspended: list[str] = []

    class Suspended:
        def __enter__(self) -> None:
            suspended.append("suspended")

        def __exit__(self, *args: Any) -> None:
            suspended.append("resumed")

    monkeypatch.setattr(app, "suspend", Suspended)  # the driver of tests has no terminal to hand over
    before = (app.first.path / "report.json").read_bytes()  # type: ignore[union-attr]
    async with app.run_test(size=(120, 40)) as pilot:
        await press(pilot, "6", "down", "enter", "e")
        seen = (tmp_path / "seen").read_text()
        assert "a.txt\na = 1\nb = 2\nc = 3" in seen
        assert "b.txt\na = 1\nb = 20\nc = 3" in seen
        await press(pilot, "3", "e")
        assert '"path": [' in (tmp_path / "seen").read_text()
    assert suspended == ["suspended", "resumed"] * 2
    assert (tmp_path / "audit" / "report.json").read_bytes() == before
    assert not list(copies.iterdir())


async def test_sorting_and_sorting_again(tmp_path: Path) -> None:
    app = Auditor(finished(tmp_path / "audit"))
    async with app.run_test(size=(120, 40)) as pilot:
        await press(pilot, *CELLS, "d", "t", "down", "enter")
        assert sorted_by_row(app)
        assert "row ▲" in written(app)
        await press(pilot, "t", "enter")
        assert "row ▼" in written(app)
        screen = app.screen
        assert isinstance(screen, PredictionsScreen)
        assert screen.differences is not None
        assert screen.differences[0].key == '["A10059"]'


def first_chart(app: Auditor) -> str:
    """The title of the first chart, below the frame of their pane."""
    lines = written(app).splitlines()
    return lines[1 + next(row for row, line in enumerate(lines) if line[1:].startswith("charts"))]


async def test_charts_follow_each_other_in_a_narrow_terminal(tmp_path: Path) -> None:
    app = Auditor(finished(tmp_path / "audit"))
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, "5", "down", "v")
        assert shows("how far values moved", "1e-4", "tolerance 1e-05", "noise 2e-06")(app)
        await press(pilot, "v")
        assert "A against B" in first_chart(app)
        await press(pilot, "v")
        assert "slices" in first_chart(app)
        await press(pilot, "v")
        assert grid(app, "cells").display
        assert app.screen.query_one("#table").display


async def test_a_click_on_a_title_sorts_and_a_click_on_the_cursor_opens(tmp_path: Path) -> None:
    app = Auditor(finished(tmp_path / "audit"))
    async with app.run_test(size=(120, 40)) as pilot:
        await press(pilot, "5")
        cells = grid(app, "cells")
        await pilot.click("#cells", offset=(3, 0))
        await press(pilot, "tab")
        assert app.screen.sort == "row"  # type: ignore[attr-defined]
        await pilot.click("#cells", offset=(3, 4))
        assert cells.cursor == 3
        await pilot.click("#cells", offset=(3, 4))
        await press(pilot)
        assert on("RowScreen")(app)
