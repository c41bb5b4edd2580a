"""Comparing tables from Python: files and frames, with the same answers as an audit's."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

import repro_tui
from repro_tui.model.errors import Refused


def frame(**changes: object) -> pd.DataFrame:
    return pd.DataFrame({"id": ["a", "b", "c"], "score": [0.1, 0.2, 0.3], "label": ["no", "no", "yes"]} | changes)


def test_frames_are_compared_by_key(tmp_path: Path) -> None:
    other = frame(score=[0.1, 0.2, 0.9]).iloc[::-1]
    found = repro_tui.compare(frame(), other, key=["id"], folder=tmp_path)
    assert found.verdict == "drift"
    assert {column.name: column.different for column in found.predictions.columns} == {"score": 1, "label": 0}
    cells = found.to_pandas()
    assert list(cells["key"]) == ['["c"]']
    assert (cells["a_number"][0], cells["b_number"][0]) == (0.3, 0.9)


def test_files_of_two_formats_are_compared(tmp_path: Path) -> None:
    frame().to_csv(tmp_path / "a.csv", index=False)
    frame().to_json(tmp_path / "b.jsonl", orient="records", lines=True)
    found = repro_tui.compare(tmp_path / "a.csv", str(tmp_path / "b.jsonl"), key="id")
    assert (found.verdict, found.predictions.rows.matched) == ("identical", 3)


def test_rules_are_those_of_a_record(tmp_path: Path) -> None:
    other = frame(score=[0.1, 0.2, 0.31])
    assert repro_tui.compare(frame(), other, key=["id"], atol=0.05).verdict == "within-tolerance"
    rules = {"score": {"kind": "value", "atol": 0.05}}
    assert repro_tui.compare(frame(), other, key=["id"], columns=rules).verdict == "within-tolerance"
    with pytest.raises(Refused, match=r"columns\.score\.tolerance: is not a known key"):
        repro_tui.compare(frame(), other, columns={"score": {"tolerance": 1}})
    with pytest.raises(Refused, match=r"columns\.score\.kind: is not one of the known words"):
        repro_tui.compare(frame(), other, columns={"score": {"kind": "probabilty"}})


def test_what_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="there is no file"):
        repro_tui.compare(tmp_path / "none.csv", frame())
