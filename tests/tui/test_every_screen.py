"""Every key on every screen, in an audit that is empty, running, failed or heavy: it does what its action says.

Each screen is walked through by all of its bindings in one application. A key that leads elsewhere is followed back
before the next one; after each of them the interface is alive, and what the key promises everywhere has happened.
What the key bar hints at does something that can be seen. By default every screen is walked in one state, and every
state on several screens; nightly in all of them.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from textual.screen import Screen

from repro_tui.audit.folder import AuditFolder, engine_lock
from repro_tui.model.finding import area_of
from repro_tui.model.predictions import PredictionsArea, Rows
from repro_tui.model.report import Areas
from repro_tui.support.plain import write_json
from repro_tui.tui.actions import ALL, Action
from repro_tui.tui.app import Auditor
from repro_tui.tui.widgets.bars import KeyBar
from tests.conftest import NIGHTLY
from tests.tui.driving import press, written
from tests.tui.folders import CAUSES, differences, finished, report, running
from tests.tui.wide_folders import wide


def empty(path: Path) -> AuditFolder:
    """An audit in which nothing differs and of which nothing is left but its report."""
    folder = finished(path)
    nothing = area_of((), 0)
    same = PredictionsArea(status="same", verdict="identical", rule="exact", rows=Rows(0, 0, 0), counts={})
    write_json(path / "report.json", report(Areas(nothing, nothing, nothing, nothing, same)))
    differences(path / "differences.parquet", 0)
    for name in ("inputs.parquet", "a/run-1.parquet", "b/run-1.parquet"):
        (path / name).unlink(missing_ok=True)
    return folder


def failed(path: Path) -> AuditFolder:
    """An audit whose engine ended without a report."""
    return running(path)


def heavy(path: Path) -> AuditFolder:
    """An audit of 60 columns, with a known cause."""
    folder = wide(path)
    known = folder.report()
    assert known is not None
    write_json(path / "report.json", replace(known, causes=CAUSES))
    return folder


STATES: dict[str, Callable[[Path], AuditFolder]] = {
    "empty": empty,
    "running": running,
    "failed": failed,
    "heavy": heavy,
}
SCREENS: dict[str, tuple[str, ...]] = {
    "overview": ("1",),
    "environment": ("2",),
    "parameters": ("3",),
    "data": ("4",),
    "predictions": ("5",),
    "the cells": ("5", "tab"),
    "a column": ("5", "enter"),
    "a row": ("5", "tab", "enter"),
    "code": ("6",),
    "the lines of a file": ("6", "down", "tab"),
    "a finding of lines": ("6", "down", "enter"),
    "a finding of parts": ("4", "enter"),
    "cause": ("7",),
    "progress": ("l",),
    "a log": ("l", "enter"),
    "files": ("o",),
    "a file": ("o", "enter"),
    "a table": ("o", "down", "enter"),
}
PAIRS = [(screen, state) for screen in SCREENS for state in STATES]
WALKED = [pair for i, pair in enumerate(PAIRS) if NIGHTLY or i % len(STATES) == (i // len(STATES)) % len(STATES)]
LEAVES = ("app.leave", "app.suspend_process", "app.run_again", "app.explain")  # see test_every_key and test_terminal
MODAL = {"app.help": "HelpDialog", "app.command_palette": "CommandPalette"}
AREAS = {"environment": "Environment", "parameters": "Parameters", "data": "Data", "code": "Code"}
AREAS |= {"predictions": "PredictionsScreen", "cause": "CauseScreen", "overview": "OverviewScreen"}
AREAS |= {"progress": "ProgressScreen"}


def bound(app: Auditor) -> list[tuple[str, Action]]:
    """Every action that is bound on the screen or in its focused pane, by one of its keys (nightly: by all of them).

    Of the keys to the areas, which are the same everywhere and lead away, one is enough but nightly.
    """
    nodes = [app.screen, *([app.focused] if app.focused else [])]
    ids = {binding.id for node in nodes for _, binding in node._bindings}
    actions = [action for action in ALL if action.id in ids]
    if not NIGHTLY:
        actions = [a for a in actions if not a.name.startswith("app.show(") or "overview" in a.name]
    return [(key, action) for action in actions for key in action.keys.split(",")[: None if NIGHTLY else 1]]


def name_of(screen: Screen[object]) -> str:
    return type(screen).__name__


def promised(app: Auditor, action: Action, before: Screen[object], notes: int) -> bool:
    """Whether what the action promises on every screen has happened; True of what depends on the screen."""
    if action.name in MODAL:
        return name_of(app.screen) == MODAL[action.name]
    if action.name.startswith("app.show("):
        area = action.name.split("'")[1]
        shown = (name_of(app.screen), getattr(app.screen, "title_text", ""))
        return AREAS[area] in shown or (area == "overview" and name_of(app.screen) == "FailureScreen")
    if action.name in ("app.copy", "app.copy_json"):
        return name_of(app.screen) == "CopiedDialog" or len(app._notifications) > notes
    if action.name in ("export", "app.reload"):
        return app.screen is not before or len(app._notifications) > notes
    if action.name == "artifact":
        return app.screen is not before or name_of(before) == "ArtifactsScreen"
    return True


def hints(app: Auditor) -> list[Action]:
    """The actions that the key bar hints at where there is room for all of them; a range of keys is left out."""
    if app.screen.maximized:
        return []  # a maximized pane has the whole screen
    return [action for bar in app.screen.query(KeyBar) for action in bar.actions() if "-" not in action.label]


def state_of(app: Auditor) -> tuple[object, ...]:
    """What a user sees of the interface: the screen and its text, what has the focus, and what was announced."""
    announced = tuple(notification.identity for notification in app._notifications)
    return app.screen, written(app), app.focused, announced, app.clipboard


@pytest.mark.parametrize(("screen", "state"), WALKED, ids=lambda value: value.replace(" ", "-"))
async def test_every_key_of_a_screen(screen: str, state: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VISUAL", "true")
    folder = STATES[state](tmp_path / "audit")
    with engine_lock(folder.path) if state == "running" else contextlib.nullcontext():
        app = Auditor(folder)
        async with app.run_test(size=(80, 24)) as pilot:
            await press(pilot, *SCREENS[screen])
            home, keys = app.screen, [(key, action) for key, action in bound(app) if action.name not in LEAVES]
            assert len(keys) > 20
            for key, action in keys:
                home = await go_back(app, pilot, screen, home)
                before, notes, hinted, seen = app.screen, len(app._notifications), action in hints(app), state_of(app)
                assert before.maximized or "Esc up" in written(app), "the way back is always hinted at"
                await press(pilot, key)
                assert app.is_running
                assert app._exception is None, key
                assert promised(app, action, before, notes), f"{key}: {action.title}\n{written(app)}"
                assert not hinted or state_of(app) != seen, f"{key} is hinted at, and does nothing\n{written(app)}"
            assert written(app).strip()


async def go_back(app: Auditor, pilot: object, screen: str, home: Screen[object]) -> Screen[object]:
    """Closes dialogs and the filter, and goes to the screen again where a key has left it; returns the screen."""
    while name_of(app.screen).endswith(("Dialog", "Palette")):
        await press(pilot, "escape")
    if getattr(app.focused, "id", "") == "filter":
        await press(pilot, "escape")
    if app.screen is home:
        return home
    if name_of(app.screen) == "PickerScreen":
        assert app.first is not None
        app.open_audit(app.first)
    await press(pilot, *SCREENS[screen])
    return app.screen
