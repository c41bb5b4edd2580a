"""From the result of a search to the report: which items are guilty, alone or not, and which values are shown."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from repro_tui.explain.answer import MOST_UNRESOLVED, causes_of, masked_causes
from repro_tui.explain.culprits import ChangePoint, CulpritGroup
from repro_tui.explain.factors import Factors
from repro_tui.explain.game import Attribution, Value
from repro_tui.explain.inside.base import Inside
from repro_tui.explain.lattice import Culprits
from repro_tui.explain.sentences import masked_sentence, sentences
from repro_tui.explain.window import Change
from repro_tui.model.causes import Causes, Culprit
from repro_tui.support.redact import Redactor

PATHS = {"x": ("x",), "y": ("deep", "y"), "key": ("api_key",), "file": ("files", "secret.json", "token")}
COUNTS = SimpleNamespace(runs=7, cached=3, budget=SimpleNamespace(spent=True))


def attribution(**changes: Any) -> Attribution:
    shares = {"code": 0.25, "parameters": 0.75}
    fields: dict[str, Any] = {"dividends": {frozenset({name}): share for name, share in shares.items()}} | changes
    return Attribution(("code", "parameters"), shares, **fields)


def culprit_group(names: tuple[str, ...], factor: str = "parameters", **changes: Any) -> CulpritGroup:
    fields: dict[str, Any] = {
        "groups": tuple((name,) for name in names),
        "sufficient": True,
        "separable": True,
        "alternatives": (),
        "restoring": frozenset(),
        "unresolved": {},
        "runs": 1,
        "complete": True,
    }
    inside = Inside(factor, tuple(PATHS), lambda *_: None, lambda name: ("1", "2"), PATHS.__getitem__)  # type: ignore[arg-type]
    return CulpritGroup(inside, Culprits(**(fields | changes)))


def answer(attribution: Attribution, *located: CulpritGroup | ChangePoint) -> Causes:
    trials: Any = SimpleNamespace(
        factors=Factors(attribution.factors), executor=COUNTS, context=SimpleNamespace(redactor=Redactor())
    )
    return causes_of(trials, attribution, located)


def test_shares_and_interactions_are_rounded_to_a_millionth() -> None:
    both = frozenset({"code", "parameters"})
    causes = answer(attribution(dividends={both: 0.123_456_789}))
    interactions = [(interaction.factors, interaction.dividend) for interaction in causes.interactions]
    assert interactions == [(("code", "parameters"), 0.123457)]
    assert causes.shares == {"code": 0.25, "parameters": 0.75}
    assert (causes.runs, causes.cached, causes.budget_spent, causes.separable) == (7, 3, True, True)


@pytest.mark.parametrize(
    ("groups", "inside", "separable"),
    [((), True, True), ((), False, False), ((("code", "parameters"),), True, False)],
)
def test_the_answer_is_separable_where_factors_and_items_are(groups: Any, inside: bool, separable: bool) -> None:
    causes = answer(attribution(groups=groups), culprit_group(("x",)), culprit_group(("y",), separable=inside))
    assert causes.separable is separable


@pytest.mark.parametrize(
    ("names", "together", "alone"), [("x", True, True), ("x", False, False), (("x", "y"), True, False)]
)
def test_an_item_is_sufficient_where_it_alone_is_guilty(names: Any, together: bool, alone: bool) -> None:
    causes = answer(attribution(), culprit_group(tuple(names), sufficient=together))
    assert [culprit.sufficient for culprit in causes.culprits] == [alone] * len(names)


@pytest.mark.parametrize(
    ("restores", "restoring", "alone"),
    [
        ((("parameters",),), {"x"}, True),
        ((("parameters",),), {"y"}, False),
        ((("code",),), {"x"}, False),
        ((("code", "parameters"),), {"x"}, False),  # the code has to be reverted as well
    ],
)
def test_an_item_restores_a_alone_where_its_factor_does(restores: Any, restoring: set[str], alone: bool) -> None:
    causes = answer(attribution(restores=restores), culprit_group(("x",), restoring=frozenset(restoring)))
    assert [culprit.alone for culprit in causes.culprits] == [alone]


@pytest.mark.parametrize(
    ("factor", "name", "shown"),
    [
        ("parameters", "x", True),
        ("parameters", "y", True),
        ("parameters", "key", False),
        ("variables", "x", True),
        ("variables", "key", False),
        ("code", "file", False),
        ("code", "x", True),
    ],
)
def test_secrets_are_named_but_their_values_are_not_shown(factor: str, name: str, shown: bool) -> None:
    (culprit,) = answer(attribution(), culprit_group((name,), factor)).culprits
    assert culprit.path == PATHS[name]
    assert ((culprit.a, culprit.b) == ("1", "2")) is shown
    assert culprit.a != culprit.b


def test_a_change_point_is_a_culprit_with_its_two_points() -> None:
    change = Change(3, 4, skipped=(), runs=2, complete=True)
    (culprit,) = answer(
        attribution(), ChangePoint("code", ("commits",), "c3", "c4", change, whole=True, guilty="c4")
    ).culprits
    assert (culprit.factor, culprit.a, culprit.b, culprit.sufficient, culprit.alone) == (
        "code",
        "c3",
        "c4",
        True,
        False,
    )


def test_unresolved_hybrids_of_factors_and_of_items_are_reported() -> None:
    values = {frozenset({"code"}): Value(None, "it crashed"), frozenset({"parameters"}): Value(0.5)}
    group = culprit_group(("x",), unresolved={frozenset({"y", "x"}): "it hangs"})
    unresolved = [(hybrid.from_b, hybrid.why) for hybrid in answer(attribution(values=values), group).unresolved]
    assert unresolved == [(("code",), "it crashed"), (("x", "y"), "it hangs")]
    many = culprit_group(("x",), unresolved={frozenset({f"{n}"}): "it hangs" for n in range(MOST_UNRESOLVED + 1)})
    assert len(answer(attribution(), many).unresolved) == MOST_UNRESOLVED


def test_masked_causes_have_the_counts_of_the_search() -> None:
    causes = masked_causes(Factors(("code", "parameters")), {"code": 0.5, "parameters": 0.5}, COUNTS)  # type: ignore[arg-type]
    assert (causes.factors, causes.runs, causes.cached, causes.budget_spent) == (("code", "parameters"), 7, 3, True)
    assert "cancel each other out" in causes.sentences[0]


@pytest.mark.parametrize(
    ("sides", "sentence"),
    [
        ([("1", "2")], "Reverting x0 from 2 to 1 alone restores A."),
        ([(None, "2")], "Removing x0 alone restores A."),
        ([("1", None)], "Adding x0 1 back alone restores A."),
        ([(None, None)], "Reverting x0 alone restores A."),
        ([("1", "2"), ("3", "4")], "Reverting x0 from 2 to 1 or x1 from 4 to 3 alone restores A."),
        (
            [("1", "2"), (None, "4"), ("5", None)],
            "Reverting x0 from 2 to 1, removing x1 or adding x2 5 back alone restores A.",
        ),
    ],
)
def test_reverting_is_removing_or_adding_where_a_side_lacks_the_item(sides: Any, sentence: str) -> None:
    culprits = [Culprit("environment", ("packages", f"x{n}"), a, b, alone=True) for n, (a, b) in enumerate(sides)]
    assert sentence in list(sentences(Causes(culprits=tuple(culprits)), attribution(), (), ()))


def test_the_shares_of_more_than_two_masked_factors_are_in_the_order_of_their_names() -> None:
    assert masked_sentence({"code": 1.0, "parameters": 0.5}) == (
        "The code and the parameters cancel each other out: alone, they change 100 % and 50.0 % of the rows; "
        "together, none."
    )
    assert masked_sentence({"code": 1.0, "model": 0.25, "data": 0.5}) == (
        "The code, the model and the data cancel each other out: alone, they change 100 %, 25.0 % and 50.0 % "
        "of the rows, respectively; together, none."
    )
