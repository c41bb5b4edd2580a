"""A search for the cause that runs: its hybrids follow, and do not pull a reader away from one."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich.text import Text

from repro_tui.audit.folder import engine_lock
from repro_tui.explain.execution import STEP
from repro_tui.model.event import Event
from repro_tui.support.plain import dumps
from repro_tui.tui.app import Auditor
from repro_tui.tui.screens.cause import Ledger
from repro_tui.tui.steps import Steps
from repro_tui.tui.store import AuditStore, LedgerEntry
from repro_tui.tui.widgets.grid import Grid
from tests.tui.driving import SetClock, press, settle
from tests.tui.heavy_runs import searching


async def test_new_hybrids_follow_until_the_reader_goes_up(tmp_path: Path, set_clock: SetClock) -> None:
    folder = searching(tmp_path / "audit", hybrids=40)
    entry: LedgerEntry = {"stage": "factors", "from_b": ["code"], "told": "0 % of the change, is A", "score": 0.0}
    event = Event("log", 400.0, step=STEP, text="factors", detail={"ledger": entry})

    async def another_hybrid() -> None:
        with (folder.path / "journal.jsonl").open("a") as journal:
            journal.write(dumps(event) + "\n")
        set_clock.advance(1)
        app.poll()
        await settle(pilot)

    app = Auditor(folder)
    with engine_lock(folder.path):
        async with app.run_test(size=(80, 24)) as pilot:
            await press(pilot, "7")
            grid = app.screen.query_one(Grid)
            assert grid.cursor == 39
            await another_hybrid()
            assert grid.cursor == 40
            await press(pilot, "up", "up", "up")
            await another_hybrid()
            assert (grid.cursor, grid.count) == (37, 42)
            await press(pilot, "end")
            await another_hybrid()
            assert grid.cursor == 42


@pytest.mark.parametrize(
    ("names", "width", "shown"),
    [
        (["packages numpy", "packages scipy"], 40, "packages: numpy, scipy"),
        (["packages numpy", "packages scipy", "packages torch"], 24, "packages: numpy +2"),
        (["packages numpy"], 40, "packages numpy"),
        (["packages numpy", "system blas"], 40, "packages numpy, system blas"),
        (["files m.json weights.a", "files m.json weights.b"], 60, "files m.json: weights.a, weights.b"),
        (["code", "model"], 40, "code, model"),
    ],
)
def test_what_came_from_b_names_its_section_once(names: list[str], width: int, shown: str) -> None:
    ledger = Ledger([{"stage": "inside", "from_b": names, "told": "is B"}], ("code", "environment"))
    assert str(ledger.cells(0, (10, width, 8, 8, 10))[1]) == shown


def test_a_step_of_both_sides_has_the_room_of_both(tmp_path: Path) -> None:
    store = AuditStore(searching(tmp_path / "audit", hybrids=10))
    store.read()
    steps = Steps(store)
    _, a, b = steps.cells(steps.names.index("explain"), (19, 30, 30))
    assert isinstance(a, Text)
    assert f"{a.plain} {b.plain}".endswith("packages: 300 candidates left, 500 runs left")
    assert max(len(a), len(b)) <= 30
    wide = steps.cells(steps.names.index("explain"), (19, 80, 80))
    assert not wide[2].plain
