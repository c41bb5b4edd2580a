"""Pictures of every screen at the three sizes. Look at each new one before accepting it."""

from __future__ import annotations

import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from repro_tui.audit.folder import engine_lock
from repro_tui.tui.app import Auditor
from repro_tui.tui.dialogs import MessageDialog
from tests.tui.conftest import ROOT
from tests.tui.driving import press, settle
from tests.tui.folders import CAUSES, every_kind, finished, noisy, running, stressed, verified, with_table

SIZES = [(80, 24), (120, 40), (200, 50)]
SCREENS = {
    "overview": [],
    "environment": ["2"],
    "parameters": ["3"],
    "finding": ["3", "enter"],
    "data": ["4"],
    "predictions": ["5"],
    "chart": ["5", "down", "v"],
    "column": ["5", "down", "enter"],
    "row": ["5", "tab", "enter"],
    "sort": ["5", "t"],
    "code": ["6", "right"],
    "diff": ["6", "down", "enter"],
    "cause": ["7"],
    "progress": ["l"],
    "files": ["o"],
    "text": ["o", "enter"],
    "table": ["o", "end", "up", "up", "enter"],
    "values": ["o", "end", "up", "up", "enter", "enter"],
    "swapped": ["2", "x"],
    "filter": ["5", "slash", *"flip"],
    "help": ["question_mark"],
    "write": ["2", "w"],
    "prompt": ["2", "w", "enter"],
    "copied": ["3", "y"],
    "palette": ["ctrl+p", *"numpy"],
}
THEMES = ["repro-light", "repro-contrast", "repro-contrast-light", "repro-16", "repro-16-light"]


@pytest.fixture
def audit_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Where the audit's folder goes: below the current folder, so that pictures show no temporary path."""
    monkeypatch.chdir(tmp_path)
    return tmp_path / "audit"


def settled(keys: list[str]) -> Callable[[Any], Awaitable[None]]:
    """Presses keys, and waits until all is drawn."""

    async def press_all(pilot: Any) -> None:
        pilot.app.cursor_blink = False  # before a line is there whose cursor may be out when a busy machine looks
        await press(pilot, *keys)

    return press_all


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("screen", list(SCREENS))
def test_screen(screen: str, size: tuple[int, int], audit_path: Path, snap_compare: Any) -> None:
    assert snap_compare(Auditor(finished(audit_path)), terminal_size=size, run_before=settled(SCREENS[screen]))


@pytest.mark.parametrize("column", range(3), ids=["vector", "ranking", "document"])
def test_kinds_of_output(column: int, audit_path: Path, snap_compare: Any) -> None:
    """A vector over several columns, a ranking, and documents."""
    folder = finished(audit_path, own_predictions=every_kind())
    assert snap_compare(Auditor(folder), terminal_size=(120, 40), run_before=settled(["5", *["down"] * column]))


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_stress(size: tuple[int, int], audit_path: Path, snap_compare: Any) -> None:
    """The factors that move a side's own predictions: the last of the charts."""
    keys = ["5", *["v"] * (3 if size[0] == 80 else 2)]
    folder = finished(audit_path, own_predictions=stressed())
    assert snap_compare(Auditor(folder), terminal_size=size, run_before=settled(keys))


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_ranges(size: tuple[int, int], audit_path: Path, snap_compare: Any) -> None:
    """One row with the range of each output over the runs of both sides."""
    assert snap_compare(Auditor(noisy(audit_path)), terminal_size=size, run_before=settled(SCREENS["row"]))


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_table_among_the_data(size: tuple[int, int], audit_path: Path, snap_compare: Any) -> None:
    keys = ["4", "right", "down", "enter"]
    assert snap_compare(Auditor(with_table(audit_path)), terminal_size=size, run_before=settled(keys))


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_causes(size: tuple[int, int], audit_path: Path, snap_compare: Any) -> None:
    folder = finished(audit_path, causes=CAUSES)
    assert snap_compare(Auditor(folder), terminal_size=size, run_before=settled(["7"]))


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("screen", ["overview", "predictions"])
def test_verification(screen: str, size: tuple[int, int], audit_path: Path, snap_compare: Any) -> None:
    assert snap_compare(Auditor(verified(audit_path)), terminal_size=size, run_before=settled(SCREENS[screen]))


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_error(size: tuple[int, int], audit_path: Path, snap_compare: Any) -> None:
    async def refuse(pilot: Any) -> None:
        await settle(pilot)
        pilot.app.push_screen(
            MessageDialog("Refused", ["repro.toml: deployments.prod.code.commit: is a branch", "no file b.toml"])
        )
        await settle(pilot)

    assert snap_compare(Auditor(finished(audit_path)), terminal_size=size, run_before=refuse)


@pytest.mark.parametrize("theme", THEMES)
def test_theme(theme: str, audit_path: Path, snap_compare: Any) -> None:
    app = Auditor(finished(audit_path))
    app.theme = theme
    assert snap_compare(app, terminal_size=(120, 40), run_before=settled(["5"]))


def test_no_colour(audit_path: Path, snap_compare: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert snap_compare(Auditor(finished(audit_path)), terminal_size=(120, 40), run_before=settled(["5"]))


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_running(size: tuple[int, int], audit_path: Path, snap_compare: Any) -> None:
    folder = running(audit_path)
    with engine_lock(audit_path):
        assert snap_compare(Auditor(folder), terminal_size=size, run_before=settled([]))


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_leaving_while_it_runs(size: tuple[int, int], audit_path: Path, snap_compare: Any) -> None:
    folder = running(audit_path)
    with engine_lock(audit_path):
        assert snap_compare(Auditor(folder), terminal_size=size, run_before=settled(["q"]))


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_picker(size: tuple[int, int], audit_path: Path, own_folders: Path, snap_compare: Any) -> None:
    finished(own_folders / "audits" / "20261124T103200Z")
    shutil.copyfile(Path(__file__).parent / "repro.toml", audit_path.parent / "repro.toml")
    assert snap_compare(Auditor(), terminal_size=size, run_before=settled([]))


def test_every_folder_of_pictures_has_its_module_and_every_picture_its_test(request: pytest.FixtureRequest) -> None:
    """The plug-in itself looks for pictures without a test only where one process runs all tests."""
    folder = request.node.getparent(pytest.Package)
    paths = [path for path in sorted((ROOT.parent / "tests").rglob("test_*.py")) if "snap_compare" in path.read_text()]
    assert Path(__file__) in paths
    wanted = []
    for path in paths:
        tests = pytest.Module.from_parent(folder, path=path).collect()
        names = [test.name for test in tests if "snap_compare" in getattr(test, "fixturenames", ())]
        wanted += [f"{path.stem}/{name}.svg" for name in names]
    pictures = [path.relative_to(ROOT) for path in ROOT.rglob("*") if path.is_file()]
    assert sorted(map(str, pictures)) == sorted(wanted)
