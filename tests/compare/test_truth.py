"""What the truth says of two sides: known answers, whatever the order of the rows and the types of the labels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest
from sklearn.metrics import brier_score_loss

import repro_tui
from repro_tui.model.predictions import Column

TRUTH = [1, 0, 1, 1, 0, 0, 1, 0, 1, 1]
A = [1, 0, 1, 1, 0, 0, 0, 1, 1, 1]  # 8 of 10 are right
B = [0, 1, 0, 1, 0, 0, 1, 1, 0, 1]  # 5 of 10: four are right in A alone, one in B alone


def by_name(a: pd.DataFrame, b: pd.DataFrame, folder: Path, **options: Any) -> dict[str, Column]:
    found = repro_tui.compare(a, b, key=["id"], truth="y", folder=folder, **options)
    return {column.name: column for column in found.predictions.columns}


@pytest.mark.parametrize("kind", [int, str, bool, float])
def test_mcnemar_counts_who_alone_is_right(tmp_path: Path, kind: Any) -> None:
    rules = {"label": {"kind": "label"}}
    a, b = (
        pd.DataFrame({"id": range(10), "y": TRUTH, "label": [kind(v) if kind is not bool else bool(v) for v in side]})
        for side in (A, B)
    )
    told = by_name(a, b.iloc[::-1], tmp_path, columns=rules)["label"].measures
    assert (told["accuracy_a"], told["accuracy_b"]) == (0.8, 0.5)
    assert (told["only_a_right"], told["only_b_right"]) == (4, 1)
    assert told["mcnemar_p"] == pytest.approx(binomtest(4, 5).pvalue)


def test_a_probability_has_its_brier_score_and_calibration(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    p = rng.random(2000)
    y = (rng.random(2000) < p).astype(int)
    worse = np.clip(p**3, 0, 1)
    a, b = (pd.DataFrame({"id": range(2000), "y": y, "p": side}) for side in (p, worse))
    told = by_name(a, b.sample(frac=1, random_state=1), tmp_path)["p"].measures
    assert told["brier_a"] == pytest.approx(brier_score_loss(y, p))
    assert told["brier_b"] == pytest.approx(brier_score_loss(y, worse))
    assert told["calibration_error_a"] < 0.05 < told["calibration_error_b"]


def test_a_vector_is_calibrated_by_its_likeliest_class(tmp_path: Path) -> None:
    names = ["cat", "dog", "ant"]
    a = pd.DataFrame({"id": range(3), "y": names, "cat_prob": [0.8, 0.1, 0.1], "dog_prob": [0.1, 0.8, 0.1]})
    a["ant_prob"] = 1 - a["cat_prob"] - a["dog_prob"]
    b = a.assign(cat_prob=[0.1, 0.1, 0.8], ant_prob=[0.8, 0.1, 0.1])
    found = by_name(a, b, tmp_path)["*_prob"]
    assert (found.flips, found.flip_matrix) == (2, (("ant", "cat", 1), ("cat", "ant", 1)))
    assert found.measures["calibration_error_a"] == pytest.approx(0.2)
    assert found.measures["calibration_error_b"] == pytest.approx(0.8 - 1 / 3)


def test_without_a_truth_nothing_is_said_of_it(tmp_path: Path) -> None:
    a = pd.DataFrame({"id": range(10), "label": A})
    told = by_name(a, a.assign(label=B), tmp_path)["label"].measures
    assert not {"mcnemar_p", "accuracy_a"} & set(told)
