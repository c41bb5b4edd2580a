"""Games whose answer is known, and random games compared with the full factorial."""

from __future__ import annotations

import math
import random
import statistics
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from repro_tui.explain.budget import BudgetSpent
from repro_tui.explain.coalitions import Coalition, dividends_of, shapley, subsets
from repro_tui.explain.game import Attribution, Value, attribute
from repro_tui.explain.sentences import FactorNaming, factor_sentences

GAMES = 2_000


class CountedGame:
    """A game for attribute(): counts the hybrids, fails those that are `broken`, and ends with the budget."""

    def __init__(
        self, value: Callable[[Coalition], float], broken: Callable[[Coalition], bool] = lambda coalition: False
    ) -> None:
        self.value, self.broken, self.requests, self.budget = value, broken, 0, 10**9

    def __call__(self, sets: Sequence[Coalition]) -> list[Value]:
        self.requests += len(sets)
        if self.requests > self.budget:
            raise BudgetSpent
        return [self.value_of(coalition) for coalition in sets]

    def value_of(self, coalition: Coalition) -> Value:
        if self.broken(coalition):
            return Value(None, "it crashed")
        value = self.value(coalition)
        return Value(value, reproduces=abs(value - 1) < 1e-9, restores=abs(value) < 1e-9)


def play(
    factors: str, value: Callable[[Coalition], float], broken: Callable[[Coalition], bool] = lambda coalition: False
) -> Attribution:
    return attribute(tuple(factors), CountedGame(value, broken))


def rounded(attribution: Attribution) -> dict[str, float]:
    return {name: round(share, 9) for name, share in attribution.shares.items()}


def test_a_and_b_are_not_hybrids() -> None:
    attribution = attribute(("a", "b"), CountedGame(lambda s: float(s == {"a", "b"})))
    assert {hybrid.from_b for hybrid in attribution.hybrids} == {("a",), ("b",)}


def test_every_hybrid_is_listed_with_its_score_and_its_side() -> None:
    """Those with the fewest factors from B come first."""
    scores = {"b": -1e-8, "a": 0.25, "c": 1.0, "bc": 1.0, "ac": 0.123_456_78}
    attribution = play(
        "abc", lambda s: 1.0 if len(s) == 3 else scores.get("".join(sorted(s)), 0.0), broken=lambda s: s == {*"ab"}
    )
    hybrids = [("".join(hybrid.from_b), str(hybrid.score), hybrid.outputs) for hybrid in attribution.hybrids]
    assert hybrids == [
        ("a", "0.25", "neither"),
        ("b", "0.0", "neither"),
        ("c", "1.0", "B"),
        ("ac", "0.123457", "neither"),
        ("bc", "1.0", "B"),
    ]


@pytest.mark.parametrize(("alone", "together"), [(0.15, 0.34), (0.15, 0.36), (0.25, 0.34), (-0.25, -0.36)])
def test_dividends_that_noise_can_explain_are_not_reported(alone: float, together: float) -> None:
    """Values may be off by 0.2, and so may the dividend of one factor; that of two factors sums three values."""
    value = {
        frozenset(): 0.0,
        frozenset("a"): alone,
        frozenset("b"): 1 - alone - together,
        frozenset("ab"): 1.0,
    }
    attribution = attribute(("a", "b"), CountedGame(value.__getitem__), negligible=0.2)
    assert (frozenset("a") in attribution.dividends) is (abs(alone) > 0.2)
    assert (frozenset("ab") in attribution.dividends) is (abs(together) > 0.2 * math.sqrt(3))


def test_a_factor_that_either_of_two_others_hides_at_both_ends_is_found() -> None:
    """c cancels half of the change, unless d or e is from B: neither c alone nor reverting any one of them shows it."""

    def value(coalition: Coalition) -> float:
        return ({"a", "b"} <= coalition) * (0.5 if "c" in coalition and not coalition & {"d", "e"} else 1.0)

    attribution = play("abcde", value)
    true = shapley(dividends_of({s: value(s) for s in subsets("abcde")}, "abcde"), "abcde")
    assert attribution.shares == pytest.approx(true)
    assert attribution.shares["c"] < -0.01


def test_one_factor_needs_no_hybrid() -> None:
    game = CountedGame(lambda coalition: 1.0)
    attribution = attribute(("code",), game)
    assert (attribution.shares, attribution.smallest, game.requests) == ({"code": 1.0}, ("code",), 0)
    assert attribution.restores == (("code",),)


def test_additive_factors_need_two_hybrids_each() -> None:
    weights = {"a": 0.5, "b": 0.3, "c": 0.2, "d": 0.0}
    game = CountedGame(lambda coalition: sum(weights[name] for name in coalition))
    attribution = attribute(tuple("abcd"), game)
    assert (attribution.additive, game.requests) == (True, 8)
    assert rounded(attribution) == weights
    assert attribution.smallest == ("a", "b", "c")
    assert not attribution.interactions


def test_code_and_parameters_only_together() -> None:
    attribution = play("cpm", lambda s: 0.96 * ({"c", "p"} <= s) + 0.04 * ("m" in s))
    assert rounded(attribution) == {"c": 0.48, "p": 0.48, "m": 0.04}
    assert {tuple(sorted(k)): round(v, 9) for k, v in attribution.interactions.items()} == {("c", "p"): 0.96}


def test_either_suffices() -> None:
    attribution = play("abx", lambda s: float(bool(s & {"a", "b"})))
    assert rounded(attribution) == {"a": 0.5, "b": 0.5, "x": 0.0}
    assert len(attribution.smallest) == 1
    assert attribution.restores == (("a", "b"),)


def test_a_factor_that_only_keeps_other_rows_as_they_are_has_an_effect() -> None:
    """Without `p` all of the change is there, and rows move that are the same in A and B."""

    def evaluate(sets: Sequence[Coalition]) -> list[Value]:
        return [Value(float("m" in s), reproduces={"m", "p"} <= s, restores=not s & {"m", "p"}) for s in sets]

    attribution = attribute(("m", "p", "x"), evaluate)
    assert set(attribution.smallest) == {"m", "p"}
    sentences = list(factor_sentences(attribution, FactorNaming(plain=True)))
    assert "p must also come from B: without it, rows that are the same in A and B change." in sentences
    assert "x has no effect." in sentences


def test_exclusive_or() -> None:
    attribution = play("abc", lambda s: float(len(s) % 2))
    assert rounded(attribution) == {name: round(1 / 3, 9) for name in "abc"}
    assert {len(coalition): round(v) for coalition, v in attribution.dividends.items()} == {1: 1, 2: -2, 3: 4}


def test_exact_cancellation_of_two_and_an_effect_of_a_third() -> None:
    attribution = play("abc", lambda s: 2.0 * ("a" in s) - 2.0 * ("b" in s) + ("c" in s))
    assert rounded(attribution) == {"a": 2.0, "b": -2.0, "c": 1.0}
    assert attribution.additive


def test_three_that_only_act_together_and_two_without_effect() -> None:
    game = CountedGame(lambda s: float({"a", "b", "c"} <= s))
    attribution = attribute(tuple("abcde"), game)
    assert rounded(attribution) == {
        "a": round(1 / 3, 9),
        "b": round(1 / 3, 9),
        "c": round(1 / 3, 9),
        "d": 0.0,
        "e": 0.0,
    }
    assert attribution.smallest == ("a", "b", "c")
    assert set(attribution.restores) == {("a",), ("b",), ("c",)}
    assert game.requests < 2**5 - 2


def test_what_restores_a_leaves_out_factors_without_effect() -> None:
    """Neither end shows that q and r have to be reverted together, and that z may stay as in B."""
    attribution = play("pqrz", lambda s: ("p" in s) * (0.5 * ("q" in s) + 0.5 * ("r" in s)))
    assert set(attribution.restores) == {("p",), ("q", "r")}
    for reverted in attribution.restores:
        assert attribution.values[frozenset("pqrz") - set(reverted)].restores


def test_an_overlap_of_two_factors_and_an_offset_have_their_own_clauses() -> None:
    values = {frozenset("a"): 0.9, frozenset("b"): 0.95, frozenset(): 0.0, frozenset("ab"): 1.0}
    (sentence,) = factor_sentences(play("ab", values.__getitem__), FactorNaming(plain=True))
    assert sentence == "a and b overlap in 85.0 % of the change; b explains 52.5 %; a explains 47.5 %."
    values = {frozenset("a"): 1.4, frozenset("b"): -0.2, frozenset(): 0.0, frozenset("ab"): 1.0}
    (sentence,) = factor_sentences(play("ab", values.__getitem__), FactorNaming(plain=True))
    assert sentence.startswith("a explains 130.0 %; b offsets 30.0 %; a and b together offset 20.0 %")


def test_effects_within_the_noise_are_not_listed() -> None:
    """No dividend counts: there is no list of effects, and no empty sentence."""
    game = CountedGame(lambda s: 0.5 * len(s))
    attribution = attribute(("a", "b"), game, threshold=0.6, negligible=0.6)
    assert list(factor_sentences(attribution, FactorNaming(plain=True))) == [
        "a and b explain nothing that can be distinguished from noise."
    ]


@pytest.mark.parametrize(("a", "b", "clause"), [(3.0, 3.0, "together offset 500.0 %"), (1.0, 2.0, "together offset")])
def test_factors_that_overshoot_do_not_overlap(a: float, b: float, clause: str) -> None:
    values = {frozenset("a"): a, frozenset("b"): b, frozenset(): 0.0, frozenset("ab"): 1.0}
    assert clause in " ".join(factor_sentences(play("ab", values.__getitem__), FactorNaming(plain=True)))


def test_several_small_effects_are_each_less_than_a_hundredth() -> None:
    attribution = play("abc", lambda s: 0.99 * ("a" in s) + 0.005 * ("b" in s) + 0.005 * ("c" in s))
    sentences = list(factor_sentences(attribution, FactorNaming(plain=True)))
    assert "b and c explain less than 1 % each." in sentences


def test_a_single_factor_is_only_the_cause_where_all_that_can_differ_is_known() -> None:
    """A function has no more than its arguments; of a deployment, what is not recorded may differ too."""
    values = {frozenset(): 0.0, frozenset({"code"}): 1.0, frozenset({"parameters"}): 1.0}
    for name, sentence in (
        ("code", "Of what can be exchanged, only the code differs."),
        ("parameters", "Of what can be exchanged, only the parameters differ."),
    ):
        attribution = attribute((name,), CountedGame(values.__getitem__))
        assert list(factor_sentences(attribution)) == [sentence]
        (plain,) = factor_sentences(attribution, FactorNaming(plain=True))
        assert plain.endswith(" must be the cause.")


def test_a_share_of_more_than_a_hundredth_is_reported_as_a_number() -> None:
    values = {frozenset("a"): 0.985, frozenset("b"): 0.009, frozenset(): 0.0, frozenset("ab"): 1.0}
    attribution = play("ab", values.__getitem__)
    assert "b explains 1.2 % in combination with others." in list(
        factor_sentences(attribution, FactorNaming(plain=True))
    )


def test_the_smallest_set_is_the_smallest_that_was_seen_to_make_b() -> None:
    attribution = play("xyz", lambda s: 1.0 * ("x" in s) + 1.0 * ("y" in s) - 1.0 * ("z" in s))
    assert attribution.smallest == ("x",)


def test_a_factor_is_idle_only_where_every_pair_of_hybrids_shows_it() -> None:
    attribution = play("abz", lambda s: float({"a", "b"} <= s))
    assert [name for name in "abz" if attribution.idle(name)] == ["z"]
    attribution = play("abz", lambda s: float("a" in s), broken=lambda s: s == {"b"})
    assert not any(map(attribution.idle, "abz"))


def test_a_factor_that_moves_a_few_rows_at_a_right_angle_to_the_change_is_not_idle() -> None:
    """`y` and `z` each move one row, by so little that the hybrid counts as A, and undo each other in B."""

    def evaluate(sets: Sequence[Coalition]) -> list[Value]:
        return [
            Value(float("x" in s), reproduces="x" in s, restores="x" not in s, only_near=("y" in s) != ("z" in s))
            for s in sets
        ]

    attribution = attribute(("x", "y", "z"), evaluate)
    assert not any(map(attribution.idle, "xyz"))
    assert {hybrid.from_b: hybrid.exact for hybrid in attribution.hybrids}["y",] is False
    sentences = list(factor_sentences(attribution, FactorNaming(plain=True)))
    assert "y and z explain less than 0.01 % each." in sentences


def test_a_majority_that_no_end_shows_is_found_by_all_hybrids() -> None:
    attribution = play("abcde", lambda s: float(len(s & {"a", "b", "c"}) >= 2))
    assert rounded(attribution) == {
        "a": round(1 / 3, 9),
        "b": round(1 / 3, 9),
        "c": round(1 / 3, 9),
        "d": 0.0,
        "e": 0.0,
    }


def test_a_factor_that_needs_another_is_not_separable_from_it() -> None:
    attribution = play("abc", lambda s: 0.5 * ("a" in s) + 0.5 * ("b" in s), broken=lambda s: "a" in s and "b" not in s)
    assert attribution.groups == (("a", "b"),)
    assert rounded(attribution) == {"a": 0.5, "b": 0.5, "c": 0.0}
    assert all("a" in coalition for coalition in attribution.unresolved)


def test_where_no_hybrid_runs_no_factor_is_separable() -> None:
    attribution = play("abc", lambda s: 0.0, broken=lambda s: True)
    assert attribution.groups == (("a", "b", "c"),)
    assert sum(attribution.shares.values()) == pytest.approx(1)


@pytest.mark.parametrize("budget", range(16))
def test_a_budget_that_ends_leaves_an_answer_that_adds_up(budget: int) -> None:
    game = CountedGame(lambda s: float({"a", "b", "c"} <= s))
    game.budget = budget
    attribution = attribute(tuple("abcd"), game)
    assert sum(attribution.shares.values()) == pytest.approx(1)
    if not attribution.complete:
        assert attribution.groups


def test_additive_factors_with_an_effect_restore_a_together() -> None:
    attribution = play("abcd", lambda s: 0.6 * ("a" in s) + 0.4 * ("b" in s))
    assert (attribution.additive, attribution.smallest, attribution.restores) == (True, ("a", "b"), (("a", "b"),))


VECTORS = {  # c moves the outputs at an angle to the change from A to B, which its score does not show
    "a": (-1.0, 1.0),
    "b": (0.0, 0.0),
    "c": (1.0, 0.0),
}


def across(sets: Sequence[Coalition]) -> list[Value]:
    """Vectors that add up, measured as the outputs of hybrids are."""
    whole = [sum(vector[at] for vector in VECTORS.values()) for at in (0, 1)]
    outputs = [[sum(VECTORS[name][at] for name in coalition) for at in (0, 1)] for coalition in sets]
    length = sum(x * x for x in whole)
    return [
        Value(
            sum(x * y for x, y in zip(output, whole, strict=True)) / length,
            reproduces=output == whole,
            restores=not any(output),
        )
        for output in outputs
    ]


def test_a_factor_whose_score_is_zero_may_be_needed_for_b() -> None:
    attribution = attribute(tuple("abc"), across)
    assert rounded(attribution) == {"a": 1.0, "b": 0.0, "c": 0.0}
    assert attribution.smallest == ("a", "c")


class PaidGame(CountedGame):
    """A game whose hybrids are paid for as runs are: several are requested at once, and what was paid for is kept."""

    def __init__(self, value: Callable[[Coalition], float], runs: int) -> None:
        super().__init__(value)
        self.left, self.kept = runs, dict[Coalition, Value]()

    def __call__(self, sets: Sequence[Coalition]) -> list[Value]:
        for coalition in sets:
            if coalition not in self.kept and self.left > 0:
                self.left -= 1
                self.kept[coalition] = self.value_of(coalition)
        if any(coalition not in self.kept for coalition in sets):
            raise BudgetSpent
        return [self.kept[coalition] for coalition in sets]


@pytest.mark.parametrize("runs", range(31))
def test_what_is_said_when_a_budget_ends_is_true(runs: int) -> None:
    chance, incomplete = random.Random(runs), 0
    for _ in range(40):
        names, dividends = random_game(chance) or (("x",), {})
        if len(names) > 5 or not dividends:
            continue
        game = PaidGame(lambda s, d=dividends: sum(v for coalition, v in d.items() if coalition <= s), runs)
        attribution = attribute(names, game)
        paid = {*game.kept, frozenset(), frozenset(names)}
        assert set(attribution.values) == paid  # nothing that was paid for is lost
        true_of_blocks(attribution, game.value)
        assert game.value_of(frozenset(attribution.smallest)).reproduces
        for reverted in attribution.restores:
            assert game.value_of(frozenset(names) - set(reverted)).restores
        incomplete += not attribution.complete
    assert incomplete or runs > 10


def true_of_blocks(attribution: Attribution, value: Callable[[Coalition], float]) -> None:
    """Asserts that the shares are those of the game whose players are the groups of the attribution."""
    apart = [(name,) for name in attribution.factors if not any(name in group for group in attribution.groups)]
    blocks = {" ".join(group): frozenset(group) for group in (*attribution.groups, *apart)}
    scores = {s: value(frozenset().union(*(blocks[name] for name in s))) for s in subsets(tuple(blocks))}
    true = shapley(dividends_of(scores, tuple(blocks)), tuple(blocks))
    for name, block in blocks.items():
        assert sum(attribution.shares[factor] for factor in block) == pytest.approx(true[name], abs=1e-3)


def random_game(chance: random.Random) -> tuple[tuple[str, ...], dict[Coalition, float]] | None:
    """Some factors act, alone and in groups of up to three; the rest have no effect."""
    names = tuple(f"f{number}" for number in range(chance.choice((3, 4, 5, 6))))
    acting = chance.sample(names, chance.randint(1, len(names)))
    dividends: dict[Coalition, float] = {}
    for _ in range(chance.randint(1, 4)):
        coalition = frozenset(chance.sample(acting, chance.randint(1, min(3, len(acting)))))
        dividends[coalition] = dividends.get(coalition, 0.0) + chance.uniform(-1, 1)
    whole = sum(dividends.values())
    return (names, {s: d / whole for s, d in dividends.items()}) if abs(whole) > 0.1 else None


def test_random_games_agree_with_the_full_factorial() -> None:
    chance = random.Random(20_241_125)
    requests: dict[int, list[int]] = {}
    while sum(map(len, requests.values())) < GAMES:
        drawn = random_game(chance)
        if drawn is None:
            continue
        names, dividends = drawn
        game = CountedGame(lambda s, d=dividends: sum(v for coalition, v in d.items() if coalition <= s))
        attribution = attribute(names, game)
        full = dividends_of({s: game.value(s) for s in subsets(names)}, names)
        assert attribution.shares == pytest.approx(shapley(full, names), abs=0.01), dividends
        for coalition, dividend in full.items():
            assert attribution.dividends.get(coalition, 0.0) == pytest.approx(dividend, abs=0.011), dividends
        requests.setdefault(len(names), []).append(game.requests)
    means = {count: statistics.fmean(runs) for count, runs in requests.items()}
    assert means[4] < 11
    assert means[5] < 16
    assert means[6] < 22


def or_of_ands(chance: random.Random, names: list[str]) -> Callable[[Coalition], float]:
    terms = [frozenset(chance.sample(names, chance.randint(1, len(names)))) for _ in range(chance.randint(1, 4))]
    return lambda s: float(any(term <= s for term in terms))


def parity(chance: random.Random, names: list[str]) -> Callable[[Coalition], float]:
    part = frozenset(chance.sample(names, chance.randrange(1, len(names) + 1, 2)))
    return lambda s: float(len(s & part) % 2)


def majority(chance: random.Random, names: list[str]) -> Callable[[Coalition], float]:
    part = frozenset(chance.sample(names, chance.randint(1, len(names))))
    return lambda s: float(len(s & part) > len(part) // 2)


def threshold(chance: random.Random, names: list[str]) -> Callable[[Coalition], float]:
    weights = {name: chance.choice((0, 1, 2, 3)) for name in names} | {names[0]: 1}
    least = chance.randint(1, sum(weights.values()))
    return lambda s: float(sum(weights[name] for name in s) >= least)


def masking(chance: random.Random, names: list[str]) -> Callable[[Coalition], float]:
    """One factor cancels the effect of some, unless others cancel that."""
    act, undo = (frozenset(chance.sample(names, chance.randint(1, len(names)))) for _ in range(2))
    mask = chance.choice(names)
    return lambda s: float(act <= s and (mask not in s or undo <= s))


def additive(chance: random.Random, names: list[str]) -> Callable[[Coalition], float]:
    weights = {name: chance.choice((0, 0, 1, 2, 3)) for name in names} | {names[0]: 1}
    return lambda s: sum(weights[name] for name in s) / sum(weights.values())


@pytest.mark.parametrize("kind", [or_of_ands, parity, majority, threshold, masking, additive])
def test_random_games_are_attributed_and_described_correctly(kind: Callable[..., Callable[[Coalition], float]]) -> None:
    """Shares, the smallest set that makes B, what restores A and what has no effect, compared with all hybrids."""
    chance = random.Random(kind.__name__)
    for _ in range(GAMES // 5):
        names = list("abcdef"[: chance.randint(2, 6)])
        value = kind(chance, names)
        if value(frozenset(names)) != 1:
            continue
        game = CountedGame(value)
        attribution = attribute(tuple(names), game)
        scores = {coalition: value(coalition) for coalition in subsets(names)}
        assert attribution.shares == pytest.approx(shapley(dividends_of(scores, names), names)), scores
        assert len(attribution.smallest) == min(len(coalition) for coalition, score in scores.items() if score == 1)
        assert value(frozenset(attribution.smallest)) == 1
        assert set(map(frozenset, attribution.restores)) == least_reverted(names, scores), scores
        text = " ".join(factor_sentences(attribution, FactorNaming(plain=True)))
        for name in names:
            idle = all(scores[coalition] == scores[coalition - {name}] for coalition in scores)
            assert idle or not is_said_to_have_no_effect(name, text), (text, scores)
        if attribution.additive:
            assert game.requests <= 2 * len(names) + 2


def is_said_to_have_no_effect(name: str, text: str) -> bool:
    idle = next((sentence for sentence in text.split(". ") if "no effect" in sentence), "")
    return name in idle.replace(",", "").split()


def least_reverted(names: list[str], scores: dict[Coalition, float]) -> set[Coalition]:
    """The smallest sets that make A when they are reverted from B."""
    reverted = [frozenset(names) - coalition for coalition, score in scores.items() if score == 0]
    least = {coalition for coalition in reverted if not any(smaller < coalition for smaller in reverted)}
    return {coalition for coalition in least if len(coalition) < len(names) or len(coalition) == 1}


@settings(max_examples=200, deadline=None)
@given(st.lists(st.floats(-10, 10), min_size=16, max_size=16))
def test_dividends_and_shares_hold_their_axioms(numbers: list[float]) -> None:
    names = tuple("abcd")
    values = dict(zip(subsets(names), [0.0, *numbers[1:]], strict=True))
    dividends = dividends_of(values, names)
    shares = shapley(dividends, names)
    assert sum(shares.values()) == pytest.approx(values[frozenset(names)], abs=1e-6)  # efficiency
    for coalition, value in values.items():  # the dividends of the parts make the whole
        assert sum(d for part, d in dividends.items() if part <= coalition) == pytest.approx(value, abs=1e-6)
    swapped = {frozenset(s.translate({97: 98, 98: 97}) for s in coalition): v for coalition, v in values.items()}
    mirrored = shapley(dividends_of(swapped, names), names)
    assert mirrored["a"] == pytest.approx(shares["b"], abs=1e-6)  # symmetry
    idle = {coalition: values[coalition - {"d"}] for coalition in values}
    assert shapley(dividends_of(idle, names), names)["d"] == pytest.approx(0, abs=1e-6)  # a dummy player has no share
