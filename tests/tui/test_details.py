"""Details of the screens: hints that fit, lines that wrap, rows that open, steps that keep their order."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from textual.content import Content
from textual.widgets import Static

from repro_tui.audit.folder import AuditFolder, engine_lock
from repro_tui.model.event import Event
from repro_tui.model.predictions import PredictionsArea
from repro_tui.support.paths import data_rows
from repro_tui.support.plain import write_json
from repro_tui.tui.app import Auditor
from repro_tui.tui.dialogs import HelpDialog, MessageDialog
from repro_tui.tui.differences import relative
from repro_tui.tui.screens.finding import FindingScreen
from repro_tui.tui.screens.predictions import PredictionsScreen
from repro_tui.tui.steps import Steps
from repro_tui.tui.store import AuditStore
from repro_tui.tui.widgets.bars import Hint, fitting
from repro_tui.tui.widgets.prose import Item, hanging
from tests.tui.driving import press, settle, until, written
from tests.tui.folders import CAUSES, finished, running, verified, with_table

HINTS = [Hint("Enter", "open"), Hint("/", "filter"), Hint("?", "keys", kept=True), Hint("q", "quit", kept=True)]


@pytest.fixture
def audit(tmp_path: Path) -> AuditFolder:
    return finished(tmp_path / "audit")


def test_the_keys_that_quit_and_show_all_keys_are_always_hints() -> None:
    width = len("Enter open  / filter  ? keys  q quit")
    assert fitting(HINTS, width) == HINTS
    assert fitting(HINTS, width - 1) == [HINTS[0], *HINTS[2:]]
    assert fitting(HINTS, len("? keys  q quit")) == HINTS[2:]
    assert fitting(HINTS, 5) == []


@pytest.mark.parametrize("size", [(80, 24), (60, 20)])
async def test_every_screen_shows_how_to_quit_and_all_keys(size: tuple[int, int], audit: AuditFolder) -> None:
    app = Auditor(audit)
    async with app.run_test(size=size) as pilot:
        for keys in ("1", "2", "3", "4", "5", "6", "7", "l", "o"):
            await press(pilot, keys)
            bar = written(app).splitlines()[-1]
            assert "? keys" in bar, keys
            assert "q quit" in bar, keys


@pytest.mark.parametrize("keys", [(), ("2",), ("5",), ("6", "down", "enter"), ("7",), ("o",), ("l",)])
@pytest.mark.parametrize("width", [60, 80])
async def test_every_screen_names_the_way_to_all_keys(audit: AuditFolder, keys: tuple[str, ...], width: int) -> None:
    app = Auditor(audit)
    async with app.run_test(size=(width, 24)) as pilot:
        await press(pilot, *keys)
        assert "? keys" in written(app).splitlines()[-1]


def test_a_long_line_goes_on_below_its_own_text() -> None:
    item = Item(Content("• "), "one two three four five six seven")
    assert hanging(item, 22).plain == "• one two three four\n  five six seven"
    assert hanging(Item(Content("! "), "[/red]\x1b[2J"), 40).plain == "! [/red]\\u{1b}[2J"


async def test_keys_and_sentences_wrap_below_themselves(audit: AuditFolder) -> None:
    app = Auditor(audit)
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, "question_mark")
        seen = written(app).splitlines()
        first = next(line for line in seen if "Quit; while" in line)
        rest = seen[seen.index(first) + 1]
        assert rest.index("stop it") == first.index("Quit")
        assert len([line for line in seen if "│" in line]) > 12, "the box is as high as there is room for"


async def test_an_overview_names_the_key_of_each_area(audit: AuditFolder) -> None:
    app = Auditor(audit)
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot)
        seen = written(app)
        assert "≠ 5   predictions" in seen
        assert "7   cause" in seen


async def test_an_overview_has_room_for_every_share(tmp_path: Path) -> None:
    app = Auditor(finished(tmp_path / "audit", causes=CAUSES))
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot)
        assert "code 48.0 %, parameters 48.0 %, environment 4.0 %" in written(app)


async def test_the_cause_of_what_was_not_compared_is_its_failure(tmp_path: Path) -> None:
    area = PredictionsArea("unknown", "not-comparable", what="B failed at run 1", do="see run-1.log")
    app = Auditor(finished(tmp_path / "audit", own_predictions=area))
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, "7")
        seen = written(app)
        shown = " ".join(seen.split())
        assert "There is no drift to explain: the predictions were not compared: B failed at run 1." in shown
        assert "not-comparable" not in seen
        assert "2 commits only in B" in seen
        assert "4f1c4f1" not in "".join(seen.splitlines()[1:]), "a commit has its distance in the place of hashes"


async def test_a_drift_without_any_difference_promises_no_search(tmp_path: Path) -> None:
    app = Auditor(verified(tmp_path / "audit"))
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, "7")
        seen = written(app)
        assert "no difference was found that could be the cause" in " ".join(seen.split())
        assert "0 differences" not in seen
        assert "--explain" not in seen
        assert "code, environment, parameters and data are the same" in seen


async def test_areas_that_were_not_compared_are_not_called_the_same_as_a_cause(tmp_path: Path) -> None:
    folder = verified(tmp_path / "audit")
    report = folder.report()
    assert report is not None
    unknown = replace(report.areas.code, status="unknown", findings=())
    write_json(folder.path / "report.json", replace(report, areas=replace(report.areas, code=unknown)))
    app = Auditor(folder)
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, "7")
        assert "environment, parameters and data are the same; not known: code" in written(app)


async def test_the_stages_of_a_search_are_readable_where_there_is_room(tmp_path: Path) -> None:
    app = Auditor(finished(tmp_path / "audit", causes=CAUSES))
    async with app.run_test(size=(200, 50)) as pilot:
        await press(pilot, "7")
        assert "inside environment packages scipy" in written(app)


async def test_the_keys_of_the_screen_come_before_those_of_the_picker(audit: AuditFolder) -> None:
    for folder, first, second in ((audit, "In an audit", "In the picker"), (None, "In the picker", "In an audit")):
        app = Auditor(folder)
        async with app.run_test(size=(120, 150)) as pilot:
            await press(pilot, "question_mark")
            seen = written(app)
            assert 0 < seen.index(first) < seen.index(second)


async def test_a_running_overview_names_the_key_of_the_steps(tmp_path: Path) -> None:
    folder = running(tmp_path / "audit")
    with engine_lock(folder.path):
        app = Auditor(folder)
        async with app.run_test(size=(120, 24)) as pilot:
            await press(pilot, "1")
            assert "l shows the steps" in written(app)


async def test_a_poll_after_the_interface_was_closed_draws_nothing(tmp_path: Path) -> None:
    folder = running(tmp_path / "audit")
    with engine_lock(folder.path):
        app = Auditor(folder)
        async with app.run_test(size=(80, 24)) as pilot:
            await press(pilot)
        app.poll()  # the timer may fire while the screens are being removed


async def test_predictions_that_are_not_compared_yet_do_not_look_the_same(tmp_path: Path) -> None:
    folder = running(tmp_path / "audit")
    with engine_lock(folder.path):
        app = Auditor(folder)
        async with app.run_test(size=(80, 24)) as pilot:
            await press(pilot, "5")
            seen = written(app)
            assert "no differing cells" not in seen
            assert seen.count("not compared yet") == 3
            assert "not compared yet: the audit is running" in seen
            assert "flips" in seen.splitlines()[3], "the titles fit before there is anything below them"


@pytest.mark.parametrize("lost", [False, True], ids=["nothing was run", "a side was lost"])
async def test_predictions_that_were_not_compared_do_not_look_the_same(tmp_path: Path, lost: bool) -> None:
    reason = (
        "B failed at environment: no wheel of six" if lost else "nothing was run, because neither record names inputs"
    )
    area = PredictionsArea("unknown", "not-comparable", what=reason, do="pass --inputs FILE")
    folder = finished(tmp_path / "audit", own_predictions=area)
    (folder.path / "differences.parquet").unlink()
    app = Auditor(folder)
    async with app.run_test(size=(100, 30)) as pilot:
        await press(pilot)
        assert f"not compared: {reason}" in written(app)
        await press(pilot, "5")
        seen = written(app)
        for claim in ("0 rows", "0 cells", "no differing cells", "no columns to compare", "identical"):
            assert claim not in seen
        assert seen.count("the predictions were not compared") == 3
        assert reason in seen
        assert "To do: pass --inputs FILE" in seen


async def test_the_palette_finds_an_output_column_and_the_help(audit: AuditFolder) -> None:
    app = Auditor(audit)
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, "2", "colon", *"probab")
        await until(pilot, lambda: "predictions: probability (drift)" in written(app))
        await press(pilot, "enter")
        await until(pilot, lambda: isinstance(app.screen, PredictionsScreen))
        await settle(pilot)
        assert isinstance(app.screen, PredictionsScreen)
        column = app.screen.column()
        assert column is not None
        assert column.name == "probability"
        await press(pilot, "colon", *"show the keys")
        await until(pilot, lambda: "Show the keys  (?)" in written(app))
        await press(pilot, "enter")
        await until(pilot, lambda: isinstance(app.screen, HelpDialog))


async def test_a_column_of_a_table_among_the_data_opens_into_its_rows(tmp_path: Path) -> None:
    """A beside B, filtered and sorted as the predictions are; other columns of the same file stay away."""
    folder = with_table(tmp_path / "audit")
    cells = data_rows(folder.path, ("rates.csv",)) / "differences.parquet"
    table = pq.read_table(cells)
    renamed = table.set_column(table.schema.get_field_index("column"), "column", pa.array(["other"] * len(table)))
    pq.write_table(pa.concat_tables([renamed, table]), cells)
    app = Auditor(folder)
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, "4", "right", "down", "enter")
        seen = written(app)
        assert "rates.csv › probability" in seen
        assert "60 cells not equal, worst first" in seen
        assert "0.000059" in seen
        assert "0.000066" in seen
        assert "other" not in seen
        await press(pilot, "d")
        assert "40 cells over tolerance" in written(app)
        await press(pilot, "slash", *"flip")
        assert "1 cell over tolerance" in written(app)
        await press(pilot, "enter", "enter")
        assert isinstance(app.screen, FindingScreen)
        assert "A10050 › probability" in written(app)


def test_a_small_relative_difference_is_not_shown_as_zero() -> None:
    assert [relative(x) for x in (0.0, 1e-9, 0.0005, 0.01, 12.0, None)] == [
        "0 %",
        "<0.01 %",
        "0.05 %",
        "1.0 %",
        "12x",
        "",
    ]


async def test_escape_leaves_charts_that_took_the_place_of_the_cells(audit: AuditFolder) -> None:
    app = Auditor(audit)
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, "5", "v")
        assert "A10050" not in written(app)
        await press(pilot, "escape")
        assert isinstance(app.screen, PredictionsScreen)
        assert "A10050" in written(app)
        await press(pilot, "escape")
        assert not isinstance(app.screen, PredictionsScreen)


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_charts_of_a_column_are_not_wider_than_their_room(audit: AuditFolder, size: tuple[int, int]) -> None:
    """A scroll bar takes its room before anything is drawn: a line that wraps tears a chart apart."""
    app = Auditor(audit)
    async with app.run_test(size=size) as pilot:
        await press(pilot, "5", "down", "enter")
        drawn = app.screen.query_one("#drawn", Static)
        content = drawn.content
        assert isinstance(content, Content)
        charts = [line for line in content.split("\n") if not line.plain.startswith("none:")]  # which is prose
        assert len(charts) > 10
        assert max(line.cell_length for line in charts) <= drawn.content_size.width


async def test_an_output_opens_side_by_side_and_an_input_in_full(audit: AuditFolder) -> None:
    app = Auditor(audit)
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, "5", "tab", "enter", "enter")
        assert isinstance(app.screen, FindingScreen)
        assert (app.screen.finding.a, app.screen.finding.b) == ("0.000050", "0.000057")
        assert "|Δ| 5e-05 1.0 %, a decision flips" in written(app)
        await press(pilot, "escape", "tab", "enter")
        assert isinstance(app.screen, MessageDialog)
        assert app.screen.sentences == ["id:", "A10050"]


async def test_a_screen_without_two_panes_says_where_to_stack(audit: AuditFolder) -> None:
    app = Auditor(audit)
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, "1", "s")
        assert "s switches between A beside B and A above B" in [*app._notifications][-1].message


def test_steps_keep_the_order_in_which_they_came(tmp_path: Path) -> None:
    store = AuditStore(running(tmp_path / "audit"))
    names = [f"compare {name}" for name in ("predictions", "code", "data", "environment", "parameters")]
    for name in names:
        store._add(Event("step", step=name, status="started"))
        shown = Steps(store).names
        assert [step for step in shown if step.startswith("compare")] == names[: names.index(name) + 1]
