"""Comparing tables from Python: files and frames, with the same results as an audit."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

import repro_tui
from repro_tui.model.errors import Refused


def frame(**changes: object) -> pd.DataFrame:
    return pd.DataFrame({"id": ["a", "b", "c"], "score": [0.1, 0.2, 0.3], "label": ["no", "no", "yes"]} | changes)


def test_frames_are_compared_by_key(tmp_path: Path) -> None:
    moved = frame(score=[0.1, 0.2, 0.9]).iloc[::-1]
    comparison = repro_tui.compare(frame(), moved, key=["id"], folder=tmp_path)
    assert comparison.verdict == "drift"
    assert {column.name: column.different for column in comparison.predictions.columns} == {"score": 1, "label": 0}
    cells = comparison.to_pandas()
    assert list(cells["key"]) == ['["c"]']
    assert (cells["a_number"][0], cells["b_number"][0]) == (0.3, 0.9)


def test_files_of_two_formats_are_compared(tmp_path: Path) -> None:
    frame().to_csv(tmp_path / "a.csv", index=False)
    frame().to_json(tmp_path / "b.jsonl", orient="records", lines=True)
    comparison = repro_tui.compare(tmp_path / "a.csv", str(tmp_path / "b.jsonl"), key="id")
    assert (comparison.verdict, comparison.predictions.rows.matched) == ("identical", 3)


def test_rules_are_those_of_a_record(tmp_path: Path) -> None:
    moved = frame(score=[0.1, 0.2, 0.31])
    assert repro_tui.compare(frame(), moved, key=["id"], atol=0.05).verdict == "within-tolerance"
    rules = {"score": {"kind": "value", "atol": 0.05}}
    assert repro_tui.compare(frame(), moved, key=["id"], columns=rules).verdict == "within-tolerance"
    with pytest.raises(Refused, match=r"columns\.score\.tolerance: is not a known key"):
        repro_tui.compare(frame(), moved, columns={"score": {"tolerance": 1}})
    with pytest.raises(Refused, match=r"columns\.score\.kind: has an unknown value"):
        repro_tui.compare(frame(), moved, columns={"score": {"kind": "probabilty"}})


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="there is no file"):
        repro_tui.compare(tmp_path / "none.csv", frame())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('[{"id": 1, "v": 2}, {"id": 2, "v": 3}]', "is one JSON array: write JSON Lines, one object per line"),
        ('{\n  "id": 1,\n  "v": 2\n}\n', "line 1 is not one complete JSON object"),
        ("id,v\n1,2,3\n", "line 2 has 3 fields"),
    ],
)
def test_a_file_that_is_not_a_table_is_refused_by_its_name(tmp_path: Path, content: str, message: str) -> None:
    good, bad = tmp_path / "good.csv", tmp_path / "bad.out"
    good.write_text("id,v\n1,2\n")
    bad.write_text(content)
    with pytest.raises(Refused) as caught:
        repro_tui.compare(good, bad, key="id", folder=tmp_path / "out")
    assert str(caught.value).startswith(f"{bad} cannot be read: ")
    assert message in str(caught.value)


def test_a_frame_that_cannot_be_read_is_refused_by_its_side_and_column(tmp_path: Path) -> None:
    good, mixed = pd.DataFrame({"id": [1], "v": [1]}), pd.DataFrame({"id": [1, 2], "v": [1, "1"]})
    with pytest.raises(Refused, match=r"table 2 of B cannot be read: .*column v"):
        repro_tui.compare(good, [good, mixed], key="id", folder=tmp_path / "out")


def test_keys_of_two_types_and_absent_keys_have_the_advice_that_fits(tmp_path: Path) -> None:
    texts, numbers = pd.DataFrame({"id": ["007"], "v": [1]}), pd.DataFrame({"id": [7], "v": [1]})
    area = repro_tui.compare(texts, numbers, key="id", folder=tmp_path / "types").predictions
    assert area.what == "the key column id is string in A and int64 in B"
    assert area.do.startswith("write the key with the same type on both sides")
    area = repro_tui.compare(texts, numbers[["v"]], key="id", folder=tmp_path / "absent").predictions
    assert "not in the output of B" in area.what
    assert area.do.startswith("have the predict step write the key next to each prediction")


def test_a_verdict_needs_an_output(tmp_path: Path) -> None:
    frame = pd.DataFrame({"id": [1], "v": [1]})
    rules = {"v": {"ignore": True}}
    area = repro_tui.compare(frame, frame, key="id", columns=rules, folder=tmp_path / "out").predictions
    assert (area.verdict, area.what) == ("not-comparable", "all outputs but the key are left out: v")
