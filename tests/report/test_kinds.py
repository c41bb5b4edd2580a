"""What the report says about kinds of output that are more than numbers."""

from __future__ import annotations

from dataclasses import replace

import pytest

from repro_tui.model.predictions import Column, PredictionsArea, Rows
from repro_tui.report.html_predictions import predictions
from repro_tui.report.outcome import outcome_notes, verdict_sentence
from repro_tui.report.stress import stress_sentences
from repro_tui.report.words import kind_words, measure_rows
from tests.report.sample import rich_report

BASE = Column("v", "", "drift", equal=390, different=10, type_a="string", type_b="string", kind_why="named so")
MATRIX = (("cat", "dog", 7), ("dog", "cat", 3))
RANKING = {"top_k": 10, "top_k_jaccard": 0.98, "kendall_tau_b": 0.95, "first_changed_rank": 2}
TRUTH = {"accuracy_a": 0.9, "accuracy_b": 0.85, "only_a_right": 30, "only_b_right": 10, "mcnemar_p": 0.00222}
COLUMNS = {
    "the most likely class of v changes in 10 of 400 rows, most often cat to dog (7); 10 move, by up to 0.5": replace(
        BASE, kind="probability", flips=10, flip_matrix=MATRIX, max_abs=0.5, members=("p_cat", "p_dog")
    ),
    "v changes in 10 of 400 rows "
    "(from rank 2 on, the Jaccard index of the top 10 is 0.98, Kendall's tau-b 0.95)": replace(
        BASE, kind="ranking", flips=10, measures=RANKING
    ),
    "10 of 400 texts of v differ, by 12.0 % of their length on average": replace(
        BASE, kind="text", measures={"edit_distance_of_differing": 0.12}
    ),
    "10 of 400 texts of v differ": replace(BASE, kind="text", measures={"edit_distance_of_differing": 0.0}),
    "10 of 400 documents of v differ, most often at a[].b": replace(
        BASE, kind="json", measures={"paths": [["a[].b", 9, 0, 1]]}
    ),
    "v differs in 10 of 400 rows": replace(BASE, kind="value", max_abs=0.0),
    "v moves by up to 0.5 in 10 of 400 rows; the smallest cosine of A and B is 0.91": replace(
        BASE, kind="embedding", max_abs=0.5, measures={"cosine_min": 0.91}
    ),
}


def area(*columns: Column) -> PredictionsArea:
    return PredictionsArea("different", "drift", rows=Rows(400, 400, 400), columns=columns)


@pytest.mark.parametrize("sentence", COLUMNS, ids=[column.kind for column in COLUMNS.values()])
def test_each_kind_has_its_sentence(sentence: str) -> None:
    assert verdict_sentence(area(COLUMNS[sentence]), "drift") == f"Drift: {sentence}"


@pytest.mark.parametrize(
    ("column", "sentence"),
    [
        (replace(BASE, kind="label", flips=1), "1 of 400 v values flips"),
        (
            replace(BASE, kind="probability", flips=1, flip_matrix=MATRIX[:1], max_abs=0.5),
            "the most likely class of v changes in 1 of 400 rows, most often cat to dog (7); 1 moves, by up to 0.5",
        ),
        (
            replace(BASE, kind="value", flips=1, max_abs=0.5),
            "v moves by up to 0.5 in 1 of 400 rows, and 1 crosses the decision threshold",
        ),
        (
            replace(BASE, kind="text", measures={"edit_distance_of_differing": 0.12}),
            "1 of 400 texts of v differs, by 12.0 % of their length on average",
        ),
        (
            replace(BASE, kind="json", measures={"paths": [["a[].b", 9, 0, 1]]}),
            "1 of 400 documents of v differs, most often at a[].b",
        ),
    ],
)
def test_a_single_row_has_a_verb_in_the_singular(column: Column, sentence: str) -> None:
    assert verdict_sentence(area(replace(column, different=1)), "drift") == f"Drift: {sentence}"


def test_a_vector_speaks_for_its_columns() -> None:
    vector = replace(BASE, name="p_*", kind="probability", flips=1, flip_matrix=MATRIX[:1], members=("p_cat", "p_dog"))
    members = [replace(BASE, name=name, kind="probability", max_abs=0.5) for name in vector.members]
    sentence = verdict_sentence(area(vector, *members), "drift")
    assert "p_*" in sentence
    assert "p_cat" not in sentence


def test_the_truth_says_which_side_is_right() -> None:
    label = replace(BASE, kind="label", flips=40, measures=TRUTH)
    (note,) = outcome_notes(area(label), "drift")
    assert note == (
        "Against the true values, 90.00 % of A and 85.00 % of B are right in v: 30 rows right only in A and 10 only "
        "in B (McNemar's exact test, p = 0.00222)."
    )


def test_each_side_that_was_stressed_has_a_sentence() -> None:
    assert list(stress_sentences(rich_report().areas.predictions)) == [
        "One factor varied at a time: A's own predictions do not move with the hash seed; "
        "not known: batch size (it asks for none).",
        "One factor varied at a time: B's own predictions move with the "
        "hash seed (PYTHONHASHSEED=1: score by up to 0.0312 in 214 rows) and batch size (it fails).",
    ]


def test_measures_have_words_and_documents_their_paths() -> None:
    measures = {"exact_match": 0.975, "paths": [["a[].b", 9, 0, 1]], "unheard_of": 2, "sample": "5 of 10 rows"}
    column = replace(BASE, kind="json", measures=measures)
    assert measure_rows(column) == [
        ("rows that are equal", "97.5 %"),
        ("unheard of", "2"),
        ("measured on", "5 of 10 rows"),
        ("path a[].b", "9 changed, 1 only in B"),
    ]
    assert kind_words(column) == "json (inferred: named so)"
    assert kind_words(replace(column, inferred=False)) == "json (declared)"
    rates = {"flip_rate": 0.145, "flip_rate_low": 0.114, "flip_rate_high": 0.183, "accuracy_a": 0.9125}
    assert measure_rows(replace(column, measures=rates)) == [
        ("rows that flip", "14.5 %"),
        ("expected on other rows", "11.4 % to 18.3 %"),  # in words: an interval of 95 % is not known to everyone
        ("right in A", "91.25 %"),
    ]
    page = predictions(area(replace(column, measures={"paths": [["<b>", 1, 0, 0]]})))
    assert "path &lt;b&gt;" in page
    assert "<dt>kind</dt><dd>json (inferred: named so)</dd>" in page
