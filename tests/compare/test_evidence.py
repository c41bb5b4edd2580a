"""The digest of differing cells: the same for the same cells in any order, and another one for any other cells."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from repro_tui.compare.columns.differences import LONGEST_VALUE, SCHEMA
from repro_tui.compare.evidence import new_cells, with_evidence
from repro_tui.model.predictions import PredictionsArea
from repro_tui.support.context import Context

Cell = dict[str, Any]
CELLS: list[Cell] = [
    {"key": '["r1"]', "column": "label", "change": "changed", "a": "no", "b": "yes", "verdict": "different"},
    {"key": '["r2"]', "column": "label", "change": "changed", "a": "yes", "b": "no", "verdict": "different"},
    {"key": '["r2"]', "column": "note", "change": "added", "a": None, "b": "", "verdict": "different"},
]
DRIFT = PredictionsArea("different", "drift")


def folder_of(path: Path, cells: list[Cell]) -> tuple[PredictionsArea, Path]:
    """An audit's folder with these differing cells, and its area."""
    path.mkdir(exist_ok=True)
    columns = {name: [cell.get(name) for cell in cells] for name in SCHEMA.names}
    pq.write_table(pa.table(columns, schema=SCHEMA), path / "differences.parquet")
    return replace(DRIFT, differences=len(cells)), path


def evidence(path: Path, cells: list[Cell], context: Context) -> str:
    area, folder = folder_of(path, cells)
    return with_evidence(area, folder, context).evidence


def test_the_digest_is_of_the_cells_in_any_order_and_without_their_marks(tmp_path: Path, context: Context) -> None:
    first = evidence(tmp_path / "x", CELLS, context)
    assert first.startswith("sha256:")
    assert evidence(tmp_path / "x", CELLS[::-1], context) == first
    assert evidence(tmp_path / "x", [cell | {"noise": "beyond", "row_a": 7} for cell in CELLS], context) == first


@pytest.mark.parametrize(
    ("field", "value"),
    [("key", '["r3"]'), ("column", "score"), ("change", "removed"), ("a", "x"), ("b", "x"), ("b", None), ("a", "")],
)
def test_any_other_cell_has_another_digest(field: str, value: str | None, tmp_path: Path, context: Context) -> None:
    change, first = {field: value}, evidence(tmp_path / "x", CELLS, context)
    for index, cell in enumerate(CELLS):
        if (cell | change) != cell:
            changed = [*CELLS[:index], cell | change, *CELLS[index + 1 :]]
            assert evidence(tmp_path / "x", changed, context) != first, (index, change)
    assert evidence(tmp_path / "x", CELLS[1:], context) != first
    assert evidence(tmp_path / "x", [*CELLS, CELLS[0]], context) != first


def test_values_that_run_into_each_other_are_told_apart(tmp_path: Path, context: Context) -> None:
    pairs = [("x", "yz"), ("xy", "z"), ("x\x1f=y", "z"), ("x", "y\x1f=z"), (None, "=x"), ("", "x")]
    digests = {evidence(tmp_path / "x", [CELLS[0] | {"a": a, "b": b}], context) for a, b in pairs}
    assert len(digests) == len(pairs)


def test_cells_that_are_not_kept_whole_are_no_evidence(tmp_path: Path, context: Context) -> None:
    cut = "x" * LONGEST_VALUE + "… (9 more)"
    assert evidence(tmp_path / "x", [CELLS[0] | {"a": cut}], context) == ""
    area, folder = folder_of(tmp_path / "x", CELLS)
    assert with_evidence(replace(area, differences=9), folder, context).evidence == ""
    assert with_evidence(replace(area, verdict="undecided"), folder, context).evidence == ""
    (folder / "differences.parquet").unlink()
    assert with_evidence(area, folder, context).evidence == ""


def test_new_cells_are_those_that_did_not_differ_just_so(tmp_path: Path, context: Context) -> None:
    before, old = folder_of(tmp_path / "old", CELLS)

    def new(*cells: Cell) -> dict[str, int] | None:
        area, folder = folder_of(tmp_path / "now", list(cells))
        return new_cells(area, folder, before, old, context)

    assert new(*CELLS) == {}
    assert new(CELLS[0]) == {}  # that others are equal again is no news
    assert new(*CELLS, CELLS[0] | {"key": '["r9"]'}) == {"label": 1}
    assert new(CELLS[0] | {"b": "maybe"}, CELLS[2] | {"b": "x"}) == {"label": 1, "note": 1}
    area, folder = folder_of(tmp_path / "now", CELLS)
    assert new_cells(area, folder, replace(before, differences=99), old, context) is None
    assert new_cells(area, folder, before, tmp_path / "absent", context) is None
