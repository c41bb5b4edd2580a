"""`repro_tui.explain` over plain functions: numbers, arrays, labels, what fails, and what needs what."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from decimal import Decimal
from fractions import Fraction
from importlib.resources import files
from typing import Any

import jsonschema
import numpy as np
import pytest

import repro_tui
from repro_tui.model.errors import Refused


def test_the_example_of_the_documentation() -> None:
    a = {"code": 1, "boost": 0.0, "seed": 7}
    b = {"code": 2, "boost": 3.0, "seed": 8}

    def evaluate(deployment: dict[str, Any]) -> list[float]:
        return [x + (deployment["boost"] if deployment["code"] == 2 else 0.0) for x in (1.0, 2.0, 3.0)]

    explanation = repro_tui.explain(a, b, evaluate)
    assert explanation.smallest == ("code", "boost")
    assert explanation.interactions == {frozenset({"code", "boost"}): 1.0}
    assert explanation.sentences == (
        "All of the change needs code and boost together.",
        "seed has no effect.",
        "Reverting code or boost alone restores A.",
    )
    assert explanation.to_dict()["shares"] == {"code": 0.5, "boost": 0.5, "seed": 0.0}


def test_labels_are_one_hot() -> None:
    def evaluate(values: dict[str, Any]) -> list[str]:
        return ["yes" if row < values["x"] else "maybe" if row < values["y"] else "no" for row in range(100)]

    explanation = repro_tui.explain({"x": 10, "y": 20}, {"x": 30, "y": 60}, evaluate)
    assert sum(explanation.shares.values()) == pytest.approx(1)
    assert explanation.smallest == ("x", "y")


def test_many_factors_are_bisected_and_needs_are_satisfied() -> None:
    a = {f"p{number}": 1 for number in range(200)}
    b = {f"p{number}": 2 for number in range(200)} | {"new": 1}
    seen = []

    def evaluate(values: dict[str, Any]) -> float:
        seen.append(values)
        assert values["p7"] == 1 or values["p3"] == 2, "p7 needs p3"
        return float(values["p7"] == 2 and "new" in values)

    explanation = repro_tui.explain(a, b, evaluate, needs={"p7": ["p3"]})
    assert set(map(frozenset, explanation.culprits)) == {frozenset({"p3", "p7"}), frozenset({"new"})}
    assert not explanation.separable
    assert explanation.runs == len(seen) <= 24
    assert not explanation.unresolved


def test_what_raises_is_unresolved_and_named() -> None:
    def evaluate(values: dict[str, Any]) -> float:
        if values["x"] == 2 and values["y"] == 1:
            raise ImportError("x needs y")
        return float(values["x"] + values["y"])

    explanation = repro_tui.explain({"x": 1, "y": 1}, {"x": 2, "y": 2}, evaluate)
    assert explanation.unresolved == {frozenset({"x"}): "ImportError: x needs y"}
    assert not explanation.separable
    assert explanation.shares == {}  # the share of each is not known


def test_of_a_long_error_only_the_last_line_is_quoted() -> None:
    def evaluate(values: dict[str, Any]) -> float:
        if values["x"] == 2 and values["y"] == 1:
            lines = "; ".join([f"line {n} of a long trace {'~' * 60}" for n in range(9)] + ["KeyError: 'markup'"])
            raise RuntimeError(f"predict ended with exit status 1; its last output: {lines}")
        return float(values["x"] + values["y"])

    explanation = repro_tui.explain({"x": 1, "y": 1}, {"x": 2, "y": 2}, evaluate)
    assert any("exit status 1; its last output: KeyError: 'markup')" in sentence for sentence in explanation.sentences)


def test_the_same_answer_needs_no_explanation() -> None:
    explanation = repro_tui.explain({"x": 1}, {"x": 2}, lambda values: np.zeros(3))
    assert (explanation.runs, explanation.shares) == (2, {})
    assert "nothing to explain" in explanation.note


LARGE = 2**60


@pytest.mark.parametrize(
    "answer",
    [
        lambda v: np.array([LARGE + v["x"], 1]),
        lambda v: LARGE + v["x"],
        lambda v: [2**53 + v["x"], 5],
        lambda v: np.uint64(2**63) + np.uint64(v["x"]),
        lambda v: 2**70 + v["x"],
        lambda v: 1e-200 * v["x"],
        lambda v: 1e300 * (1 + 1e-15 * v["x"]),
        lambda v: 1e200 * v["x"],
        lambda v: [1e-300 * v["x"], 1.0],
        lambda v: 5e-324 * v["x"],
        lambda v: 3 if v["x"] else 3.5,
        lambda v: [2**63 + v["x"], -1],
        lambda v: [2**63 + v["x"], 0.0],
        lambda v: [2**53 + v["x"], 0.5],
        lambda v: 2**53 + 1 if v["x"] else 2.0**53,
        lambda v: np.longdouble(1) + np.longdouble(1e-19) * v["x"],
        lambda v: ["a\0" if v["x"] else "a"],
        lambda v: 1e308 if v["x"] else -1e308,
        lambda v: np.datetime64("2026-01-01") + np.timedelta64(v["x"], "D"),
        lambda v: complex(1, v["x"]),
        lambda v: [True, v["x"] == 1],
        lambda v: [None, "b" if v["x"] else "a"],
    ],
)
def test_answers_of_any_size_are_distinguished(answer: Any) -> None:
    explanation = repro_tui.explain({"x": 0, "y": 0}, {"x": 1, "y": 1}, answer)
    assert explanation.shares == pytest.approx({"x": 1.0, "y": 0.0})
    assert explanation.restores == (("x",),)


@pytest.mark.parametrize(
    "answer",
    [
        lambda v: 2**70 + 5 * v["x"] + 15 * v["y"],
        lambda v: Decimal("1.5") + v["x"] + 3 * v["y"],
        lambda v: [Fraction(1, 3) + v["x"] + 3 * v["y"], 7],
        lambda v: np.timedelta64(v["x"] + 3 * v["y"], "s"),
        lambda v: [v["x"] + 3 * v["y"], float("nan")],
    ],
)
def test_numbers_of_any_kind_have_their_shares(answer: Any) -> None:
    explanation = repro_tui.explain({"x": 0, "y": 0}, {"x": 1, "y": 1}, answer)
    assert explanation.shares == pytest.approx({"x": 0.25, "y": 0.75})


@pytest.mark.parametrize(
    ("a", "b", "answer"),
    [
        (0.0, -0.0, lambda v: math.copysign(1, v["x"])),
        ([1], [True], lambda v: str(v["x"])),
        ({"a": 1}, {"a": 1.0}, lambda v: str(v["x"])),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, lambda v: str(v["x"])),
    ],
)
def test_what_python_calls_equal_may_differ(a: Any, b: Any, answer: Any) -> None:
    explanation = repro_tui.explain({"x": a, "y": 0}, {"x": b, "y": 1}, answer)
    assert explanation.shares == {"x": 1.0, "y": 0.0}
    assert explanation.smallest == ("x",)


def test_missing_times_are_the_same() -> None:
    explanation = repro_tui.explain({"x": 0}, {"x": 1}, lambda v: np.datetime64("NaT", "s"))
    assert "nothing to explain" in explanation.note


def test_names_with_control_characters_are_shown_safely() -> None:
    for shares in (True, False):
        explanation = repro_tui.explain(
            {"a\x1b[31mb\nc": 0}, {"a\x1b[31mb\nc": 1}, lambda v: sum(v.values()), shares=shares
        )
        assert not any("\x1b" in sentence or "\n" in sentence for sentence in explanation.sentences)


def test_a_budget_ends_the_search() -> None:
    explanation = repro_tui.explain(
        {"x": 1, "y": 1, "z": 1}, {"x": 2, "y": 2, "z": 2}, lambda v: v["x"] * v["y"] * v["z"], max_runs=5
    )
    assert explanation.budget_spent
    assert explanation.runs == 7  # with those for A and B
    assert len(explanation.attribution.values) == 7
    assert sum(explanation.attribution.shares.values()) == pytest.approx(1)
    assert set(explanation.shares) == set("xyz") - {name for group in explanation.attribution.groups for name in group}


@pytest.mark.parametrize("runs", range(8))
def test_that_culprits_make_the_change_is_said_only_where_a_run_has_shown_it(runs: int) -> None:
    a, b = dict.fromkeys("vwxyz", 0), dict.fromkeys("vwxyz", 1)
    explanation = repro_tui.explain(a, b, lambda v: float(v["w"] and v["z"]), shares=False, max_runs=runs)
    first = explanation.sentences[0]
    shown = {"w", "z"} <= {
        name for group in explanation.culprits for name in group
    } and explanation.bisection.sufficient
    assert ("the change" in first) == shown, first
    if explanation.culprits == (("z",),):
        assert first == "Of 5 differing factors, z is at least part of the cause."


@pytest.mark.parametrize(
    ("a", "b", "message"),
    [
        ([1.0], [1.0, 2.0], "different shapes"),
        ([1.0], ["label"], "numbers for one hybrid and labels for another"),
        ([1.0, float("nan")], [2.0, 3.0], "NaN or infinity in different places"),
    ],
)
def test_answers_that_cannot_be_compared_are_refused(a: list[Any], b: list[Any], message: str) -> None:
    with pytest.raises(Refused, match=message):
        repro_tui.explain({"x": a}, {"x": b}, lambda values: values["x"])


def test_no_answer_for_an_end_is_refused() -> None:
    with pytest.raises(Refused, match="evaluate returned None for A"):
        repro_tui.explain({"x": 1}, {"x": 2}, lambda values: None)


def test_values_of_any_kind_and_answers_that_cannot_be_measured() -> None:
    def evaluate(values: dict[str, Any]) -> Any:
        if values["x"].sum() > 1 and values["y"] == "old":
            return ["a", "label"] if values["z"] else [float("nan"), 1.0]
        return [values["x"].sum() + len(values["y"]), 1.0]

    a = {"x": np.zeros(2), "y": "old", "z": False}
    explanation = repro_tui.explain(a, {"x": np.ones(2), "y": "newer", "z": True}, evaluate)
    assert set(explanation.unresolved) == {frozenset({"x"}), frozenset({"x", "z"})}
    assert "NaN" in explanation.unresolved[frozenset({"x"})]
    assert explanation.shares == {"z": 0.0}


def test_what_needs_forbid_is_not_called_for_shares_either() -> None:
    called = []

    def evaluate(values: dict[str, Any]) -> float:
        called.append((values["x"], values["y"]))
        return float(values["x"] + values["y"])

    explanation = repro_tui.explain({"x": 0, "y": 0}, {"x": 1, "y": 1}, evaluate, needs={"x": ["y"]}, shares=True)
    assert (1, 0) not in called
    assert explanation.unresolved == {frozenset({"x"}): "x needs y"}
    assert explanation.runs == len(called) == 3


@pytest.mark.parametrize("shares", [True, False])
def test_its_dictionary_has_the_shape_of_a_report(shares: bool) -> None:
    definitions = json.loads(files("repro_tui.formats.wire.schemas").joinpath("report.json").read_text())["$defs"]
    explanation = repro_tui.explain({"x": 0, "y": 1}, {"x": 1.5, "y": {2, 3}}, lambda v: v["x"], shares=shares)
    report = json.loads(json.dumps(explanation.to_dict(), allow_nan=False))
    jsonschema.validate(report, definitions["Causes"] | {"$defs": definitions})
    assert set(report) == set(definitions["Causes"]["properties"])
    (culprit,) = report["culprits"]
    assert culprit == {
        "factor": "x",
        "path": [],
        "a": 0,
        "b": 1.5,
        "sufficient": True,
        "alone": True,
        "cleared": 0 if shares else 1,
    }


def test_nothing_heavy_is_imported_before_it_is_called() -> None:
    code = "import sys, repro_tui; repro_tui.explain; print({'numpy', 'pyarrow', 'duckdb'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


@pytest.mark.parametrize("workers", [1, 4])
def test_parallel_calls_give_the_same_answer(workers: int) -> None:
    a, b = (dict.fromkeys("abcd", side) for side in (0, 1))
    explanation = repro_tui.explain(a, b, lambda v: float(v["a"] and v["b"] and v["c"]), workers=workers)
    assert (explanation.smallest, explanation.runs) == (("a", "b", "c"), 13)
