"""The rows that a server has answered are counted from the files of its responses, while they come."""

from __future__ import annotations

import queue
from pathlib import Path

import pytest

from repro_tui.execute.protocols import answered_rows as module
from repro_tui.execute.protocols.answered_rows import answered_rows
from repro_tui.model.event import Event
from repro_tui.support.context import Context
from tests.processes import BOUND_S

COUNTS = [("answer-1.json", 500), ("answer-2.json", 500), ("answer-3.json", 17)]


def test_rows_are_reported_as_their_files_come(
    context: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last file that is there may still be written: its rows are not counted."""
    monkeypatch.setattr(module, "EACH_S", 0.01)
    events: queue.Queue[Event] = queue.Queue()
    context = type(context)(context.cache, side="b", emit=events.put)
    with context.step("run 1", "querying") as step, answered_rows(tmp_path, COUNTS, step.rows_done):
        assert events.get(timeout=BOUND_S).status == "started"
        for number, done in ((1, None), (2, 500), (3, 1000)):
            (tmp_path / f"answer-{number}.json").touch()
            if done is not None:
                event = events.get(timeout=BOUND_S)
                assert (event.side, event.step, event.status) == ("b", "run 1", "progress")
                assert event.detail == {"done": done, "total": 1017}
    assert events.get(timeout=BOUND_S).status == "done"
    assert events.empty()
