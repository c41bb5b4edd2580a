"""How often the verdict on noisy deployments is right: simulated runs, judged by the product itself.

    python benchmarks/truth.py [REPETITIONS] [WORD …]

Each audit draws the runs of both sides, as many as the rule asks for (2, 3, 5, 10 a side). For every kind of noise and
every shift (in standard deviations) it prints how many of the audits had the verdict drift, within noise or undecided,
with 95 % intervals (Wilson), and how many went on to ten runs. With WORDs, only kinds whose name contains one of them.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

import repro_tui
from repro_tui.compare.columns.statistics import interval

ROWS = 200
VERDICTS = ("drift", "within-noise", "undecided")
Columns = dict[str, Any]
Draw = Callable[[np.random.Generator, float], Columns]


@dataclass(frozen=True)
class Kind:
    """A kind of noise: `draw` draws the columns of a run, those of B with a shift; `shifts` are the shifts to try."""

    draw: Draw
    shifts: tuple[float, ...] = (0, 1, 2)


def numbers(noise: Callable[[np.random.Generator], Any]) -> Draw:
    return lambda g, shift: {"v": noise(g) + shift}


def own(g: np.random.Generator, rows: int = ROWS) -> Any:
    return g.normal(size=rows)


def part_shared(part: float, rows: int = ROWS) -> Draw:
    return numbers(lambda g: np.sqrt(part) * g.normal() + np.sqrt(1 - part) * g.normal(size=rows))


SCALES = np.exp(np.random.default_rng(0).normal(0, 2, ROWS))
SCALES /= np.median(SCALES)
WILD = np.r_[1e5, np.ones(ROWS - 1)]


def one_missing(g: np.random.Generator, shift: float) -> Columns:
    values = own(g) + shift
    values[g.integers(ROWS)] = np.nan
    return {"v": values}


def modes(share: float, apart: float, noise: float) -> Draw:
    return numbers(lambda g: apart * float(g.random() < share) + noise * own(g))


def scattered(g: np.random.Generator, times: float) -> Columns:
    """The shift is how many times as far B's runs scatter: 1 is no difference."""
    return {"v": own(g) * times}


def fifty(shared: bool) -> Draw:
    def draw(g: np.random.Generator, shift: float) -> Columns:
        columns = {f"v{n}": np.full(3, g.normal()) if shared else g.normal(size=40) for n in range(50)}
        columns["v7"] = columns["v7"] + shift
        return columns

    return draw


def some_rows(share: float) -> Draw:
    moved = np.arange(ROWS) < max(1, int(share * ROWS))
    return lambda g, shift: {"v": own(g) + shift * moved}


def labels(flips: float) -> Draw:
    """The shift is the share of the rows that are flipped in every run of B."""

    def draw(g: np.random.Generator, shift: float) -> Columns:
        yes = g.random(1_000) < flips
        yes[: int(shift * 1_000)] ^= True
        return {"label": np.where(yes, "yes", "no")}

    return draw


VOCABULARY = np.asarray([f"w{n}" for n in range(300)])
OTHER_VOCABULARY = np.asarray([f"x{n}" for n in range(300)])
BASE = np.random.default_rng(1).choice(VOCABULARY, (50, 20))


def sampled_text(g: np.random.Generator, shift: float) -> Columns:
    """The shift is the share of the words that come from another vocabulary."""
    tokens = np.where(g.random(BASE.shape) < 0.3, g.choice(VOCABULARY, BASE.shape), BASE)
    tokens = np.where(g.random(BASE.shape) < shift, g.choice(OTHER_VOCABULARY, BASE.shape), tokens)
    return {"text": [" ".join(row) for row in tokens]}


def documents(g: np.random.Generator, shift: float) -> Columns:
    """JSON documents with a latency that is different in every run, and a score that shifts."""
    scores = own(g, 50) + shift
    return {"doc": [json.dumps({"latency": float(g.exponential()), "score": float(s)}) for s in scores]}


def moments(g: np.random.Generator, shift: float) -> Columns:
    seconds = 1.7e9 + g.normal(0, 30, 50) + 30 * shift
    return {"at": pa.array((seconds * 1e6).astype(np.int64), pa.timestamp("us"))}


def vectors(g: np.random.Generator, shift: float) -> Columns:
    return {"e": list(g.normal(size=(30, 8)) + shift)}


KINDS = {
    "own noise of each row": Kind(numbers(own)),
    "own noise, 5 rows": Kind(numbers(lambda g: own(g, 5))),
    "shared by the run": Kind(part_shared(1.0, 3), (0, 1, 2, 3)),
    "a quarter shared": Kind(part_shared(0.25), (0, 2)),
    "half shared": Kind(part_shared(0.5), (0, 2)),
    "Student t2": Kind(numbers(lambda g: g.standard_t(2, ROWS)), (0, 2)),
    "Cauchy": Kind(numbers(lambda g: g.standard_cauchy(ROWS)), (0, 2)),
    "heteroscedastic": Kind(numbers(lambda g: SCALES * own(g)), (0, 2)),
    "one missing a run": Kind(one_missing, (0, 2, 1_000)),
    "one row 1e5 times as noisy": Kind(lambda g, shift: {"v": own(g) * WILD + shift}, (0, 2, 100)),
    "two modes 50/50": Kind(modes(0.5, 1.0, 0.0), (0, 2)),
    "two modes 80/20": Kind(modes(0.2, 1.0, 0.0), (0, 2)),
    "two modes and row noise": Kind(modes(0.5, 30.0, 1.0), (0, 2)),
    "a rare run off": Kind(modes(0.05, 30.0, 1.0), (0, 2)),
    "B scatters so many times as far": Kind(scattered, (1, 1.5, 3)),
    "50 columns, own noise": Kind(fifty(shared=False)),
    "50 columns, shared noise": Kind(fifty(shared=True), (0, 2, 3)),
    "0.5 % of rows moved": Kind(some_rows(0.005), (0, 4, 10)),
    "5 % of rows moved": Kind(some_rows(0.05), (2, 4)),
    "labels, 1 % flip": Kind(labels(0.01), (0, 0.001, 0.005, 0.02)),
    "sampled text": Kind(sampled_text, (0, 0.05, 1)),
    "JSON with a latency": Kind(documents, (0, 2, 1_000)),
    "timestamps": Kind(moments, (0, 2, 1e6)),
    "vectors": Kind(vectors, (0, 2)),
}
NONE = {"B scatters so many times as far": 1.0}  # the shift at which the sides are the same


def main(repetitions: int, patterns: list[str]) -> None:
    """Prints the table of the kinds whose name contains one of the patterns; without patterns, of all kinds."""
    names = [name for name in KINDS if not patterns or any(pattern in name for pattern in patterns)]
    print("| kind | shift | drift | within noise | undecided | went on to 10 runs |\n|---|---|---|---|---|---|")
    with ProcessPoolExecutor(2) as pool:
        for name in names:
            for shift in KINDS[name].shifts:
                seeds = range(repetitions)
                audits = list(pool.map(audited, [name] * repetitions, [shift] * repetitions, seeds, chunksize=4))
                shares = [share([verdict == column for verdict, _ in audits]) for column in VERDICTS]
                shares.append(share([runs == 10 for _, runs in audits]))
                print(f"| {name} | {shift:g} | {' | '.join(shares)} |", flush=True)


def share(hits: list[bool]) -> str:
    """A rate with its 95 % interval."""
    low, high = interval(sum(hits), len(hits))
    return f"{sum(hits) / len(hits):.1%} ({low:.0%} to {high:.0%})"


def audited(name: str, shift: float, seed: int) -> tuple[str, int]:
    """One audit: its verdict, and how many runs a side it took."""
    g = np.random.default_rng([seed, sum(map(ord, name)), int(shift * 1_000)])
    kind, shift_of_a = KINDS[name], NONE.get(name, 0.0)
    sides: tuple[list[pa.Table], list[pa.Table]] = ([], [])
    runs: int | None = 2
    with tempfile.TemporaryDirectory() as folder:
        while runs:
            for side, side_shift in zip(sides, (shift_of_a, shift), strict=True):
                side += [pa.table(kind.draw(g, side_shift)) for _ in range(len(side), runs)]
            comparison = repro_tui.compare(*sides, folder=f"{folder}/{runs}")
            runs = comparison.more
    return comparison.verdict, len(sides[0])


if __name__ == "__main__":
    arguments = sys.argv[1:]
    main(int(arguments[0]) if arguments else 200, arguments[1:])
