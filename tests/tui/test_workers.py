"""A late result of an earlier request is not drawn over that of a later one."""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from textual.content import Content

from repro_tui.audit.folder import AuditFolder
from repro_tui.tui.app import Auditor
from repro_tui.tui.screens import cells
from repro_tui.tui.screens.charts import Charts
from repro_tui.tui.widgets.grid import Grid
from tests.processes import BOUND_S
from tests.tui.driving import press, settle, until, written
from tests.tui.folders import finished


async def test_charts_of_the_column_before_are_not_drawn_over_those_of_this_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawing, finish, chart = threading.Event(), threading.Event(), Charts.chart

    def slow(charts: Charts, kind: str, width: int, height: int) -> Content:
        content = chart(charts, kind, width, height)
        if kind == "flips":
            drawing.set()
            assert finish.wait(120)
        return content

    monkeypatch.setattr(Charts, "chart", slow)
    monkeypatch.setattr(cells, "HOLD_AFTER_S", 3600)  # no worker begins once the threads are to end
    threads = ThreadPoolExecutor()
    asyncio.get_running_loop().set_default_executor(threads)
    app = Auditor(finished(tmp_path / "audit"))
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await pilot.press("5")
        while not drawing.is_set():
            await asyncio.sleep(0.01)
        await pilot.press("down")
        await settle(pilot)
        assert "how far values moved" in written(app)
        finish.set()
        end = threading.Thread(target=threads.shutdown)
        end.start()
        await until(pilot, lambda: not end.is_alive())
        assert "how far values moved" in written(app)
        assert "which labels flip" not in written(app)


class NewestFirst:
    """A lock that the thread which asked last gets first, as may happen with any."""

    def __init__(self) -> None:
        self.condition, self.waiting, self.held = threading.Condition(), list[object](), False

    def __enter__(self) -> None:
        ticket = object()
        with self.condition:
            self.waiting.append(ticket)
            self.condition.wait_for(lambda: not self.held and self.waiting[-1] is ticket)
            self.waiting.remove(ticket)
            self.held = True

    def __exit__(self, *error: object) -> None:
        with self.condition:
            self.held = False
            self.condition.notify_all()


@pytest.mark.parametrize(
    ("keys", "lock", "texts", "count"),
    [
        (("5", "slash"), "_select_lock", ("flip", "a10007", "a1000"), 6),
        (("o", "end", "up", "up", "enter", "slash"), "_select_lock", ("id = 'A10007'", "1 = 1", "id < 'A10007'"), 7),
    ],
    ids=["cells", "table"],
)
async def test_typing_on_while_rows_are_filtered_shows_what_was_typed_last(
    keys: tuple[str, ...], lock: str, texts: tuple[str, ...], count: int, tmp_path: Path
) -> None:
    app = Auditor(finished(tmp_path / "audit"))
    async with app.run_test(size=(120, 40)) as pilot:
        await press(pilot, *keys)
        screen: Any = app.screen
        newest_first = NewestFirst()
        setattr(screen, lock, newest_first)
        with newest_first:  # as if the filter before took its time
            for number, text in enumerate(texts, 1):
                screen.filter_box().value = text
                deadline = time.monotonic() + BOUND_S
                while len(newest_first.waiting) < number:
                    assert time.monotonic() < deadline, "the filter does not wait for its turn"
                    await pilot.pause(0.01)
        await settle(pilot)
        assert screen.query_one("#cells, #rows", Grid).count == count


async def test_enter_a_second_time_begins_no_second_audit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked, answer = [], threading.Event()

    def begin(a: str, b: str, *_: object) -> AuditFolder:
        asked.append((a, b))
        assert answer.wait(BOUND_S)
        return finished(tmp_path / "audit")

    module = import_module("repro_tui.audit.begin")  # by path it would be a part of the function repro_tui.audit
    monkeypatch.setattr(module, "begin", begin)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "prod.toml").write_text("[deployments.a]\n")
    (tmp_path / "staging.toml").write_text("[deployments.b]\n")
    app = Auditor()
    async with app.run_test(size=(120, 40)) as pilot:
        await press(pilot, *"prod.toml#a", "enter", *"staging.toml#b")
        await pilot.press("enter")
        while not asked:
            await asyncio.sleep(0.01)
        await pilot.press("enter", "enter")
        answer.set()
        await until(pilot, lambda: type(app.screen).__name__ != "PickerScreen")
        await settle(pilot)
    assert asked == [("prod.toml#a", "staging.toml#b")]
