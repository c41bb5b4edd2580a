"""The result of comparing two prediction tables."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from repro_tui.model.finding import Accepted, AreaStatus, Finding

Verdict = Literal[
    "identical",
    "equal",
    "equal-to-rounding",
    "within-tolerance",
    "within-noise",
    "undecided",
    "drift",
    "not-comparable",
]
# From best to worst: an audit's verdict is the worst of its columns'.
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)
SAME_VERDICTS: frozenset[Verdict] = frozenset(VERDICTS[:5])


def worst(verdicts: tuple[Verdict, ...]) -> Verdict:
    """The worst of these verdicts; `not-comparable` if there are none."""
    return max(verdicts, key=VERDICTS.index, default="not-comparable")


@dataclass(frozen=True, slots=True)
class Rows:
    """How the rows of the two tables were matched; all are counts of rows."""

    a: int = 0
    b: int = 0
    matched: int = 0
    only_a: int = 0
    only_b: int = 0
    duplicate_a: int = 0
    duplicate_b: int = 0


@dataclass(frozen=True, slots=True)
class Column:
    """One output column, compared.

    `equal`, `within_tolerance` and `different` are counts of matched rows that add up; `max_abs` the largest |b - a|
    of finite pairs; `non_finite` the pairs where exactly one is not finite; `flips` the rows whose decision changed;
    `measures` the primary and secondary measures of the kind, by name; `rule` the tolerance applied, as text;
    `smallest_passing` the smallest {"atol": x} or {"rtol": x} that would pass (None: none would);
    `atol` and `rtol` are the tolerance applied, as numbers; `noise_abs` is the largest |delta| of one row between two
    runs of one side (0.0: all runs have the same bytes; None: not known, or not numbers); `beyond_noise` is the number
    of different rows that moved by more than their own noise, so that no run of A came near a run of B (None: not
    known, or neither side is noisy);
    `kind_why` says what the kind was inferred from ("" if it was declared); `members` are the columns that form this
    one, if several are one vector of probabilities (their cells are in differences.parquet);
    `accepted` is set where its drift was accepted or is known;
    `flip_matrix` counts of [a, b, rows], largest first; `histogram` of |delta| in log10 bins: [low, high, rows].
    """

    name: str
    kind: str
    verdict: Verdict
    equal: int = 0
    within_tolerance: int = 0
    different: int = 0
    max_abs: float | None = None
    max_rel: float | None = None
    non_finite: int = 0
    nulls_a: int = 0
    nulls_b: int = 0
    flips: int | None = None
    type_a: str = ""
    type_b: str = ""
    rule: str = ""
    smallest_passing: dict[str, float] | None = None
    inferred: bool = True
    measures: dict[str, Any] = field(default_factory=dict)
    flip_matrix: tuple[tuple[str, str, int], ...] = ()
    histogram: tuple[tuple[float, float, int], ...] = ()
    note: str = ""
    atol: float | None = None
    rtol: float | None = None
    noise_abs: float | None = None
    beyond_noise: int | None = None
    kind_why: str = ""
    members: tuple[str, ...] = ()
    accepted: Accepted | None = None

    @property
    def is_accepted(self) -> bool:
        """Whether its drift does not gate, because it was accepted and that has not expired."""
        return self.accepted is not None and not self.accepted.expired


@dataclass(frozen=True, slots=True)
class Noise:
    """The noise of each side, measured by repeated runs.

    `runs` is K per side; `deterministic_a/b` whether all runs of that side were byte-identical; `p` the permutation
    test's p-value (None if not needed); `distance_across` the mean distance between the sides and
    `upper_within` the largest distance within one side, both in the statistic's own unit. `ratio` is the mean distance
    across over the mean distance within, and `ratio_upper` its upper 95 % bound: at most 1.5 if the sides are called
    equivalent. `by_chance`: one in this many rows that did not move is reported as beyond its own noise by chance.
    """

    runs: int = 0
    deterministic_a: bool | None = None
    deterministic_b: bool | None = None
    p: float | None = None
    level: float | None = None
    statistic: float | None = None
    distance_across: float | None = None
    upper_within: float | None = None
    sentence: str = ""
    by_chance: int | None = None
    ratio: float | None = None
    ratio_upper: float | None = None


@dataclass(frozen=True, slots=True)
class Stress:
    """One side with one condition varied that should not matter (`name`; `what` says how), against its plain runs.

    `moved` says whether its predictions moved by more than the tolerance and than the side varies from run to run;
    None: not known or not tried, and `note` says why. `verdict` is that of the comparison ("": there was none),
    `column` and `max_abs` are the column that moved most and by how much, `different` is the number of its rows above
    the tolerance.
    """

    side: str
    name: str
    what: str = ""
    moved: bool | None = None
    verdict: str = ""
    column: str = ""
    different: int = 0
    max_abs: float | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class WorstRow:
    """One of the rows that moved most: its key (or position), and one column that differs there, with both values."""

    key: dict[str, Any]
    column: str
    a: Any
    b: Any
    abs_delta: float | None = None
    rel_delta: float | None = None
    flip: bool = False


@dataclass(frozen=True, slots=True)
class Slice:
    """A part of the inputs in which rows moved more often than elsewhere.

    `kind` is `leaf` (conditions on several columns, found on one half of the rows and tested on the other) or `column`
    (the worst part of a single column that rows' movement depends on); `name` the conditions as text; `rows` and
    `moved` counts; `share` the part of all moved rows that are in it; `rate` and `rate_elsewhere` the share of rows
    that moved inside and outside; `p` the adjusted p-value.
    """

    kind: str
    name: str
    rows: int
    moved: int
    share: float
    rate: float
    rate_elsewhere: float
    p: float
    sentence: str


@dataclass(frozen=True, slots=True)
class PredictionsArea:
    """The predictions' area of the report. `differences` counts the rows of differences.parquet.

    `ignored` are the columns that the record or the command line left out, `unused` their rules that match no column.
    `compared` names the two runs whose cells are shown, if they are not the first of each side: a later one differs
    more. `rows` is None where no outputs were put side by side: a side was lost, or nothing was run. `what` and `do`
    then say why, and what to do. `evidence` is the digest of all differing cells ("": there are none, or they are not
    complete); `accepted` is set where a drift as a whole was accepted or is known.
    """

    status: AreaStatus
    verdict: Verdict
    rule: str = ""
    noise: Noise = field(default_factory=Noise)
    key: tuple[str, ...] = ()
    rows: Rows | None = None
    columns: tuple[Column, ...] = ()
    slices: tuple[Slice, ...] = ()
    worst: tuple[WorstRow, ...] = ()
    counts: dict[str, int] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
    differences: int = 0
    stress: tuple[Stress, ...] = ()
    what: str = ""
    do: str = ""
    compared: str = ""
    ignored: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()
    evidence: str = ""
    accepted: Accepted | None = None

    @property
    def drifting(self) -> tuple[Column, ...]:
        """The columns that drift."""
        return tuple(column for column in self.columns if column.verdict == "drift")

    @property
    def is_accepted(self) -> bool:
        """Whether a drift does not gate: all of it was accepted or is known, and that has not expired."""
        if self.accepted is not None and not self.accepted.expired:
            return True
        return bool(self.drifting) and all(column.is_accepted for column in self.drifting)

    @property
    def matched(self) -> int:
        """The number of rows that were matched; 0 where no outputs were put side by side."""
        return self.rows.matched if self.rows else 0
