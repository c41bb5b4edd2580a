"""The screens of an audit by name; each is imported when it is first shown."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from repro_tui.tui.failure import failures
from repro_tui.tui.navigation import ScreenName
from repro_tui.tui.screens.base import AuditScreen
from repro_tui.tui.store import AuditStore

_CLASSES = {
    "overview": "OverviewScreen",
    "progress": "ProgressScreen",
    "predictions": "PredictionsScreen",
    "cause": "CauseScreen",
}


def make_screen(name: ScreenName, store: AuditStore) -> AuditScreen:
    """The screen of an audit with this name; the first screen of an audit that failed is that of its failure."""
    if name == "overview" and not store.running and failures(store):
        from repro_tui.tui.screens.failure import FailureScreen

        return FailureScreen(store)
    if name in _CLASSES:
        screen_class = getattr(import_module(f"repro_tui.tui.screens.{name}"), _CLASSES[name])
        screen: AuditScreen = screen_class(store)
        return screen
    from repro_tui.tui.screens.area import AreaScreen

    return AreaScreen(store, name)  # type: ignore[arg-type]


def file_screen(store: AuditStore, path: Path | None) -> AuditScreen:
    """The screen of a file of the audit, or (None) of the list of its files."""
    if path is None:
        from repro_tui.tui.screens.artifacts import ArtifactsScreen

        return ArtifactsScreen(store)
    if path.suffix == ".parquet":
        from repro_tui.tui.screens.table import TableScreen

        return TableScreen(store, path)
    from repro_tui.tui.screens.text import TextScreen

    return TextScreen(store, path)
