"""How often the whole rule is wrong, and how often right, on simulated deployments that are noisy.

Each deployment is simulated as what its runs write: files, measured and judged by the engine itself, with as many
runs as the sequential rule asks for (2, 5, 10). Seeded, so that a count is the same every time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from scipy import stats

from repro_tui.compare.database import Database
from repro_tui.compare.noise import FEWEST, RunColumn, judge, measure, next_repeat
from repro_tui.model.predictions import PredictionsArea
from repro_tui.model.request import MEMORY_LIMIT, Settings
from tests.compare.test_predictions import run_of

ROWS = 40
Write = Callable[[float], pa.Table]


def audit(folder: Path, write: Write, shift: float, settings: Settings) -> str:
    """The verdict on two sides whose first runs are over the tolerance, by the rule that audit.pipeline goes by."""
    area, a, b = PredictionsArea("unknown", "undecided"), [], []
    wanted = settings.repeat or next_repeat(a, b, area, settings)
    while wanted:
        a += [run_of(folder, write(0.0)) for _ in range(wanted - len(a))]
        b += [run_of(folder, write(shift)) for _ in range(wanted - len(b))]
        if wanted >= FEWEST:
            columns = [RunColumn("score"), RunColumn("label", exact=True)]
            distances = measure(a, b, (), columns, Database(folder, MEMORY_LIMIT))
            verdict = judge(distances, (False, False), fixed=settings.repeat is not None)[0]
            area = replace(area, verdict=verdict)
        wanted = next_repeat(a, b, area, settings)
    return area.verdict


def deployment(generator: np.random.Generator, rows: int = ROWS, *, shared: float) -> Write:
    """A deployment whose scores and labels move from run to run: a part of the noise (sd 1 in all) is `shared` by all
    rows of a run, the rest is each row's own."""
    base = generator.normal(0, 3, rows)

    def write(shift: float) -> pa.Table:
        own = generator.normal(0, np.sqrt(1 - shared), rows)
        score = base + generator.normal(0, np.sqrt(shared)) + own + shift
        return pa.table({"score": score, "label": np.where(score > 0, "yes", "no")})

    return write


def drifts(folder: Path, deployments: int, settings: Settings, shared: tuple[float, ...], shift: float) -> int:
    """On how many of these deployments the verdict is drift."""
    generator = np.random.default_rng(20261125)
    sides = (deployment(generator, shared=shared[number % len(shared)]) for number in range(deployments))
    return sum(audit(folder, write, shift, settings) == "drift" for write in sides)


def test_a_against_a_alarms_in_at_most_one_of_twenty(tmp_path: Path) -> None:
    """By the sequential rule. What was counted says, at 95 % confidence, that the true rate is below 7.5 %; that it is
    5 % at most follows from the two exact tests at 0.025."""
    alarms = drifts(tmp_path, 200, Settings(), (0.0, 0.5, 1.0), 0.0)
    assert alarms <= 200 * 0.05
    assert stats.binomtest(alarms, 200).proportion_ci(0.95).high < 0.075


def test_a_shift_of_two_sigma_is_found_with_five_runs(tmp_path: Path) -> None:
    """Where rows have noise of their own, or a quarter of it in common: at least nine of ten."""
    assert drifts(tmp_path, 50, Settings(repeat=5), (0.0,), 2.0) >= 45
    assert drifts(tmp_path, 50, Settings(repeat=5), (0.25,), 2.0) >= 45


def test_noise_that_all_rows_share_hides_more(tmp_path: Path) -> None:
    """Then a run is one number: of five a side, the best test that there is (Student's) finds such a shift in 79 of
    100 at 0.05, and a test of any distribution less."""
    noncentral = stats.nct(8, 2 * np.sqrt(5 / 2))
    limit = stats.t.ppf(0.975, 8)
    best = noncentral.sf(limit) + noncentral.cdf(-limit)
    assert best == pytest.approx(0.79, abs=0.005)
    assert 0.65 * 100 <= drifts(tmp_path, 100, Settings(repeat=5), (1.0,), 2.0) <= 0.87 * 100
