"""What is written to files: whole or not at all, harmless in a spreadsheet, and never through a link."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from repro_tui.tui.app import Auditor
from repro_tui.tui.dialogs import ChoiceDialog, MessageDialog, PromptDialog, QuestionDialog
from repro_tui.tui.written_table import WrittenTable, write_csv, write_parquet
from tests.tui.driving import press
from tests.tui.folders import finished


def table(**columns: list[Any]) -> WrittenTable:
    def batches() -> Iterator[pa.RecordBatch]:
        whole = pa.table(columns)
        yield from whole.to_batches(max_chunksize=2)

    return WrittenTable("t", batches, len(next(iter(columns.values()))))


def test_texts_that_begin_a_formula_are_disarmed_and_numbers_are_not(tmp_path: Path) -> None:
    texts = ["=1+1", "-0.5", "+3e-7", "@x", "-cmd|x", None, "plain", "\tx"]
    write_csv(table(text=texts, number=[-1.5] * 8, many=[[1, 2]] * 8), tmp_path / "t.csv")
    with (tmp_path / "t.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["text"] for row in rows] == ["'=1+1", "-0.5", "+3e-7", "'@x", "'-cmd|x", "", "plain", "'\tx"]
    assert {row["number"] for row in rows} == {"-1.5"}
    assert json.loads(rows[0]["many"]) == [1, 2]


def test_parquet_keeps_types(tmp_path: Path) -> None:
    write_parquet(table(number=[1, 2, 3], text=["a", None, "=c"]), tmp_path / "t.parquet")
    assert pq.read_table(tmp_path / "t.parquet").to_pylist()[2] == {"number": 3, "text": "=c"}


def test_a_table_that_breaks_off_leaves_the_old_file(tmp_path: Path) -> None:
    def broken() -> Iterator[pa.RecordBatch]:
        yield pa.RecordBatch.from_pydict({"v": [1]})
        raise OSError("the disk is full")

    (tmp_path / "t.csv").write_text("old")
    with pytest.raises(OSError, match="full"):
        write_csv(WrittenTable("t", broken, 2), tmp_path / "t.csv")
    assert (tmp_path / "t.csv").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["t.csv"]


async def test_every_screen_writes_its_finding_its_table_and_the_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    app = Auditor(finished(tmp_path / "audit"))
    async with app.run_test(size=(100, 30)) as pilot:
        await press(pilot, "2")
        for downs in range(9):
            await press(pilot, "w")
            assert isinstance(app.screen, ChoiceDialog)
            assert len(app.screen.choices) == 9
            await press(pilot, *["down"] * downs, "enter")
            assert isinstance(app.screen, PromptDialog)
            await press(pilot, "enter")
    written = {path.name.removeprefix("20261124T103200Z-"): path for path in tmp_path.iterdir() if path.is_file()}
    assert set(written) == {
        "finding.json",
        "environment.csv",
        "environment.parquet",
        "report.html",
        "report.json",
        "report.xml",
        "report.md",
        "report.prom",
        "report.env",
    }
    assert json.loads(written["finding.json"].read_text())["path"] == ["packages", "numpy"]
    assert json.loads(written["report.json"].read_text())["verdict"] == "drift"
    assert len(written["environment.csv"].read_text().splitlines()) == 4
    assert pq.read_table(written["environment.parquet"]).column("path").to_pylist()[0] == "packages/numpy"


async def test_differing_cells_are_written_as_they_are_filtered_and_sorted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    app = Auditor(finished(tmp_path / "audit"))
    async with app.run_test(size=(100, 30)) as pilot:
        await press(pilot, "5", "slash", *"flip", "enter", "t", "down", "enter", "w", "down", "enter", "enter")
    with (tmp_path / "20261124T103200Z-differences.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["key"] for row in rows] == ['["A10050"]']


async def test_what_is_there_is_asked_about_and_a_link_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    there, link = tmp_path / "there.json", tmp_path / "link.json"
    there.write_text("mine")
    link.symlink_to(there)
    app = Auditor(finished(tmp_path / "audit"))

    async def write_to(pilot: Any, name: str) -> None:
        await press(pilot, "3", "w", "enter")
        box = app.screen.query_one("#line")
        box.value = name  # type: ignore[attr-defined]
        await press(pilot, "enter")

    async with app.run_test(size=(100, 30)) as pilot:
        await write_to(pilot, "link.json")
        assert isinstance(app.screen, MessageDialog)
        assert "is a symbolic link" in app.screen.sentences[0]
        await press(pilot, "escape")
        await write_to(pilot, "there.json")
        assert isinstance(app.screen, QuestionDialog)
        await press(pilot, "escape")
        assert there.read_text() == "mine"
        await write_to(pilot, "there.json")
        await press(pilot, "o")
        assert json.loads(there.read_text())["change"] == "changed"
        await write_to(pilot, "nowhere/there.json")
        assert isinstance(app.screen, MessageDialog)


@pytest.mark.parametrize(
    "before", ["", " ", "\n", "\r\n", "\t", "\u00a0", "\ufeff", "\u200b\u202e", "\u3000", "\x00\x1b"]
)
@pytest.mark.parametrize("mark", ["=", "+", "-", "@", "\uff1d"])
def test_the_first_visible_character_decides_what_is_a_formula(tmp_path: Path, before: str, mark: str) -> None:
    cell = f"{before}{mark}cmd|' /C calc'!A0"
    encoded = pa.array([cell, " -1.5"]).dictionary_encode()
    batch = pa.RecordBatch.from_arrays([pa.array([cell, " -1.5"]), encoded], names=[cell, "plain"])
    write_csv(WrittenTable("t", lambda: iter([batch]), 2), tmp_path / "t.csv")
    with (tmp_path / "t.csv").open(newline="") as stream:
        rows = list(csv.reader(stream))
    assert rows == [[f"'{cell}", "plain"], [f"'{cell}", f"'{cell}"], [" -1.5", " -1.5"]]
