"""Names shortened as a list: each fits, the same name is the same text, and different names stay different."""

from __future__ import annotations

from hypothesis import example, given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from repro_tui.tui.names import LEAST, ShortNames, short_names

BEGINNINGS = st.sampled_from(["", "feature_contribution_", "layer_encoder_", "モデル_出力_", "x" * 40])
ENDINGS = st.sampled_from(["", "_attention_weight", "_weight", "y" * 40, "確率"])
PARTS = st.text(alphabet="abé0123456789_ \n鍵\u202e", max_size=6)
ALIKE = st.builds("".join, st.tuples(BEGINNINGS, PARTS, ENDINGS))
MIXED = st.lists(ALIKE | st.text(max_size=60), max_size=40)


@given(MIXED, st.integers(LEAST, 60))
@settings(max_examples=300, deadline=None)
@example(["a" * 30 + "1" + "b" * 30, "a" * 30 + "2" + "b" * 30], 8)
@example(["aaa…#1", "aaabbbbbbbbb", "aaacbbbbbbbb"], 8)
@example(["鍵" * 9, "鍵" * 10], 8)
def test_different_names_stay_different_and_fit(names: list[str], width: int) -> None:
    short = short_names(names, width)
    assert all(cell_len(text) <= width for text in short)
    by_name = dict(zip(names, short, strict=True))
    assert short == [by_name[name] for name in names]
    assert len(set(by_name.values())) == len(by_name)
    assert all("\n" not in text and "\u202e" not in text for text in short)


@given(MIXED, st.integers(1, 7))
@settings(max_examples=50, deadline=None)
def test_narrow_columns_are_kept_to(names: list[str], width: int) -> None:
    assert all(cell_len(text) <= width for text in short_names(names, width))


def test_the_part_that_tells_names_apart_stays() -> None:
    columns = [f"feature_contribution_{number}" for number in range(60)]
    assert short_names(columns, 14)[17] == "feature…ion_17"
    assert short_names(columns, 60) == columns
    layers = [f"layer_encoder_{number:02}_attention_output_weight" for number in range(12)]
    assert all(f"{number:02}" in text for number, text in enumerate(short_names(layers, 16)))
    assert short_names(["mean_of_all_the_scores", "x"], 10) == ["mean_…ores", "x"]


def test_a_name_that_is_not_of_the_list_is_shortened_too() -> None:
    short = ShortNames(["feature_contribution_1", "feature_contribution_2"])
    assert short("feature_contribution_1", 10) != short("feature_contribution_2", 10)
    assert len(short("something_else_entirely", 10)) == 10
