"""How often the verdict on noisy deployments is right: a smaller run of `benchmarks/truth.py`, from runs to verdict.

Seeded, so that a count is the same every time. The bounds are such that a rule as good as the measured one fails in
less than one run of a thousand.
"""

from __future__ import annotations

from collections import Counter
from functools import cache

import pytest
from scipy import stats

from benchmarks.truth import KINDS, NONE, audited
from tests.conftest import FAST, NIGHTLY

AUDITS = 40 if NIGHTLY else 4 if FAST else 10
# Shifts that were found in all of 150 audits; smaller ones are found in fewer (see the table in docs/comparison.md).
CERTAIN = {
    "own noise of each row": 2,
    "own noise, 5 rows": 2,
    "a quarter shared": 2,
    "half shared": 2,
    "Student t2": 2,
    "Cauchy": 2,
    "heteroscedastic": 2,
    "one missing a run": 1_000,
    "one row 1e5 times as noisy": 100,
    "two modes 50/50": 2,
    "two modes 80/20": 2,
    "a rare run off": 2,
    "B scatters so many times as far": 3,
    "50 columns, own noise": 2,
    "50 columns, shared noise": 3,
    "0.5 % of rows moved": 10,
    "5 % of rows moved": 4,
    "labels, 1 % flip": 0.02,
    "sampled text": 1,
    "JSON with a latency": 1_000,
    "timestamps": 1e6,
    "vectors": 2,
}
SHARED = "shared by the run"
GROUPED = "two modes and row noise"


@cache
def verdicts(name: str, shift: float) -> Counter[str]:
    return Counter(audited(name, shift, seed)[0] for seed in range(AUDITS))


def at_most(rate: float, audits: int) -> int:
    """The count that is exceeded in one of a thousand tries where this is the true rate."""
    return int(stats.binom.ppf(0.999, audits, rate))


def test_every_kind_is_tried() -> None:
    assert {*CERTAIN, SHARED, GROUPED} == set(KINDS)


@pytest.mark.parametrize("name", KINDS)
def test_the_same_deployment_is_seldom_called_drift(name: str) -> None:
    assert verdicts(name, NONE.get(name, 0.0))["drift"] <= at_most(0.05, AUDITS)


@pytest.mark.parametrize("name", CERTAIN)
def test_a_large_difference_is_found_and_never_called_noise(name: str) -> None:
    counts = verdicts(name, CERTAIN[name])
    assert counts["drift"] >= AUDITS - at_most(0.02, AUDITS)
    assert not counts["within-noise"]


def test_noise_that_all_rows_share_hides_more() -> None:
    """A run is then one number; the best test of ten runs a side (Student's) finds two standard deviations in 99 %."""
    counts = verdicts(SHARED, 2.0)
    assert counts["drift"] >= AUDITS - at_most(0.08, AUDITS)
    assert verdicts(SHARED, 3.0)["within-noise"] == 0


def test_runs_in_two_groups_with_noise_of_their_own_are_the_known_weakness() -> None:
    """What the groups hide is found less often; it may not be called noise more often than was measured."""
    assert verdicts(GROUPED, 2.0)["within-noise"] <= at_most(0.4, AUDITS)
