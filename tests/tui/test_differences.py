"""The differing cells as a table: text, expressions, sorting, counts for charts, and what an expression cannot read."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from repro_tui.compare.columns.differences import SCHEMA
from repro_tui.tui.differences import SORTS, DifferingCells, glyph
from repro_tui.tui.lazy_table import HELD, PAGE, LazyTable, NotAnExpression, numbered_rows, sql_path
from tests.tui.folders import differences

ROWS = [
    # row, key, column, a, b, a_number, b_number, delta, rel, flip, verdict
    (0, '["x", 1]', "score", "0.5", "0.25", 0.5, 0.25, 0.25, 0.5, False, "different"),
    (0, '["x", 1]', "label", "yes", "no", None, None, None, None, True, "different"),
    (1, '["y", 2]', "score", "10", "9", 10.0, 9.0, 1.0, 0.1, False, "different"),
    (2, '["é", 3]', "score", "1.0", "1.001", 1.0, 1.001, 0.001, 0.001, False, "within-tolerance"),
]
NAMES = ("row_a", "key", "column", "a", "b", "a_number", "b_number", "abs_delta", "rel_delta", "flip", "verdict")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder whose name would be a pattern, with cells and inputs in another order."""
    path = tmp_path / "a[b]*c 'd'"
    path.mkdir()
    table = {name: [row[index] for row in ROWS] for index, name in enumerate(NAMES)}
    table |= {"row_b": table["row_a"], "input_row": [None] * 4, "change": ["changed"] * 4, "noise": [None] * 4}
    pq.write_table(pa.table(table, schema=SCHEMA), path / "differences.parquet")
    inputs = {"n": [3, 1, 2], "name": ["é", "x", "y"], "delta": [7, 8, 9], "in come": [30.0, 10.0, 20.0]}
    pq.write_table(pa.table(inputs), path / "inputs.parquet")
    return path


@pytest.fixture
def cells(folder: Path) -> DifferingCells:
    return DifferingCells(folder / "differences.parquet", folder / "inputs.parquet", ("name", "n"))


def test_an_audit_of_an_earlier_version_has_no_noise_beside_its_cells(folder: Path) -> None:
    path = folder / "differences.parquet"
    pq.write_table(pq.read_table(path).drop_columns(["noise"]), path)
    older = DifferingCells(path, folder / "inputs.parquet", ("name", "n"))
    assert older.select() == 3
    assert older[0].noise is None
    older.close()


def test_rows_within_their_own_noise_are_marked_and_found(folder: Path) -> None:
    path = folder / "differences.parquet"
    table = pq.read_table(path)
    index = table.schema.get_field_index("noise")
    pq.write_table(table.set_column(index, "noise", pa.array(["within", "beyond", "within", "beyond"])), path)
    marked = DifferingCells(path)
    within = marked.select("noise = 'within'", only_different=False)
    assert (within, [glyph(marked[row]).plain for row in range(within)].count("≈") > 0) == (2, True)
    assert marked.select("noise = 'beyond'", only_different=False) == 2
    assert all(glyph(marked[row]).plain in "≠~" for row in range(2))
    marked.close()


def keys(cells: DifferingCells) -> list[tuple[str, str]]:
    return [(cells[row].key, cells[row].column) for row in range(len(cells))]


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 3),
        ("YES", 1),
        ('"y"', 1),
        ("delta > 0.3", 1),
        ("flip", 1),
        ("not flip and column = 'score'", 2),
        ("a like 'y%'", 1),
        ('"in come" > 15', 1),
        ("name = 'x' and \"in come\" < 15", 2),
        ("'a=b", 0),
    ],
)
def test_text_and_expressions(cells: DifferingCells, text: str, count: int) -> None:
    assert cells.select(text) == count


def test_inputs_are_joined_by_key_whatever_their_order(cells: DifferingCells) -> None:
    assert cells.select('"in come" = 30', only_different=False) == 1
    assert cells[0].key == '["é", 3]'


def test_what_is_within_tolerance_is_left_out_unless_wanted(cells: DifferingCells) -> None:
    assert cells.select("", only_different=False) == 4


@pytest.mark.parametrize("sort", list(SORTS))
def test_sorting_and_back(cells: DifferingCells, sort: str) -> None:
    cells.select("", sort, rising=True)
    rising = keys(cells)
    cells.select("", sort, rising=False)
    assert set(keys(cells)) == set(rising)
    assert len(rising) == 3


def test_the_worst_is_first(cells: DifferingCells) -> None:
    cells.select("")
    assert [cells[row].column for row in range(3)] == ["label", "score", "score"]
    assert cells[1].abs_delta == 1.0


@pytest.mark.parametrize(
    "condition",
    ["delta >", "nothing = 3", "delta > 0); DROP TABLE selection_1; SELECT (1=1"],
)
def test_an_invalid_expression_says_so_and_keeps_the_rows(cells: DifferingCells, condition: str) -> None:
    cells.select("")
    with pytest.raises(NotAnExpression):
        cells.select(condition)
    assert len(cells) == 3
    assert cells[0].column == "label"


@pytest.mark.parametrize(
    "query",
    ["(select content from read_text('{}')) = 'x'", "(select count(*) from glob('{}')) = 0", "getenv('HOME') = 'x'"],
)
def test_an_expression_cannot_read_anything_else(cells: DifferingCells, query: str, tmp_path: Path) -> None:
    secret = tmp_path / "other.txt"
    secret.write_text("secret")
    with pytest.raises(NotAnExpression):
        cells.select(query.format(secret))


def test_counts_for_the_charts(cells: DifferingCells) -> None:
    assert cells.histogram("score", 1) == [(-3, 1), (-1, 1), (0, 1)]
    points = cells.points("score", 10, 10)
    assert points is not None
    assert (points.low, points.high) == (0.25, 10.0)
    assert sum(cells for _, _, cells, _ in points.dots) == 3
    assert max(x for x, _, _, _ in points.dots) == 9
    assert cells.points("label", 10, 10) is None


def test_all_cells_of_a_row(cells: DifferingCells) -> None:
    cells.select("")
    assert {cell.column for cell in cells.of_row(cells[0])} == {"label", "score"}


def test_pages_follow_the_order(tmp_path: Path) -> None:
    count = 5 * PAGE
    pq.write_table(pa.table({"v": list(range(count))}), tmp_path / "t.parquet")
    source = (
        f"SELECT file_row_number AS n, v FROM read_parquet({sql_path(tmp_path / 't.parquet')}, file_row_number = true)"
    )
    table = LazyTable([tmp_path / "t.parquet"], source, ["v"])
    assert table.select("v % 2 = 0", order="v DESC") == count // 2
    assert [table[row][0] for row in (0, PAGE, count // 2 - 1)] == [count - 2, count - 2 - 2 * PAGE, 0]
    assert sum(batch.num_rows for batch in table.batches()) == count // 2
    table.close()


@pytest.mark.parametrize("name", ["place", "position", "source", "selected", "file_row_number"])
def test_rows_may_have_columns_of_any_name(name: str, tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({name: [3, 1, 2]}), path)
    table = LazyTable([path], numbered_rows(path), ["n", name])
    table.select(order=f'"{name}"')
    assert [table[row] for row in range(3)] == [(1, 1), (2, 2), (0, 3)]
    table.close()


@pytest.mark.parametrize("name", ["place", "input_position", "own_key"])
@pytest.mark.parametrize("key", [(), ("name", "n")])
def test_inputs_may_have_columns_of_any_name(folder: Path, name: str, key: tuple[str, ...]) -> None:
    """A column that the database's own would clash with is left out; the others can be used."""
    path = folder / "inputs.parquet"
    table = pq.read_table(path)
    pq.write_table(table.append_column(name, pa.array([1, 2, 3])), path)
    cells = DifferingCells(folder / "differences.parquet", path, key)
    assert cells.select('"in come" > 15', only_different=False) == (2 if key else 0)
    cells.close()


def test_a_large_table_is_held_and_reads_the_same(tmp_path: Path) -> None:
    """Held rows are those of the file in every order and filter, and only what is worth its memory is held."""
    path = tmp_path / "differences.parquet"
    differences(path, HELD[0])
    cells = DifferingCells(path)
    cells.select("3", sort="B", only_different=False)
    before = [cells[row] for row in range(0, len(cells), 97)]
    assert cells.table.hold()
    assert not cells.table.hold(), "once"
    cells.select("3", sort="B", only_different=False)
    assert [cells[row] for row in range(0, len(cells), 97)] == before
    assert sum(batch.num_rows for batch in cells.table.batches()) == len(cells)
    cells.close()
    assert not cells.table.hold(), "a screen that was left has nothing to hold"


def test_a_small_table_is_not_held(cells: DifferingCells) -> None:
    assert not cells.table.hold()
