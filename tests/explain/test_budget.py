"""Budgets as they are spent."""

from __future__ import annotations

import pytest

from repro_tui.explain.budget import Budget, BudgetSpent


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
