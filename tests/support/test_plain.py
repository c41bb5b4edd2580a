"""Plain JSON: ASCII, finite, whole files, and dataclasses that come back as they were."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from repro_tui.model.finding import Finding
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
