"""Snapshots lie in the top-level `snapshots/`, one folder a test module, and are taken under fixed conditions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_textual_snapshot
import textual._wait
import textual.screen
from syrupy.extensions.single_file import SingleFileSnapshotExtension
from textual._context import message_hook as message_hook_context

from tests.tui.driving import handled

ROOT = Path(__file__).parents[2] / "snapshots"


@pytest.fixture(autouse=True)
def top_level_snapshots(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
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
    return


@pytest.fixture(autouse=True)
def counted_messages(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """`settle` counts messages; a key press waits for it alone, and not for an idle processor twice."""
    monkeypatch.setattr(textual._wait, "SLEEP_GRANULARITY", 0)
    monkeypatch.setattr(textual.screen, "UPDATE_PERIOD", 3600)
    token = message_hook_context.set(handled)
    yield
    message_hook_context.reset(token)
