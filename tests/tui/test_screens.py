"""Pictures of every screen at the three sizes. Look at each new one before accepting it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from repro_tui.audit.folder import engine_lock
from repro_tui.tui.app import Auditor
from tests.tui.folders import finished, running

SIZES = [(80, 24), (120, 40), (200, 50)]
SCREENS = {
    "overview": [],
    "environment": ["2"],
    "parameters": ["3", "enter"],
    "data": ["4"],
    "predictions": ["5"],
    "column": ["5", "enter"],
    "row": ["5", "tab", "enter"],
    "code": ["6"],
    "hunk": ["6", "down", "down", "enter"],
    "progress": ["7"],
    "help": ["question_mark"],
}


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """Paths do not show in pictures, and the clock stands still in the folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path / "audit"


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("screen", list(SCREENS))
def test_screen(screen: str, size: tuple[int, int], place: Path, snap_compare: Any) -> None:
    app = Auditor(finished(place))

    async def settle(pilot: Any) -> None:
        await pilot.app.workers.wait_for_complete()
        for key in SCREENS[screen]:
            await pilot.press(key)
            await pilot.pause()
            await pilot.app.workers.wait_for_complete()
            await pilot.pause()
        await pilot.pause()

    assert snap_compare(app, terminal_size=size, run_before=settle)


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_running(size: tuple[int, int], place: Path, snap_compare: Any) -> None:
    folder = running(place)
    with engine_lock(place):
        assert snap_compare(Auditor(folder), terminal_size=size)


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_picker(size: tuple[int, int], place: Path, own_folders: Path, snap_compare: Any) -> None:
    finished(own_folders / "audits" / "20261124T103200Z")
    shutil.copyfile(Path(__file__).parent / "repro.toml", place.parent / "repro.toml")
    assert snap_compare(Auditor(), terminal_size=size)


def test_every_folder_of_pictures_has_its_module() -> None:
    root = Path(__file__).parents[2] / "snapshots"
    modules = {path.stem for path in Path(__file__).parent.glob("test_*.py") if "snap_compare" in path.read_text()}
    assert {path.name for path in root.iterdir() if path.is_dir()} == modules
