"""One list and one difference: what stands in the list, how the difference follows, and how far `n` goes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from repro_tui.audit.folder import AuditFolder
from repro_tui.model.causes import Causes, Culprit
from repro_tui.model.finding import Finding
from repro_tui.tui.app import Auditor
from repro_tui.tui.difference.lines import AROUND, DiffRows, fitted, folded, text_lines
from repro_tui.tui.difference.listed import COLUMNS, DifferenceRows
from repro_tui.tui.difference.pane import DifferencePane, lines_of
from repro_tui.tui.difference.parts import extent, first_part, parts_of
from repro_tui.tui.difference.rows import leaf_kept, values
from repro_tui.tui.difference.tree import explained_by
from repro_tui.tui.widgets.grid import Grid
from repro_tui.tui.widgets.safe import around_difference
from tests.tui.driving import press, written
from tests.tui.heavy import CULPRIT, PARAMETERS, heavy, prompts, with_scripts

SIZES = [(80, 24), (120, 40), (200, 50)]
TEXT = st.text(st.characters(min_codepoint=32, max_codepoint=0x3040, exclude_categories=("Cc", "Cs", "Cf", "Mn", "Me")))
VALUE = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.floats(allow_nan=False) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
    max_leaves=12,
)


@pytest.fixture(scope="module")
def audit(tmp_path_factory: pytest.TempPathFactory) -> AuditFolder:
    return heavy(tmp_path_factory.mktemp("heavy") / "audit", CULPRIT)


def pane(app: Auditor) -> DifferencePane:
    return app.screen.query_one(DifferencePane)


def findings(app: Auditor) -> Grid:
    return app.screen.query_one("#findings", Grid)


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
async def test_the_difference_follows_the_cursor_at_every_size(audit: AuditFolder, size: tuple[int, int]) -> None:
    app = Auditor(audit)
    async with app.run_test(size=size) as pilot:
        await press(pilot, "3", "down")
        assert pane(app).finding is not None
        assert pane(app).finding.path == ("encoder_0", "learning_rate")  # type: ignore[union-attr]
        seen = written(app)
        assert "≠ encoder_0 › learning_rate" in seen
        assert "0.0001" in seen[seen.index("1e-04" if "1e-04" in seen else "≠ encoder_0 › learning_rate") :]


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
async def test_a_text_opens_at_its_first_difference(audit: AuditFolder, size: tuple[int, int]) -> None:
    app = Auditor(audit)
    async with app.run_test(size=size) as pilot:
        for keys in (("3",), ("enter",)):  # beside the list, and alone on the screen
            await press(pilot, *keys)
            seen = written(app)
            assert "explains 67.0 % of the change" in seen
            assert re.search(r"\bold\b", seen), seen
            assert re.search(r"\bnew\b", seen), seen


async def test_what_explains_the_drift_comes_first(audit: AuditFolder) -> None:
    app = Auditor(audit)
    async with app.run_test(size=(120, 40)) as pilot:
        await press(pilot, "3")
        assert "≠ 67.0 % prompt › system" in written(app)
        await press(pilot, "4")
        assert "≠ 33.0 % ▸ models/credit.pkl" in written(app)


async def test_values_are_cut_around_their_first_difference(audit: AuditFolder) -> None:
    app = Auditor(audit)
    async with app.run_test(size=(120, 40)) as pilot:
        await press(pilot, "3", "slash", *"edges", "enter")
        seen = written(app)
        assert "1 of 2,000 elements differs" in seen
        assert "[1500]" in seen
        row = next(line for line in seen.splitlines() if "[1500]" in line and "1500" in line and "-1" in line)
        assert "≠" in row


async def test_paths_keep_their_leaf_and_packages_their_name(audit: AuditFolder) -> None:
    app = Auditor(audit)
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, "3")
        for row in written(app).splitlines()[4:9]:
            assert re.search(rf"({'|'.join(PARAMETERS)}|system) ", row), row
        await press(pilot, "2", "end")
        names = [line.finding.path[1] for line in findings(app).source.lines]  # type: ignore[union-attr]
        await press(pilot, "home")
        for name in names[:6]:
            assert name in written(app)
        assert "packages ›" not in "\n".join(written(app).splitlines()[:10])


@pytest.mark.parametrize("key", ["2", "3", "4", "6"])
async def test_no_hash_stands_in_a_table(audit: AuditFolder, key: str) -> None:
    app = Auditor(audit)
    async with app.run_test(size=(120, 40)) as pilot:
        await press(pilot, key)
        grid = findings(app)
        for row in range(min(grid.count, 30)):
            cells = [cell.plain for cell in grid.source.cells(row, grid._widths)]  # type: ignore[union-attr]
            assert not re.search(r"[0-9a-f]{12}|blob|sha256", " ".join(cells)), cells


async def test_n_goes_through_the_lines_and_on_into_the_next_file(audit: AuditFolder) -> None:
    app = Auditor(audit)
    async with app.run_test(size=(120, 40)) as pilot:
        await press(pilot, "6", "slash", *"train.py", "enter")
        assert "+122 -122" in written(app)
        assert "difference 1 of 122" in written(app)
        await press(pilot, "n", "n")
        assert "difference 3 of 122" in written(app)
        await press(pilot, "N")
        assert "difference 2 of 122" in written(app)


async def test_n_works_inside_a_detail_and_goes_on_into_the_next_finding(audit: AuditFolder) -> None:
    app = Auditor(audit)
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, "3", "enter")
        assert "finding 1 of 400" in written(app)
        await press(pilot, "n")
        assert "finding 2 of 400" in written(app)
        assert "encoder_0 › learning_rate" in written(app)
        await press(pilot, "N")
        assert "old policy" in written(app), written(app)


async def test_n_goes_past_the_commits_and_into_closed_folders(audit: AuditFolder) -> None:
    app = Auditor(audit)
    async with app.run_test(size=(120, 40)) as pilot:
        await press(pilot, "6")
        assert pane(app).finding.path == ("commit",)  # type: ignore[union-attr]
        seen = []
        for key in ("n", "n", "N"):
            await press(pilot, key)
            seen.append(pane(app).finding.path[0])  # type: ignore[union-attr]
        assert all(re.fullmatch(r"src/api/part_\d+/module_\d+\.py", name) for name in seen), seen
        assert seen[0] == seen[2] != seen[1]
        await press(pilot, "end", "up", "up", "up", "up", "left", "N")
        assert pane(app).finding.path[0].startswith("services/features/")  # type: ignore[union-attr]


async def test_files_are_below_their_folders_with_counts(audit: AuditFolder) -> None:
    app = Auditor(audit)
    async with app.run_test(size=(120, 40)) as pilot:
        await press(pilot, "6")
        seen = written(app)
        assert "src/" in seen
        assert "500 files" in seen
        assert findings(app).count < 40
        await press(pilot, "down", "left")
        assert "▸ src/" in written(app)
        await press(pilot, "enter")
        assert "▾ src/" in written(app)


async def test_every_script_stays_in_its_column(tmp_path: Path) -> None:
    app = Auditor(with_scripts(tmp_path / "audit"))
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, "3")
        seen = written(app)
        assert "旧" in seen
        assert "新" in seen
        await press(pilot, "down", "down", "down", "down")
        assert "[bold]markup[/]" in written(app)


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
async def test_a_text_without_spaces_opens_at_its_first_difference(tmp_path: Path, size: tuple[int, int]) -> None:
    app = Auditor(with_scripts(tmp_path / "audit"))
    async with app.run_test(size=size) as pilot:
        await press(pilot, "3")
        assert len(pane(app).differences()) == 1, "540 characters are the same, and one is not"
        line = pane(app).line()
        assert line is not None
        assert (line.a or "").endswith("旧")
        assert (written(app).count("旧"), written(app).count("新")) == (2, 2), "in the list, and in the difference"


async def test_the_pane_has_the_whole_note_of_a_finding(audit: AuditFolder) -> None:
    app = Auditor(audit)
    async with app.run_test(size=(120, 40)) as pilot:
        await press(pilot, "4", "end")
        seen = written(app)
        assert (seen.count("1" * 8), seen.count("2" * 8)) >= (8, 8), "both hashes are there to their end"
        assert "1" * 8 + " →" in seen


@pytest.mark.parametrize(
    ("path", "holds"),
    [
        (("models/credit.json",), True),
        (("models",), True),
        (("models", "credit.json"), True),
        (("models", "sub/"), False),
        (("models/credit.json", "weights.age"), True),
        (("models/credit.json", "weights.debt"), False),
        (("models/credit",), False),
        (("models/other.json",), False),
    ],
)
def test_a_culprit_among_files_is_its_finding(path: tuple[str, ...], holds: bool) -> None:
    """A search names the file after the word "files", and what is in it after that; a finding has the file first."""
    culprit = Culprit("model", ("files", "models/credit.json", "weights.age"), 0.1, 0.2)
    explained = explained_by(Causes(shares={"model": 0.66}, culprits=(culprit,)), "data")
    assert bool(explained(Finding(path, "changed"))) == holds


async def test_how_far_two_histories_are_apart_is_readable(audit: AuditFolder) -> None:
    app = Auditor(audit)
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, "6")
        assert "▸ commit" in written(app).splitlines()[4]
        assert "312 commits only in B, 4 only in A" in written(app).splitlines()[4]


async def test_a_remark_on_both_sides_takes_the_room_of_both(audit: AuditFolder) -> None:
    note = "the records name two commits, but the files of B are unknown"
    app = Auditor(audit)
    async with app.run_test(size=(110, 24)) as pilot:
        await press(pilot, "7")
        grid = app.screen.query_one(Grid)
        grid.show_columns(COLUMNS)
        for swapped in (False, True):
            grid.swap(swapped)
            grid.show_rows(DifferenceRows([("code", Finding(("commit",), "unknown", note=note))]))
            await press(pilot)
            assert note in written(app)
            assert grid.render_line(1).cell_length == grid.size.width


ALIKE = st.lists(
    st.sampled_from(["a", "\n", "\r", "\r\n", "\x1b", "\\u{1b}", "\u0301" * 9, "\u0301" * 10, "\ud800", " "]),
    max_size=8,
).map("".join)


@given(ALIKE, ALIKE)
def test_texts_that_look_alike_are_shown_apart(a: str, b: str) -> None:
    finding = Finding(("prompt",), "changed", a, b)
    assert any(line.changed for line in lines_of(finding)) == (a != b)
    shown_a, shown_b = (cell.plain for cell in values(finding, 40, 40))
    assert (shown_a == shown_b) <= (a == b)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ('{"a": 1, "a": 2, "b": 1}', '{"a": 3, "a": 2, "b": 2}'),
        ('{"a": 1.0000000000000000001, "b": 1}', '{"a": 1.0, "b": 2}'),
    ],
)
def test_no_part_of_a_document_is_lost(a: str, b: str) -> None:
    """A key that occurs twice, and digits that no float has."""
    finding = Finding(("config",), "changed", a, b)
    parts = parts_of(finding)
    assert {part.path[-1] for part in parts} == {"a", "b"} or (not parts and lines_of(finding)[0].changed)


@given(TEXT, TEXT, st.integers(12, 60))
def test_fitted_lines_lose_nothing(a: str, b: str, width: int) -> None:
    pieces = fitted(text_lines(a, b), width)
    assert "".join(piece.a or "" for piece in pieces) == a
    assert "".join(piece.b or "" for piece in pieces) == b
    assert any(piece.changed for piece in pieces) == (a != b)


@given(TEXT, TEXT, st.integers(5, 40), st.integers(5, 40))
def test_two_values_never_look_the_same(a: str, b: str, width_a: int, width_b: int) -> None:
    short_a, short_b = around_difference(a, b, width_a, width_b)
    assert (short_a == short_b) <= (a == b)


@pytest.mark.parametrize("width", [8, 12, 30])
def test_a_difference_far_into_a_text_is_in_view(width: int) -> None:
    a, b = around_difference(*prompts(), width, width)
    assert a != b
    assert max(len(a), len(b)) <= width
    assert "ol" in a
    assert "ne" in b


@settings(max_examples=200)
@given(VALUE, VALUE)
def test_parts_are_exactly_what_differs(a: object, b: object) -> None:
    parts = parts_of(Finding(("x",), "changed", {"value": a}, {"value": b}))
    if _plain(a) == _plain(b):
        assert not parts or a == b
    else:
        assert parts
    for part in parts:
        assert part.path[:2] == ("x", "value")


def _plain(value: object) -> object:
    """A value in which true is not 1, and 1 is not 1.0."""
    if isinstance(value, dict):
        return {name: _plain(below) for name, below in value.items()}
    if isinstance(value, list):
        return [_plain(below) for below in value]
    return (type(value).__name__, value)


def test_an_element_at_the_front_is_one_difference() -> None:
    finding = Finding(("x",), "changed", [1, 2, 3], [0, 1, 2, 3])
    assert [(part.path, part.change, part.b) for part in parts_of(finding)] == [(("x", "[0]"), "added", 0)]
    assert extent(finding) == "1 differs; 3 elements in A, 4 in B"
    assert first_part(Finding(("x",), "changed", "a", "b")) is None


@pytest.mark.parametrize(
    ("path", "width", "shown"),
    [
        (["a", "b"], 20, "a › b"),
        (["level0_0", "level1_0", "encoder", "schedule"], 24, "…› encoder › schedule"),
        (["src/repro/module.py"], 12, "…o/module.py"),
        (["level0", "encoder_3", "hidden_size"], 23, "…› enc…_3 › hidden_size"),
        (["level0", "decoder_3", "hidden_size"], 23, "…› dec…_3 › hidden_size"),
        (["encoder_12", "learning_rate"], 23, "enc…_12 › learning_rate"),
        (["encoder_12", "learning_rate"], 19, "…12 › learning_rate"),
        (["abcdefghijklmnop"], 9, "abcd…mnop"),
    ],
)
def test_a_name_keeps_its_end(path: list[str], width: int, shown: str) -> None:
    assert leaf_kept(path, width) == shown


def test_a_value_has_the_letters_of_its_sides_and_lines_have_numbers() -> None:
    rows = DiffRows(text_lines("0.5", "0.6"), "", beside=False, width=40)
    assert [cell[0].plain for cell in (rows.cells(0, [1, 38]), rows.cells(1, [1, 38]))] == ["A", "B"]
    rows = DiffRows(text_lines("x\ny", "x\nz"), "", beside=False, width=40)
    assert [rows.cells(row, [1, 38])[1].plain for row in range(3)] == ["    1 x", "    2 y", "    2 z"]
    assert rows.differences() == [1]


def test_long_texts_of_lines_that_repeat_are_aligned() -> None:
    """difflib takes hours for these."""
    a, b = ["line", "x"] * 9_000, ["x", "line", "y"] * 6_000
    aligned = text_lines("\n".join(a), "\n".join(b))
    assert ([line.a for line in aligned if line.a is not None], [line.b for line in aligned if line.b is not None]) == (
        a,
        b,
    )
    assert sum(line.a == line.b for line in aligned) == 12_000
    assert all(line.changed for line in aligned if line.a != line.b)


def test_lists_of_values_that_repeat_are_aligned() -> None:
    a, b = [0] * 1_000, [0, 1] * 450
    parts = parts_of(Finding(("labels",), "changed", a, b))
    assert {part.change for part in parts} <= {"changed", "added", "removed"}
    kept_of_a = len(a) - sum(part.change in ("changed", "removed") for part in parts)
    assert kept_of_a == 450  # every zero of B


def test_both_zeros_differ_in_a_list() -> None:
    [part] = parts_of(Finding(("x",), "changed", [0.0, 1.0], [-0.0, 1.0]))
    assert part.path == ("x", "[0]")


@given(st.lists(st.sampled_from(["a", "b", "c"]), max_size=40), st.lists(st.sampled_from(["a", "b", "c"]), max_size=40))
def test_folding_hides_only_what_is_the_same_and_counts_it(a: list[str], b: list[str]) -> None:
    lines = text_lines("\n".join(a), "\n".join(b))
    shown = folded(lines)
    assert [line for line in shown if line.changed] == [line for line in lines if line.changed]
    hidden = [int(line.head.split()[1]) for line in shown if line.head]
    assert sum(hidden) + sum(not line.head for line in shown) == len(lines)
    assert all(count > 1 for count in hidden)
    for row, line in enumerate(lines):
        if any(near.changed for near in lines[max(0, row - AROUND) : row + AROUND + 1]):
            assert line in shown


async def test_a_long_text_is_folded_beside_the_list_and_whole_in_its_detail(audit: AuditFolder) -> None:
    """The difference of a prompt of 5,000 characters is seen at once, at the top, and nothing of it is lost."""
    for size in SIZES:
        app = Auditor(audit)
        async with app.run_test(size=size) as pilot:
            await press(pilot, "3")
            beside = written(app).partition("difference─")[2]
            above, _, below = beside.partition("policy")
            assert "characters the same" in above
            assert above.count("\n") < 12
            assert "policy" in below
            await press(pilot, "enter")
            assert "characters the same" not in written(app)
            rows = pane(app).grid.source
            assert isinstance(rows, DiffRows)
            assert sum(len(line.a or "") for line in rows.lines) == len(prompts()[0])
