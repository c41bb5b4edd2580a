"""Logs at full size: the end is always seen, long lines are wrapped and searched, and live ones are followed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from repro_tui.audit.folder import AuditFolder, engine_lock
from repro_tui.support.text import show
from repro_tui.tui.app import Auditor
from repro_tui.tui.logs import landing_step, log_of
from repro_tui.tui.screens.log import LogScreen
from repro_tui.tui.screens.progress import ProgressScreen
from repro_tui.tui.screens.text import TextScreen
from repro_tui.tui.store import AuditStore
from repro_tui.tui.text_lines import CHUNK, FileBytes, MemoryBytes, TextLines
from repro_tui.tui.widgets.log_pane import LogPane, wrapped_rows
from tests.tui.driving import SetClock, press, settle, until, written
from tests.tui.folders import running

LAST = "RuntimeError: " + "the weights have no decoder " * 20 + "END"


@pytest.fixture
def crashed(tmp_path: Path) -> AuditFolder:
    """A running audit whose run 1 of A has 100,000 lines in its log, some of them long, and an error at the end."""
    folder = running(tmp_path / "audit")
    journal = folder.path / "journal.jsonl"
    journal.write_text("".join(line + "\n" for line in journal.read_text().splitlines() if "failed" not in line))
    lines = [f"epoch {n}: loss 0.5{' and so on' * 60 if n % 10 == 0 else ''}" for n in range(100_000)]
    lines[70_000] = "Warning: ValueError: 界" + "x" * 300
    (folder.path / "a" / "run-1.log").write_text("\n".join([*lines, "Traceback (most recent call last):", LAST]) + "\n")
    return folder


def shown_lines(app: Auditor) -> str:
    """The text of the log on the screen, without the rows' ends."""
    pane = app.screen.query_one("#lines", LogPane)
    return "".join(text for _, text in pane.places())


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 50)])
async def test_the_tail_shows_the_whole_last_line(size: tuple[int, int], crashed: AuditFolder) -> None:
    """Wrapped lines are counted: what is last in the log is last in the pane, at every size."""
    with engine_lock(crashed.path):
        app = Auditor(crashed)
        async with app.run_test(size=size) as pilot:
            await press(pilot)
            assert isinstance(app.screen, ProgressScreen)
            pane = app.screen.query_one("#log", LogPane)
            rows = [text for _, text in pane.places()]
            assert rows[-1].endswith("END")
            assert LAST in "".join(rows)
            assert "END" in written(app)


async def test_enter_and_plus_open_the_log_which_follows_its_end(crashed: AuditFolder, set_clock: SetClock) -> None:
    with engine_lock(crashed.path):
        app = Auditor(crashed)
        async with app.run_test(size=(80, 24)) as pilot:
            for key in ("enter", "plus"):
                await press(pilot, key)
                assert isinstance(app.screen, LogScreen)
                assert "follows the end" in written(app)
                await press(pilot, "escape")
                assert isinstance(app.screen, ProgressScreen)
            await press(pilot, "enter")
            with (crashed.path / "a" / "run-1.log").open("a") as log:
                log.write("one more epoch\n")
            set_clock.advance(1)
            app.poll()
            await settle(pilot)
            assert "one more epoch" in written(app)
            await press(pilot, "up")
            assert "follows the end" not in written(app)
            with (crashed.path / "a" / "run-1.log").open("a") as log:
                log.write("the very last line\n")
            set_clock.advance(1)
            app.poll()
            await settle(pilot)
            assert "the very last line" not in written(app)
            assert "100,004 lines" in written(app)
            await press(pilot, "f")
            assert "the very last line" in written(app)


async def test_the_search_goes_from_match_to_match_and_marks_them(crashed: AuditFolder) -> None:
    with engine_lock(crashed.path):
        app = Auditor(crashed)
        async with app.run_test(size=(80, 24)) as pilot:
            await press(pilot, "enter", "g", "slash", *"EPOCH", "space", *"7", "enter")
            assert "match 1 of 11,110" in written(app)
            pane = app.screen.query_one("#lines", LogPane)
            assert pane.current == 7
            await press(pilot, "n")
            assert pane.current == 70
            await press(pilot, "N", "N")
            assert pane.current == 79_999  # around the start
            assert "match 11,110 of 11,110" in written(app)
            marked = [
                segment.text
                for line in app.screen._compositor.render_strips()
                for segment in line
                if segment.style is not None and segment.style.reverse and "poch" in segment.text
            ]
            assert marked == ["epoch 7"]
            await press(pilot, "escape")
            assert isinstance(app.screen, LogScreen)
            assert "match" not in written(app).splitlines()[1]
            await press(pilot, "slash", *"nothing here", "enter")
            assert "0 matches" in written(app)


async def test_a_match_far_inside_a_long_line_is_in_view(tmp_path: Path) -> None:
    folder = running(tmp_path / "audit")
    (folder.path / "b" / "run-1.log").write_text("start\n" + "日本 " * 2000 + "needle" + " end" * 2000 + "\nlast\n")
    app = Auditor(folder)
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot)
        app.push_screen(TextScreen(app.store, folder.path / "b" / "run-1.log"))  # type: ignore[arg-type]
        await press(pilot, "slash", *"needle", "enter")
        assert "needle" in written(app)
        await press(pilot, "z", "N")
        assert "needle" in written(app)  # not wrapped: scrolled sideways
        await press(pilot, "left", "left", "left", "left")
        assert "not wrapped" in written(app)


async def test_the_first_error_and_the_filter(crashed: AuditFolder) -> None:
    with engine_lock(crashed.path):
        app = Auditor(crashed)
        async with app.run_test(size=(120, 40)) as pilot:
            await press(pilot, "enter", "exclamation_mark")
            assert "70,001  Warning: ValueError: 界" in written(app)
            await press(pilot, "ampersand", *"loss 0.5 and", "enter")
            assert "10,000 of 100,002 lines" in written(app) or "9,999 of 100,002 lines" in written(app)
            await press(pilot, "escape")
            assert "of 100,002 lines" in written(app)


async def test_the_other_side_has_its_own_log(crashed: AuditFolder) -> None:
    (crashed.path / "b" / "run-1.log").write_text("only in B\n")
    with (crashed.path / "journal.jsonl").open("a") as journal:
        journal.write('{"kind": "step", "side": "b", "step": "run 1", "status": "started", "seconds": 0.9}\n')
    with engine_lock(crashed.path):
        app = Auditor(crashed)
        async with app.run_test(size=(80, 24)) as pilot:
            await press(pilot)
            assert "log of B run 1" in written(app)  # the one that began last
            assert "only in B" in written(app)
            await press(pilot, "b")
            assert "log of A run 1" in written(app)
            await press(pilot, "b", "enter", "b")
            assert shown_lines(app).endswith("END")
            await press(pilot, "b")
            assert shown_lines(app) == "only in B"
        app = Auditor(crashed)
        async with app.run_test(size=(200, 50)) as pilot:
            await press(pilot)
            assert "only in B" in written(app)  # beside A's, where there is room
            assert "END" in written(app)


async def test_steps_without_a_file_have_the_log_of_the_journal(tmp_path: Path) -> None:
    folder = running(tmp_path / "audit")
    with (folder.path / "journal.jsonl").open("a") as journal:
        for number in range(5000):
            journal.write(f'{{"kind": "log", "side": "b", "step": "environment", "text": "compiling {number}"}}\n')
    store = AuditStore(folder)
    store.read()
    source = log_of(store, "b", "environment")
    assert source is not None
    text = TextLines(source)
    text.grow()
    assert len(text) == 5001  # whole, and the error of the step before it
    assert text.line(5000) == "compiling 4999"
    app = Auditor(folder)
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, "l")
        assert landing_step(store) == ("b", "environment")
        assert "log of B environment" in written(app)
        await press(pilot, "enter")
        assert "5,001 lines" in written(app)


async def test_a_long_text_is_read_by_a_thread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While it is read, the screen says so; and the keys work."""
    import threading

    folder = running(tmp_path / "audit")
    path = folder.path / "a" / "run-1.log"
    with path.open("wb") as log:
        log.truncate(20 << 20)
        log.seek(20 << 20)
        log.write(b"\nlast line\n")
    go_on, grow = threading.Event(), TextLines.grow

    def slow(lines: TextLines) -> bool:
        if lines.waiting > 16 << 20:
            assert go_on.wait(120)
        return grow(lines)

    monkeypatch.setattr(TextLines, "grow", slow)
    app = Auditor(folder)
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot)
        app.push_screen(TextScreen(app.store, path))  # type: ignore[arg-type]
        for _ in range(1000):
            await pilot.pause(0.01)
            if "reading…" in written(app):
                break
        assert "reading…" in written(app)
        go_on.set()
        await until(pilot, lambda: "2 lines" in written(app))
        await press(pilot, "G")
        assert "last line" in written(app)


# -- the lines of a text ----------------------------------------------------------------------------------------------


@given(st.lists(st.binary(max_size=60), max_size=8), st.sampled_from([b"", b"\n", b"ab\n", b"A\nb"]))
def test_a_text_that_grows_is_the_text_that_was_there_at_once(pieces: list[bytes], between: bytes) -> None:
    """Whatever is appended, and however it is cut: the same lines, the same matches, the same filter."""
    content = b""
    growing, filtered = TextLines(MemoryBytes(lambda: content)), TextLines(MemoryBytes(lambda: content), "a")
    for piece in pieces:
        content += between + piece
        growing.grow()
        filtered.grow()
    whole, kept = TextLines(MemoryBytes(lambda: content)), TextLines(MemoryBytes(lambda: content), "a")
    whole.grow()
    kept.grow()
    assert growing.lines(0, 1000) == whole.lines(0, 1000)
    assert len(whole) == len(content.split(b"\n")) - (content.endswith(b"\n") or not content)
    assert filtered.lines(0, 1000) == kept.lines(0, 1000)
    lines = content.split(b"\n")
    assert [kept.number(row) for row in range(len(kept))] == [
        n for n, line in enumerate(lines, 1) if b"a" in line.lower()
    ]
    assert list(whole.hits("b")) == [n for n in range(len(content)) if content[n : n + 1] in b"bB"]


@given(st.text(alphabet="a界é \u0301x", max_size=80), st.integers(4, 30))
def test_wrapped_rows_are_the_line_and_fit(text: str, width: int) -> None:
    shown = show(text, 20_000)
    rows = wrapped_rows(shown, width)
    assert "".join(rows) == shown
    assert all(sum(cell_len(character) for character in row) <= width for row in rows)


def test_matches_are_seen_where_pieces_of_the_file_meet(tmp_path: Path) -> None:
    path = tmp_path / "log"
    line = b"x" * 99 + b"\n"
    content = bytearray(line * (3 * CHUNK // len(line)))
    places = [CHUNK // 4 - 3, CHUNK // 2 + 1, CHUNK - 2, 2 * CHUNK - 50]
    for place in places:
        content[place - place % 100 : place - place % 100 + 6] = b"needle"
    path.write_bytes(content)
    text = TextLines(FileBytes(path))
    text.grow()
    hits = text.hits("needle")
    assert list(hits) == [place - place % 100 for place in places]
    assert [text.row_of(int(hit)) for hit in hits] == [int(hit) // 100 for hit in hits]


def test_a_file_that_became_shorter_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text("one\ntwo\nthree\n")
    text = TextLines(FileBytes(path))
    text.grow()
    with path.open("r+") as stream:
        stream.truncate(4)
    assert text.grow()
    assert text.lines(0, 9) == ["one"]
    assert list(text.hits("two")) == []
    assert np.array_equal(text.hits("one"), [0])
