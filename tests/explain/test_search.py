"""The search over factors: where the ends of its ruler lie, how often hybrids run, and which factors are searched."""

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
from repro_tui.explain.drill import Drill
from repro_tui.explain.execution import HybridRequest, HybridResult
from repro_tui.explain.factors import Factors
from repro_tui.explain.game import Attribution, Value
from repro_tui.explain.inside.base import Inside
from repro_tui.explain.measure import Ruler
from repro_tui.explain.search import Search, find_causes, guilty
from repro_tui.explain.trials import Trials, describe_value, repeated
from repro_tui.model.causes import Causes
from repro_tui.support.cache import Cache
from repro_tui.support.context import Context

COLUMNS = (ProjectedColumn("score", Rule(1e-7, 1e-7, 0.0, 0, "by hand"), exact=False),)

FromB = frozenset[str]
Rows = float | Sequence[float]


@dataclass
class RunWriter:
    """Writes the predictions of runs. A number is a run of one row, whose score it is between runs of 0.0 and 1.0."""

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
def runs(tmp_path: Path) -> RunWriter:
    return RunWriter(tmp_path, Context(cache=Cache(tmp_path / "cache")))


# -- the ruler --------------------------------------------------------------------------------------------------------

LOW, HIGH = (0.0, 0.1, 0.3), (1.0, 0.9, 1.1)  # the further runs: means 0.2 and 1.0, variances 0.02 and 0.02


def test_the_ends_lie_at_the_mean_of_their_further_runs(runs: RunWriter) -> None:
    ruler = runs.ruler(LOW, HIGH)
    assert (ruler.low_score, ruler.high_score) == pytest.approx((0.2, 1.0))
    assert ruler.spread == pytest.approx(math.sqrt(0.02) / 0.8)
    assert ruler.half_width(2) == pytest.approx(3 * math.sqrt(0.02) / 0.8)  # a mean of two between ends of two
    assert ruler.half_width(8) == pytest.approx(3 * math.sqrt(0.02) / 0.8 * math.sqrt(5 / 8))
    assert ruler.value(runs(0.5, 0.7)).score == pytest.approx((0.6 - 0.2) / 0.8)
    assert runs.ruler(LOW, HIGH[:2]).half_width(2) == pytest.approx(  # the end with fewer runs is the less certain one
        3 * math.sqrt(0.02) / 0.7 * math.sqrt(1 / 2 + 1)
    )


@pytest.mark.parametrize("factor", [0.98, 1.02])
@pytest.mark.parametrize("count", [2, 4])
def test_ends_differ_by_students_t(runs: RunWriter, factor: float, count: int) -> None:
    """Each end has `count` further runs, whose mean and scatter are known."""
    low = [0.1, -0.1] * (count // 2)
    scatter = math.sqrt(count * 0.01 / (count - 1))
    limit = stats.t.ppf(0.99, 2 * count - 2) * scatter * math.sqrt(2 / count)
    high = [score + limit * factor for score in low]
    assert runs.ruler([0.0, *low], [1.0, *high]).ends_differ is (factor > 1)


def test_noisy_ends_with_two_runs_each_do_not_differ(runs: RunWriter) -> None:
    assert not runs.ruler([0.0, 0.0], [1.0, 1.0]).ends_differ
    assert runs.ruler([0.0, 0.0, 0.001], [1.0, 1.0, 1.001]).ends_differ
    assert runs.ruler([0.0], [1.0], noisy=False).ends_differ
    assert not runs.ruler([0.0], [1e-9], noisy=False).ends_differ


@pytest.mark.parametrize(
    ("rows", "counts_as", "only_near"),
    [
        ((0.0, 0.0), "A", False),
        ((0.0, 0.009), "A", True),  # at a right angle to the change: its score is 0
        ((0.009, 0.0), "A", True),
        ((1.0, 0.0), "B", False),
        ((1.0, -0.009), "B", True),
        ((0.5, 0.0), "", False),
    ],
)
def test_a_hybrid_that_counts_as_an_end_may_have_rows_that_are_off(
    runs: RunWriter, rows: tuple[float, float], counts_as: str, only_near: bool
) -> None:
    value = runs.ruler([(0.0, 0.0)], [(1.0, 0.0)], noisy=False).value(runs(rows))
    assert (value.restores, value.reproduces, value.only_near) == (counts_as == "A", counts_as == "B", only_near)


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
def test_without_noise_a_hundredth_of_the_length_is_the_end(
    runs: RunWriter, score: float, reproduces: bool, restores: bool
) -> None:
    value = runs.ruler([0.0], [1.0], noisy=False).value(runs(score))
    assert (value.reproduces, value.restores) == (reproduces, restores)
    assert value.score == pytest.approx(score)


@pytest.mark.parametrize(
    ("step", "wide", "narrow"),
    [
        (0.0, [0.09, -0.09], [0.11, -0.11]),  # at least a tenth of the length
        (0.05, [0.14, -0.14], [0.16, -0.16]),  # three times its scatter
        (1.0, [0.49, -0.49], [0.51, -0.51]),  # never nearer to the opposite end
    ],
)
def test_with_noise_an_end_is_as_wide_as_the_scatter_of_runs(
    runs: RunWriter, step: float, wide: list[float], narrow: list[float]
) -> None:
    off = step / math.sqrt(2)  # two runs at this distance from their mean have that standard deviation
    ruler = runs.ruler([0.0, -off, off], [1.0, 1 - off, 1 + off])
    for scores, near in ((wide, True), (narrow, False)):
        for score in scores:
            assert ruler.value(runs(score, score)).restores is near, score
            assert ruler.value(runs(1 + score, 1 + score)).reproduces is near, score


@pytest.mark.parametrize(
    ("spread", "negligible"),
    [
        (0.0, 1e-4),
        (0.04, 3 * 0.04),  # two runs suffice: 1/2 + 1/2 is 1
        (0.07, 3 * 0.07 * math.sqrt(1 / 5 + 1 / 2)),  # five do
        (0.085, 3 * 0.085 * math.sqrt(1 / 10 + 1 / 2)),  # ten do
        (0.5, 3 * 0.5 * math.sqrt(1 / 10 + 1 / 2)),  # and there are never more
    ],
)
def test_a_score_that_scatter_can_explain_is_negligible(runs: RunWriter, spread: float, negligible: float) -> None:
    off = spread / math.sqrt(2)
    ruler = runs.ruler([0.0, -off, off], [1.0, 1 - off, 1 + off])
    assert ruler.negligible == pytest.approx(negligible)
    assert runs.ruler([0.0], [1.0], noisy=False).negligible == 1e-4


# -- repetitions ------------------------------------------------------------------------------------------------------


@dataclass
class ScriptedExecutor:
    """Returns runs with the outputs of `scores`; a hybrid without scores crashes.

    It keeps the requests, with their numbers of runs, and the lines of the ledger.
    """

    runs: RunWriter
    scores: dict[FromB, Sequence[Rows]] = field(default_factory=dict)
    requests: list[tuple[str, int]] = field(default_factory=list)
    ledger: list[tuple[str, tuple[str, ...], str]] = field(default_factory=list)
    cached: int = 0
    budget: Any = field(default_factory=lambda: SimpleNamespace(spent=False))

    def results(self, requests: Sequence[HybridRequest], runs: int = 1) -> list[HybridResult]:
        self.requests += [("".join(request.from_b), runs) for request in requests]
        return [self.result(request, runs) for request in requests]

    def result(self, request: HybridRequest, runs: int) -> HybridResult:
        scores = self.scores.get(frozenset(request.from_b))
        return HybridResult(why="it crashed") if scores is None else HybridResult(self.runs(*scores[:runs]))

    def log_hybrid(self, stage: str, from_b: tuple[str, ...], summary: str, **measured: float | None) -> None:
        self.ledger.append((stage, from_b, summary))

    def progress(self, text: str) -> None:
        pass


def hybrid(*from_b: str) -> HybridRequest:
    return HybridRequest(from_b, lambda context: None)  # type: ignore[arg-type,return-value]


def test_hybrids_that_noise_leaves_unsettled_are_run_more_often(runs: RunWriter) -> None:
    """With two runs an end is 0.12 wide. Less than 0.06 from that limit, more runs could change what a hybrid is."""
    off = 0.04 / math.sqrt(2)
    ruler = runs.ruler([0.0, -off, off], [1.0, 1 - off, 1 + off])
    scores: dict[FromB, Sequence[Rows]] = {
        frozenset("a"): [0.01] * 10,
        frozenset("b"): [0.15, 0.15, 0.6, 0.6, 0.6, 9.0],  # with five runs it is clearly at neither end: 0.42
        frozenset("c"): [0.88] * 10,
        frozenset("e"): [0.5] * 10,
    }
    executor = ScriptedExecutor(runs, scores)
    values = repeated([hybrid(name) for name in "abcde"], ruler, executor.results)
    assert executor.requests == [*((name, 2) for name in "abcde"), ("b", 5), ("c", 5), ("c", 10)]
    assert [value.score for value in values] == [pytest.approx(s) if s else None for s in (0.01, 0.42, 0.88, 0, 0.5)]
    assert values[3].why == "it crashed"


def test_hybrids_without_noise_are_run_once(runs: RunWriter) -> None:
    executor = ScriptedExecutor(runs, {frozenset("a"): [0.5]})
    values = repeated([hybrid("a"), hybrid("b")], runs.ruler([0.0], [1.0], noisy=False), executor.results)
    assert executor.requests == [("a", 1), ("b", 1)]
    assert (values[0].score, values[1].score, values[1].why) == (0.5, None, "it crashed")


# -- which factors are searched ---------------------------------------------------------------------------------------


def search_between(
    runs: RunWriter, low: Sequence[Rows], high: Sequence[Rows], scores: Mapping[str, Sequence[Rows]]
) -> Search:
    """A search over the factors a, b and c, between ends with these runs and with hybrids of these scores."""
    noisy, ends = len(low) > 1, (runs(*low), runs(*high))
    pair: Any = SimpleNamespace(
        predictions=ends.__getitem__, area=SimpleNamespace(key=("id",)), columns=COLUMNS, noisy=noisy
    )
    executor: Any = ScriptedExecutor(runs, {frozenset(names): rows for names, rows in scores.items()})
    return Search(Trials(pair, Factors(("a", "b", "c")), None, runs.context, executor))


def test_the_largest_share_is_searched_first_whatever_its_sign() -> None:
    shares = {"a": 0.1, "b": -0.6, "c": 0.0, "d": 1.4, "e": 0.1}
    dividends = {frozenset("ae"): 0.2, frozenset("b"): -0.6, frozenset("d"): 1.4}
    assert guilty(Attribution(tuple("eabcd"), shares, dividends)) == ("d", "b", "e", "a")
    assert guilty(Attribution(("a", "b"), {"a": 0.0, "b": 0.0}, {}, smallest=("b",))) == ("b",)


@pytest.mark.parametrize(
    ("value", "summary"),
    [
        (Value(None, "it crashed"), "unresolved: it crashed"),
        (Value(1.0, reproduces=True), "100 % of the change, is B"),
        (Value(0.0, restores=True, rows_as_b=0.0), "0 % of the change and 0 % of the moved rows, is A"),
        (Value(-0.25, rows_as_b=0.5), "-25.0 % of the change and 50.0 % of the moved rows, is neither"),
    ],
)
def test_a_value_is_described_with_its_side(value: Value, summary: str) -> None:
    assert describe_value(value) == summary


def test_the_runs_of_the_ends_are_not_repeated(runs: RunWriter) -> None:
    search = search_between(runs, [0.0], [1.0], {})
    low, high = search.trials.pair.predictions(0), search.trials.pair.predictions(1)
    requests = [search.trials.request(frozenset(names)) for names in ("", "ca", "abc")]
    known = [(request.from_b, request.known) for request in requests]
    assert known == [((), low), (("a", "c"), ()), (("a", "b", "c"), high)]


NOISY_LOW, NOISY_HIGH = (0.0, -0.3, 0.3), (1.0, 0.7, 1.3)


@pytest.mark.parametrize(
    ("low", "high", "repeats", "runs_of_an_end"),
    [
        (NOISY_LOW, NOISY_HIGH, {"": [0.0] * 10, "abc": [1.0] * 10}, 10),
        ((0.0, -0.3, 0.3, -0.3, 0.3), (1.0, 0.7, 1.3, 0.7, 1.3), {"": [0.0] * 10, "abc": [1.0] * 10}, 10),
        (NOISY_LOW, NOISY_HIGH, {"": [0.0] * 10}, 3),  # B's further runs fail
        (NOISY_LOW, NOISY_HIGH, {"abc": [1.0] * 10}, 3),
        ((0.0, 0.01, -0.01), (1.0, 1.01, 0.99), None, 3),
        ((0.0, -0.3, 0.3) * 3 + (0.0,), (1.0, 0.7, 1.3) * 3 + (1.0,), None, 10),  # there are never more than ten
        ((0.0,), (1.0,), None, 1),
    ],
)
def test_ends_that_scatter_are_run_more_often(
    runs: RunWriter,
    low: Sequence[float],
    high: Sequence[float],
    repeats: dict[str, Sequence[Rows]] | None,
    runs_of_an_end: int,
) -> None:
    search = search_between(runs, low, high, repeats or {})
    search.trials.refine_ruler()
    executor: Any = search.trials.executor
    assert executor.requests == ([("", 10), ("abc", 10)] if repeats else [])
    assert (len(search.trials.ruler.low), len(search.trials.ruler.high)) == (runs_of_an_end, runs_of_an_end)


class FakeDrill:
    """Replaces the search inside a factor: its only result is the factor's name, with the other factors from B."""

    def __init__(self, trials: Trials, factor: str, others: FromB, ends: Ruler) -> None:
        self.searched = (factor, "".join(sorted(others)))

    def run(self) -> Iterator[tuple[str, str]]:
        yield self.searched


@pytest.mark.parametrize(
    ("effects", "scores", "others"),
    [
        ((0.5, 0.5), {"bc": [0.5], "abc": [1.0], "": [0.0], "a": [0.5]}, "bc"),
        ((0.55, 0.5), {"bc": [0.5], "abc": [1.0], "": [0.0], "a": [0.5]}, "bc"),  # hardly larger in A
        ((-0.7, 0.5), {"bc": [0.5], "abc": [1.0], "": [0.0], "a": [0.5]}, ""),  # larger in A, where nothing hides it
        ((None, 0.5), {"bc": [0.5], "abc": [1.0]}, "bc"),
        ((0.0, 0.5), {"bc": [1.0], "abc": [1.0], "": [0.0], "a": [0.5]}, ""),  # in B it has no effect
        ((0.0, 0.5), {"abc": [1.0], "": [0.0], "a": [0.5]}, ""),  # B without it crashes
        ((0.9, 0.0), {"bc": [0.5], "abc": [1.0], "": [0.0]}, "bc"),  # A with it crashes
        ((0.0, 0.0), {"bc": [1.0], "abc": [1.0], "": [0.0], "a": [0.0]}, None),
    ],
)
def test_a_factor_is_searched_on_the_side_that_shows_its_effect(
    runs: RunWriter,
    monkeypatch: pytest.MonkeyPatch,
    effects: tuple[float | None, float | None],
    scores: dict[str, Sequence[Rows]],
    others: str | None,
) -> None:
    monkeypatch.setattr(module, "Drill", FakeDrill)
    search = search_between(runs, [0.0], [1.0], scores)
    searched: list[Any] = list(search._inside("a", effects))
    assert searched == ([] if others is None else [("a", others)])


@pytest.mark.parametrize(("others", "in_b"), [("bc", True), ("", False), ("b", False)])
def test_what_restores_a_and_what_is_cleared_is_only_taken_from_hybrids_of_b(
    runs: RunWriter, others: str, in_b: bool
) -> None:
    """Where the search is in A, none of its hybrids is B without an item."""
    scores: dict[str, Sequence[Rows]] = {"bc": [0.0], "abc": [1.0], "": [0.0], "a": [1.0], "b": [0.0], "ab": [1.0]}
    trials = search_between(runs, [0.0], [1.0], scores).trials
    ends = trials.ends("a", frozenset(others))
    assert ends is not None
    values = {"x": 1.0, "y": 0.0}
    trials.executor = ScriptedExecutor(runs, {frozenset({name}): [value] for name, value in values.items()})  # type: ignore[assignment]
    inside = Inside("a", ("x", "y"), lambda *_: None, lambda item: (1, 2), lambda item: (item,))  # type: ignore[arg-type, return-value]
    (group,) = Drill(trials, "a", frozenset(others), ends)._items(inside)
    assert group.culprits.names == ("x",)
    assert (group.culprits.restoring, group.culprits.cleared) == (({"x"}, 1) if in_b else (frozenset(), 0))
    (again,) = Drill(trials, "a", frozenset(others), ends)._items(inside, runs.ruler([0.0], [1.0], noisy=False))
    assert (again.culprits.restoring, again.culprits.cleared) == (frozenset(), 0)


def test_a_factor_with_less_than_a_hundredth_is_not_searched(runs: RunWriter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "Drill", FakeDrill)
    monkeypatch.setattr(module, "causes_of", lambda trials, attribution, located: (attribution, located))
    effects = {"a": 0.397, "b": 0.003, "c": 0.6}
    scores = {
        "".join(names): [sum(effects[name] for name in names)]
        for size in range(4)
        for names in combinations("abc", size)
    }
    answer: Any = search_between(runs, [0.0], [1.0], scores).run()
    attribution, searched = answer
    assert attribution.shares == pytest.approx(effects)
    assert attribution.dividends == pytest.approx({frozenset("a"): 0.397, frozenset("c"): 0.6})
    assert searched == [("c", "ab"), ("a", "bc")]


@pytest.mark.parametrize(("further", "count"), [(0, 1), (2, 5)])
def test_inside_a_factor_noisy_ends_have_five_runs(runs: RunWriter, further: int, count: int) -> None:
    scores = {"bc": [0.5] * 10, "abc": [1.0] * 10}
    search = search_between(runs, [0.0, *[0.0] * further], [1.0, *[1.0] * further], scores)
    ends = search.trials.ends("a", frozenset("bc"))
    executor: Any = search.trials.executor
    assert executor.requests == [("bc", count), ("abc", count)]
    assert ends is not None
    assert (len(ends.low), len(ends.high)) == (count, count)
    assert ends.value(runs(*[0.75] * count)).score == pytest.approx(0.5)


def test_factors_that_cancel_each_other_are_reported_with_the_rows_that_they_move(runs: RunWriter) -> None:
    same = [0.0, 0.0, 0.0, 0.0]
    search = search_between(runs, [same], [same], {"a": [[5.0, 0.0, 0.0, 0.0]], "b": [same]})
    causes = search.masked()
    executor: Any = search.trials.executor
    assert executor.requests == [("a", 1), ("b", 1), ("c", 1)]
    assert [line[1:] for line in executor.ledger] == [
        (("a",), "25.0 % of the rows move"),
        (("b",), "0 % of the rows move"),
        (("c",), "it crashed"),
    ]
    assert causes.sentences == ("a alone would change 25.0 % of the rows, but the other factors cancel that.",)


def test_in_a_table_of_one_row_a_masked_factor_moves_all_rows(runs: RunWriter) -> None:
    causes = search_between(runs, [0.0], [0.0], {"a": [5.0], "b": [0.0], "c": [0.0]}).masked()
    assert causes.sentences == ("a alone would change 100 % of the rows, but the other factors cancel that.",)


@pytest.mark.parametrize(
    ("names", "accidental", "masked", "why", "note"),
    [
        (("code",), (), False, "", "searched with packages in one"),
        (("code",), (), True, "the same", "masked with packages in one"),  # what cancels out is not a drift
        (("code",), (), False, "the same", "the same"),
        ((), (), False, "", "nothing that the records describe differs between A and B: the cause is outside of them"),
        (("variables",), (), False, "", "searched with packages in one"),
        (("code", "variables"), ("PYTHONHASHSEED",), False, "", "searched with packages in one"),
        (
            ("variables",),
            ("PYTHONHASHSEED",),
            False,
            "",
            "only PYTHONHASHSEED differs, which should not affect predictions",
        ),
        (("variables",), ("OMP_NUM_THREADS", "PYTHONHASHSEED"), False, "", "PYTHONHASHSEED differ, which should"),
    ],
)
def test_the_search_starts_only_where_it_can_name_a_cause(
    runs: RunWriter,
    monkeypatch: pytest.MonkeyPatch,
    names: tuple[str, ...],
    accidental: tuple[str, ...],
    masked: bool,
    why: str,
    note: str,
) -> None:
    class FakeSearch:
        def __init__(self, trials: Any) -> None:
            self.notes = " ".join(trials.factors.notes)

        def run(self) -> Causes:
            return Causes(note=f"searched {self.notes}")

        def masked(self) -> Causes:
            return Causes(note=f"masked {self.notes}")

    monkeypatch.setattr(module, "image_packages", lambda *_: (None, "in one"))
    monkeypatch.setattr(module, "factors_of", lambda *_, packages_apart: Factors(names, ("with packages",)))
    monkeypatch.setattr(module, "accidental", lambda *_: accidental)
    monkeypatch.setattr(module, "nothing_to_explain", lambda pair: why)
    monkeypatch.setattr(module, "Executor", lambda *_: None)
    monkeypatch.setattr(module, "Trials", lambda pair, factors, *rest: SimpleNamespace(factors=factors))
    monkeypatch.setattr(module, "Search", FakeSearch)
    pair: Any = SimpleNamespace(masked=masked, workspaces=(None, None))
    assert note in find_causes(pair, runs.folder, runs.context, 1).note
