"""The screens of an audit by name: one is imported when it is shown."""

from __future__ import annotations

from importlib import import_module
from typing import Literal, get_args

from repro_tui.tui.screens.base import AuditScreen
from repro_tui.tui.store import Store

ScreenName = Literal["overview", "environment", "parameters", "data", "predictions", "code", "cause", "progress"]
SCREENS: tuple[ScreenName, ...] = get_args(ScreenName)
_CLASSES = {
    "overview": "Overview",
    "progress": "Progress",
    "predictions": "PredictionsScreen",
    "cause": "CauseScreen",
}


def make_screen(name: ScreenName, store: Store) -> AuditScreen:
    """A screen on this audit."""
    if name in _CLASSES:
        kind = getattr(import_module(f"repro_tui.tui.screens.{name}"), _CLASSES[name])
        screen: AuditScreen = kind(store)
        return screen
    from repro_tui.tui.screens.area import AreaScreen

    return AreaScreen(store, name)  # type: ignore[arg-type]
