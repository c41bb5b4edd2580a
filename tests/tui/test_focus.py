"""Where the focus is can be seen on every screen: a heavy frame, and a cursor that stays visible without it."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.widget import Widget

from repro_tui.audit.folder import AuditFolder
from repro_tui.support.ascii_output import ascii_cell
from repro_tui.tui.app import Auditor
from repro_tui.tui.steps import GLYPHS
from repro_tui.tui.themes import THEMES
from repro_tui.tui.widgets.grid import Grid
from tests.tui.driving import press, written
from tests.tui.folders import CAUSES, finished, running

SCREENS = {
    "overview": ("1",),
    "area": ("3",),
    "finding": ("3", "enter"),
    "predictions": ("5",),
    "column": ("5", "enter"),
    "row": ("5", "tab", "enter"),
    "cause": ("7",),
    "progress": ("l",),
}


def frames(app: Auditor) -> list[str]:
    """The frame above each pane of the screen that can have the focus, while it has it, and below it while not."""
    chain = [node for node in app.screen.focus_chain if isinstance(node, Widget)]
    assert chain
    return [str(pane_of(widget).styles.border_top[0]) for widget in chain]


def pane_of(widget: Widget) -> Widget:
    """The framed pane around a widget."""
    return next(node for node in widget.ancestors_with_self if isinstance(node, Widget) and node.has_class("pane"))


@pytest.fixture(scope="module")
def audit(tmp_path_factory: pytest.TempPathFactory) -> AuditFolder:
    return finished(tmp_path_factory.mktemp("focus") / "audit", causes=CAUSES)


async def test_the_pane_with_the_focus_has_a_heavy_frame_and_no_other_one(audit: AuditFolder) -> None:
    app = Auditor(audit)
    async with app.run_test(size=(120, 40)) as pilot:
        for screen, keys in SCREENS.items():
            await press(pilot, *keys)
            count = len(frames(app))
            for _ in range(count):
                assert app.focused is not None, screen
                assert pane_of(app.focused).styles.border_top[0] == "heavy", screen
                assert frames(app).count("heavy") == 1, screen
                await press(pilot, "tab")


async def test_a_failure_has_frames_too(tmp_path: Path) -> None:
    app = Auditor(running(tmp_path / "audit"))
    async with app.run_test(size=(120, 40)) as pilot:
        await press(pilot)
        assert type(app.screen).__name__ == "FailureScreen"
        for pane in ("log", "declared"):
            app.screen.query_one(f"#{pane}").focus()
            await press(pilot)
            assert pane_of(app.screen.query_one(f"#{pane}")).styles.border_top[0] == "heavy"


@pytest.mark.parametrize("theme", THEMES)
async def test_the_cursor_is_visible_in_the_pane_without_the_focus(theme: str, audit: AuditFolder) -> None:
    app = Auditor(audit)
    app.theme = theme
    async with app.run_test(size=(120, 40)) as pilot:
        await press(pilot, "3", "tab")
        grid = app.screen.query_one("#findings", Grid)
        assert not grid.has_focus
        cursor, plain = grid.get_component_rich_style("grid--cursor"), grid.rich_style
        own_background = cursor.bgcolor != plain.bgcolor and "default" not in str(cursor.bgcolor)
        assert own_background or cursor.underline or cursor.reverse, theme


def test_no_two_glyphs_of_a_step_are_alike_in_ascii() -> None:
    """In ASCII, a step that is done must not look like something that was added."""
    glyphs = {*GLYPHS.values(), "…", "≠", "=", "+", "?"}
    assert len({ascii_cell(glyph) for glyph in glyphs}) == len(glyphs)


def hints(app: Auditor) -> str:
    """The last line of the screen."""
    return written(app).splitlines()[-1]


async def test_the_key_bar_follows_the_focus_and_the_cursor(audit: AuditFolder) -> None:
    app = Auditor(audit)
    async with app.run_test(size=(120, 40)) as pilot:
        await press(pilot, "6", "down")
        assert "Enter open" in hints(app)
        await press(pilot, "tab")
        assert "Enter open" not in hints(app), "the lines of a file are all there is to see"
        await press(pilot, "7")
        assert "l log" in hints(app)
        await press(pilot, "tab")
        assert "Enter open" not in hints(app), "sentences do not open"
        await press(pilot, "l")
        assert "l log" not in hints(app), "it is this screen"
        assert "Enter open" in hints(app)
        await press(pilot, "home", "down", "down")
        assert "Enter open" not in hints(app), "a step that has not begun has no log"
        await press(pilot, "down", "down", "enter")
        await pilot.resize_terminal(80, 24)
        await press(pilot)
        assert type(app.screen).__name__ == "LogScreen"
        assert "Esc up" in hints(app)
