"""Hostile values 1 to 12 on every surface of the interface, which this test lists from the code."""

from __future__ import annotations

import importlib
import pkgutil
import re
from dataclasses import replace
from pathlib import Path

import pytest
from textual.screen import Screen

import repro_tui.tui.screens
from repro_tui.model.grade import Grade, Metric
from repro_tui.model.predictions import PredictionsArea
from repro_tui.model.record import Missing
from repro_tui.support.plain import write_json
from repro_tui.support.text import show
from repro_tui.support.tracebacks import CHAINS
from repro_tui.tui.app import Auditor
from repro_tui.tui.dialogs import MessageDialog, QuestionDialog
from repro_tui.tui.screens.base import AuditScreen
from repro_tui.tui.screens.cells import CellsScreen
from tests.tui.driving import press, written
from tests.tui.folders import finished, stressed, verified, with_table

VALUES = {
    "1 markup": "[/red]",
    "2 action": "[@click=app.exit]x[/]",
    "3 clipboard": "\x1b]52;c;aGk=\x07",
    "4 clear": "\x1b[2J",
    "5 c1": "\x9b31m",
    "6 link": "\x1b]8;;http://x\x07x\x1b]8;;\x07",
    "7 bidi": "\u202eabc\u200b\u2066",
    "8 surrogate": "\ud800",
    "9 long": "m" * (1 << 20),
    "10 marks": "a" + "\u0301" * 2000,
    "11 command": "::error::x",
    "12 script": "<script>alert(1)</script>",
}
LARGE = ("9 long", "10 marks")
TOGETHER = [tuple(name for name in VALUES if name not in LARGE), *((name,) for name in LARGE)]
RAW = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u206f\ud800-\udfff]")
# How each screen is reached from the overview.
ROUTES: dict[str, tuple[str, ...]] = {
    "OverviewScreen": ("1",),
    "AreaScreen": ("2",),
    "PredictionsScreen": ("5",),
    "ColumnScreen": ("5", "enter"),
    "RowScreen": ("5", "tab", "enter"),
    "FindingScreen": ("3", "enter"),
    "CauseScreen": ("7",),
    "ProgressScreen": ("l",),
    "LogScreen": ("l", "enter"),
    "ArtifactsScreen": ("o",),
    "TextScreen": ("o", "enter"),
    "TableScreen": ("o", "end", "up", "up", "enter"),
    "ValuesScreen": ("o", "end", "up", "up", "enter", "enter"),
    "HelpDialog": ("question_mark",),
    "ChoiceDialog": ("w",),
    "PromptDialog": ("w", "enter"),
    "CopiedDialog": ("3", "y"),
}
BY_HAND = {"QuestionDialog", "MessageDialog", "PickerScreen", "DataCellsScreen", "FailureScreen"}


def screens() -> set[str]:
    """The names of all screens that the package defines."""
    names = set()
    for name in (
        "dialogs",
        *(f"screens.{module.name}" for module in pkgutil.iter_modules(repro_tui.tui.screens.__path__)),
    ):
        loaded = importlib.import_module(f"repro_tui.tui.{name}")
        for class_name, value in vars(loaded).items():
            if isinstance(value, type) and issubclass(value, Screen) and value.__module__ == loaded.__name__:
                names.add(class_name)
    return names - {AuditScreen.__name__, CellsScreen.__name__}


def test_every_screen_is_visited() -> None:
    assert screens() == set(ROUTES) | BY_HAND


@pytest.mark.parametrize("names", TOGETHER, ids=lambda names: names[0])
async def test_hostile_values_are_shown_literally(
    names: tuple[str, ...], tmp_path: Path, own_folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    word = " ".join(VALUES[name] for name in names)
    folder = finished(own_folders / "audits" / "20261124T103200Z", word)
    assert "9 long" not in names or (folder.path / "report.json").stat().st_size > 1 << 20
    app = Auditor(folder)
    async with app.run_test(size=(100, 24)) as pilot:
        await press(pilot)
        for name, keys in ROUTES.items():
            await press(pilot, *keys)
            assert type(app.screen).__name__ == name
            seen = written(app)
            assert not RAW.search(seen), name
            if name == "FindingScreen":
                packed = re.sub(r"[\s│╭╮╰╯─┃]", "", seen)
                for value in (VALUES[name] for name in names):
                    assert re.sub(r"\s", "", show(value, 60).partition("…")[0]) in packed, seen
            while not isinstance(app.screen, AuditScreen):
                await press(pilot, "escape")
            await press(pilot, "1")
        for modal in (MessageDialog(word, [word]), QuestionDialog(word, (("escape", word),))):
            app.push_screen(modal)
            await press(pilot)
            assert not RAW.search(written(app))
            await press(pilot, "escape")
        await press(pilot, "escape")
        assert type(app.screen).__name__ == "PickerScreen"
        assert not RAW.search(written(app))
        assert app.is_running


@pytest.mark.parametrize("names", TOGETHER, ids=lambda names: names[0])
async def test_a_table_among_the_data_is_shown_literally(names: tuple[str, ...], tmp_path: Path) -> None:
    word = " ".join(VALUES[name] for name in names)
    app = Auditor(with_table(tmp_path / "audit", word))
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, "4", "right", "down", "enter")
        assert type(app.screen).__name__ == "DataCellsScreen"
        assert not RAW.search(written(app))


@pytest.mark.parametrize("names", TOGETHER, ids=lambda names: names[0])
async def test_a_failure_is_shown_literally(names: tuple[str, ...], tmp_path: Path) -> None:
    """The error, its causes, the log, what differs, the reason and the remedy are all text of the deployment."""
    word = " ".join(VALUES[name] for name in names)
    folder = finished(tmp_path / "audit", word)
    report = folder.report()
    assert report is not None
    log = f'Traceback (most recent call last):\n  File "x", line 1\nKeyError: {word}\n\n{CHAINS[0]}\n\n'
    log += f'Traceback (most recent call last):\n  File "x", line 2\nRuntimeError: {word}\n{word}\n'
    (folder.path / "a" / "run-1.log").write_text(log, errors="surrogatepass")
    a = replace(report.sides.a, failed="run 1", what=word, do=word)
    area = PredictionsArea("unknown", "not-comparable", what=word, do=word)
    areas = replace(report.areas, predictions=area)
    sides = replace(report.sides, a=a)
    failed = replace(report, sides=sides, areas=areas, verdict="not-comparable", exit_status=3, warnings=(word,))
    write_json(folder.path / "report.json", failed)
    for size in ((80, 24), (200, 50)):
        app = Auditor(folder)
        async with app.run_test(size=size) as pilot:
            await press(pilot)
            assert type(app.screen).__name__ == "FailureScreen"
            assert not RAW.search(written(app))
            for keys in (("enter",), ("z", "G"), ("escape", "l"), ("5",)):
                await press(pilot, *keys)
                assert not RAW.search(written(app))


@pytest.mark.parametrize("names", TOGETHER, ids=lambda names: names[0])
async def test_the_results_of_stress_are_shown_literally(names: tuple[str, ...], tmp_path: Path) -> None:
    word = " ".join(VALUES[name] for name in names)
    app = Auditor(finished(tmp_path / "audit", own_predictions=stressed(word)))
    async with app.run_test(size=(80, 50)) as pilot:
        await press(pilot, "5", "v", "v", "v")
        seen = written(app)
        assert "! fails" in seen
        assert not RAW.search(seen)


@pytest.mark.parametrize("names", TOGETHER, ids=lambda names: names[0])
async def test_a_hostile_grade_is_shown_literally(names: tuple[str, ...], tmp_path: Path) -> None:
    word = " ".join(VALUES[name] for name in names)
    folder = verified(tmp_path / "audit", word)
    grade = Grade("R3", word, (Missing(word, word, word),), (Metric(word, 0.9, None, None, word),))
    report = folder.report()
    assert report is not None
    write_json(folder.path / "report.json", replace(report, grade=grade, summary=(word,)))
    app = Auditor(folder)
    async with app.run_test(size=(100, 24)) as pilot:
        await press(pilot)
        assert type(app.screen).__name__ == "OverviewScreen"
        assert not RAW.search(written(app))
