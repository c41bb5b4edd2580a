"""Recorded metrics: answers known by hand, names, digits, and metrics that must stay unknown."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from repro_tui.compare.truth.metrics import half_unit, impossible, judge_metrics
from repro_tui.compare.truth.outcomes import read_outcomes
from repro_tui.model.grade import Metric
from repro_tui.model.record import ColumnRule, Expected, Validation
from repro_tui.model.request import Settings, Tolerance

TRUTH = [1, 0, 1, 1, 0, 0, 1, 0]
LABEL = [1, 0, 0, 1, 1, 0, 1, 0]
PROBABILITY = [0.9, 0.2, 0.4, 0.8, 0.6, 0.1, 0.7, 0.3]
VALUES = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0]


def judged(
    tmp_path: Path, metrics: dict[str, float], truth: list[Any], settings: Settings | None = None, **columns: Any
) -> dict[str, Metric]:
    ids = list(range(len(truth)))
    pq.write_table(pa.table({"id": ids, "truth": truth}), tmp_path / "inputs.parquet")
    order = ids[::-1]  # the outputs are in another order: the key pairs them
    pq.write_table(
        pa.table({"id": order} | {name: [values[n] for n in order] for name, values in columns.items()}),
        tmp_path / "outputs.parquet",
    )
    rules = {"value": ColumnRule(kind="value")} if "value" in columns else {}
    validation = Validation(key=("id",), truth="truth", columns=rules)
    outcomes = read_outcomes(tmp_path / "outputs.parquet", tmp_path / "inputs.parquet", validation, ("id",))
    digits = {name: str(value) for name, value in metrics.items()}
    judgements = judge_metrics(Expected(None, metrics, digits), outcomes, settings or Settings())
    return {metric.name: metric for metric in judgements}


def test_labels_and_probabilities_of_two_classes(tmp_path: Path) -> None:
    # 3 true positives, 1 false negative, 1 false positive, 3 true negatives
    pairs = [
        (p, q)
        for p, t in zip(PROBABILITY, TRUTH, strict=True)
        if t
        for q, u in zip(PROBABILITY, TRUTH, strict=True)
        if not u
    ]
    logs = [math.log(p if t else 1 - p) for p, t in zip(PROBABILITY, TRUTH, strict=True)]
    squares = [(p - t) ** 2 for p, t in zip(PROBABILITY, TRUTH, strict=True)]
    expected = {
        "accuracy": 0.75,
        "error_rate": 0.25,
        "balanced_accuracy_score": 0.75,
        "test_precision": 0.75,
        "recall_score": 0.75,
        "f1_macro": 0.75,
        "matthews_corrcoef": 0.5,
        "cohen_kappa_score": 0.5,
        "roc_auc": sum(p > q for p, q in pairs) / len(pairs),
        "log_loss": -sum(logs) / 8,
        "brier_score_loss": sum(squares) / 8,
        "example_count": 8.0,
    }
    metrics = judged(tmp_path, expected, TRUTH, label=LABEL, probability=PROBABILITY)
    for name, value in expected.items():
        assert metrics[name].rebuilt == pytest.approx(value), name
        assert metrics[name].matches is True, metrics[name]
    moved = {name: value + 0.01 for name, value in expected.items()}
    assert {
        metric.matches for metric in judged(tmp_path, moved, TRUTH, label=LABEL, probability=PROBABILITY).values()
    } == {False}


def test_values(tmp_path: Path) -> None:
    predicted = [value + (1.0 if n % 2 else -3.0) for n, value in enumerate(VALUES)]
    mean = sum(VALUES) / 8
    total = sum((value - mean) ** 2 for value in VALUES)
    expected = {
        "val/mse": 5.0,
        "rmse": math.sqrt(5.0),
        "mean_absolute_error": 2.0,
        "max_error": 3.0,
        "r2_score": 1 - 40.0 / total,
        "mape": sum(abs(p - v) / v for p, v in zip(predicted, VALUES, strict=True)) / 8,
    }
    metrics = judged(tmp_path, expected, VALUES, value=predicted)
    for name, value in expected.items():
        assert (metrics[name].rebuilt, metrics[name].matches) == (pytest.approx(value), True), metrics[name]


def test_three_classes_with_a_probability_each(tmp_path: Path) -> None:
    truth = ["a", "b", "c", "a"]
    columns = {f"p_{name}": [0.8 if name == t else 0.1 for t in truth] for name in "abc"}
    metrics = judged(tmp_path, {"roc_auc": 1.0, "log_loss": -math.log(0.8)}, truth, **columns)
    assert [metric.matches for metric in metrics.values()] == [True, True]


def test_a_threshold_decides_where_there_is_no_label(tmp_path: Path) -> None:
    assert judged(tmp_path, {"accuracy": 0.75}, TRUTH, probability=PROBABILITY)["accuracy"].matches is True


def test_the_types_of_truth_and_label_may_differ(tmp_path: Path) -> None:
    for truth, label in (
        ([bool(t) for t in TRUTH], LABEL),
        ([float(t) for t in TRUTH], [bool(v) for v in LABEL]),
        ([str(t) for t in TRUTH], LABEL),
        (["yes" if t else "no" for t in TRUTH], ["yes" if v else "no" for v in LABEL]),
    ):
        metrics = judged(tmp_path, {"accuracy": 0.75, "f1": 0.75}, truth, label=label)
        assert [metric.matches for metric in metrics.values()] == [True, True], (truth, metrics)


def test_metrics_that_must_stay_unknown(tmp_path: Path) -> None:
    names = ("training_accuracy", "train/f1", "ndcg", "val_f1", "test_f1", "roc_auc", "mse")
    metrics = judged(tmp_path, dict.fromkeys(names, 0.75), ["a", "b"] * 4, label=["a", "b"] * 4)
    assert {name: metric.matches for name, metric in metrics.items()} == dict.fromkeys(names)
    assert all(metric.note for metric in metrics.values())
    empty = judged(tmp_path, {"accuracy": 0.75}, [None, *TRUTH[1:]], label=LABEL)
    note = "1 row has no true answer in the column truth"
    assert (empty["accuracy"].matches, empty["accuracy"].note) == (None, note)
    two = judged(tmp_path, {"accuracy": 0.75}, TRUTH, label=LABEL, decision=LABEL)
    assert (two["accuracy"].matches, "decision" in two["accuracy"].note) == (None, True)
    infinite = judged(tmp_path, {"accuracy": float("nan")}, TRUTH, label=LABEL)
    assert infinite["accuracy"].matches is None


def test_a_tolerance_widens_what_matches(tmp_path: Path) -> None:
    wide = Settings(tolerance=Tolerance(0.02, 0.0))
    assert judged(tmp_path, {"recall": 0.74}, TRUTH, label=LABEL)["recall"].matches is False
    assert judged(tmp_path, {"recall": 0.74}, TRUTH, wide, label=LABEL)["recall"].matches is True


def test_half_a_unit_of_the_last_digit() -> None:
    for digits, half in (("0.914", 5e-4), ("0.910", 5e-4), ("0.91", 5e-3), ("12.0", 0.05), ("1e-05", 5e-6)):
        assert half_unit(digits) == pytest.approx(half)


@given(st.integers(1, 500), st.data(), st.integers(1, 6))
def test_a_count_that_was_rounded_is_never_impossible(rows: int, data: Any, places: int) -> None:
    right = data.draw(st.integers(0, rows))
    text = f"{right / rows:.{places}f}"
    assert impossible(float(text), rows, half_unit(text)) == ""


def test_impossible_accuracies() -> None:
    assert "366/400" in impossible(0.9144, 400, half_unit("0.9144"))
    assert impossible(0.9150, 400, half_unit("0.9150")) == ""
    assert impossible(91.5, 400, half_unit("91.5"))
    assert impossible(-0.1, 10, half_unit("-0.1"))
