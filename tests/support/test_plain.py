"""Plain JSON: ASCII, finite, written atomically, and dataclasses that round-trip."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from repro_tui.model.causes import Hybrid
from repro_tui.model.finding import Finding
from repro_tui.model.grade import Metric
from repro_tui.model.predictions import Column, Noise
from repro_tui.support.plain import dumps, from_plain, to_plain, write_atomically


def test_a_finding_comes_back_as_it_was() -> None:
    child = Finding(("a", "b"), "removed", a=[1, {"x": None}])
    finding = Finding(("a",), "changed", a=1.5, b="é", children=(child,))
    assert from_plain(Finding, json.loads(dumps(finding))) == finding


def test_unknown_keys_are_accepted_and_wrong_types_are_not() -> None:
    assert from_plain(Finding, {"path": ["a"], "change": "added", "later": 1}).path == ("a",)
    with pytest.raises(ValueError, match="change"):
        from_plain(Finding, {"path": ["a"], "change": "sideways"})


def test_what_json_cannot_hold_becomes_text() -> None:
    assert to_plain({"x": [float("nan"), float("-inf"), 1.0]}) == {"x": ["nan", "-inf", 1.0]}
    assert dumps({"é": "\ud800"}).isascii()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")], ids=str)
@pytest.mark.parametrize(
    ("made", "name"),
    [
        (Noise(), "ratio"),
        (Noise(), "statistic"),
        (Column("x", "value", "drift"), "max_abs"),
        (Metric("auc", 0.5), "recorded"),
        (Metric("auc", 0.5), "rebuilt"),
        (Hybrid(("a",), 0.5, None, "A"), "rows_as_b"),
    ],
    ids=lambda case: case if isinstance(case, str) else type(case).__name__,
)
def test_a_number_that_json_cannot_hold_is_null_where_there_may_be_none(made: Any, name: str, value: float) -> None:
    """A report with NaN or infinity could not be read again."""
    nested = {"x": [dataclasses.replace(made, **{name: value})]}
    (plain,) = json.loads(dumps(nested))["x"]
    assert plain[name] is None
    assert from_plain(type(made), plain) == dataclasses.replace(made, **{name: None})


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "report.json"
    write_atomically(file, b"old")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_atomically(file, b"new")
    assert file.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [file]
