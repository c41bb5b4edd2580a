"""`repro_tui.explain` over plain functions: numbers, arrays, labels, what fails, and what needs what."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import repro_tui
from repro_tui.model.errors import Refused


def test_the_example_of_the_documentation() -> None:
    a = {"code": 1, "boost": 0.0, "seed": 7}
    b = {"code": 2, "boost": 3.0, "seed": 8}

    def evaluate(deployment: dict[str, Any]) -> list[float]:
        return [x + (deployment["boost"] if deployment["code"] == 2 else 0.0) for x in (1.0, 2.0, 3.0)]

    found = repro_tui.explain(a, b, evaluate)
    assert found.smallest == ("code", "boost")
    assert found.interactions == {frozenset({"code", "boost"}): 1.0}
    assert found.sentences == (
        "All of the change needs code and boost together.",
        "Seed does nothing to it.",
        "Reverting code or boost alone restores A.",
    )
    assert found.to_dict()["shares"] == {"code": 0.5, "boost": 0.5, "seed": 0.0}


def test_labels_are_one_hot() -> None:
    def evaluate(values: dict[str, Any]) -> list[str]:
        return ["yes" if row < values["x"] else "maybe" if row < values["y"] else "no" for row in range(100)]

    found = repro_tui.explain({"x": 10, "y": 20}, {"x": 30, "y": 60}, evaluate)
    assert sum(found.shares.values()) == pytest.approx(1)
    assert found.smallest == ("x", "y")


def test_many_factors_are_bisected_and_needs_are_held_to() -> None:
    a = {f"p{number}": 1 for number in range(200)}
    b = {f"p{number}": 2 for number in range(200)} | {"new": 1}
    seen = []

    def evaluate(values: dict[str, Any]) -> float:
        seen.append(values)
        assert values["p7"] == 1 or values["p3"] == 2, "p7 needs p3"
        return float(values["p7"] == 2 and "new" in values)

    found = repro_tui.explain(a, b, evaluate, needs={"p7": ["p3"]})
    assert set(map(frozenset, found.culprits)) == {frozenset({"p3", "p7"}), frozenset({"new"})}
    assert not found.separable
    assert found.runs == len(seen) <= 24
    assert not found.unresolved


def test_what_raises_is_unresolved_and_named() -> None:
    def evaluate(values: dict[str, Any]) -> float:
        if values["x"] == 2 and values["y"] == 1:
            raise ImportError("x needs y")
        return float(values["x"] + values["y"])

    found = repro_tui.explain({"x": 1, "y": 1}, {"x": 2, "y": 2}, evaluate)
    assert found.unresolved == {frozenset({"x"}): "ImportError: x needs y"}
    assert not found.separable
    assert found.shares == pytest.approx({"x": 0.5, "y": 0.5})


def test_the_same_answer_needs_no_explanation() -> None:
    found = repro_tui.explain({"x": 1}, {"x": 2}, lambda values: np.zeros(3))
    assert (found.runs, found.shares) == (2, {})
    assert "nothing to explain" in found.note


def test_a_budget_ends_the_search() -> None:
    found = repro_tui.explain(
        {"x": 1, "y": 1, "z": 1}, {"x": 2, "y": 2, "z": 2}, lambda v: v["x"] * v["y"] * v["z"], max_runs=5
    )
    assert found.budget_spent
    assert sum(found.shares.values()) == pytest.approx(1)


def test_no_answer_for_an_end_is_refused() -> None:
    with pytest.raises(Refused, match="no answer for A"):
        repro_tui.explain({"x": 1}, {"x": 2}, lambda values: None)
