"""Driving the interface in tests."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from repro_tui.tui.app import Auditor


async def settle(pilot: Any) -> None:
    """Waits until what was asked for is drawn: until no worker is at work, and none was begun by what one told.

    Only the last pause waits for the processor to be idle, which takes 20 ms at the least.
    """
    quiet = 0
    while quiet < 2:
        await pilot.pause(0)
        quiet = 0 if len(pilot.app.workers) else quiet + 1
        await pilot.app.workers.wait_for_complete()
    await pilot.pause()


async def until(pilot: Any, holds: Callable[[], object], seconds: float = 20) -> None:
    """Waits for what comes in its own time, such as what the palette finds."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, written(pilot.app)
        await settle(pilot)


async def press(pilot: Any, *keys: str) -> None:
    await settle(pilot)
    for key in keys:
        await pilot.press(key)
        await settle(pilot)


def written(app: Auditor) -> str:
    """What stands on the screen."""
    lines = app.screen._compositor.render_strips()
    assert len(lines) == app.size.height
    return "\n".join("".join(segment.text for segment in line) for line in lines)
