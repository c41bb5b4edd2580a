"""The search over factors: where its ruler says the ends are, how often hybrids are run, and what is looked into."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy import stats

from repro_tui.compare.columns.tolerance import Rule
from repro_tui.compare.projection import ProjectedColumn
from repro_tui.explain import search as module
from repro_tui.explain.execution import HybridRequest, HybridResult
from repro_tui.explain.factors import Factors
from repro_tui.explain.game import Attribution, Value
from repro_tui.explain.measure import Ruler
from repro_tui.explain.search import Search, find_causes, guilty
from repro_tui.explain.trials import Trials, repeated, told
from repro_tui.model.causes import Causes
from repro_tui.support.cache import Cache
from repro_tui.support.context import Context

COLUMNS = (ProjectedColumn("score", Rule(1e-7, 1e-7, 0.0, 0, "by hand"), exact=False),)

Set = frozenset[str]
Rows = float | Sequence[float]


@dataclass
class Runs:
    """Runs whose outputs are given: of one row, the number is the score where A's first run is 0 and B's first is 1."""

    folder: Path
    context: Context
    written: int = 0

    def __call__(self, *runs: Rows) -> tuple[Path, ...]:
        return tuple(map(self.write, runs))

    def write(self, rows: Rows) -> Path:
        values = [rows] if isinstance(rows, float) else list(rows)
        path = self.folder / f"{self.written}.parquet"
        self.written += 1
        pq.write_table(pa.table({"id": range(len(values)), "score": values}), path)
        return path

    def ruler(self, low: Sequence[Rows], high: Sequence[Rows], *, noisy: bool = True) -> Ruler:
        return Ruler(self(*low), self(*high), ("id",), COLUMNS, self.context, noisy)


@pytest.fixture
def runs(tmp_path: Path) -> Runs:
    return Runs(tmp_path, Context(cache=Cache(tmp_path / "cache")))


# -- the ruler ------------------------------------------------------------------------------------------------------

LOW, HIGH = (0.0, 0.1, 0.3), (1.0, 0.9, 1.1)  # means of the further runs: 0.2 and 1.0; their variances: 0.02 and 0.02


def test_the_ends_lie_where_their_further_runs_are(runs: Runs) -> None:
    ruler = runs.ruler(LOW, HIGH)
    assert (ruler.zero, ruler.one) == pytest.approx((0.2, 1.0))
    assert ruler.spread == pytest.approx(math.sqrt(0.02) / 0.8)
    assert ruler.width(2) == pytest.approx(3 * math.sqrt(0.02) / 0.8)  # a mean of two between ends of two
    assert ruler.width(8) == pytest.approx(3 * math.sqrt(0.02) / 0.8 * math.sqrt(5 / 8))
    assert ruler.value(runs(0.5, 0.7)).score == pytest.approx((0.6 - 0.2) / 0.8)
    assert runs.ruler(LOW, HIGH[:2]).width(2) == pytest.approx(  # the end with fewer runs is the less certain one
        3 * math.sqrt(0.02) / 0.7 * math.sqrt(1 / 2 + 1)
    )


@pytest.mark.parametrize("factor", [0.98, 1.02])
@pytest.mark.parametrize("count", [2, 4])
def test_ends_are_apart_by_students_t(runs: Runs, factor: float, count: int) -> None:
    """Of each side `count` further runs, whose mean and scatter are known."""
    low = [0.1, -0.1] * (count // 2)
    scatter = math.sqrt(count * 0.01 / (count - 1))
    limit = stats.t.ppf(0.99, 2 * count - 2) * scatter * math.sqrt(2 / count)
    high = [one + limit * factor for one in low]
    assert runs.ruler([0.0, *low], [1.0, *high]).apart is (factor > 1)


def test_two_runs_of_each_side_tell_no_ends_apart(runs: Runs) -> None:
    assert not runs.ruler([0.0, 0.0], [1.0, 1.0]).apart
    assert runs.ruler([0.0, 0.0, 0.001], [1.0, 1.0, 1.001]).apart
    assert runs.ruler([0.0], [1.0], noisy=False).apart
    assert not runs.ruler([0.0], [1e-9], noisy=False).apart


@pytest.mark.parametrize(
    ("score", "reproduces", "restores"),
    [
        (0.0, False, True),
        (0.009, False, True),
        (0.011, False, False),
        (0.5, False, False),
        (0.989, False, False),
        (0.991, True, False),
        (1.0, True, False),
        (1.02, False, False),
        (-0.02, False, False),
    ],
)
def test_without_noise_a_hundredth_of_the_way_is_the_end(
    runs: Runs, score: float, reproduces: bool, restores: bool
) -> None:
    value = runs.ruler([0.0], [1.0], noisy=False).value(runs(score))
    assert (value.reproduces, value.restores) == (reproduces, restores)
    assert value.score == pytest.approx(score)


@pytest.mark.parametrize(
    ("step", "wide", "narrow"),
    [
        (0.0, [0.09, -0.09], [0.11, -0.11]),  # at least a tenth of the way
        (0.05, [0.14, -0.14], [0.16, -0.16]),  # three times its scatter
        (1.0, [0.49, -0.49], [0.51, -0.51]),  # never nearer to the other end
    ],
)
def test_with_noise_an_end_is_as_wide_as_its_scatter(
    runs: Runs, step: float, wide: list[float], narrow: list[float]
) -> None:
    off = step / math.sqrt(2)  # two runs that far off their mean have that standard deviation
    ruler = runs.ruler([0.0, -off, off], [1.0, 1 - off, 1 + off])
    for scores, near in ((wide, True), (narrow, False)):
        for score in scores:
            assert ruler.value(runs(score, score)).restores is near, score
            assert ruler.value(runs(1 + score, 1 + score)).reproduces is near, score


@pytest.mark.parametrize(
    ("spread", "nothing"),
    [
        (0.0, 1e-4),
        (0.04, 3 * 0.04),  # two runs suffice: 1/2 + 1/2 is 1
        (0.07, 3 * 0.07 * math.sqrt(1 / 5 + 1 / 2)),  # five do
        (0.085, 3 * 0.085 * math.sqrt(1 / 10 + 1 / 2)),  # ten do
        (0.5, 3 * 0.5 * math.sqrt(1 / 10 + 1 / 2)),  # and more are not made
    ],
)
def test_what_is_no_effect_is_what_runs_are_off(runs: Runs, spread: float, nothing: float) -> None:
    off = spread / math.sqrt(2)
    ruler = runs.ruler([0.0, -off, off], [1.0, 1 - off, 1 + off])
    assert ruler.nothing == pytest.approx(nothing)
    assert runs.ruler([0.0], [1.0], noisy=False).nothing == 1e-4


# -- how often ------------------------------------------------------------------------------------------------------


@dataclass
class Handed:
    """Hands out runs whose outputs are given, and keeps what was asked for: which hybrids, and how many runs."""

    runs: Runs
    scores: dict[Set, Sequence[Rows]] = field(default_factory=dict)
    asked: list[tuple[str, int]] = field(default_factory=list)
    said: list[tuple[Any, ...]] = field(default_factory=list)
    cached: int = 0
    budget: Any = field(default_factory=lambda: SimpleNamespace(spent=False))

    def outcomes(self, asked: Sequence[HybridRequest], wanted: int = 1) -> list[HybridResult]:
        self.asked += [("".join(one.from_b), wanted) for one in asked]
        return [self.outcome(one, wanted) for one in asked]

    def outcome(self, one: HybridRequest, wanted: int) -> HybridResult:
        scores = self.scores.get(frozenset(one.from_b))
        return HybridResult(why="it crashed") if scores is None else HybridResult(self.runs(*scores[:wanted]))

    def tell(self, *line: Any, **detail: Any) -> None:
        self.said.append(line)

    def progress(self, words: str) -> None:
        pass


def hybrid(*from_b: str) -> HybridRequest:
    return HybridRequest(from_b, lambda context: None)  # type: ignore[arg-type,return-value]


def test_hybrids_that_noise_leaves_open_are_run_more_often(runs: Runs) -> None:
    """Within 0.06 (two runs: 0.12 / 2) of where an end ends, 0.12, more runs could change what is said."""
    off = 0.04 / math.sqrt(2)
    ruler = runs.ruler([0.0, -off, off], [1.0, 1 - off, 1 + off])
    scores: dict[Set, Sequence[Rows]] = {
        frozenset("a"): [0.01] * 10,
        frozenset("b"): [0.15, 0.15, 0.6, 0.6, 0.6, 9.0],  # five runs are clear of both ends: 0.42
        frozenset("c"): [0.88] * 10,
        frozenset("e"): [0.5] * 10,
    }
    handed = Handed(runs, scores)
    found = repeated([hybrid(name) for name in "abcde"], ruler, handed.outcomes)
    assert handed.asked == [*((name, 2) for name in "abcde"), ("b", 5), ("c", 5), ("c", 10)]
    assert [value.score for value in found] == [pytest.approx(s) if s else None for s in (0.01, 0.42, 0.88, 0, 0.5)]
    assert found[3].why == "it crashed"


def test_hybrids_without_noise_are_run_once(runs: Runs) -> None:
    handed = Handed(runs, {frozenset("a"): [0.5]})
    found = repeated([hybrid("a"), hybrid("b")], runs.ruler([0.0], [1.0], noisy=False), handed.outcomes)
    assert handed.asked == [("a", 1), ("b", 1)]
    assert (found[0].score, found[1].score, found[1].why) == (0.5, None, "it crashed")


# -- what is looked into --------------------------------------------------------------------------------------------


def searching(runs: Runs, low: Sequence[Rows], high: Sequence[Rows], scores: Mapping[str, Sequence[Rows]]) -> Search:
    """A search over three factors between ends that have these runs."""
    noisy, ends = len(low) > 1, (runs(*low), runs(*high))
    pair: Any = SimpleNamespace(
        predictions=ends.__getitem__, area=SimpleNamespace(key=("id",)), columns=COLUMNS, noisy=noisy
    )
    handed: Any = Handed(runs, {frozenset(names): rows for names, rows in scores.items()})
    return Search(Trials(pair, Factors(("a", "b", "c")), None, runs.context, handed))


def test_the_largest_share_is_looked_into_first_whatever_its_sign() -> None:
    shares = {"a": 0.1, "b": -0.6, "c": 0.0, "d": 1.4, "e": 0.1}
    dividends = {frozenset("ae"): 0.2, frozenset("b"): -0.6, frozenset("d"): 1.4}
    assert guilty(Attribution(tuple("eabcd"), shares, dividends)) == ("d", "b", "e", "a")
    assert guilty(Attribution(("a", "b"), {"a": 0.0, "b": 0.0}, {}, smallest=("b",))) == ("b",)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (Value(None, "it crashed"), "unresolved: it crashed"),
        (Value(1.0, reproduces=True), "100 % of the change, is B"),
        (Value(0.0, restores=True, rows_as_b=0.0), "0 % of the change and 0 % of the moved rows, is A"),
        (Value(-0.25, rows_as_b=0.5), "-25.0 % of the change and 50.0 % of the moved rows, is neither"),
    ],
)
def test_a_value_in_words(value: Value, words: str) -> None:
    assert told(value) == words


def test_runs_of_the_ends_are_not_made_again(runs: Runs) -> None:
    search = searching(runs, [0.0], [1.0], {})
    low, high = search.trials.pair.predictions(0), search.trials.pair.predictions(1)
    found = [search.trials.asked(frozenset(names)) for names in ("", "ca", "abc")]
    assert [(one.from_b, one.known) for one in found] == [((), low), (("a", "c"), ()), (("a", "b", "c"), high)]


NOISY_LOW, NOISY_HIGH = (0.0, -0.3, 0.3), (1.0, 0.7, 1.3)


@pytest.mark.parametrize(
    ("low", "high", "more", "ends"),
    [
        (NOISY_LOW, NOISY_HIGH, {"": [0.0] * 10, "abc": [1.0] * 10}, 10),
        ((0.0, -0.3, 0.3, -0.3, 0.3), (1.0, 0.7, 1.3, 0.7, 1.3), {"": [0.0] * 10, "abc": [1.0] * 10}, 10),
        (NOISY_LOW, NOISY_HIGH, {"": [0.0] * 10}, 3),  # B's further runs fail
        (NOISY_LOW, NOISY_HIGH, {"abc": [1.0] * 10}, 3),
        ((0.0, 0.01, -0.01), (1.0, 1.01, 0.99), None, 3),
        ((0.0, -0.3, 0.3) * 3 + (0.0,), (1.0, 0.7, 1.3) * 3 + (1.0,), None, 10),  # no more than ten are made
        ((0.0,), (1.0,), None, 1),
    ],
)
def test_ends_that_scatter_are_run_more_often(
    runs: Runs, low: Sequence[float], high: Sequence[float], more: dict[str, Sequence[Rows]] | None, ends: int
) -> None:
    search = searching(runs, low, high, more or {})
    search.trials.steady()
    handed: Any = search.trials.executor
    assert handed.asked == ([("", 10), ("abc", 10)] if more else [])
    assert (len(search.trials.ruler.low), len(search.trials.ruler.high)) == (ends, ends)


class Seen:
    """Stands for the search inside a factor: tells which, and which others are B's."""

    def __init__(self, trials: Trials, factor: str, others: Set, ends: Ruler) -> None:
        self.told = (factor, "".join(sorted(others)))

    def run(self) -> Iterator[Any]:
        yield self.told


@pytest.mark.parametrize(
    ("effects", "scores", "others"),
    [
        ((0.5, 0.5), {"bc": [0.5], "abc": [1.0], "": [0.0], "a": [0.5]}, "bc"),
        ((0.55, 0.5), {"bc": [0.5], "abc": [1.0], "": [0.0], "a": [0.5]}, "bc"),  # hardly more
        ((-0.7, 0.5), {"bc": [0.5], "abc": [1.0], "": [0.0], "a": [0.5]}, ""),  # more in A, where nothing hides it
        ((None, 0.5), {"bc": [0.5], "abc": [1.0]}, "bc"),
        ((0.0, 0.5), {"bc": [1.0], "abc": [1.0], "": [0.0], "a": [0.5]}, ""),  # in B there is nothing to be seen
        ((0.0, 0.5), {"abc": [1.0], "": [0.0], "a": [0.5]}, ""),  # B without it crashes
        ((0.9, 0.0), {"bc": [0.5], "abc": [1.0], "": [0.0]}, "bc"),  # A with it crashes
        ((0.0, 0.0), {"bc": [1.0], "abc": [1.0], "": [0.0], "a": [0.0]}, None),
    ],
)
def test_a_factor_is_looked_into_where_its_change_shows(
    runs: Runs,
    monkeypatch: pytest.MonkeyPatch,
    effects: tuple[float | None, float | None],
    scores: dict[str, Sequence[Rows]],
    others: str | None,
) -> None:
    monkeypatch.setattr(module, "Drill", Seen)
    search = searching(runs, [0.0], [1.0], scores)
    found: list[Any] = list(search._inside("a", effects))
    assert found == ([] if others is None else [("a", others)])


def test_what_does_less_than_a_hundredth_is_not_looked_into(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "Drill", Seen)
    monkeypatch.setattr(module, "causes_of", lambda search, attribution, found: (attribution, found))
    effects = {"a": 0.397, "b": 0.003, "c": 0.6}
    scores = {
        "".join(names): [sum(effects[n] for n in names)] for size in range(4) for names in combinations("abc", size)
    }
    found: Any = searching(runs, [0.0], [1.0], scores).run()
    assert found[0].shares == pytest.approx(effects)
    assert found[0].dividends == pytest.approx({frozenset("a"): 0.397, frozenset("c"): 0.6})
    assert found[1] == [("c", "ab"), ("a", "bc")]


@pytest.mark.parametrize(("further", "wanted"), [(0, 1), (2, 5)])
def test_inside_a_factor_noisy_ends_have_five_runs(runs: Runs, further: int, wanted: int) -> None:
    scores = {"bc": [0.5] * 10, "abc": [1.0] * 10}
    search = searching(runs, [0.0, *[0.0] * further], [1.0, *[1.0] * further], scores)
    ends = search.trials.ends("a", frozenset("bc"))
    handed: Any = search.trials.executor
    assert handed.asked == [("bc", wanted), ("abc", wanted)]
    assert ends is not None
    assert (len(ends.low), len(ends.high)) == (wanted, wanted)
    assert ends.value(runs(*[0.75] * wanted)).score == pytest.approx(0.5)


def test_factors_that_cancel_each_other_are_told_with_the_rows_that_they_move(runs: Runs) -> None:
    same = [0.0, 0.0, 0.0, 0.0]
    search = searching(runs, [same], [same], {"a": [[5.0, 0.0, 0.0, 0.0]], "b": [same]})
    found = search.masked()
    handed: Any = search.trials.executor
    assert handed.asked == [("a", 1), ("b", 1), ("c", 1)]
    assert [line[1:] for line in handed.said] == [
        (("a",), "25.0 % of the rows move"),
        (("b",), "0 % of the rows move"),
        (("c",), "it crashed"),
    ]
    assert found.sentences == ("a alone would change 25.0 % of the rows: the others take that back.",)


@pytest.mark.parametrize(
    ("names", "chance", "masked", "why", "told"),
    [
        (("code",), (), False, "", "searched with packages in one"),
        (("code",), (), True, "the same", "masked with packages in one"),  # what cancels itself is no drift
        (("code",), (), False, "the same", "the same"),
        ((), (), False, "", "nothing that was recorded differs between A and B: the cause is not in the records"),
        (("variables",), (), False, "", "searched with packages in one"),
        (("code", "variables"), ("PYTHONHASHSEED",), False, "", "searched with packages in one"),
        (("variables",), ("PYTHONHASHSEED",), False, "", "only PYTHONHASHSEED differs, which should not matter"),
        (("variables",), ("OMP_NUM_THREADS", "PYTHONHASHSEED"), False, "", "PYTHONHASHSEED differ, which should"),
    ],
)
def test_what_is_searched_at_all(
    runs: Runs,
    monkeypatch: pytest.MonkeyPatch,
    names: tuple[str, ...],
    chance: tuple[str, ...],
    masked: bool,
    why: str,
    told: str,
) -> None:
    class Found:
        def __init__(self, trials: Any) -> None:
            self.notes = " ".join(trials.factors.notes)

        def run(self) -> Causes:
            return Causes(note=f"searched {self.notes}")

        def masked(self) -> Causes:
            return Causes(note=f"masked {self.notes}")

    monkeypatch.setattr(module, "image_packages", lambda *_: (None, "in one"))
    monkeypatch.setattr(module, "factors_of", lambda *_, packages_apart: Factors(names, ("with packages",)))
    monkeypatch.setattr(module, "accidental", lambda *_: chance)
    monkeypatch.setattr(module, "nothing_to_explain", lambda pair: why)
    monkeypatch.setattr(module, "Executor", lambda *_: None)
    monkeypatch.setattr(module, "Trials", lambda pair, factors, *rest: SimpleNamespace(factors=factors))
    monkeypatch.setattr(module, "Search", Found)
    pair: Any = SimpleNamespace(masked=masked, workspaces=(None, None))
    assert told in find_causes(pair, runs.folder, runs.context, 1).note
