"""Driving the interface in tests."""

from __future__ import annotations

from typing import Any

from repro_tui.tui.app import Auditor


async def settle(pilot: Any) -> None:
    """Waits until what was asked for is drawn."""
    for _ in range(3):
        await pilot.pause()
        await pilot.app.workers.wait_for_complete()
    await pilot.pause()


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
