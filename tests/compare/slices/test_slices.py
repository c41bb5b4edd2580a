"""Slices: planted ones are found, data without any raises no alarm, and their numbers are consistent."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from repro_tui.compare.slices.search import FEWEST, find_slices
from repro_tui.support.text import part

ROWS, TRIALS = 2000, 100


def inputs(rng: np.random.Generator) -> dict[str, np.ndarray]:
    numbers = {f"x{n}": rng.normal(size=ROWS) for n in range(14)}
    regions = np.array(list("NESW"))
    return numbers | {f"c{n}": regions[rng.integers(0, 4, ROWS)] for n in range(4)}


def test_a_planted_slice_is_found() -> None:
    """30 % flips in a quarter of 2,000 rows among 18 columns, in at least 95 of 100 cases."""
    hits = 0
    for trial in range(TRIALS):
        rng = np.random.default_rng(trial)
        columns = inputs(rng)
        moved = rng.random(ROWS) < np.where(columns["c0"] == "N", 0.3, 0.005)
        leaves = [leaf.name for leaf in find_slices(pa.table(columns), moved) if leaf.kind == "leaf"]
        hits += any("c0 = N" in name for name in leaves)
    assert hits >= 95


def test_null_data_raises_no_alarm() -> None:
    """At most 5 % of the cases, and what chance allows for over 100 of them (95 % of the time at most 9)."""
    alarms = 0
    for trial in range(TRIALS):
        rng = np.random.default_rng(20_000 + trial)
        alarms += bool(find_slices(pa.table(inputs(rng)), rng.random(ROWS) < (0.3, 0.05, 0.02)[trial % 3]))
    assert alarms <= 9


def test_two_conditions_are_put_into_words() -> None:
    rng = np.random.default_rng(3)
    columns = inputs(rng) | {"id": np.array([f"r{n}" for n in range(ROWS)])}
    inside = (columns["c1"] == "S") & (columns["x2"] > 0.2)
    moved = inside & (rng.random(ROWS) < 0.6)
    first = find_slices(pa.table(columns), moved)[0]
    assert "c1 = S" in first.name
    assert "x2 > " in first.name
    assert first.moved / first.rows == first.rate > 0.4
    assert first.share > 0.8
    assert first.sentence.startswith(f"{part(first.share)} of the rows that flip are in ")


@pytest.mark.parametrize("count", [0, FEWEST - 1, ROWS - FEWEST + 1, ROWS])
def test_too_few_rows_that_moved_or_did_not_give_no_slices(count: int) -> None:
    moved = np.arange(ROWS) < count
    assert find_slices(pa.table(inputs(np.random.default_rng(0))), moved) == ()


def test_missing_constant_and_identifying_columns_do_no_harm() -> None:
    rng = np.random.default_rng(5)
    missing = rng.random(ROWS) < 0.3
    table = pa.table(
        {
            "constant": np.ones(ROWS),
            "nothing": pa.nulls(ROWS, pa.float64()),
            "holes": pa.array(rng.normal(size=ROWS), mask=missing),
            "name": [f"r{n}" for n in range(ROWS)],
            "texts": pa.array(["yes" if n % 2 else None for n in range(ROWS)]),
            "infinite": np.where(rng.random(ROWS) < 0.1, np.inf, 1.0),
        }
    )
    slices = find_slices(table, missing & (rng.random(ROWS) < 0.5))
    assert any(part.kind == "column" and part.name == "holes is missing" for part in slices)
