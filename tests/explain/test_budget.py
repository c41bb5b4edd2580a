"""Budgets as they are typed on the command line, and as they are spent."""

from __future__ import annotations

import pytest

from repro_tui.explain.budget import Budget, BudgetSpent, parse_budget
from repro_tui.model.errors import Refused


@pytest.mark.parametrize(
    ("text", "runs", "seconds"),
    [
        ("40", 40, None),
        ("1 run", 1, None),
        ("20runs", 20, None),
        ("15m", None, 900),
        ("1.5h", None, 5400),
        ("90s", None, 90),
    ],
)
def test_a_budget_is_runs_or_a_time(text: str, runs: int | None, seconds: float | None) -> None:
    budget = parse_budget(text)
    assert (budget.runs, budget.seconds) == (runs, seconds)


@pytest.mark.parametrize("text", ["", "0", "-3", "2.5", "ten", "5x", "0m", "1e9"])
def test_an_invalid_budget_is_refused(text: str) -> None:
    with pytest.raises(Refused, match=r"--explain-budget: .* is not a valid budget"):
        parse_budget(text)


def test_a_budget_of_runs_ends_after_them() -> None:
    budget = Budget(runs=2)
    budget.spend_run()
    budget.spend_run()
    with pytest.raises(BudgetSpent):
        budget.spend_run()
    assert (budget.spent, budget.used, budget.left) == (True, 2, "0 runs")


def test_a_budget_of_time_ends_with_it() -> None:
    with pytest.raises(BudgetSpent):
        Budget(seconds=0.0).spend_run()
