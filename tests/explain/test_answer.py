"""From what a search found to what a report says of it: who is guilty, alone or not, and which values are shown."""

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
from repro_tui.explain.window import Change
from repro_tui.model.causes import Causes
from repro_tui.support.redact import Redactor

PATHS = {"x": ("x",), "y": ("deep", "y"), "key": ("api_key",), "file": ("files", "secret.json", "token")}
COUNTS = SimpleNamespace(runs=7, cached=3, budget=SimpleNamespace(spent=True))


def attribution(**changes: Any) -> Attribution:
    shares = {"code": 0.25, "parameters": 0.75}
    given: dict[str, Any] = {"dividends": {frozenset({name}): share for name, share in shares.items()}} | changes
    return Attribution(("code", "parameters"), shares, **given)


def things(names: tuple[str, ...], factor: str = "parameters", **changes: Any) -> CulpritGroup:
    found: dict[str, Any] = {
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
    return CulpritGroup(inside, Culprits(**(found | changes)))


def told(found: Attribution, *inside: CulpritGroup | ChangePoint) -> Causes:
    search: Any = SimpleNamespace(
        factors=Factors(found.factors), executor=COUNTS, context=SimpleNamespace(redactor=Redactor())
    )
    return causes_of(search, found, inside)


def test_shares_and_interactions_are_told_to_a_millionth() -> None:
    both = frozenset({"code", "parameters"})
    found = told(attribution(dividends={both: 0.123_456_789}))
    assert [(one.factors, one.dividend) for one in found.interactions] == [(("code", "parameters"), 0.123457)]
    assert found.shares == {"code": 0.25, "parameters": 0.75}
    assert (found.runs, found.cached, found.budget_spent, found.separable) == (7, 3, True, True)


@pytest.mark.parametrize(
    ("groups", "inside", "separable"),
    [((), True, True), ((), False, False), ((("code", "parameters"),), True, False)],
)
def test_separable_is_what_is_so_everywhere(groups: Any, inside: bool, separable: bool) -> None:
    assert told(attribution(groups=groups), things(("x",)), things(("y",), separable=inside)).separable is separable


@pytest.mark.parametrize(
    ("names", "sufficient", "enough"), [("x", True, True), ("x", False, False), (("x", "y"), True, False)]
)
def test_a_thing_suffices_where_it_alone_is_guilty(names: Any, sufficient: bool, enough: bool) -> None:
    found = told(attribution(), things(tuple(names), sufficient=sufficient))
    assert [one.sufficient for one in found.culprits] == [enough] * len(names)


@pytest.mark.parametrize(
    ("restores", "restoring", "alone"),
    [
        ((("parameters",),), {"x"}, True),
        ((("parameters",),), {"y"}, False),
        ((("code",),), {"x"}, False),
        ((("code", "parameters"),), {"x"}, False),  # the other has to be reverted as well
    ],
)
def test_a_thing_restores_a_alone_where_its_factor_does(restores: Any, restoring: set[str], alone: bool) -> None:
    found = told(attribution(restores=restores), things(("x",), restoring=frozenset(restoring)))
    assert [one.alone for one in found.culprits] == [alone]


@pytest.mark.parametrize(
    ("factor", "name", "shown"),
    [
        ("parameters", "x", True),
        ("parameters", "y", True),
        ("parameters", "key", False),
        ("variables", "x", False),  # of variables only those of a list are shown
        ("code", "file", False),
        ("code", "x", True),
    ],
)
def test_secrets_are_named_and_not_shown(factor: str, name: str, shown: bool) -> None:
    (culprit,) = told(attribution(), things((name,), factor)).culprits
    assert culprit.path == PATHS[name]
    assert ((culprit.a, culprit.b) == ("1", "2")) is shown
    assert culprit.a != culprit.b


def test_where_on_a_way_the_change_came() -> None:
    change = Change(3, 4, skipped=(), runs=2, complete=True)
    (culprit,) = told(
        attribution(), ChangePoint("code", ("commits",), "c3", "c4", change, whole=True, guilty="c4")
    ).culprits
    assert (culprit.factor, culprit.a, culprit.b, culprit.sufficient, culprit.alone) == (
        "code",
        "c3",
        "c4",
        True,
        False,
    )


def test_what_stayed_open_is_told_of_factors_and_of_things() -> None:
    values = {frozenset({"code"}): Value(None, "it crashed"), frozenset({"parameters"}): Value(0.5)}
    inside = things(("x",), unresolved={frozenset({"y", "x"}): "it hangs"})
    found = told(attribution(values=values), inside)
    assert [(one.from_b, one.why) for one in found.unresolved] == [(("code",), "it crashed"), (("x", "y"), "it hangs")]
    many = things(("x",), unresolved={frozenset({f"{n}"}): "it hangs" for n in range(MOST_UNRESOLVED + 1)})
    assert len(told(attribution(), many).unresolved) == MOST_UNRESOLVED


def test_what_cancels_itself_is_told_with_its_runs() -> None:
    found = masked_causes(Factors(("code", "parameters")), {"code": 0.5, "parameters": 0.5}, COUNTS)  # type: ignore[arg-type]
    assert (found.factors, found.runs, found.cached, found.budget_spent) == (("code", "parameters"), 7, 3, True)
    assert "cancel each other" in found.sentences[0]
