"""The step at which a side is lost, if several steps fail."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import permutations
from pathlib import Path

import pytest

from repro_tui.audit import side as side_module
from repro_tui.audit.side import SideState
from repro_tui.model.errors import Ended
from repro_tui.model.record import Record
from repro_tui.model.run import Run
from repro_tui.support import process
from repro_tui.support.context import Context
from tests.processes import BOUND_S


@pytest.mark.parametrize("order", permutations(["run 2", "run 3", "run 10"]), ids=", ".join)
def test_of_runs_that_fail_the_first_by_number_is_named(context: Context, order: tuple[str, ...]) -> None:
    side = SideState(Record("a", "a"), context)
    for step in order:
        side.lose(step, f"{step} crashed", "look at its log")
    assert (side.failed, side.what) == ("run 2", "run 2 crashed")


def test_a_step_before_the_runs_is_never_replaced(context: Context) -> None:
    side = SideState(Record("a", "a"), context)
    side.lose("environment", "no such package", "")
    side.lose("run 1", "crashed", "")
    assert side.failed == "environment"


class Sleeper(SideState):
    """A side whose first run fails when it is told to, and whose second one sleeps in a process of its own."""

    def __init__(self, context: Context) -> None:
        super().__init__(Record("b", "b"), context)
        self.fail, self.begun, self.ended = threading.Event(), threading.Event(), threading.Event()
        self.numbers: list[int] = []

    def _run(self, number: int, inputs: Path) -> Run | None:
        if self.failed:
            return None
        self.numbers.append(number)
        if number == 1:
            assert self.fail.wait(BOUND_S)
            self.lose("run 1", "crashed", "look at its log")
            return None
        self.begun.set()
        try:
            process.run(["sleep", "3600"], environment={"PATH": "/usr/bin:/bin"}, cancel=self.running, timeout_s=3600)
        except Ended:
            self.ended.set()
        return None


def test_a_step_that_fails_at_once_is_not_run_a_second_time(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where there are cores enough for both runs at the same time: the second one waits a moment for the first."""
    monkeypatch.setattr(side_module, "FIRST_S", BOUND_S)
    side = Sleeper(context)
    with ThreadPoolExecutor(2) as threads:
        runs = [threads.submit(side.run_once, number, Path("inputs.csv")) for number in (2, 1)]
        side.fail.set()
        assert [run.result() for run in runs] == [None, None]
    assert side.numbers == [1]


def test_a_second_run_under_way_ends_when_the_first_one_fails(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(side_module, "FIRST_S", 0.0)
    side = Sleeper(context)
    with ThreadPoolExecutor(2) as threads:
        runs = [threads.submit(side.run_once, number, Path("inputs.csv")) for number in (1, 2)]
        assert side.begun.wait(BOUND_S)
        side.fail.set()
        assert [run.result(BOUND_S) for run in runs] == [None, None]
    assert side.ended.is_set()
    assert (side.failed, sorted(side.numbers)) == ("run 1", [1, 2])
