"""Many columns: the worst come first, names stay apart, and the user filters, widens and hides them."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from repro_tui.model.predictions import Column
from repro_tui.report.outcome import worst_first
from repro_tui.tui.app import Auditor
from repro_tui.tui.column_view import ColumnView, visible_part
from repro_tui.tui.differences import DifferingCells
from repro_tui.tui.expression_errors import expression_problem
from repro_tui.tui.output_columns import ColumnRows
from repro_tui.tui.screens.predictions import PredictionsScreen
from repro_tui.tui.screens.table import TableScreen
from repro_tui.tui.widgets.grid import Grid
from tests.tui.driving import press, settle, written
from tests.tui.folders import finished
from tests.tui.wide_folders import name_of, wide

TABLE = ("o", "down", "enter")


def columns_of(app: Auditor) -> list[str]:
    source = app.screen.query_one("#columns", Grid).source
    assert isinstance(source, ColumnRows)
    return [column.name for column in source.columns]


def cells_of(app: Auditor) -> list[str]:
    assert isinstance(app.screen, PredictionsScreen)
    cells = app.screen.differences
    assert cells is not None
    return [cells[row].column for row in range(len(cells))]


def test_the_worst_columns_come_first() -> None:
    columns = [
        Column("same", "number", "identical"),
        Column("few", "number", "drift", different=2, max_rel=0.9),
        Column("noise", "number", "within-noise", different=50),
        Column("many", "number", "drift", different=20),
        Column("flips", "label", "drift", different=1, flips=1),
        Column("also few", "number", "drift", different=2, max_rel=0.9),
    ]
    names = [column.name for column in worst_first(columns)]
    assert names == ["flips", "many", "few", "also few", "noise", "same"]


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 50)])
async def test_names_in_view_stay_different(size: tuple[int, int], tmp_path: Path) -> None:
    app = Auditor(wide(tmp_path / "audit"))
    async with app.run_test(size=size) as pilot:
        await press(pilot, "5")
        assert columns_of(app)[:3] == [name_of(57), name_of(54), name_of(51)]
        assert "column (60)" in written(app)
        for name in ("columns", "cells"):
            grid = app.screen.query_one(f"#{name}", Grid)
            assert grid.source is not None
            at = 1 if name == "columns" else 2
            texts = {grid.source.cells(row, grid._widths)[at].plain for row in range(20)}
            assert len(texts) == len(set(columns_of(app)[:20] if name == "columns" else cells_of(app)[:20])) > 10
        assert app.screen.query_one("#columns", Grid).size.height >= min(61, max(8, size[1] // 3))


async def test_a_column_is_hidden_with_its_cells_and_shown_again(tmp_path: Path) -> None:
    app = Auditor(wide(tmp_path / "audit"))
    async with app.run_test(size=(120, 40)) as pilot:
        await press(pilot, "5", "minus")
        assert name_of(57) not in columns_of(app)
        assert name_of(57) not in cells_of(app)
        assert "column 59/60" in written(app)
        assert "in 59 of 60 columns (1 hidden)" in written(app)
        await press(pilot, "tab")
        cell = app.screen.cell()  # type: ignore[attr-defined]
        await press(pilot, "minus")
        assert cell.column not in cells_of(app)
        assert "column 58/60" in written(app)
        await press(pilot, "C")
        assert len(columns_of(app)) == 60
        assert {cell.column, name_of(57)} <= set(cells_of(app))
        assert "hidden" not in written(app)


async def test_columns_are_filtered_by_name_and_widened(tmp_path: Path) -> None:
    app = Auditor(wide(tmp_path / "audit"))
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, "5", "c", *"TION_4", "enter")
        shown = {name_of(number) for number in (4, *range(40, 50))}
        assert set(columns_of(app)) == shown
        assert set(cells_of(app)) <= shown
        assert "in 11 of 60 columns (named like 'TION_4')" in written(app)
        await press(pilot, "c", *"zzz", "enter")
        assert set(columns_of(app)) == shown
        assert name_of(48) not in written(app)
        await press(pilot, "underscore")
        assert name_of(48) in written(app)
        await press(pilot, "underscore", "C")
        assert name_of(48) not in written(app)
        assert len(columns_of(app)) == 60


async def test_the_only_column_cannot_be_hidden(tmp_path: Path) -> None:
    app = Auditor(wide(tmp_path / "audit"))
    async with app.run_test(size=(120, 40)) as pilot:
        await press(pilot, "5", "c", *"contribution_57", "enter", "minus")
        assert columns_of(app) == [name_of(57)]
        assert "This is the only column that is shown." in [note.message for note in app._notifications]


async def test_the_columns_of_a_table(tmp_path: Path) -> None:
    app = Auditor(wide(tmp_path / "audit"))
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, *TABLE)
        screen = app.screen
        assert isinstance(screen, TableScreen)
        assert "columns 1 to 4 of 62" in written(app)
        await press(pilot, "right", "underscore")
        assert "x" * 50 in written(app)
        await press(pilot, "minus")
        assert "x" * 10 not in written(app)
        assert "61 of 62 columns (1 hidden)" in written(app)
        await press(pilot, *["right"] * 70)
        assert screen.view.shown[screen.current] == name_of(59)
        assert "columns 58 to 61 of 61" in written(app)
        await press(pilot, *["left"] * 70)
        assert screen.view.shown[screen.current] == "id"
        await press(pilot, "c", *"_5", "enter")
        assert screen.view.shown == [name_of(number) for number in (5, *range(50, 60))]
        await press(pilot, "C")
        assert screen.view.shown == screen.names


WIDTHS = st.lists(st.integers(1, 60), min_size=1, max_size=30)


@given(WIDTHS, st.integers(0, 40), st.integers(0, 40), st.integers(5, 99))
def test_the_current_column_is_always_in_view(widths: list[int], first: int, current: int, room: int) -> None:
    current %= len(widths)
    start, count = visible_part(widths, first, current, room)
    assert start <= current < start + count
    assert count == 1 or sum(widths[start : start + count]) + count <= room
    after = start + count
    assert after == len(widths) or sum(widths[start : after + 1]) + count + 1 > room


def test_the_view_says_what_it_leaves_out() -> None:
    view = ColumnView(["a1", "a2", "b"])
    assert view.extent == ""
    assert view.keep("A") == ""
    assert view.hide("a1") == ""
    assert view.hide("a2") != ""
    assert view.keep("b") == ""
    assert view.extent == "1 of 3 columns (named like 'b', 1 hidden)"
    view.show_all()
    assert view.shown == ["a1", "a2", "b"]


# -- filters ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("keys", [("5",), TABLE])
async def test_old_rows_never_stand_below_a_new_filter(
    keys: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While a filter runs its title says so, without the counts of before, and the rows are dimmed."""
    app = Auditor(wide(tmp_path / "audit"))
    async with app.run_test(size=(120, 40)) as pilot:
        await press(pilot, *keys)
        screen: Any = app.screen
        table = screen.differences.table if keys == ("5",) else screen.rows
        title, grid = screen.query_one("#cells-title, #head"), screen.query_one("#cells, #rows", Grid)
        before, go_on = str(title.render()), threading.Event()
        select = table.select

        def slow(*arguments: object, **options: object) -> int:
            assert go_on.wait(60)
            return int(select(*arguments, **options))

        monkeypatch.setattr(table, "select", slow)
        screen.select("1 = 1")
        await pilot.pause(0)
        assert str(title.render()) == "reading …"
        while not grid.stale:
            await pilot.pause(0.01)
        go_on.set()
        await settle(pilot)
        assert not grid.stale
        assert str(title.render()) == before
        await press(pilot, "slash", *"1 = 2")
        assert grid.count == 0
        assert "matches the filter: Esc clears it" in written(app)


async def test_a_wrong_condition_is_explained_in_full_above_dimmed_rows(tmp_path: Path) -> None:
    app = Auditor(finished(tmp_path / "audit"))
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, "5", "slash", *"incom > 5")
        assert "not an expression yet: there is no column incom: did you mean income?" in written(app)
        grid = app.screen.query_one("#cells", Grid)
        assert grid.stale
        await press(pilot, "home", "delete", "delete", "delete", "delete", "delete")
        await press(pilot, *"nowhere_near_any_column_of_this_audit")
        seen = " ".join(written(app).split())
        assert "there is no column nowhere_near_any_column_of_this_audit: the columns are key, column," in seen
        assert "LINE" not in seen
        await press(pilot, "escape")
        assert not grid.stale


@pytest.mark.parametrize(
    ("condition", "problem"),
    [
        ("incom > 5", "there is no column incom: did you mean income?"),
        ('"Incme" > 5', "there is no column Incme: did you mean income?"),
        ("income >", "it is incomplete, or has one parenthesis too many"),
        ("(income > 5", "it is incomplete, or has one parenthesis too many"),
        ("sum(income) > 1", "WHERE clause cannot contain aggregates"),
        ("region like 'a", "unterminated string literal"),
        ("foo(income) = 1", "Scalar Function with name foo does not exist"),
    ],
)
def test_the_databases_errors_as_sentences(condition: str, problem: str) -> None:
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE t (income INT, region VARCHAR)")
        with pytest.raises(duckdb.Error) as caught:
            connection.execute(f"SELECT 1 FROM t WHERE ({condition}) ORDER BY income")
    assert expression_problem(str(caught.value), ["income", "region"]) == problem


def test_a_long_error_is_never_cut(tmp_path: Path) -> None:
    """A value that is no number is quoted in the message, however long; the sentence has its end."""
    message = f"Conversion Error: Could not convert string '{'v' * 300}' to INT32\n\nLINE 1: SELECT n FROM (…\n    ^"
    assert expression_problem(message, ()).endswith("to INT32")


def test_the_cells_of_hidden_columns_are_left_out(tmp_path: Path) -> None:
    folder = wide(tmp_path / "audit")
    cells = DifferingCells(folder.differences)
    everything = cells.select(only_different=False)
    left = cells.select(only_different=False, without=[name_of(0), "'; DROP TABLE x --"])
    assert everything == 300
    assert left == 285
    cells.close()


async def test_a_row_that_is_read_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    go_on = threading.Event()

    def slow(*_: object) -> list[object]:
        assert go_on.wait(60)
        return []

    monkeypatch.setattr("repro_tui.tui.screens.row.answers", slow)
    app = Auditor(finished(tmp_path / "audit"))
    async with app.run_test(size=(120, 40)) as pilot:
        await press(pilot, "5", "tab")
        await pilot.press("enter")
        while type(app.screen).__name__ != "RowScreen" or not app.screen.query("#answers, #inputs"):
            await pilot.pause(0.01)
        for grid in app.screen.query(Grid):
            assert (grid.count, grid.empty) == (0, "reading …")
        go_on.set()
        await settle(pilot)
        assert "the outputs of this row are not in this folder" in written(app)
