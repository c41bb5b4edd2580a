"""Snapshots are in the top-level `snapshots/`, one folder per test module, and are taken under fixed conditions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_textual_snapshot
import textual._wait
import textual.screen
from syrupy.extensions.single_file import SingleFileSnapshotExtension
from textual._context import message_hook
from textual.css.stylesheet import Stylesheet

import repro_tui.tui.app
import repro_tui.tui.store
from tests.tui.driving import SetClock, handled
from tests.tui.folders import NOW

ROOT = Path(__file__).parents[2] / "snapshots"


@pytest.fixture(autouse=True)
def top_level_snapshots(monkeypatch: pytest.MonkeyPatch) -> None:
    """Gives the plug-in an extension that writes where this project keeps its pictures."""
    original: Any = pytest_textual_snapshot.SVGImageExtension

    class TopLevel(original):  # type: ignore[misc]
        @classmethod
        def dirname(cls, *, test_location: Any) -> str:
            return str(ROOT / Path(test_location.filepath).stem)

    assert issubclass(original, SingleFileSnapshotExtension)
    monkeypatch.setattr(pytest_textual_snapshot, "SVGImageExtension", TopLevel)
    monkeypatch.delenv("SSH_TTY", raising=False)
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.delenv("SSH_CONNECTION", raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLORTERM", "truecolor")
    monkeypatch.setenv("COLORFGBG", "15;0")
    monkeypatch.setenv("TEXTUAL_ANIMATIONS", "none")
    monkeypatch.setattr("repro_tui.tui.app.is_utf8", lambda *_: True)


@pytest.fixture(autouse=True)
def no_clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Only `settle` decides when everything is drawn: by counting messages, and never by time.

    A key press does not wait for an idle processor, and no timer draws frames in between.
    """
    monkeypatch.setattr(textual._wait, "SLEEP_GRANULARITY", 0)
    monkeypatch.setattr(textual.screen, "UPDATE_PERIOD", 3600)
    token = message_hook.set(handled)
    yield
    message_hook.reset(token)


@pytest.fixture(autouse=True)
def set_clock(monkeypatch: pytest.MonkeyPatch) -> SetClock:
    """It is two hours after the audits of `folders` were started, until a test lets time go by."""
    clock = SetClock(NOW)
    for module in (repro_tui.tui.app, repro_tui.tui.store):
        monkeypatch.setattr(module, "WallClock", lambda: clock.clock)
    return clock


@pytest.fixture(autouse=True)
def styles_parsed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Style sheets are parsed once per test run; every application and screen that opens would parse all of them."""
    original = Stylesheet._parse_rules

    def parse(sheet: Stylesheet, *source: Any, **options: Any) -> Any:
        key = (tuple(sorted(sheet._variables.items())), source, tuple(sorted(options.items())))
        if key not in PARSED:
            PARSED[key] = original(sheet, *source, **options)
        return PARSED[key]

    monkeypatch.setattr(Stylesheet, "_parse_rules", parse)


PARSED: dict[Any, Any] = {}
