"""The step at which a side is lost, if several steps fail."""

from __future__ import annotations

from itertools import permutations

import pytest

from repro_tui.audit.side import SideState
from repro_tui.model.record import Record
from repro_tui.support.context import Context


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
