"""Budgets as they are typed on the command line and in a policy file."""

from __future__ import annotations

import pytest

from repro_tui.support.budgets import parse_budget


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
    assert parse_budget(text) == (runs, seconds)


@pytest.mark.parametrize("text", ["", "0", "-3", "2.5", "ten", "5x", "0m", "1e9"])
def test_an_invalid_budget_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a valid budget"):
        parse_budget(text)
