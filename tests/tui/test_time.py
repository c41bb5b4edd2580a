"""Time is alive: the clock runs by the wall, also after attaching to an audit that was started by somebody else."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from repro_tui.audit.folder import engine_lock
from repro_tui.model.event import Event
from repro_tui.support.plain import dumps
from repro_tui.tui.app import Auditor
from repro_tui.tui.clock import AuditClock, about, age, duration
from repro_tui.tui.steps import Steps
from repro_tui.tui.store import AuditStore
from tests.tui.driving import SetClock, press, settle, written
from tests.tui.folders import NOW, finished, running


def add(path: Path, clock: SetClock, *events: Event) -> None:
    """Appends events to the journal, as the engine does, at this moment of the clock."""
    with (path / "journal.jsonl").open("a") as journal:
        journal.writelines(dumps(event) + "\n" for event in events)
    os.utime(path / "journal.jsonl", (clock.wall, clock.wall))


def step(status: str, seconds: float, side: str = "a", name: str = "run 1", **detail: int) -> Event:
    event = Event("step", side=side, step=name, status=status, text="x", seconds=seconds)  # type: ignore[arg-type]
    return replace(event, detail=dict(detail))


async def test_the_clock_runs_without_events(tmp_path: Path, set_clock: SetClock) -> None:
    """For six minutes nothing is written to the journal: the age, the state and the running step go on."""
    folder = running(tmp_path / "audit")
    with engine_lock(folder.path):
        app = Auditor(folder)
        async with app.run_test(size=(80, 24)) as pilot:
            await press(pilot)
            assert "running 3 min 12 s" in written(app).splitlines()[0]
            before = next(line for line in written(app).splitlines() if line.startswith("run 1"))
            set_clock.advance(360)
            app.poll()
            await settle(pilot)
            assert "running 9 min 12 s" in written(app).splitlines()[0]
            assert "9 min 12 s" in written(app).splitlines()[1]
            after = next(line for line in written(app).splitlines() if line.startswith("run 1"))
            assert "3m 12s" in before
            assert "9m 12s" in after


async def test_each_beat_moves_the_glyph_of_what_runs(tmp_path: Path, set_clock: SetClock) -> None:
    folder = running(tmp_path / "audit")
    with engine_lock(folder.path):
        app = Auditor(folder)
        async with app.run_test(size=(80, 24)) as pilot:
            await press(pilot)
            seen = set()
            for _ in range(4):
                seen.add(next(line for line in written(app).splitlines() if line.startswith("run 1"))[20])
                set_clock.advance(0.2)
                app.poll()
                await settle(pilot)
            assert len(seen) == 4


async def test_over_ssh_it_beats_once_a_second(
    tmp_path: Path, set_clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSH_TTY", "/dev/pts/0")
    folder = running(tmp_path / "audit")
    with engine_lock(folder.path):
        app = Auditor(folder)
        async with app.run_test(size=(80, 24)) as pilot:
            await press(pilot)
            app.poll()
            shown = []
            for _ in range(5):
                set_clock.advance(0.3)
                app.poll()
                await settle(pilot)
                shown.append(written(app))
            assert len(set(shown)) == 2  # of 1.5 s


async def test_a_finished_audit_has_its_age_on_every_screen(tmp_path: Path, set_clock: SetClock) -> None:
    app = Auditor(finished(tmp_path / "audit"))
    async with app.run_test(size=(80, 24)) as pilot:
        for key in "1234567lo":
            await press(pilot, key)
            assert written(app).splitlines()[0].rstrip().endswith("2 h ago"), key
        set_clock.advance(3600)
        app.poll()
        await settle(pilot)
        assert written(app).splitlines()[0].rstrip().endswith("3 h ago")


def test_after_attaching_the_clock_is_that_of_the_engine(tmp_path: Path, set_clock: SetClock) -> None:
    """The journal's last event is 10 minutes old; the first new one sets the clock to what the engine says."""
    folder = running(tmp_path / "audit")
    set_clock.advance(600)
    with engine_lock(folder.path):
        store = AuditStore(folder, set_clock.clock)
        store.read()
        assert store.seconds == pytest.approx(792.7)
        set_clock.advance(7.3)
        add(folder.path, set_clock, step("done", 800.0))
        store.read()
        assert store.seconds == pytest.approx(800)
        assert store.seconds_of(store.steps["a", "run 1"]) == pytest.approx(799.5)


def test_a_suspended_machine_and_a_set_wall_clock_do_not_count(tmp_path: Path, set_clock: SetClock) -> None:
    folder = running(tmp_path / "audit")
    with engine_lock(folder.path):
        store = AuditStore(folder, set_clock.clock)
        store.read()
        set_clock.wall += 8 * 3600  # a night in which no monotonic clock went on
        assert store.seconds == pytest.approx(192.7)
        set_clock.wall -= 48 * 3600  # and somebody sets the date
        assert store.seconds == pytest.approx(192.7)
        set_clock.advance(5)
        assert store.seconds == pytest.approx(197.7)


def test_attaching_after_a_suspension_is_put_right_by_the_next_event() -> None:
    clock = SetClock(NOW)
    audit = AuditClock(clock.clock)
    clock.wall += 8 * 3600
    audit.set(60.0, NOW)  # the file's time is all that is known: eight hours and a minute
    assert audit.now() == pytest.approx(8 * 3600 + 60)
    clock.advance(1)
    audit.set(61.0, clock.wall)
    assert audit.now() == pytest.approx(61)


def test_the_clock_never_steps_back_for_what_was_read_late() -> None:
    clock = SetClock(NOW)
    audit = AuditClock(clock.clock)
    audit.set(10.0, NOW)
    clock.advance(1.0)
    audit.set(10.5, clock.wall)  # written half a second ago, read now
    assert audit.now() == pytest.approx(11)


def test_an_audit_whose_engine_is_gone_does_not_go_on(tmp_path: Path, set_clock: SetClock) -> None:
    store = AuditStore(running(tmp_path / "audit"), set_clock.clock)
    store.read()
    set_clock.advance(60)
    assert store.state == "stopped"
    assert store.seconds == pytest.approx(0.7)
    assert store.age == "2 h ago"


def test_the_time_left_by_rows_and_by_the_run_before(tmp_path: Path, set_clock: SetClock) -> None:
    folder = running(tmp_path / "audit")
    with engine_lock(folder.path):
        store = AuditStore(folder, set_clock.clock)
        store.read()
        assert store.seconds_left("a", "run 1") is None  # nothing is known
        set_clock.advance(7.8)
        add(folder.path, set_clock, step("progress", 200.5, done=2000, total=10_000))
        store.read()
        assert store.seconds_left("a", "run 1") == pytest.approx(800)  # 200 s for a fifth of them
        row = Steps(store).names.index("run 1")
        cell = Steps(store).cells(row, [19, 60, 60])[1].plain
        assert "2,000/10,000" in cell
        assert "~13 min left" in cell
        add(folder.path, set_clock, step("done", 200.5), step("started", 200.5, name="run 2"))
        store.read()
        set_clock.advance(50)
        assert store.seconds_left("a", "run 2") == pytest.approx(150)
        set_clock.advance(500)
        assert store.seconds_left("a", "run 2") == 0.0


@pytest.mark.parametrize("detail", [{"done": "2", "total": 3}, {"done": 5, "total": 3}, {"done": -1, "total": 3}])
def test_rows_that_no_engine_counts_are_left_out(
    tmp_path: Path, set_clock: SetClock, detail: dict[str, object]
) -> None:
    folder = running(tmp_path / "audit")
    add(folder.path, set_clock, replace(step("progress", 1.0), detail=detail))
    store = AuditStore(folder, set_clock.clock)
    store.read()
    assert store.steps["a", "run 1"].total == 0


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0.0 s"), (9.94, "9.9 s"), (42.7, "42 s"), (192, "3 min 12 s"), (7500, "2 h 5 min"), (100_000, "1 d 3 h")],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(("seconds", "text"), [(0.2, "1 s"), (99, "99 s"), (240, "4 min"), (7200, "2 h")])
def test_estimates_have_one_unit(seconds: float, text: str) -> None:
    assert about(seconds) == text


@pytest.mark.parametrize(
    ("started", "text"),
    [
        ("2026-11-24T12:31:30Z", "just now"),
        ("2026-11-24T12:20:00Z", "12 min ago"),
        ("2026-11-24T10:32:00Z", "2 h ago"),
        ("2026-11-21T10:00:00Z", "3 d ago"),
        ("2026-01-02T10:00:00Z", "2026-01-02"),
        ("2026-12-24T10:00:00Z", "2026-12-24"),  # a clock that is wrong
        ("2026-11-24T10:32:00", "2 h ago"),
        ("yesterday", ""),
        ("", ""),
    ],
)
def test_ages(started: str, text: str) -> None:
    assert age(started, NOW) == text


async def test_hundreds_of_steps_keep_the_running_one_in_view(tmp_path: Path, set_clock: SetClock) -> None:
    """A hundred repeats and a live search of the cause: the cursor follows what runs, until the user moves it."""
    folder = running(tmp_path / "audit")
    journal = folder.path / "journal.jsonl"
    journal.write_text("".join(line + "\n" for line in journal.read_text().splitlines() if "failed" not in line))
    runs = [
        step(status, n / 10, side, f"run {n}") for n in range(1, 101) for side in "ab" for status in ("started", "done")
    ]
    add(folder.path, set_clock, *runs, step("started", 11.0, "", "explain"))
    for number in range(300):
        add(
            folder.path,
            set_clock,
            replace(step("progress", 11.0, "", "explain"), text=f"{300 - number} candidates left"),
        )
    with engine_lock(folder.path):
        app = Auditor(folder)
        async with app.run_test(size=(80, 24)) as pilot:
            await press(pilot)
            assert "explain" in written(app)
            assert "1 candidates left" in written(app)
            assert "299 candidates left" not in written(app)
            add(folder.path, set_clock, step("done", 12.0, "", "explain"), step("started", 12.0, "", "stress"))
            app.poll()
            await settle(pilot)
            assert "log of stress" in written(app)
            await press(pilot, "g", "j", "j")
            add(folder.path, set_clock, step("done", 13.0, "", "stress"), step("started", 13.0, "", "slices"))
            app.poll()
            await settle(pilot)
            assert "log of slices" not in written(app)  # the user's cursor stays
