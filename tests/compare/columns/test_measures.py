"""Every measure of the table in docs/comparison.md against NumPy, SciPy and scikit-learn, or counted by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.spatial.distance import cosine, jensenshannon
from sklearn.metrics import cohen_kappa_score

import repro_tui
from repro_tui.model.predictions import Column

ROWS = 500


def compared(folder: Path, kind: str, a: Any, b: Any, **rule: Any) -> Column:
    """One column, whose rows are in another order in B."""
    frame_a, frame_b = (pd.DataFrame({"id": range(len(a)), "v": list(side)}) for side in (a, b))
    frame_b = frame_b.sample(frac=1, random_state=0)
    rules = {"v": {"kind": kind} | rule}
    (column,) = repro_tui.compare(frame_a, frame_b, key="id", columns=rules, folder=folder).predictions.columns
    assert (column.kind, column.inferred) == (kind, False)
    return column


def test_labels(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    a, b = rng.choice(["x", "y", "z"], ROWS), rng.choice(["x", "y", "z"], ROWS)
    labels = compared(tmp_path, "label", a, b)
    flips = int((a != b).sum())
    wilson = stats.binomtest(flips, ROWS).proportion_ci(0.95, "wilson")
    assert labels.flips == flips
    assert labels.measures == {
        "flip_rate": flips / ROWS,
        "flip_rate_low": pytest.approx(wilson.low),
        "flip_rate_high": pytest.approx(wilson.high),
        "interval": "wilson",
        "kappa": pytest.approx(cohen_kappa_score(a, b)),
    }
    became = pd.Series(list(zip(a, b, strict=True))).value_counts()
    assert {(x, y): n for x, y, n in labels.flip_matrix} == {(x, y): n for (x, y), n in became.items() if x != y}


def test_labels_that_do_not_flip(tmp_path: Path) -> None:
    """The exact bound: Wilson's would be 0 to 0.0076."""
    a = np.arange(ROWS) % 3
    labels = compared(tmp_path, "label", a.astype(np.int64), a.astype(np.int32))
    exact = stats.binomtest(0, ROWS).proportion_ci(0.95, "exact")
    assert (labels.verdict, labels.flips, labels.flip_matrix) == ("equal", 0, ())
    assert labels.measures == {
        "flip_rate": 0.0,
        "flip_rate_low": 0.0,
        "flip_rate_high": pytest.approx(exact.high),
        "interval": "exact",
        "kappa": 1.0,
    }


def test_probabilities(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    a, b = rng.random(ROWS), rng.random(ROWS)
    a[:2], b[:2] = [0.0, 1.0], [1.0, 1.0]
    probabilities = compared(tmp_path, "probability", a, b, threshold=0.7)
    flips = int(((a >= 0.7) != (b >= 0.7)).sum())
    apart = np.array([jensenshannon([p, 1 - p], [q, 1 - q], base=2) ** 2 for p, q in zip(a, b, strict=True)])
    assert probabilities.flips == flips
    assert probabilities.measures["flip_rate"] == flips / ROWS
    assert probabilities.measures["mean_jensen_shannon"] == pytest.approx(apart.mean())
    assert probabilities.measures["max_jensen_shannon"] == pytest.approx(apart.max()) == 1.0
    numbers(probabilities, a, b)


def test_vectors_of_probabilities(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    a, b = rng.dirichlet(np.ones(4), ROWS), rng.dirichlet(np.ones(4), ROWS)
    vectors = compared(tmp_path, "probability", a, b)
    flips = a.argmax(axis=1) != b.argmax(axis=1)
    apart = np.array([jensenshannon(p, q, base=2) ** 2 for p, q in zip(a, b, strict=True)])
    assert vectors.flips == flips.sum()
    assert vectors.max_abs == pytest.approx(np.abs(a - b).max())
    assert vectors.measures["flip_rate"] == flips.mean()
    assert vectors.measures["mean_abs"] == pytest.approx(np.abs(a - b).mean())
    assert vectors.measures["p99_abs"] == pytest.approx(np.quantile(np.abs(a - b), 0.99))
    assert vectors.measures["mean_jensen_shannon"] == pytest.approx(apart.mean())
    assert vectors.measures["max_jensen_shannon"] == pytest.approx(apart.max())
    assert sum(rows for _, _, rows in vectors.flip_matrix) == flips.sum()


def numbers(column: Column, a: Any, b: Any) -> None:
    """The measures that every column of numbers has, be they values or probabilities."""
    delta = b - a
    assert column.max_abs == pytest.approx(np.abs(delta).max())
    assert column.max_rel == pytest.approx((np.abs(delta) / np.maximum(np.abs(a), np.abs(b))).max())
    measures = column.measures
    assert measures["mean_abs"] == pytest.approx(np.abs(delta).mean())
    assert measures["p99_abs"] == pytest.approx(np.quantile(np.abs(delta), 0.99))
    assert measures["bias"] == pytest.approx(delta.mean())
    assert measures["rmse"] == pytest.approx(np.sqrt(np.square(delta).mean()))
    assert measures["rmse_over_sd"] == pytest.approx(np.sqrt(np.square(delta).mean()) / a.std())
    assert measures["ks"] == pytest.approx(stats.ks_2samp(a, b).statistic)
    assert measures["wasserstein_over_sd"] == pytest.approx(stats.wasserstein_distance(a, b) / a.std())


@pytest.mark.parametrize("offset", [0.0, 1e6], ids=["around nothing", "far from nothing"])
def test_values(tmp_path: Path, offset: float) -> None:
    rng = np.random.default_rng(4)
    a = rng.normal(offset, 2, ROWS)
    b = a + rng.normal(0.5, 1, ROWS) * (rng.random(ROWS) < 0.7)
    numbers(compared(tmp_path, "value", a, b), a, b)


def test_values_that_are_missing_are_left_out_of_means(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    a, b = rng.normal(3, 2, ROWS), rng.normal(3, 2, ROWS)
    kept = slice(2, None)
    a[0], b[1] = np.nan, np.inf
    values = compared(tmp_path, "value", a, b)
    assert (values.non_finite, values.smallest_passing) == (2, None)
    delta = b[kept] - a[kept]
    assert values.measures["mean_abs"] == pytest.approx(np.abs(delta).mean())
    assert values.measures["bias"] == pytest.approx(delta.mean())
    assert values.measures["ks"] == pytest.approx(stats.ks_2samp(a[kept], b[kept]).statistic)


def test_rankings(tmp_path: Path) -> None:
    """Rank-biased overlap by hand; one of the three rankings does not change."""
    a = [[1, 2, 3], [1, 2, 3, 4], [5, 6]]
    b = [[3, 2, 1], [1, 2, 4, 9], [5, 6]]
    rankings = compared(tmp_path, "ranking", a, b)
    assert (rankings.flips, rankings.different) == (2, 2)
    turned = (0.1 / 0.9) * (0 + 1 / 2 * 0.9**2 + 1 * 0.9**3) + 0.9**3
    changed = (0.1 / 0.9) * (0.9 + 0.9**2 + 2 / 3 * 0.9**3 + 3 / 4 * 0.9**4) + 3 / 4 * 0.9**4
    assert rankings.measures == {
        "top_k": 10,
        "top_k_jaccard": pytest.approx((1 + 3 / 5 + 1) / 3),
        "top_k_jaccard_min": pytest.approx(3 / 5),
        "rank_biased_overlap": pytest.approx((turned + changed + 1) / 3),
        "rank_biased_overlap_min": pytest.approx(min(turned, changed)),
        "kendall_tau_b": pytest.approx((-1 + 1 + 1) / 3),
        "kendall_tau_b_min": -1.0,
        "first_changed_rank": 1,
        "first_changed_rank_median": 2.0,
    }
    texts = compared(tmp_path, "ranking", *([json.dumps(row) for row in side] for side in (a, b)))
    assert texts.measures == rankings.measures | {"exact_match": pytest.approx(1 / 3)}


def test_rankings_by_score(tmp_path: Path) -> None:
    """The best of A's scores is the second of B, and two of B's are equal."""
    a, b = [[0.9, 0.8, 0.1], [0.3, 0.2, 0.1]], [[0.7, 0.8, 0.7], [0.3, 0.2, 0.1]]
    rankings = compared(tmp_path, "ranking", a, b)
    assert (rankings.flips, rankings.rule) == (
        1,
        "|a-b| <= 2.5e-08 + 1e-07*max(|a|,|b|), and no decision flips (default for float64, for values about 0.2)",
    )
    tau = stats.kendalltau(a[0], b[0]).statistic
    assert rankings.measures["kendall_tau_b"] == pytest.approx((tau + 1) / 2)
    assert (rankings.measures["first_changed_rank"], rankings.measures["rows_with_ties"]) == (1, 1)


def test_a_column_of_scores_ranks_its_rows(tmp_path: Path) -> None:
    """A score alone is not a decision, so that no flips are reported."""
    a = np.arange(30.0)
    b = a.copy()
    b[[29, 19]] = b[[19, 29]]  # the first and the eleventh are swapped
    scores = compared(tmp_path, "ranking", a, b)
    assert (scores.flips, scores.rule) == (None, "|a-b| <= 1e-07 + 1e-07*max(|a|,|b|) (default for float64)")
    assert scores.measures["top_k_jaccard"] == 9 / 11
    assert scores.measures["kendall_tau_b"] == pytest.approx(stats.kendalltau(a, b).statistic)
    assert (scores.measures["first_changed_rank"], scores.measures["tied_a"]) == (1, 0)


def test_texts(tmp_path: Path) -> None:
    a = ["the cat sat", "a b c", "same", "kitten"]
    b = ["the dog sat", "a b d", "same", "sitting down"]
    texts = compared(tmp_path, "text", a, b)
    far = [3 / 11, 1 / 5, 8 / 12]
    assert texts.measures == {
        "exact_match": 0.25,
        "edit_distance_of_differing": pytest.approx(np.mean(far)),
        "edit_distance_max": pytest.approx(max(far)),
        "first_differing_token": 1,
        "first_differing_token_median": 2.0,
    }


def test_embeddings(tmp_path: Path) -> None:
    rng = np.random.default_rng(6)
    a = rng.normal(size=(ROWS, 8))
    b = a + rng.normal(0, 0.3, (ROWS, 8)) * (rng.random(ROWS) < 0.5)[:, None]
    near = np.array([1 - cosine(p, q) for p, q in zip(a, b, strict=True)])
    measures = compared(tmp_path, "embedding", a, b).measures
    assert measures["cosine_min"] == pytest.approx(near.min())
    assert measures["cosine_p1"] == pytest.approx(np.quantile(near, 0.01))
    assert measures["relative_l2_max"] == pytest.approx(
        (np.linalg.norm(b - a, axis=1) / np.linalg.norm(a, axis=1)).max()
    )
    neighbours = [(unit @ unit.T - 2 * np.eye(ROWS)).argsort(axis=1)[:, -10:] for unit in map(_unit, (a, b))]
    kept = [len(set(near_a) & set(near_b)) / 10 for near_a, near_b in zip(*neighbours, strict=True)]
    assert measures["neighbours_kept"] == pytest.approx(np.mean(kept))
    assert measures["neighbours_kept_min"] == min(kept)


def _unit(vectors: Any) -> Any:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_embeddings_of_length_zero_and_of_the_opposite_direction(tmp_path: Path) -> None:
    """Two vectors of length 0 have the cosine 1; a vector of length 0 and another have the cosine 0."""
    measures = compared(tmp_path, "embedding", [[0.0, 0.0], [1.0, 1.0]], [[-0.0, 0.0], [-1.0, -1.0]]).measures
    assert (measures["cosine_min"], measures["relative_l2_max"]) == (pytest.approx(-1.0), pytest.approx(2.0))
    measures = compared(tmp_path, "embedding", [[0.0, 0.0], [1.0, 1.0]], [[1.0, 0.0], [1.0, 1.0]]).measures
    assert measures["cosine_min"] == 0.0


def test_documents(tmp_path: Path) -> None:
    a = [{"x": {"y": 1, "z": 2}, "w": [1, 2]}, {"x": {"y": 1}}, {"same": True}]
    b = [{"x": {"y": 9, "new": 2}, "w": [1, 5, 6]}, {"x": {"y": 2}}, {"same": True}]
    documents = compared(tmp_path, "json", *([json.dumps(row) for row in side] for side in (a, b)))
    assert documents.measures == {
        "exact_match": pytest.approx(1 / 3),
        "changed_paths": 3,
        "missing_paths": 1,
        "extra_paths": 2,
        "paths": [["w[]", 1, 0, 1], ["x.y", 2, 0, 0], ["x.new", 0, 0, 1], ["x.z", 0, 1, 0]],
    }
