"""Which side is right: known answers, whatever the order of the rows and the types of the labels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest
from sklearn.metrics import brier_score_loss, log_loss

import repro_tui
from repro_tui.model.predictions import Column

TRUTH = [1, 0, 1, 1, 0, 0, 1, 0, 1, 1]
A = [1, 0, 1, 1, 0, 0, 0, 1, 1, 1]  # 8 of 10 are right
B = [0, 1, 0, 1, 0, 0, 1, 1, 0, 1]  # 5 of 10: four are right in A alone, one in B alone


def by_name(a: pd.DataFrame, b: pd.DataFrame, folder: Path, **options: Any) -> dict[str, Column]:
    comparison = repro_tui.compare(a, b, key=["id"], truth="y", folder=folder, **options)
    return {column.name: column for column in comparison.predictions.columns}


@pytest.mark.parametrize("kind", [int, str, bool, float])
def test_mcnemar_counts_the_rows_that_one_side_alone_gets_right(tmp_path: Path, kind: Any) -> None:
    rules = {"label": {"kind": "label"}}
    a, b = (
        pd.DataFrame({"id": range(10), "y": TRUTH, "label": [kind(v) if kind is not bool else bool(v) for v in side]})
        for side in (A, B)
    )
    measures = by_name(a, b.iloc[::-1], tmp_path, columns=rules)["label"].measures
    assert (measures["accuracy_a"], measures["accuracy_b"]) == (0.8, 0.5)
    assert (measures["only_a_right"], measures["only_b_right"]) == (4, 1)
    assert measures["mcnemar_p"] == pytest.approx(binomtest(4, 5).pvalue)


def test_a_probability_has_its_brier_score_and_calibration(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    p = rng.random(2000)
    y = (rng.random(2000) < p).astype(int)
    worse = np.clip(p**3, 0, 1)
    a, b = (pd.DataFrame({"id": range(2000), "y": y, "p": side}) for side in (p, worse))
    measures = by_name(a, b.sample(frac=1, random_state=1), tmp_path)["p"].measures
    assert measures["brier_a"] == pytest.approx(brier_score_loss(y, p))
    assert measures["brier_b"] == pytest.approx(brier_score_loss(y, worse))
    assert measures["log_loss_b"] == pytest.approx(log_loss(y, worse))
    assert measures["calibration_error_a"] < 0.05 < measures["calibration_error_b"]


def test_a_vector_is_calibrated_by_its_most_likely_class(tmp_path: Path) -> None:
    names = ["cat", "dog", "ant"]
    a = pd.DataFrame({"id": range(3), "y": names, "cat_prob": [0.8, 0.1, 0.1], "dog_prob": [0.1, 0.8, 0.1]})
    a["ant_prob"] = 1 - a["cat_prob"] - a["dog_prob"]
    b = a.assign(cat_prob=[0.1, 0.1, 0.8], ant_prob=[0.8, 0.1, 0.1])
    vector = by_name(a, b, tmp_path)["*_prob"]
    assert (vector.flips, vector.flip_matrix) == (2, (("ant", "cat", 1), ("cat", "ant", 1)))
    assert vector.measures["calibration_error_a"] == pytest.approx(0.2)
    assert vector.measures["calibration_error_b"] == pytest.approx(0.8 - 1 / 3)


def scores_of(y: list[Any], p: Any, labels: list[Any]) -> dict[str, float]:
    """The scores by scikit-learn, and the calibration error of the most likely class by hand."""
    best, hits = p.max(axis=1), np.asarray(labels, dtype=object)[p.argmax(axis=1)] == np.asarray(y, dtype=object)
    bins = np.minimum(np.floor(best * 10), 9)
    error = sum(abs(best[bins == n].sum() - hits[bins == n].sum()) for n in range(10)) / len(y)
    brier = brier_score_loss(y, p[:, 1], pos_label=labels[1]) if len(labels) == 2 else brier_score_loss(y, p)
    return {"brier": brier, "log_loss": log_loss(y, p, labels=labels), "calibration_error": error}


def by_side(measures: dict[str, Any]) -> dict[str, dict[str, float]]:
    """The scores of each side."""
    names = ("brier", "log_loss", "calibration_error")
    return {side: {name: measures[f"{name}_{side}"] for name in names} for side in "ab"}


NAMES, NUMBERS = [["ant", "cat", "dog"], ["no", "yes"]], [[0, 1, 2], [0, 1]]
VECTORS = [("lists", labels) for labels in (*NAMES, *NUMBERS)]
VECTORS += [("columns", labels) for labels in (*NAMES, *NUMBERS, [2, 10])]


@pytest.mark.parametrize(("form", "labels"), VECTORS, ids=str)
def test_vectors_have_the_scores_of_scikit_learn(tmp_path: Path, form: str, labels: list[Any]) -> None:
    """Of both sides, whatever the order of the rows; rows without a truth, or without numbers, are left out."""
    rng, rows = np.random.default_rng(8), 400
    y = rng.choice(np.asarray(labels, dtype=object), rows).tolist()
    a, b = (rng.dirichlet(np.ones(len(labels)), rows) for _ in "ab")
    y[0], a[0] = labels[-1], np.eye(len(labels))[0]  # as confident as possible, and wrong
    known = {"a": scores_of(y[:5] + y[6:], np.delete(a, 5, 0), labels)}
    known["b"] = scores_of(y[:5] + y[7:], np.delete(b, [5, 6], 0), labels)
    b[6, -1] = np.nan
    truth = pd.Series([None if row == 5 else label for row, label in enumerate(y)])
    truth = truth.astype("Int64" if isinstance(labels[0], int) else "string")

    def frame(p: Any) -> pd.DataFrame:
        cells = {"v": p.tolist()} if form == "lists" else {f"p_{label}": p[:, n] for n, label in enumerate(labels)}
        return pd.DataFrame({"id": range(rows), "y": truth} | cells)

    frame_a, frame_b = frame(a), frame(b).sample(frac=1, random_state=2)
    if form == "columns":
        frame_b = frame_b.astype({f"p_{labels[-1]}": "Float64"})  # a null instead of NaN
    rules = {"v": {"kind": "probability"}} if form == "lists" else {f"p_{n}": {"kind": "probability"} for n in labels}
    column = "v" if form == "lists" else "p_*"
    forward, backward = (
        by_name(*sides, tmp_path, columns=rules)[column] for sides in ((frame_a, frame_b), (frame_b, frame_a))
    )
    assert by_side(forward.measures) == {side: pytest.approx(scores) for side, scores in known.items()}
    assert by_side(backward.measures) == {"a": pytest.approx(known["b"]), "b": pytest.approx(known["a"])}


def test_a_list_that_does_not_fit_the_truth_is_not_measured(tmp_path: Path) -> None:
    def problem(truth: list[Any], a: list[Any], b: list[Any]) -> str:
        frames = [pd.DataFrame({"id": range(2), "y": truth, "v": side}) for side in (a, b)]
        rules = {"v": {"kind": "probability"}}
        return str(by_name(*frames, tmp_path, columns=rules)["v"].measures.get("truth"))

    two, swapped = [[0.4, 0.6], [0.5, 0.5]], [[0.6, 0.4], [0.5, 0.5]]
    assert problem([0, 1], two, swapped) == "None"
    assert (
        problem([0, 2], two, swapped)
        == "not measured: the truth has the class 2, and the classes of the lists are 0 to 1"
    )
    assert problem(["x", "x"], two, swapped) == "not measured: A has lists of 2 numbers for 1 class"
    ragged = [[0.6, 0.4], [0.5, 0.25, 0.25]]
    assert problem([0, 1], two, ragged) == "not measured: B has lists of 3 numbers for 2 classes"
    deep = [[[0.4, 0.6]], [[0.5, 0.5]]]
    assert problem([0, 1], deep, deep[::-1]) == "not measured: the lists are nested"
    blank = [[float("nan"), 1.0], [1.0, float("nan")]]
    assert problem([0, 1], blank, two) == "not measured: no row of A has both a truth and a probability"


def test_columns_that_do_not_fit_the_truth_are_not_measured(tmp_path: Path) -> None:
    def measures(truth: list[str]) -> dict[str, Any]:
        a = pd.DataFrame({"id": range(2), "y": truth, "p_cat": [0.5, 0.3], "p_dog": [0.3, 0.3], "p_ant": [0.2, 0.4]})
        return by_name(a, a.assign(p_cat=a["p_dog"], p_dog=a["p_cat"]), tmp_path)["p_*"].measures

    assert (
        measures(["cat", "bird"])["truth"]
        == "not measured: no column is named for bird, which is the truth of some rows"
    )
    rare = measures(["cat", "cat"])  # dogs and ants are never true, and count towards the score all the same
    assert rare["brier_a"] == pytest.approx((0.25 + 0.09 + 0.04 + 0.49 + 0.09 + 0.16) / 2)
    assert rare["log_loss_b"] == pytest.approx(-np.log(0.3))


def test_one_probability_needs_two_classes(tmp_path: Path) -> None:
    a = pd.DataFrame({"id": range(3), "y": [0, 1, 2], "p": [0.1, 0.2, 0.3]})
    measures = by_name(a, a.assign(p=[0.3, 0.2, 0.1]), tmp_path)["p"].measures
    assert measures["truth"] == "not measured: the truth has 3 classes, and a single probability needs two"


def test_without_a_truth_there_are_no_measures_of_it(tmp_path: Path) -> None:
    a = pd.DataFrame({"id": range(10), "label": A})
    measures = by_name(a, a.assign(label=B), tmp_path)["label"].measures
    assert not {"mcnemar_p", "accuracy_a"} & set(measures)
