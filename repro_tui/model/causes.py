"""What made the predictions move, as the report tells it under `causes`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Interaction:
    """What these factors change only together: `dividend` is the part of the whole change, 1.0 for all of it."""

    factors: tuple[str, ...]
    dividend: float


@dataclass(frozen=True, slots=True)
class Culprit:
    """One thing inside a factor: a package, a parameter, a commit, a file.

    `a` and `b` are what each side has of it (None: nothing); `sufficient` whether it alone, of all things inside its
    factor, makes the change; `alone` whether setting it back, and nothing else, restores A.
    """

    factor: str
    path: tuple[str, ...]
    a: Any = None
    b: Any = None
    sufficient: bool = False
    alone: bool = False


@dataclass(frozen=True, slots=True)
class Hybrid:
    """A mixture of whole factors that was run: what was taken from B in it, and what came of it.

    `score` is the part of the change that it makes; `rows_as_b` the share of the rows that moved from A to B which are
    as in B, by the tolerances (None: not counted, as runs of one deployment differ); `outputs` whether all of its rows
    are as in `A`, in `B`, or `neither`.
    """

    from_b: tuple[str, ...]
    score: float
    rows_as_b: float | None = None
    outputs: str = "neither"


@dataclass(frozen=True, slots=True)
class Unresolved:
    """A mixture that could not be built, run or compared: what was taken from B in it, and why it failed."""

    from_b: tuple[str, ...]
    why: str


@dataclass(frozen=True, slots=True)
class Causes:
    """The answer of `--explain`: factors, what they do together, and what inside them is guilty.

    `factors` are those in which the sides differ; `shares` their Shapley shares of the change, which add up to 1.0;
    `smallest` the smallest set of factors that reproduces B; `restores` the sets whose reverting from B restores A;
    `hybrids` the mixtures of whole factors that were run.
    `separable` is False where guilty things could not be told apart; `runs` counts the predict runs that were needed,
    `cached` those that an earlier search had made. `note` says why there is no answer, where there is none.
    """

    factors: tuple[str, ...] = ()
    smallest: tuple[str, ...] = ()
    shares: dict[str, float] = field(default_factory=dict)
    interactions: tuple[Interaction, ...] = ()
    restores: tuple[tuple[str, ...], ...] = ()
    culprits: tuple[Culprit, ...] = ()
    hybrids: tuple[Hybrid, ...] = ()
    separable: bool = True
    runs: int = 0
    cached: int = 0
    unresolved: tuple[Unresolved, ...] = ()
    budget_spent: bool = False
    sentences: tuple[str, ...] = ()
    note: str = ""


def no_causes(note: str) -> Causes:
    """The answer where there is none, and why."""
    return Causes(note=note, sentences=(f"{note[0].upper()}{note[1:]}.",))
