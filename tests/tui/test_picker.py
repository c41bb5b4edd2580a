"""The picker audits what is typed or shown to be chosen, whatever the order and the speed of the keys."""

from __future__ import annotations

import threading
from importlib import import_module
from pathlib import Path

import pytest
from textual import events

from repro_tui.audit.folder import AuditFolder
from repro_tui.sources import complete
from repro_tui.sources.complete import CompletionSet
from repro_tui.tui.app import Auditor
from repro_tui.tui.dialogs import QuestionDialog
from repro_tui.tui.screens.picker import PickerScreen
from tests.tui.driving import press, settle, until, written
from tests.tui.folders import finished, running

SIZE = (80, 24)
RECORDS = """\
schema = 1
[deployments.good]
description = "the release of March"
[deployments.shift]
[deployments.shifted]
[deployments.crash]
"""


class Begun:
    """What the picker asked to audit; `begin` of the engine is not called."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.audits: list[tuple[str, str]] = []

    def begin(self, a: str, b: str, *_: object) -> AuditFolder:
        self.audits.append((a, b))
        return finished(self.folder)


@pytest.fixture
def begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Begun:
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "repro.toml").write_text(RECORDS)
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("REPRO_TUI_AUDITS", str(tmp_path / "audits"))
    recorder = Begun(tmp_path / "audit")
    monkeypatch.setattr(import_module("repro_tui.audit.begin"), "begin", recorder.begin)
    return recorder


def picker(app: Auditor) -> PickerScreen:
    assert isinstance(app.screen, PickerScreen), written(app)
    return app.screen


def typed(app: Auditor) -> tuple[str, str]:
    return picker(app).line("a").text, picker(app).line("b").text


def burst(app: Auditor, *keys: str) -> None:
    """Keys that all arrive at once, as a fast typist's or a script's do."""
    for key in keys:
        app.post_message(events.Key(key, key if len(key) == 1 else None))


KEYS_OF_A_SHELL = {
    "typed": (*"shift", "enter", *"crash", "enter"),
    "line feeds": (*"shift", "ctrl+j", *"crash", "ctrl+j"),
    "completed": (*"shift", "enter", *"cr", "tab", "enter"),
    "shown as the only continuation": (*"shift", "enter", *"cras", "enter"),
    "moved to": ("down", "down", "enter", "down", "down", "down", "down", "enter"),
    "typed from the list": ("down", "down", *"shift", "enter", "down", *"crash", "enter"),
    "typed from the past audits": ("ctrl+r", *"shift", "enter", "ctrl+r", *"crash", "enter"),
    "moved to and back": ("down", "up", *"shift", "enter", *"crash", "down", "up", "enter"),
    "b first": ("shift+tab", *"crash", "enter", *"shift", "enter"),
    "corrected": (*"good", "enter", "shift+tab", "ctrl+u", *"shift", "shift+tab", *"crash", "enter"),
    "back to a": (*"good", "enter", "escape", "escape", *"shift", "enter", *"crash", "enter"),
    "edited": (*"xshif", "home", "delete", "end", "t", "enter", *"crashx", "backspace", "enter"),
}


@pytest.mark.parametrize("way", KEYS_OF_A_SHELL)
async def test_every_way_to_choose_audits_what_was_chosen(way: str, begun: Begun, tmp_path: Path) -> None:
    finished(tmp_path / "audits" / "20261124T103200Z")
    app = Auditor()
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, *KEYS_OF_A_SHELL[way][:-1])
        assert "Enter audits A shift against B crash" in written(app)
        assert begun.audits == []
        await press(pilot, KEYS_OF_A_SHELL[way][-1])
        await until(pilot, lambda: not isinstance(app.screen, PickerScreen))
    assert begun.audits == [("shift", "crash")]


@pytest.mark.parametrize("way", ["typed", "line feeds", "typed from the list", "edited"])
async def test_keys_that_arrive_at_once_are_typed_in_their_order(way: str, begun: Begun) -> None:
    app = Auditor()
    async with app.run_test(size=SIZE) as pilot:
        burst(app, *KEYS_OF_A_SHELL[way])
        await until(pilot, lambda: not isinstance(app.screen, PickerScreen))
    assert begun.audits == [("shift", "crash")]


async def test_a_slow_list_never_stands_in_for_what_is_typed(begun: Begun, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a large repository the list comes late: until then only what is typed counts, and no row is taken."""
    read = threading.Event()

    def slow(folder: str, here: Path) -> CompletionSet:
        assert read.wait(60)
        return complete.read_completions(folder, here)

    monkeypatch.setattr("repro_tui.tui.screens.picker.read_completions", slow)
    app = Auditor()
    async with app.run_test(size=SIZE) as pilot:
        burst(app, *"shif", "enter", *"cras", "enter")
        while not isinstance(app.screen, PickerScreen) or app.screen.busy or not app.screen.line("b").text:
            await pilot.pause(0.01)
        while not picker(app).line("a").problem:
            await pilot.pause(0.01)
        assert begun.audits == []
        assert "reading …" in written(app)
        assert "has no deployment 'shif'" in written(app)
        read.set()
        await settle(pilot)
        assert begun.audits == []
        await press(pilot, "ctrl+u", *"shift", "enter")
        assert "has no deployment 'cras'" in written(app)
        await press(pilot, "h", "enter")
        await until(pilot, lambda: not isinstance(app.screen, PickerScreen))
    assert begun.audits == [("shift", "crash")]


async def test_what_is_no_reference_is_said_below_its_line_and_nothing_runs(begun: Begun) -> None:
    app = Auditor()
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, *"shfit")
        assert "There is no deployment 'shfit': did you mean shift?" in written(app)
        await press(pilot, "enter")
        lines = written(app).splitlines()
        line = next(number for number, text in enumerate(lines) if text.startswith(" A ▸ shfit"))
        assert "repro.toml has no deployment 'shfit': it has good, shift, shifted, crash" in lines[line + 1]
        await press(pilot, "ctrl+u", *"good", "enter", *"missing.toml", "enter")
        assert "missing.toml does not exist" in picker(app).line("b").problem
        assert "Nothing was run." in written(app)
        assert typed(app) == ("good", "missing.toml")
        await press(pilot, "ctrl+u", *"sh")
        assert "shift and shifted begin with 'sh'" in written(app)
        await press(pilot, "enter")
        assert "has no deployment 'sh'" in written(app)
    assert begun.audits == []


async def test_enter_on_nothing_does_nothing(begun: Begun) -> None:
    app = Auditor()
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, "enter", "enter", "tab", "escape", "space", "enter")
        assert typed(app) == ("", "")
        await press(pilot, "ctrl+u", *"good", "enter", "enter", "enter")
        assert typed(app) == ("good", "")
        assert picker(app).side == "b"
    assert begun.audits == []


@pytest.mark.parametrize("b", ["good", "repro.toml#good", "./repro.toml#good"])
async def test_a_against_itself_is_asked_about_and_no_is_the_default(b: str, begun: Begun) -> None:
    app = Auditor()
    async with app.run_test(size=SIZE) as pilot:
        for answer, audits in (("enter", []), ("escape", []), ("y", [("good", b)])):
            if not picker(app).line("a").text:
                await press(pilot, *"good", "enter", *b)
            await press(pilot, "enter")
            assert isinstance(app.screen, QuestionDialog)
            assert "A and B are the same deployment" in written(app)
            await press(pilot, answer)
            if answer == "y":
                await until(pilot, lambda: not isinstance(app.screen, PickerScreen))
            assert begun.audits == audits


async def test_tab_completes_like_a_shell(begun: Begun) -> None:
    (Path("records") / "old").mkdir(parents=True)
    Path("records/old/v1.toml").write_text("[deployments.first]\n[deployments.second]\n")
    app = Auditor()
    async with app.run_test(size=SIZE) as pilot:
        for keys, text in (
            (("s", "tab"), "shift"),
            (("tab",), "shift"),
            (("e", "tab"), "shifted"),
            (("ctrl+u", "r", "tab"), "records/"),
            (("tab",), "records/old/"),
            (("tab",), "records/old/v1.toml#"),
            (("f", "tab"), "records/old/v1.toml#first"),
            (("ctrl+w",), "records/old/v1.toml#"),
            (("s", "right"), "records/old/v1.toml#second"),
            (("ctrl+u", *"Shif", "tab"), "Shif"),
        ):
            await press(pilot, *keys)
            assert typed(app)[0] == text, keys
        await press(pilot, "ctrl+u", "r", "down", "enter")  # a folder is gone into, and is no reference
        assert typed(app) == ("records/", "")
        await press(pilot, "down", "enter")
        assert typed(app) == ("records/old/", "")
        await press(pilot, "down", "enter")
        assert typed(app) == ("records/old/v1.toml#first", "")
        assert picker(app).side == "b"


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("shift", ("shift", "")),
        ("  shift \n", ("shift", "")),
        ("shift\ncrash\n", ("shift", "crash")),
        ("shift\r\ncrash\r\n", ("shift", "crash")),
        ("sh\x1b[31mift\t\n\ncrash\nmore", ("sh[31mift", "crash")),
        ("\n", ("", "")),
    ],
)
async def test_a_paste_is_typed_and_starts_nothing(text: str, lines: tuple[str, str], begun: Begun) -> None:
    app = Auditor()
    async with app.run_test(size=SIZE) as pilot:
        await settle(pilot)
        app.post_message(events.Paste(text))
        await settle(pilot)
        assert typed(app) == lines
        assert picker(app).side == "a"
    assert begun.audits == []


async def test_past_audits_are_opened_and_left(begun: Begun, tmp_path: Path) -> None:
    finished(tmp_path / "audits" / "20261124T103200Z")
    running(tmp_path / "audits" / "20261124T103201Z")
    app = Auditor()
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, *"go", "ctrl+r")
        assert "Enter opens the audit 20261124T103200Z of prod against staging" in written(app)
        assert "stopped" in written(app)
        await press(pilot, "escape")
        assert typed(app) == ("go", "")
        assert picker(app).side == "a"
        await press(pilot, "ctrl+r", "down", "down", "up", "enter")
        assert app.store is not None
        assert app.store.folder.path.parent == tmp_path / "audits"


@pytest.mark.parametrize("width", [60, 80, 120, 200])
async def test_each_key_of_the_bar_works_and_no_letter_is_a_key(width: int, begun: Begun, tmp_path: Path) -> None:
    finished(tmp_path / "audits" / "20261124T103200Z")
    app = Auditor()
    async with app.run_test(size=(width, 24)) as pilot:
        await settle(pilot)
        bar = written(app).splitlines()[-1]
        assert "? keys" in bar
        assert "Ctrl+c quit" in bar
        await press(pilot, "question_mark")
        assert type(app.screen).__name__ == "HelpDialog"
        await press(pilot, "escape", *"jkgGqyYrndtvxswoeEclRh127:/?+_-")
        assert typed(app) == ("jkgGqyYrndtvxswoeEclRh127:/?+_-", "")
        assert "? keys" not in written(app).splitlines()[-1]
        await press(pilot, "ctrl+c")
    assert app.return_value == 0
    assert begun.audits == []


async def test_a_reference_longer_than_the_line_shows_its_cursor(begun: Begun) -> None:
    app = Auditor()
    text = "git:feature/" + "x" * 100 + "-END"
    async with app.run_test(size=(60, 24)) as pilot:
        await press(pilot, *text)
        assert "-END" in written(app)
        await press(pilot, "home")
        assert "git:feature/" in written(app)
        assert typed(app)[0] == text


async def test_a_refused_record_is_said_below_its_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the real planning: B's record has a mistake, A's has none; what is about both is shown in full."""
    record = (Path(__file__).parent / "repro.toml").read_text()
    (tmp_path / "repro.toml").write_text(record)
    (tmp_path / "wrong.toml").write_text(record.replace("description", "descripton", 1))
    monkeypatch.chdir(tmp_path)
    app = Auditor()
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, *"prod", "enter", *"wrong.toml#staging", "enter")
        await until(pilot, lambda: picker(app).line("b").problem)
        assert picker(app).line("a").problem == ""
        assert "descripton" in picker(app).line("b").problem
        assert picker(app).side == "b"
        assert not app.screen.query("MessageDialog")
