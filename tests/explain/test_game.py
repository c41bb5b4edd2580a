"""Games whose answer is known, and random ones against the full factorial."""

from __future__ import annotations

import math
import random
import statistics
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from repro_tui.explain.budget import BudgetSpent
from repro_tui.explain.game import Attribution, Value, attribute, dividends_of, shapley, subsets
from repro_tui.explain.sentences import Names, factors_told

Set = frozenset[str]
GAMES = 2_000


class Played:
    """A game as attribute() asks it: counts hybrids, fails those it is told to, and ends when the budget does."""

    def __init__(self, value: Callable[[Set], float], broken: Callable[[Set], bool] = lambda chosen: False) -> None:
        self.value, self.broken, self.asked, self.budget = value, broken, 0, 10**9

    def __call__(self, sets: Sequence[Set]) -> list[Value]:
        self.asked += len(sets)
        if self.asked > self.budget:
            raise BudgetSpent
        return [self.one(chosen) for chosen in sets]

    def one(self, chosen: Set) -> Value:
        if self.broken(chosen):
            return Value(None, "it crashed")
        value = self.value(chosen)
        return Value(value, reproduces=abs(value - 1) < 1e-9, restores=abs(value) < 1e-9)


def play(
    factors: str, value: Callable[[Set], float], broken: Callable[[Set], bool] = lambda chosen: False
) -> Attribution:
    return attribute(tuple(factors), Played(value, broken))


def rounded(found: Attribution) -> dict[str, float]:
    return {name: round(share, 9) for name, share in found.shares.items()}


def test_a_and_b_themselves_are_no_hybrids() -> None:
    found = attribute(("a", "b"), Played(lambda s: float(s == {"a", "b"})))
    assert {hybrid.from_b for hybrid in found.hybrids} == {("a",), ("b",)}


def test_every_hybrid_is_told_as_what_it_is() -> None:
    """In their order: those with little from B first."""
    scores = {"b": -1e-8, "a": 0.25, "c": 1.0, "bc": 1.0, "ac": 0.123_456_78}
    found = play("abc", lambda s: 1.0 if len(s) == 3 else scores.get("".join(sorted(s)), 0.0), lambda s: s == {*"ab"})
    told = [("".join(one.from_b), str(one.score), one.outputs) for one in found.hybrids]
    assert told == [
        ("a", "0.25", "neither"),
        ("b", "0.0", "neither"),
        ("c", "1.0", "B"),
        ("ac", "0.123457", "neither"),
        ("bc", "1.0", "B"),
    ]


@pytest.mark.parametrize(("alone", "together"), [(0.15, 0.34), (0.15, 0.36), (0.25, 0.34), (-0.25, -0.36)])
def test_what_noise_can_make_is_not_told(alone: float, together: float) -> None:
    """Where values may be off by 0.2, so may what one factor does alone; what two do together is of three values."""
    value = {
        frozenset(): 0.0,
        frozenset("a"): alone,
        frozenset("b"): 1 - alone - together,
        frozenset("ab"): 1.0,
    }
    found = attribute(("a", "b"), Played(value.__getitem__), nothing=0.2)
    assert (frozenset("a") in found.dividends) is (abs(alone) > 0.2)
    assert (frozenset("ab") in found.dividends) is (abs(together) > 0.2 * math.sqrt(3))


def test_a_factor_that_either_of_two_others_hides_at_both_ends_is_found() -> None:
    """c takes half of it back, but not with d or e: neither c alone nor the reverting of one of them shows it."""

    def value(chosen: Set) -> float:
        return ({"a", "b"} <= chosen) * (0.5 if "c" in chosen and not chosen & {"d", "e"} else 1.0)

    found = play("abcde", value)
    true = shapley(dividends_of({s: value(s) for s in subsets("abcde")}, "abcde"), "abcde")
    assert found.shares == pytest.approx(true)
    assert found.shares["c"] < -0.01


def test_one_factor_needs_no_hybrid() -> None:
    played = Played(lambda chosen: 1.0)
    found = attribute(("code",), played)
    assert (found.shares, found.smallest, played.asked) == ({"code": 1.0}, ("code",), 0)
    assert found.restores == (("code",),)


def test_additive_factors_need_two_hybrids_each() -> None:
    weights = {"a": 0.5, "b": 0.3, "c": 0.2, "d": 0.0}
    played = Played(lambda chosen: sum(weights[name] for name in chosen))
    found = attribute(tuple("abcd"), played)
    assert (found.additive, played.asked) == (True, 8)
    assert rounded(found) == weights
    assert found.smallest == ("a", "b", "c")
    assert not found.interactions


def test_code_and_parameters_only_together() -> None:
    found = play("cpm", lambda s: 0.96 * ({"c", "p"} <= s) + 0.04 * ("m" in s))
    assert rounded(found) == {"c": 0.48, "p": 0.48, "m": 0.04}
    assert {tuple(sorted(k)): round(v, 9) for k, v in found.interactions.items()} == {("c", "p"): 0.96}


def test_either_suffices() -> None:
    found = play("abx", lambda s: float(bool(s & {"a", "b"})))
    assert rounded(found) == {"a": 0.5, "b": 0.5, "x": 0.0}
    assert len(found.smallest) == 1
    assert found.restores == (("a", "b"),)


def test_a_factor_that_only_keeps_other_rows_still_is_not_said_to_do_nothing() -> None:
    """Without `p` all of the change is there, and rows move besides that are the same in A and B."""

    def evaluate(sets: Sequence[Set]) -> list[Value]:
        return [Value(float("m" in s), reproduces={"m", "p"} <= s, restores=not s & {"m", "p"}) for s in sets]

    found = attribute(("m", "p", "x"), evaluate)
    assert set(found.smallest) == {"m", "p"}
    told = list(factors_told(found, Names(plain=True)))
    assert "B needs p as well: otherwise rows move that are the same in A and B." in told
    assert "x does nothing to it." in told


def test_exclusive_or() -> None:
    found = play("abc", lambda s: float(len(s) % 2))
    assert rounded(found) == {name: round(1 / 3, 9) for name in "abc"}
    assert {len(chosen): round(v) for chosen, v in found.dividends.items()} == {1: 1, 2: -2, 3: 4}


def test_exact_cancellation_of_two_beside_a_third() -> None:
    found = play("abc", lambda s: 2.0 * ("a" in s) - 2.0 * ("b" in s) + ("c" in s))
    assert rounded(found) == {"a": 2.0, "b": -2.0, "c": 1.0}
    assert found.additive


def test_three_that_only_act_together_beside_two_that_do_nothing() -> None:
    played = Played(lambda s: float({"a", "b", "c"} <= s))
    found = attribute(tuple("abcde"), played)
    assert rounded(found) == {"a": round(1 / 3, 9), "b": round(1 / 3, 9), "c": round(1 / 3, 9), "d": 0.0, "e": 0.0}
    assert found.smallest == ("a", "b", "c")
    assert set(found.restores) == {("a",), ("b",), ("c",)}
    assert played.asked < 2**5 - 2


def test_what_restores_a_leaves_out_what_does_nothing() -> None:
    """Neither end shows that q and r have to be reverted together, and that z may stay as in B."""
    found = play("pqrz", lambda s: ("p" in s) * (0.5 * ("q" in s) + 0.5 * ("r" in s)))
    assert set(found.restores) == {("p",), ("q", "r")}
    for reverted in found.restores:
        assert found.values[frozenset("pqrz") - set(reverted)].restores


def test_what_two_factors_both_do_is_told_as_such_and_what_one_takes_back_as_that() -> None:
    values = {frozenset("a"): 0.9, frozenset("b"): 0.95, frozenset(): 0.0, frozenset("ab"): 1.0}
    (told,) = factors_told(play("ab", values.__getitem__), Names(plain=True))
    assert told == "a and b do the same in 85.0 % of the change; b explains 52.5 %; a explains 47.5 %."
    values = {frozenset("a"): 1.4, frozenset("b"): -0.2, frozenset(): 0.0, frozenset("ab"): 1.0}
    (told,) = factors_told(play("ab", values.__getitem__), Names(plain=True))
    assert told.startswith("a explains 130.0 %; b takes back 30.0 %; a and b together take back 20.0 %")


@pytest.mark.parametrize(
    ("a", "b", "told"), [(3.0, 3.0, "together take back 500.0 %"), (1.0, 2.0, "together take back")]
)
def test_factors_that_overshoot_do_not_do_the_same(a: float, b: float, told: str) -> None:
    values = {frozenset("a"): a, frozenset("b"): b, frozenset(): 0.0, frozenset("ab"): 1.0}
    assert told in " ".join(factors_told(play("ab", values.__getitem__), Names(plain=True)))


def test_a_share_of_more_than_a_hundredth_is_told_as_what_it_is() -> None:
    values = {frozenset("a"): 0.985, frozenset("b"): 0.009, frozenset(): 0.0, frozenset("ab"): 1.0}
    found = play("ab", values.__getitem__)
    assert "b explains 1.2 %, with others." in list(factors_told(found, Names(plain=True)))


def test_the_smallest_set_is_the_smallest_that_was_seen_to_be_b() -> None:
    found = play("xyz", lambda s: 1.0 * ("x" in s) + 1.0 * ("y" in s) - 1.0 * ("z" in s))
    assert found.smallest == ("x",)


def test_a_factor_does_nothing_only_where_every_pair_of_hybrids_shows_it() -> None:
    found = play("abz", lambda s: float({"a", "b"} <= s))
    assert [name for name in "abz" if found.idle(name)] == ["z"]
    found = play("abz", lambda s: float("a" in s), broken=lambda s: s == {"b"})
    assert not any(map(found.idle, "abz"))


def test_a_majority_that_no_end_shows_is_found_by_all_hybrids() -> None:
    found = play("abcde", lambda s: float(len(s & {"a", "b", "c"}) >= 2))
    assert rounded(found) == {"a": round(1 / 3, 9), "b": round(1 / 3, 9), "c": round(1 / 3, 9), "d": 0.0, "e": 0.0}


def test_a_factor_that_needs_another_is_not_told_apart_from_it() -> None:
    found = play("abc", lambda s: 0.5 * ("a" in s) + 0.5 * ("b" in s), broken=lambda s: "a" in s and "b" not in s)
    assert found.groups == (("a", "b"),)
    assert rounded(found) == {"a": 0.5, "b": 0.5, "c": 0.0}
    assert all("a" in chosen for chosen in found.unresolved)


def test_where_nothing_can_be_tried_nothing_is_told_apart() -> None:
    found = play("abc", lambda s: 0.0, broken=lambda s: True)
    assert found.groups == (("a", "b", "c"),)
    assert sum(found.shares.values()) == pytest.approx(1)


@pytest.mark.parametrize("budget", range(16))
def test_a_budget_that_ends_leaves_an_answer_that_adds_up(budget: int) -> None:
    played = Played(lambda s: float({"a", "b", "c"} <= s))
    played.budget = budget
    found = attribute(tuple("abcd"), played)
    assert sum(found.shares.values()) == pytest.approx(1)
    if not found.complete:
        assert found.groups


def test_of_additive_factors_those_that_do_anything_restore_a_together() -> None:
    found = play("abcd", lambda s: 0.6 * ("a" in s) + 0.4 * ("b" in s))
    assert (found.additive, found.smallest, found.restores) == (True, ("a", "b"), (("a", "b"),))


VECTORS = {  # c moves the outputs across the way from A to B, which its score does not show
    "a": (-1.0, 1.0),
    "b": (0.0, 0.0),
    "c": (1.0, 0.0),
}


def across(sets: Sequence[Set]) -> list[Value]:
    """Vectors that add up, measured as the outputs of hybrids are."""
    whole = [sum(vector[at] for vector in VECTORS.values()) for at in (0, 1)]
    made = [[sum(VECTORS[name][at] for name in chosen) for at in (0, 1)] for chosen in sets]
    length = sum(x * x for x in whole)
    return [
        Value(
            sum(x * y for x, y in zip(one, whole, strict=True)) / length, reproduces=one == whole, restores=not any(one)
        )
        for one in made
    ]


def test_a_factor_whose_score_is_nothing_may_be_needed_for_b() -> None:
    found = attribute(tuple("abc"), across)
    assert rounded(found) == {"a": 1.0, "b": 0.0, "c": 0.0}
    assert found.smallest == ("a", "c")


class Bought(Played):
    """A game played as runs are: some at once, each paid for, and what was paid for is kept."""

    def __init__(self, value: Callable[[Set], float], runs: int) -> None:
        super().__init__(value)
        self.left, self.kept = runs, dict[Set, Value]()

    def __call__(self, sets: Sequence[Set]) -> list[Value]:
        for chosen in sets:
            if chosen not in self.kept and self.left > 0:
                self.left -= 1
                self.kept[chosen] = self.one(chosen)
        if any(chosen not in self.kept for chosen in sets):
            raise BudgetSpent
        return [self.kept[chosen] for chosen in sets]


@pytest.mark.parametrize("runs", range(31))
def test_what_is_said_when_a_budget_ends_is_true(runs: int) -> None:
    chance, told = random.Random(runs), 0
    for _ in range(40):
        names, dividends = random_game(chance) or (("x",), {})
        if len(names) > 5 or not dividends:
            continue
        played = Bought(lambda s, d=dividends: sum(v for chosen, v in d.items() if chosen <= s), runs)
        found = attribute(names, played)
        assert set(found.values) == {*played.kept, frozenset(), frozenset(names)}  # nothing that was paid for is lost
        true_of_blocks(found, played.value)
        assert played.one(frozenset(found.smallest)).reproduces
        for reverted in found.restores:
            assert played.one(frozenset(names) - set(reverted)).restores
        told += not found.complete
    assert told or runs > 10


def true_of_blocks(found: Attribution, value: Callable[[Set], float]) -> None:
    """Its shares are those of the game whose players are the groups that it names."""
    apart = [(name,) for name in found.factors if not any(name in group for group in found.groups)]
    blocks = {" ".join(group): frozenset(group) for group in (*found.groups, *apart)}
    scores = {s: value(frozenset().union(*(blocks[name] for name in s))) for s in subsets(tuple(blocks))}
    true = shapley(dividends_of(scores, tuple(blocks)), tuple(blocks))
    for name, block in blocks.items():
        assert sum(found.shares[factor] for factor in block) == pytest.approx(true[name], abs=1e-3)


def random_game(chance: random.Random) -> tuple[tuple[str, ...], dict[Set, float]] | None:
    """Some factors act, alone and in groups of up to three; the rest do nothing."""
    names = tuple(f"f{number}" for number in range(chance.choice((3, 4, 5, 6))))
    acting = chance.sample(names, chance.randint(1, len(names)))
    dividends: dict[Set, float] = {}
    for _ in range(chance.randint(1, 4)):
        chosen = frozenset(chance.sample(acting, chance.randint(1, min(3, len(acting)))))
        dividends[chosen] = dividends.get(chosen, 0.0) + chance.uniform(-1, 1)
    whole = sum(dividends.values())
    return (names, {s: d / whole for s, d in dividends.items()}) if abs(whole) > 0.1 else None


def test_random_games_agree_with_the_full_factorial() -> None:
    chance = random.Random(20_241_125)
    asked: dict[int, list[int]] = {}
    while sum(map(len, asked.values())) < GAMES:
        game = random_game(chance)
        if game is None:
            continue
        names, dividends = game
        played = Played(lambda s, d=dividends: sum(v for chosen, v in d.items() if chosen <= s))
        found = attribute(names, played)
        full = dividends_of({s: played.value(s) for s in subsets(names)}, names)
        assert found.shares == pytest.approx(shapley(full, names), abs=0.01), dividends
        for chosen, dividend in full.items():
            assert found.dividends.get(chosen, 0.0) == pytest.approx(dividend, abs=0.011), dividends
        asked.setdefault(len(names), []).append(played.asked)
    means = {count: statistics.fmean(runs) for count, runs in asked.items()}
    assert means[4] < 11
    assert means[5] < 16
    assert means[6] < 22


def or_of_ands(chance: random.Random, names: list[str]) -> Callable[[Set], float]:
    terms = [frozenset(chance.sample(names, chance.randint(1, len(names)))) for _ in range(chance.randint(1, 4))]
    return lambda s: float(any(term <= s for term in terms))


def parity(chance: random.Random, names: list[str]) -> Callable[[Set], float]:
    part = frozenset(chance.sample(names, chance.randrange(1, len(names) + 1, 2)))
    return lambda s: float(len(s & part) % 2)


def majority(chance: random.Random, names: list[str]) -> Callable[[Set], float]:
    part = frozenset(chance.sample(names, chance.randint(1, len(names))))
    return lambda s: float(len(s & part) > len(part) // 2)


def threshold(chance: random.Random, names: list[str]) -> Callable[[Set], float]:
    weights = {name: chance.choice((0, 1, 2, 3)) for name in names} | {names[0]: 1}
    least = chance.randint(1, sum(weights.values()))
    return lambda s: float(sum(weights[name] for name in s) >= least)


def masking(chance: random.Random, names: list[str]) -> Callable[[Set], float]:
    """One factor undoes what some do, but where others undo that."""
    act, undo = (frozenset(chance.sample(names, chance.randint(1, len(names)))) for _ in range(2))
    mask = chance.choice(names)
    return lambda s: float(act <= s and (mask not in s or undo <= s))


def additive(chance: random.Random, names: list[str]) -> Callable[[Set], float]:
    weights = {name: chance.choice((0, 0, 1, 2, 3)) for name in names} | {names[0]: 1}
    return lambda s: sum(weights[name] for name in s) / sum(weights.values())


@pytest.mark.parametrize("kind", [or_of_ands, parity, majority, threshold, masking, additive])
def test_random_games_are_told_as_they_are(kind: Callable[..., Callable[[Set], float]]) -> None:
    """Shares, the smallest set that makes B, what restores A and what does nothing, each against all hybrids."""
    chance = random.Random(kind.__name__)
    for _ in range(GAMES // 5):
        names = list("abcdef"[: chance.randint(2, 6)])
        value = kind(chance, names)
        if value(frozenset(names)) != 1:
            continue
        played = Played(value)
        found = attribute(tuple(names), played)
        scores = {chosen: value(chosen) for chosen in subsets(names)}
        assert found.shares == pytest.approx(shapley(dividends_of(scores, names), names)), scores
        assert len(found.smallest) == min(len(chosen) for chosen, score in scores.items() if score == 1)
        assert value(frozenset(found.smallest)) == 1
        assert {frozenset(one) for one in found.restores} == least_reverted(names, scores), scores
        told = " ".join(factors_told(found, Names(plain=True)))
        for name in names:
            idle = all(scores[chosen] == scores[chosen - {name}] for chosen in scores)
            assert idle or f"{name} does nothing" not in told, (told, scores)
        if found.additive:
            assert played.asked <= 2 * len(names) + 2


def least_reverted(names: list[str], scores: dict[Set, float]) -> set[Set]:
    """The smallest sets whose reverting from B makes A."""
    found = [frozenset(names) - chosen for chosen, score in scores.items() if score == 0]
    least = {one for one in found if not any(other < one for other in found)}
    return {one for one in least if len(one) < len(names) or len(one) == 1}


@settings(max_examples=200, deadline=None)
@given(st.lists(st.floats(-10, 10), min_size=16, max_size=16))
def test_dividends_and_shares_hold_their_axioms(numbers: list[float]) -> None:
    names = tuple("abcd")
    values = dict(zip(subsets(names), [0.0, *numbers[1:]], strict=True))
    found = dividends_of(values, names)
    shares = shapley(found, names)
    assert sum(shares.values()) == pytest.approx(values[frozenset(names)], abs=1e-6)  # efficiency
    for chosen, value in values.items():  # the dividends of the parts make the whole
        assert sum(d for part, d in found.items() if part <= chosen) == pytest.approx(value, abs=1e-6)
    swapped = {frozenset(s.translate({97: 98, 98: 97}) for s in chosen): v for chosen, v in values.items()}
    mirrored = shapley(dividends_of(swapped, names), names)
    assert mirrored["a"] == pytest.approx(shares["b"], abs=1e-6)  # symmetry
    idle = {chosen: values[chosen - {"d"}] for chosen in values}
    assert shapley(dividends_of(idle, names), names)["d"] == pytest.approx(0, abs=1e-6)  # a dummy gets nothing
