"""Driving the interface in tests."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import Any

from textual.events import Callback, Timer
from textual.message import Message
from textual.worker import WorkerCancelled

from repro_tui.tui.app import Auditor
from repro_tui.tui.clock import WallClock

QUIET_ROUNDS = 3  # a callback that waits for a refresh, the refresh that it asks for, and what that sends


class SetClock:
    """The interface's clocks, which only tests move: `wall` in seconds since 1970, `ticks` of a monotonic clock."""

    def __init__(self, wall: float) -> None:
        self.wall, self.ticks = wall, 1000.0
        self.clock = WallClock(lambda: self.wall, lambda: self.ticks)

    def advance(self, seconds: float) -> None:
        """Lets time go by, for both clocks."""
        self.wall += seconds
        self.ticks += seconds


class Handled:
    """Counts the messages that the interface handles, except those of `settle` and of timers."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, message: Message) -> None:
        flush = isinstance(message, Callback) and "decrement_counter" in repr(message.callback)
        if not flush and not isinstance(message, Timer):
            self.count += 1


handled = Handled()


async def settle(pilot: Any) -> None:
    """Waits until everything is drawn: no worker is running, and no message is being handled.

    It never waits for an idle processor: next to other work, a process that gets no time looks idle.
    """
    quiet = 0
    while quiet < QUIET_ROUNDS:
        before = handled.count
        await pilot.pause(0)
        workers = list(pilot.app.workers)
        for worker in workers:
            with contextlib.suppress(WorkerCancelled):  # its successor is among the workers, or comes in a later round
                await worker.wait()
        await pilot.app.animator.wait_until_complete()  # a scroll is one, even where it is not seen
        waiting = pilot.app._resize_timer is not None or any(screen._callbacks for screen in pilot.app.screen_stack)
        quiet = 0 if workers or waiting or handled.count != before else quiet + 1


async def until(pilot: Any, holds: Callable[[], object], seconds: float = 120) -> None:
    """Waits for something that takes its own time, such as the results of the palette."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, written(pilot.app)
        await settle(pilot)
        await asyncio.sleep(0.01)


async def press(pilot: Any, *keys: str) -> None:
    await settle(pilot)
    for key in keys:
        await pilot.press(key)
        await settle(pilot)


def written(app: Auditor) -> str:
    """The text on the screen."""
    lines = app.screen._compositor.render_strips()
    assert len(lines) == app.size.height
    return "\n".join("".join(segment.text for segment in line) for line in lines)
