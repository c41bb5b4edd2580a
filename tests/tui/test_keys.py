"""Keys that move between screens, filter, ask and quit; and untrusted text that reaches widgets only as content."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from textual.widgets import Input

import repro_tui.tui
from repro_tui.audit.folder import AuditFolder, engine_lock
from repro_tui.tui.actions import ALL, key_table
from repro_tui.tui.app import Auditor
from repro_tui.tui.dialogs import QuestionDialog
from repro_tui.tui.screens.area import AreaScreen
from repro_tui.tui.screens.cause import CauseScreen
from repro_tui.tui.screens.overview import OverviewScreen
from repro_tui.tui.screens.picker import PickerScreen
from repro_tui.tui.screens.predictions import PredictionsScreen
from repro_tui.tui.screens.progress import ProgressScreen
from repro_tui.tui.screens.row import RowScreen
from repro_tui.tui.screens.values import Pairs
from repro_tui.tui.widgets.grid import Grid
from tests.tui.driving import press, until, written
from tests.tui.folders import finished, running


@pytest.fixture
def audit(tmp_path: Path) -> AuditFolder:
    return finished(tmp_path / "audit")


async def test_the_areas_open_by_number_and_by_enter(audit: AuditFolder) -> None:
    app = Auditor(audit)
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot)
        assert isinstance(app.screen, OverviewScreen)
        for key, title in zip("234", ("Environment", "Parameters", "Data"), strict=True):
            await press(pilot, key)
            assert app.screen.title_text == title  # type: ignore[attr-defined]
        await press(pilot, "5")
        assert isinstance(app.screen, PredictionsScreen)
        await press(pilot, "6", "1")
        assert isinstance(app.screen, OverviewScreen)
        await press(pilot, "7")
        assert isinstance(app.screen, CauseScreen)
        await press(pilot, "l")
        assert isinstance(app.screen, ProgressScreen)
        await press(pilot, "1", "down", "enter")
        assert app.screen.title_text == "Parameters"  # type: ignore[attr-defined]


async def test_escape_goes_up_to_the_picker(audit: AuditFolder) -> None:
    app = Auditor(audit)
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, "6", "enter", "escape")
        assert isinstance(app.screen, AreaScreen)
        await press(pilot, "escape")
        assert isinstance(app.screen, OverviewScreen)
        await press(pilot, "escape")
        assert isinstance(app.screen, PickerScreen)


async def test_the_filter_narrows_and_escape_clears_it_first(audit: AuditFolder) -> None:
    app = Auditor(audit)
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, "2", "slash", *"numpy", "enter")
        grid = app.screen.query_one("#findings", Grid)
        assert grid.count == 1
        assert grid.has_focus
        await press(pilot, "escape")
        assert app.screen.query_one("#findings", Grid).count == 3
        assert isinstance(app.screen, AreaScreen)
        assert app.screen.query_one("#filter", Input).value == ""


async def test_cells_are_filtered_sorted_and_opened_with_their_inputs(audit: AuditFolder) -> None:
    app = Auditor(audit)
    async with app.run_test(size=(120, 40)) as pilot:
        await press(pilot, "5")
        screen = app.screen
        assert isinstance(screen, PredictionsScreen)
        cells = screen.query_one("#cells", Grid)
        assert cells.count == 40  # of 60, a third is within its tolerance
        await press(pilot, "d")
        assert cells.count == 60
        await press(pilot, "slash", *"a10007", "enter")
        assert cells.count == 1
        await press(pilot, "enter")
        assert isinstance(app.screen, RowScreen)
        inputs = app.screen.query_one("#inputs", Grid).source
        assert isinstance(inputs, Pairs)
        assert inputs.pairs == [("id", "A10007"), ("income", 1007.0)]
        await press(pilot, "escape", "escape", "slash", *"income", "greater_than_sign", *"1050", "enter")
        assert cells.count == 9  # an expression over the inputs of the rows
        await press(pilot, "slash", "space", *"and")
        assert "not an expression yet" in written(app)
        assert cells.count == 9


async def test_resizing_keeps_both_sides_in_view(audit: AuditFolder) -> None:
    app = Auditor(audit)
    async with app.run_test(size=(200, 50)) as pilot:
        await press(pilot, "2")
        assert app.screen.query_one("#detail").display
        for width in (120, 80, 60):
            await pilot.resize_terminal(width, 24)
            await press(pilot)
            assert app.screen.query_one("#detail").display
            text = written(app)
            assert "1.26.4" in text, width
            assert "2.1.3" in text, width


async def test_the_palette_finds_a_finding(audit: AuditFolder) -> None:
    app = Auditor(audit)
    async with app.run_test(size=(120, 40)) as pilot:
        await press(pilot, "ctrl+p", *"numpy")
        await until(pilot, lambda: "environment: packages" in written(app))
        await press(pilot, "enter")
        await until(pilot, lambda: "1.26.4" in written(app))
        assert app.screen.title_text == "Environment"  # type: ignore[attr-defined]


async def test_quit_returns_the_exit_status(audit: AuditFolder) -> None:
    app = Auditor(audit)
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, "q")
    assert app.return_value == 1


async def test_quitting_a_running_audit_asks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = running(tmp_path / "audit")
    with engine_lock(folder.path):
        app = Auditor(folder)
        async with app.run_test(size=(80, 24)) as pilot:
            await press(pilot, "q")
            assert isinstance(app.screen, QuestionDialog)
            await press(pilot, "escape")
            assert isinstance(app.screen, ProgressScreen)
            await press(pilot, "c")
            assert isinstance(app.screen, QuestionDialog)
            await press(pilot, "escape", "3")
            assert app.screen.query_one("#findings", Grid).count == 1  # what is finished can be opened already
            await press(pilot, "q")
            assert "leave it running (repro-tui show audit reattaches)" in written(app)
            await press(pilot, "l")
        assert app.return_value == 3, "0 would say to a script that nothing differs"
    assert "The audit is still running: repro-tui show audit reattaches." in capsys.readouterr().err


async def test_an_audit_that_died_says_so(tmp_path: Path) -> None:
    app = Auditor(running(tmp_path / "audit"))
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot)
        assert "ended without a report" in written(app)


async def test_the_picker_reports_mistakes_of_both_sides_in_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    record = (Path(__file__).parent / "repro.toml").read_text()
    (tmp_path / "repro.toml").write_text(f'{record}\n[validation]\ninputs = "gone.csv"\n')
    app = Auditor()
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, *"prod", "enter", *"staging", "enter")
        await until(pilot, lambda: not app.screen.busy)  # type: ignore[attr-defined]
        assert "inputs" in app.screen.line("a").problem  # type: ignore[attr-defined]
        assert "inputs" in app.screen.line("b").problem  # type: ignore[attr-defined]


def test_untrusted_text_reaches_widgets_only_as_content() -> None:
    """Static and its like get markup=False, and are never handed a formatted string."""
    root = Path(repro_tui.tui.__file__).parent
    mistakes = []
    for path in root.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute):
                name = node.func.id if isinstance(node.func, ast.Name) else node.func.attr
                bare = any(isinstance(argument, ast.JoinedStr) for argument in node.args)
                if name in ("Static", "Label", "update") and bare:
                    mistakes.append(f"{path.name}:{node.lineno}: {name} of a formatted string")
                if name == "notify" and isinstance(node.func, ast.Attribute) and path.name != "safe.py":
                    mistakes.append(f"{path.name}:{node.lineno}: notify of Textual instead of ours")
                if name == "Static" and not any(k.arg == "markup" for k in node.keywords):
                    mistakes.append(f"{path.name}:{node.lineno}: {name} without markup=False")
    assert mistakes == []


def test_the_key_table_of_the_documentation_is_the_registry() -> None:
    page = (Path(__file__).parents[2] / "docs" / "interface.md").read_text()
    assert key_table() in page
    assert len({(action.where, key) for action in ALL for key in action.keys.split(",")}) == sum(
        len(action.keys.split(",")) for action in ALL
    )
