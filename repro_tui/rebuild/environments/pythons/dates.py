"""When each Python was released: packages of a time know only the Pythons of that time."""

from __future__ import annotations

from datetime import UTC, datetime

from repro_tui.formats.python_versions import mature_from
from repro_tui.rebuild.environments.pythons.interpreters import Interpreter


def settled(as_of: str | None, interpreter: Interpreter) -> str | None:
    """The time `as_of`, but not before the interpreter's release had matured; None (now) where that is ahead."""
    ready = _ready(interpreter.version)
    if as_of is None or ready is None:
        return as_of
    if datetime.fromisoformat(as_of) >= ready:
        return as_of
    return None if ready > datetime.now(UTC) else f"{ready:%Y-%m-%dT%H:%M:%SZ}"


def was_settled(version: str, as_of: str | None) -> bool:
    """Whether a version of Python had matured at that time."""
    ready = _ready(version)
    return as_of is None or ready is None or datetime.fromisoformat(as_of) >= ready


def _ready(version: str) -> datetime | None:
    day = mature_from(version)
    return datetime(day.year, day.month, day.day, tzinfo=UTC) if day else None
