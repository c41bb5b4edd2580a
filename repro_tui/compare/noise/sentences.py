"""Why noisy outputs got their verdict, in a sentence."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from repro_tui.compare.noise.arrays import Floats
from repro_tui.compare.noise.exchange import SCATTER, Equivalence, ExchangeTest, mean_within_sides
from repro_tui.model.predictions import Verdict
from repro_tui.support.text import show

FEWEST_GROUPED = 10  # runs of both sides, from which on groups are looked for
GROUPS_APART = 3.0  # how many times as far apart as its own runs two groups are


def explanation(verdict: Verdict, mean: Floats, runs_a: int, test: ExchangeTest, claim: Equivalence, basis: str) -> str:
    """Why this is the verdict.

    `mean` are the distances between runs, averaged over the columns, of which the first `runs_a` are A's. `basis`
    states the number of runs and the p.
    """
    reason = _reason(verdict, mean, runs_a, test, claim, basis)
    groups = two_groups(mean, runs_a)
    return f"{reason}; the runs fall into two groups: {groups}" if groups else reason


def _reason(verdict: Verdict, mean: Floats, runs_a: int, test: ExchangeTest, claim: Equivalence, basis: str) -> str:
    if verdict == "within-noise":
        return (
            f"the sides are about as close as the runs of one side are ({basis}; the distance between the sides is at "
            f"most {claim.upper:.2f} times the distance within them, with 95 % confidence)"
        )
    if verdict == "drift":
        return f"{_difference(test, runs_a)} ({basis})"
    if claim.uninformative:
        names = ", ".join(show(name, 80) for name in claim.uninformative[:3])
        return (
            f"in {names}, any two runs differ by the same amount, as ids would ({basis}), "
            "so noise cannot be told from drift: "
            f"leave {'it' if len(claim.uninformative) == 1 else 'them'} out (--ignore predictions.NAME)"
        )
    if claim.scatter > SCATTER:
        wide, narrow = _by_spread(mean, runs_a)
        return f"{wide}'s runs scatter far more than {narrow}'s: some runs of {wide} may be wrong ({basis})"
    if claim.is_shown:
        return f"the test hints at drift but does not show it ({basis})"
    reason = f"the test shows neither drift nor that the sides are equivalent ({basis})"
    if np.isfinite(claim.upper):
        reason += f": the sides are up to {claim.upper:.1f} times as far apart as the runs of one side"
    return reason


def _difference(test: ExchangeTest, runs_a: int) -> str:
    """What differs: the sides, or how far their runs scatter."""
    matrix = test.matrix
    if matrix is None:
        return "single rows of the two sides are farther apart than the runs of one side"
    across = float(matrix[:runs_a, runs_a:].mean())
    less, more = sorted(mean_within_sides(matrix, runs_a))
    if across > more:
        return "the sides differ by more than the runs of one side do"
    wide, narrow = _by_spread(matrix, runs_a)
    if not less:
        return f"{wide}'s runs scatter while {narrow}'s do not"
    return f"{wide}'s runs scatter {more / less:.1f} times as far as {narrow}'s"


def _by_spread(matrix: Floats, runs_a: int) -> tuple[str, str]:
    """The side whose runs are farther apart, and then the other."""
    within_a, within_b = mean_within_sides(matrix, runs_a)
    return ("A", "B") if within_a > within_b else ("B", "A")


def two_groups(matrix: Floats, runs_a: int) -> str:
    """The runs in two groups, where each run is far nearer to every run of its own group than to any of the other.

    "" where there are no such groups, where they are the two sides, or where there are fewer than 10 runs in all.
    """
    runs = len(matrix)
    if runs < FEWEST_GROUPED:
        return ""
    farthest = np.unravel_index(int(matrix.argmax()), matrix.shape)
    first = matrix[farthest[0]] < matrix[farthest[1]]
    if min(first.sum(), (~first).sum()) < 2:
        return ""
    inside = max(float(matrix[np.ix_(group, group)].max()) for group in (np.flatnonzero(first), np.flatnonzero(~first)))
    across = float(matrix[np.ix_(first, ~first)].min())
    sides = np.arange(runs) < runs_a
    if across < GROUPS_APART * inside or (first == sides).all() or (first != sides).all():
        return ""
    groups = sorted(([*np.flatnonzero(group)] for group in (first, ~first)), key=min)
    return " and ".join(_run_names(group, runs_a) for group in groups)


def _run_names(group: Sequence[int], runs_a: int) -> str:
    a = [str(run + 1) for run in group if run < runs_a]
    b = [str(run - runs_a + 1) for run in group if run >= runs_a]
    return ", ".join(f"{side} ({', '.join(runs)})" for side, runs in (("A", a), ("B", b)) if runs)
