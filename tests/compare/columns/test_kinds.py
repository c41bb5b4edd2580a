"""The measures of every kind against known answers, and what kinds are inferred from."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.spatial.distance import jensenshannon
from scipy.stats import kendalltau
from sklearn.neighbors import NearestNeighbors

import repro_tui
from repro_tui.compare.columns import rank_agreement as rankings
from repro_tui.compare.columns.lists.embedding import nearest
from repro_tui.compare.rows.sample import RowSample, hashes_of_numbers
from repro_tui.model.errors import Refused
from repro_tui.model.predictions import Column


def column(folder: Path, a: list[Any], b: list[Any], name: str = "v", **rule: Any) -> Column:
    frames = [pd.DataFrame({name: side}) for side in (a, b)]
    rules = {name: rule} if rule else {}
    (compared,) = repro_tui.compare(*frames, columns=rules, folder=folder).predictions.columns
    return compared


def test_rank_biased_overlap_has_its_known_values() -> None:
    """Of the extrapolated form: 1 and 0 at the ends, and by hand in between."""
    assert rankings.overlap("abc", "abc") == pytest.approx(1.0)
    assert rankings.overlap("abc", "xyz") == 0.0
    assert rankings.overlap([], []) == 1.0
    assert rankings.overlap([3, 1, 2], [3, 2, 1]) == pytest.approx((0.1 / 0.9) * (0.9 + 0.405 + 0.729) + 0.729)
    # a is shorter: X = 1, 2, 2 at depths 1 to 3, and the overlap is extrapolated
    known = (0.1 / 0.9) * (0.9 + 0.81 + 2 / 3 * 0.729 + 2 * 1 / (2 * 3) * 0.729) + 0.729
    assert rankings.overlap("ab", "abc") == rankings.overlap("abc", "ab") == pytest.approx(known)


def test_the_first_changed_rank_of_rankings() -> None:
    assert rankings.first_changed("abc", "acb") == 2
    assert rankings.first_changed("ab", "abc") == 3
    assert rankings.first_changed("ab", "ab") is None
    assert rankings.jaccard("abcd", "abxy", 4) == 2 / 6
    assert rankings.ties([1.0, 1.0, 2.0, 3.0, 3.0, 3.0]) == 5


def test_a_list_of_items_is_measured_by_row(tmp_path: Path) -> None:
    ranking = column(tmp_path, [[1, 2, 3], [4, 5, 6]], [[1, 3, 2], [4, 5, 6]], "ranking")
    assert (ranking.kind, ranking.flips, ranking.measures["first_changed_rank"]) == ("ranking", 1, 2)
    assert ranking.measures["kendall_tau_b"] == pytest.approx((1 + kendalltau([1, 2, 3], [1, 3, 2]).statistic) / 2)
    assert ranking.measures["kendall_tau_b_min"] == pytest.approx(1 / 3)
    assert ranking.kind_why


def test_a_column_of_scores_ranks_its_rows(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    a = rng.normal(size=300).round(1)
    b = a + rng.normal(size=300).round(1)
    measures = column(tmp_path, a.tolist(), b.tolist(), kind="ranking").measures
    assert measures["kendall_tau_b"] == pytest.approx(kendalltau(a, b).statistic)
    assert 0 < measures["top_k_jaccard"] < 1
    assert measures["tied_a"] > 0


def test_the_first_differing_word_of_texts_is_measured(tmp_path: Path) -> None:
    measures = column(tmp_path, ["one two three", "x"], ["one too three", "x"], kind="text").measures
    assert (measures["exact_match"], measures["first_differing_token"]) == (0.5, 2)
    assert measures["edit_distance_of_differing"] == pytest.approx(1 / 13)


def test_documents_are_reported_by_path(tmp_path: Path) -> None:
    a = {"items": [{"price": 1, "name": "x"}, {"price": 2}], "old": None, "n": 1}
    b = {"items": [{"price": 9, "name": "x"}, {"price": 8}], "new": {}, "n": 1.0}
    documents = column(tmp_path, [json.dumps(a), "{}"], [json.dumps(b), "{}"])
    assert (documents.kind, documents.different) == ("json", 1)
    assert sorted(documents.measures["paths"]) == [
        ["items[].price", 1, 0, 0],
        ["new", 0, 0, 1],
        ["old", 0, 1, 0],
    ]


def test_vectors_have_their_divergence(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    a, b = rng.dirichlet(np.ones(4), 50), rng.dirichlet(np.ones(4), 50)
    expected = np.mean([jensenshannon(x, y, base=2) ** 2 for x, y in zip(a, b, strict=True)])
    flips = int((a.argmax(axis=1) != b.argmax(axis=1)).sum())
    lists = column(tmp_path, a.tolist(), b.tolist())
    names = [f"class_{n}_prob" for n in range(4)]
    frames = [pd.DataFrame(side, columns=names) for side in (a, b)]
    group = repro_tui.compare(*frames, folder=tmp_path).predictions.columns[0]
    for vector in (lists, group):
        assert (vector.kind, vector.flips) == ("probability", flips)
        assert vector.measures["mean_jensen_shannon"] == pytest.approx(expected)
        assert vector.measures["mean_abs"] == pytest.approx(np.abs(a - b).mean())
        assert vector.max_abs == pytest.approx(np.abs(a - b).max())
    assert (group.name, group.members) == ("*_prob", tuple(names))
    assert sum(rows for _, _, rows in group.flip_matrix) == flips


ANIMALS = {f"{name}": {"vector": "animal"} for name in ("p_cat", "p_dog", "other")}


def animals(p: Any, **more: Any) -> pd.DataFrame:
    return pd.DataFrame(np.asarray(p), columns=list(ANIMALS)).assign(**more)


def test_a_declared_vector_is_compared_as_an_inferred_one_is(tmp_path: Path) -> None:
    """Apart from its name, whatever its columns are called, and whatever other columns there are."""
    rng = np.random.default_rng(9)
    a, b = rng.dirichlet(np.ones(3), 40), rng.dirichlet(np.ones(3), 40)
    frames = [pd.DataFrame(p, columns=["p_0", "p_1", "p_2"]) for p in (a, b)]
    inferred_area = repro_tui.compare(*frames, folder=tmp_path).predictions
    more = {"p_of_rain": a[:, 0]}
    sides = animals(a, **more), animals(b, **more)
    declared_area = repro_tui.compare(*sides, columns=ANIMALS, folder=tmp_path).predictions
    inferred, declared = inferred_area.columns[0], declared_area.columns[0]
    assert (declared.name, declared.members, declared.inferred, declared.note) == ("animal", tuple(ANIMALS), False, "")
    assert {(c.kind, c.inferred, c.flips) for c in declared_area.columns[1:4]} == {("probability", False, None)}
    assert (declared_area.columns[4].name, declared_area.columns[4].flips) == ("p_of_rain", 0)
    same = {
        field: getattr(inferred, field) for field in ("verdict", "flips", "different", "measures", "max_abs", "rule")
    }
    assert {field: getattr(declared, field) for field in same} == same
    flips = {(x, y) for x, y, _ in declared.flip_matrix}
    assert flips <= {(x, y) for x in ANIMALS for y in ANIMALS if x != y}
    assert sum(rows for _, _, rows in declared.flip_matrix) == int((a.argmax(axis=1) != b.argmax(axis=1)).sum())


def test_a_declared_vector_may_be_of_scores(tmp_path: Path) -> None:
    """They do not sum to one: the most likely class decides all the same, and no divergences are reported."""
    a, b = animals([[3.0, -1.0, 0.5], [1.0, 2.0, 0.0]]), animals([[3.0, -1.0, 0.5], [2.5, 2.0, 0.0]])
    rules = {name: {"vector": "animal", "kind": "value", "atol": 2.0} for name in ANIMALS}
    area = repro_tui.compare(a, b, columns=rules, folder=tmp_path).predictions
    vector = area.columns[0]
    assert (vector.verdict, vector.flips, vector.within_tolerance) == ("drift", 1, 1)
    assert vector.flip_matrix == (("p_dog", "p_cat", 1),)
    assert (vector.note, vector.atol) == ("the rows do not sum to one", 2.0)
    assert {column.verdict for column in area.columns[1:]} == {"identical", "within-tolerance"}
    assert not [name for name in vector.measures if "shannon" in name]
    (note,) = (finding.note for finding in area.findings if finding.path == ("animal",))
    assert note == "drift: 0 different, 1 within tolerance, 1 flip; the rows do not sum to one"
    truth = repro_tui.compare(a.assign(y="x"), b.assign(y="x"), columns=rules, truth="y", folder=tmp_path)
    assert truth.predictions.columns[0].measures["truth"] == "not measured: the rows do not sum to one"


@pytest.mark.parametrize(
    ("rules", "problem"),
    [
        ({"p_cat": {"vector": "v"}}, "columns.p_cat is the only column of the vector v: expected two or more"),
        (ANIMALS | {"p_cat": {"vector": "animal", "kind": "label"}}, "columns.p_cat is a label in the vector animal"),
        (
            ANIMALS | {"p_cat": {"vector": "animal", "threshold": 0.5}},
            "the most likely class decides for the vector animal",
        ),
        (ANIMALS | {"animal": {"kind": "label"}}, "columns.p_cat.vector is 'animal': expected a name that no column"),
        ({"a": {"vector": "id"}, "b": {"vector": "id"}}, "columns.a.vector is 'id': expected a name that no column"),
        ({"a": {"vector": " "}, "b": {"vector": " "}}, "columns.a.vector is ' ': expected a name that no column has"),
    ],
    ids=range(6),
)
def test_an_invalid_vector_is_refused(tmp_path: Path, rules: Any, problem: str) -> None:
    with pytest.raises(Refused, match=re.escape(problem)):
        repro_tui.compare(pd.DataFrame(), pd.DataFrame(), key="id", columns=rules, folder=tmp_path)


@pytest.mark.parametrize(
    ("changes", "name", "note"),
    [
        ({"other": ["x", "y"]}, "animal (vector)", "other is string: the columns of a vector must be numbers"),
        (
            {"animal": [1, 2]},
            "animal (vector)",
            "the record gives the vector the name of an output column: choose another name",
        ),
        ({"other": None}, "animal (vector)", "other is not a column of both sides"),
    ],
)
def test_a_vector_that_does_not_fit_the_outputs_is_not_comparable(
    tmp_path: Path, changes: dict[str, Any], name: str, note: str
) -> None:
    a, b = animals([[0.5, 0.25, 0.25], [0.5, 0.25, 0.25]]), animals([[0.5, 0.25, 0.25], [0.25, 0.5, 0.25]])
    sides = [
        side.assign(**changes) if None not in changes.values() else side.drop(columns=list(changes)) for side in (a, b)
    ]
    area = repro_tui.compare(*sides, columns=ANIMALS, folder=tmp_path).predictions
    assert [(c.name, c.verdict, c.note) for c in area.columns if c.members] == [(name, "not-comparable", note)]
    assert (area.status, area.what) == ("unknown", f"{name}: {note}")


def test_scaled_embeddings_keep_their_neighbours_and_unrelated_ones_do_not(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    a = rng.normal(size=(60, 5))
    scaled = column(tmp_path, a.tolist(), (2 * a).tolist()).measures
    assert (scaled["neighbours_kept"], scaled["cosine_min"]) == (1.0, pytest.approx(1.0))
    assert scaled["relative_l2_max"] == pytest.approx(1.0)
    unrelated = column(tmp_path, a.tolist(), rng.normal(size=(60, 5)).tolist()).measures
    assert unrelated["neighbours_kept"] < 0.5


@pytest.mark.parametrize("key", [lambda n: n, lambda n: f"row {n}", lambda n: f"räw {n}"])
def test_samples_and_ties_depend_on_the_keys_only(tmp_path: Path, key: Any) -> None:
    """Many rows are equally near or have equal scores, and there are more of them than are sampled."""
    rng = np.random.default_rng(5)
    rows, rules = 1_500, {"score": {"kind": "ranking"}, "vector": {"kind": "embedding"}}
    frames = [
        pd.DataFrame(
            {
                "id": [key(n) for n in range(rows)],
                "vector": rng.integers(1, 4, (rows, 3)).astype(float).tolist(),
                "score": rng.integers(0, 5, rows).astype(float),
            }
        )
        for _ in "ab"
    ]

    def measures(a: pd.DataFrame, b: pd.DataFrame) -> list[dict[str, Any]]:
        area = repro_tui.compare(a, b, key="id", columns=rules, folder=tmp_path).predictions
        return [column.measures for column in area.columns]

    straight = measures(*frames)
    assert straight[0]["neighbours_of"] == "1,000 of 1,500 rows"
    assert 0 < straight[0]["neighbours_kept"] < 0.5
    shuffled = [frame.sample(frac=1, random_state=number) for number, frame in enumerate(frames)]
    names = ("neighbours_kept", "neighbours_kept_min", "cosine_p1", "top_k_jaccard", "rank_biased_overlap")
    for reordered in (measures(*shuffled), measures(*reversed(shuffled))):
        for expected, actual in zip(straight, reordered, strict=True):
            assert {n: expected.get(n) for n in names} == pytest.approx({n: actual.get(n) for n in names})


def test_vectors_of_one_direction_have_the_same_neighbours(tmp_path: Path) -> None:
    """Rounding does not decide which of many equally near rows is the nearest, and no square overflows."""
    a = np.random.default_rng(6).integers(1, 4, (200, 3)).astype(float)
    for scale in (3.0, 0.1, 1e200):
        measures = column(tmp_path, a.tolist(), (scale * a).tolist()).measures
        assert (measures["neighbours_kept"], measures["neighbours_kept_min"]) == (1.0, 1.0)


def test_the_nearest_neighbours_are_those_of_scikit_learn() -> None:
    vectors = np.random.default_rng(7).normal(size=(300, 8))
    neighbours = NearestNeighbors(n_neighbors=10, metric="cosine", algorithm="brute").fit(vectors)
    assert nearest(vectors).tolist() == neighbours.kneighbors(return_distance=False).tolist()


@pytest.mark.parametrize(
    ("name", "values", "kind"),
    [
        ("v", [[0.5, 0.5], [0.25, 0.75]], "probability"),
        ("v", [[0.5, 0.6], [0.25, 0.75]], "embedding"),
        ("top_k", [[3, 1], [1, 3]], "ranking"),
        ("v", [[3, 1], [1, 3]], "embedding"),
        ("ranking", ['["a"]', '["b"]'], "ranking"),
        ("v", ['["a"]', '{"b": 1}'], "json"),
        ("v", ["[draft] a", "[draft] b"], "label"),
        ("v", [0, 1], "label"),
        ("v", [0.5, 1.5], "value"),
    ],
)
def test_kinds_are_inferred_with_a_reason(tmp_path: Path, name: str, values: list[Any], kind: str) -> None:
    inferred = column(tmp_path, values, values[::-1], name)
    assert (inferred.kind, inferred.inferred) == (kind, True)
    assert inferred.kind_why
    declared = column(tmp_path, values, values[::-1], name, kind=kind)
    assert (declared.kind, declared.inferred, declared.kind_why) == (kind, False, "")


def test_a_sample_does_not_depend_on_the_order() -> None:
    rows = np.arange(10_000)
    shuffled = np.random.default_rng(0).permutation(rows)
    kept = []
    for order in (rows, shuffled):
        sample: RowSample[int] = RowSample(100)
        for part in np.array_split(order, 7):
            sample.offer(hashes_of_numbers(part), lambda places, part=part: part[places].tolist())
        kept.append(sorted(sample.items))
    assert kept[0] == kept[1]
    assert len(kept[0]) == 100
    assert sample.measure("rows") == {"sample": "100 of 10,000 rows"}
    assert 3_000 < np.mean(kept[0]) < 7_000


def test_numbers_that_may_be_ids_stay_numbers_and_a_note_says_how_to_compare_them_as_labels(tmp_path: Path) -> None:
    a, b = [0, 1, 2, 3] * 5, [3, 1, 2, 0] * 5
    inferred = column(tmp_path / "inferred", a, b, "cluster")
    assert (inferred.kind, inferred.different) == ("value", 10)
    assert "whole numbers with 4 different values" in inferred.note
    assert 'record validation.columns.cluster.kind = "label"' in inferred.note
    declared = column(tmp_path / "label", a, b, "cluster", kind="label")
    assert (declared.kind, declared.flips, declared.note) == ("label", 10, "")
    assert not column(tmp_path / "value", a, b, "cluster", kind="value").note
    of_floats = column(tmp_path / "floats", [float(x) for x in a] + [None], [float(x) for x in b] + [None], "cluster")
    assert (of_floats.kind, of_floats.different) == ("value", 10)
    assert 'record validation.columns.cluster.kind = "label"' in of_floats.note
    assert not column(tmp_path / "halves", [x / 2 for x in a], [x / 2 for x in b], "cluster").note
    assert not column(tmp_path / "same", a, a, "cluster").note
    assert not column(tmp_path / "many", list(range(200)), list(range(1, 201)), "cluster").note
