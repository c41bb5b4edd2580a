"""Searches among many items whose answer is known: needs, cycles, crashes that nothing declares, budgets."""

from __future__ import annotations

import math
import os
import random
import statistics
import subprocess
import sys
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from repro_tui.explain.budget import BudgetSpent
from repro_tui.explain.lattice import Culprits, Response, closure, dependents, order, search
from repro_tui.explain.window import Change, last_change

Hybrid = frozenset[str]
Needs = dict[str, frozenset[str]]


class CountedTest:
    """A test of hybrids: counts them, checks that they are closed, and fails those that crash."""

    def __init__(
        self, guilty: Callable[[Hybrid], bool], needs: Needs, crashes: Callable[[Hybrid], bool] = lambda s: False
    ) -> None:
        self.guilty, self.needs, self.crashes = guilty, needs, crashes
        self.runs, self.budget = 0, 10**9

    def __call__(self, sets: Sequence[Hybrid]) -> list[Response]:
        for hybrid in sets:
            assert closure(hybrid, self.needs) == hybrid, f"{sorted(hybrid)} cannot be installed"
        self.runs += len(sets)
        if self.runs > self.budget:
            raise BudgetSpent
        return [
            Response(None, "crash") if self.crashes(s) else Response(self.guilty(s), restores=not self.guilty(s))
            for s in sets
        ]


def names(count: int) -> list[str]:
    return [f"p{number:03}" for number in range(count)]


def find(
    items: list[str],
    guilty: Callable[[Hybrid], bool],
    needs: Needs | None = None,
    crashes: Callable[[Hybrid], bool] = lambda s: False,
) -> tuple[Culprits, int]:
    counted = CountedTest(guilty, needs or {}, crashes)
    return search(items, needs or {}, counted), counted.runs


@pytest.mark.parametrize("near", ["", "alone", "without"])
def test_what_is_beside_the_culprit_is_cleared_together_where_two_runs_have_shown_it(near: str) -> None:
    """`y` and `z` may cancel each other out, as neither was tried by itself; a run that is only near shows nothing."""

    def test(sets: Sequence[Hybrid]) -> list[Response]:
        close = {"alone": frozenset("x"), "without": frozenset("yz")}.get(near)
        return [Response("x" in s, restores="x" not in s, only_near=s == close) for s in sets]

    culprits = search(["x", "y", "z"], {}, test)
    assert culprits.names == ("x",)
    assert culprits.cleared == (0 if near else 2)
    assert find(["x", "y", "z"], lambda s: {"x", "y"} <= s)[0].cleared == 0


def test_one_culprit_among_26_is_found_in_seven_runs() -> None:
    for name in names(26):
        culprits, runs = find(names(26), lambda s, name=name: name in s)
        assert culprits.groups == ((name,),)
        assert (culprits.sufficient, culprits.separable, culprits.restoring) == (True, True, frozenset({name}))
        assert (culprits.complete, culprits.runs) == (True, runs)
        assert runs <= math.ceil(math.log2(26)) + 2  # one shows that it suffices, and one that nothing else does


def test_likely_items_are_found_sooner_and_others_hardly_later() -> None:
    items = names(26)
    for name in items:
        counted = CountedTest(lambda s, name=name: name in s, {})
        culprits = search(items, {}, counted, likely={"p013": 8.0, "p020": 3.0})
        assert culprits.names == (name,)
        assert counted.runs <= (5 if name == "p013" else 10)


def test_two_culprits_that_only_act_together() -> None:
    culprits, runs = find(names(40), lambda s: {"p007", "p031"} <= s)
    assert set(culprits.names) == {"p007", "p031"}
    assert (culprits.sufficient, culprits.separable, culprits.alternatives) == (True, True, ())
    assert runs <= 2 * math.ceil(math.log2(40)) + 5


def test_either_of_two_is_found_with_the_other_as_alternative() -> None:
    culprits, _ = find(names(30), lambda s: bool(s & {"p004", "p022"}))
    assert len(culprits.names) == 1
    assert {*culprits.names, *culprits.alternatives[0]} == {"p004", "p022"}
    assert not culprits.restoring


def test_each_of_three_is_an_alternative_once() -> None:
    culprits, runs = find(names(30), lambda s: bool(s & {"p004", "p013", "p022"}))
    assert len(culprits.names) == 1
    assert sorted([culprits.names, *culprits.alternatives]) == [("p004",), ("p013",), ("p022",)]
    assert runs <= 3 * math.ceil(math.log2(30)) + 6


def test_of_many_alternatives_two_are_searched_for() -> None:
    culprits, _ = find(names(30), lambda s: bool(s & {"p004", "p010", "p013", "p022"}))
    assert len({*culprits.names, *(name for group in culprits.alternatives for name in group)}) == 3


def test_a_cycle_is_as_likely_as_its_likeliest_member() -> None:
    """Of 14 items and a cycle with the weight 8, the weight is halved: 11 items, then three, then the cycle."""
    needs = {"p014": frozenset({"p015"}), "p015": frozenset({"p014"})}
    counted = CountedTest(lambda s: "p015" in s, needs)
    culprits = search(names(16), needs, counted, likely={"p014": 8.0})
    assert culprits.groups == (("p014", "p015"),)
    assert counted.runs == 3  # the last one shows that it suffices


def test_the_number_of_items_that_can_be_guilty_is_reported() -> None:
    possible: list[int] = []
    search(names(16), {}, CountedTest(lambda s: "p005" in s, {}), watch=possible.append)
    assert possible == [16, 8, 4, 2]


def test_no_item_restores_a_unless_a_run_has_shown_it() -> None:
    """A hybrid that is not B may be neither."""
    culprits = search(names(8), {}, lambda sets: [Response("p005" in s) for s in sets])
    assert (culprits.names, culprits.restoring) == (("p005",), frozenset())


def test_a_culprit_that_needs_another_is_not_separable_from_it() -> None:
    needs = {"p009": frozenset({"p003"})}
    culprits, _ = find(names(20), lambda s: {"p003", "p009"} <= s, needs)
    assert (culprits.groups, culprits.separable, culprits.sufficient) == ((("p003", "p009"),), False, True)


def test_a_culprit_that_others_need_is_named_alone() -> None:
    needs = {"p009": frozenset({"p003"}), "p011": frozenset({"p003", "p009"})}
    culprits, _ = find(names(20), lambda s: "p003" in s, needs)
    assert (culprits.groups, culprits.separable) == ((("p003",),), True)


def test_a_cycle_is_one_group() -> None:
    needs = {"p002": frozenset({"p005"}), "p005": frozenset({"p008"}), "p008": frozenset({"p002"})}
    culprits, _ = find(names(12), lambda s: "p005" in s, needs)
    assert (culprits.groups, culprits.separable) == ((("p002", "p005", "p008"),), False)


def test_a_crash_that_nothing_declares_is_worked_around() -> None:
    def crashes(hybrid: Hybrid) -> bool:
        return "p010" in hybrid and "p002" not in hybrid

    for name in ("p001", "p010", "p015"):
        culprits, _ = find(names(16), lambda s, name=name: name in s, crashes=crashes)
        assert name in culprits.names
        assert culprits.sufficient or culprits.unresolved


@pytest.mark.parametrize("count", [26, 100, 400])
@pytest.mark.parametrize("clashes", [1, 3, 8])
def test_crashes_that_nothing_declares_cost_few_runs(count: int, clashes: int) -> None:
    """Items crash without another item that they do not declare: the guilty one is named, or a range with it."""
    runs, sharp = [], 0
    for seed in range(10):
        chance = random.Random(seed)
        items = names(count)
        pairs = [chance.sample(items, 2) for _ in range(clashes)]
        guilty = chance.choice(items)
        culprits, requests = find(
            items,
            lambda s, guilty=guilty: guilty in s,
            crashes=(crashes := lambda s, pairs=pairs: any(name in s and missing not in s for name, missing in pairs)),
        )
        assert guilty in culprits.names
        assert culprits.sufficient
        for name in culprits.names:
            without = frozenset(culprits.names) - {name}
            assert guilty not in without or crashes(without), "it can be left out"
        sharp += culprits.names == (guilty,)
        runs.append(requests)
    assert sharp >= 6
    assert statistics.fmean(runs) <= 4 * math.log2(count) + 4 * clashes


def test_an_item_without_needs_can_be_tried_after_what_it_crashes_without() -> None:
    needs = {"p001": frozenset({"p002"}), "p002": frozenset({"p003"})}

    culprits, _ = find(
        names(8), lambda s: "p000" in s, needs, crashes=lambda s: "p000" in s and "p001" not in s and len(s) < 7
    )
    assert "p000" in culprits.names
    assert set(culprits.names) <= {"p000", "p001", "p002", "p003"}
    assert culprits.sufficient


def test_the_same_search_makes_the_same_requests_in_every_process() -> None:
    """The order in which sets are walked differs from process to process; the requests must not."""
    code = (
        "from tests.explain.test_lattice import *\n"
        "n = names(40); needs = random_needs(n, random.Random(3)); requests = []\n"
        "def test(sets):\n"
        "    requests.extend(sorted(s) for s in sets)\n"
        "    return [Response(None if 'p001' in s and 'p030' not in s else {'p007', 'p031'} <= s) for s in sets]\n"
        "culprits = search(n, needs, test); print(requests, culprits.groups)"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(outputs) == 1


def test_where_every_hybrid_crashes_all_items_are_one_group() -> None:
    culprits, _ = find(names(6), lambda s: False, crashes=lambda s: True)
    assert set(culprits.names) == set(names(6))
    assert not culprits.separable
    assert culprits.unresolved


@pytest.mark.parametrize("budget", range(12))
def test_a_budget_that_ends_leaves_what_is_known(budget: int) -> None:
    counted = CountedTest(lambda s: {"p007", "p031"} <= s, {})
    counted.budget = budget
    culprits = search(names(40), {}, counted)
    assert not culprits.complete
    assert not culprits.sufficient
    assert set(culprits.names) <= {"p007", "p031"} or len(culprits.names) > 1


def random_needs(items: list[str], chance: random.Random) -> Needs:
    return {
        item: frozenset(chance.sample(items, min(len(items) - 1, chance.randint(0, 2))))
        for item in chance.sample(items, len(items) // 3)
    }


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 10**9), st.integers(2, 60))
def test_what_is_found_is_sufficient_and_nothing_of_it_can_be_left_out(seed: int, count: int) -> None:
    chance = random.Random(seed)
    items = names(count)
    needs = random_needs(items, chance)
    guilty = frozenset(chance.sample(items, chance.randint(1, min(3, count))))
    culprits, _ = find(items, lambda s: guilty <= s, needs)
    kept = frozenset(culprits.names)
    assert culprits.sufficient
    assert kept == closure(guilty, needs)
    for name in kept:
        assert not guilty <= kept - dependents([name], needs)


def test_the_order_puts_what_is_needed_first() -> None:
    needs = {"a": frozenset({"c"}), "b": frozenset({"a"}), "d": frozenset({"e"}), "e": frozenset({"d"})}
    groups = order("abcde", needs)
    flat = [name for group in groups for name in group]
    assert flat.index("c") < flat.index("a") < flat.index("b")
    assert ("d", "e") in groups


# -- sequences -----------------------------------------------------------------------------------------------------


def walk(count: int, first: int, broken: set[int] | None = None) -> tuple[Change, int]:
    runs = 0

    def test(points: Sequence[int]) -> list[Response]:
        nonlocal runs
        runs += len(points)
        skipped = broken or set()
        return [Response(None, "does not build") if p in skipped else Response(p >= first) for p in points]

    return last_change(count, test), runs


def test_a_sequence_is_bisected() -> None:
    for first in range(1, 100):
        change, runs = walk(100, first)
        assert (change.before, change.after, change.exact) == (first - 1, first, True)
        assert runs <= 2 * math.ceil(math.log2(100))


@pytest.mark.parametrize(
    ("sequence", "last"),
    [
        ("A X X X A B", 5),  # made, undone, and made again
        ("A B B A B B", 4),
        ("A B A B A B", 5),
        ("A B B B B A B", 6),
        ("A A C C A B", 5),  # something else in between
        ("A B B B B B", 1),
        ("A A A A A B", 5),
        ("A B B B B B A A A B B B", 9),
    ],
)
def test_the_last_time_that_the_change_came_is_found(sequence: str, last: int) -> None:
    states = ["B" if state == "X" else state for state in sequence.split()]
    requests = []

    def test(points: Sequence[int]) -> list[Response]:
        requests.extend(points)
        return [Response(states[p] == "B", restores=states[p] == "A") for p in points]

    change = last_change(len(states), test)
    assert (change.before, change.after) == (last - 1, last)
    assert len(requests) == len(set(requests)) == change.runs
    assert not {0, len(states) - 1} & set(requests)  # the ends are known
    assert change.complete


def test_the_number_of_steps_that_can_be_the_change_is_reported() -> None:
    possible: list[int] = []
    last_change(17, lambda points: [Response(point >= 11) for point in points], watch=possible.append)
    assert possible == [16, 8, 4, 2]


@pytest.mark.parametrize("budget", range(5))
def test_a_budget_that_ends_leaves_the_range_that_is_known(budget: int) -> None:
    requests: list[int] = []

    def test(points: Sequence[int]) -> list[Response]:
        requests.extend(points)
        if len(requests) > budget:
            raise BudgetSpent
        return [Response(p >= 20) for p in points]

    change = last_change(64, test)
    assert not change.complete
    assert change.before < 20 <= change.after
    assert change.runs == budget


def test_points_that_cannot_be_tried_are_skipped() -> None:
    change, _ = walk(50, 20, {24, 25, 26, 37})
    assert (change.before, change.after) == (19, 20)


def test_a_change_that_skipped_points_hide_is_a_range() -> None:
    change, _ = walk(50, 25, {24, 25, 26, 41, 47})  # the later ones are probed, and hide nothing
    assert (change.before, change.after, change.exact, change.skipped) == (23, 27, False, (24, 25, 26))
