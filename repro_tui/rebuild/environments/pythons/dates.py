"""When each Python was released: packages of a time know only the Pythons of that time."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from repro_tui.formats.python_versions import RELEASED, release_of
from repro_tui.rebuild.environments.pythons.interpreters import Interpreter

SETTLING = timedelta(days=180)  # until most packages have wheels for a new Python


def settled(as_of: str | None, interpreter: Interpreter) -> str | None:
    """The time `as_of`, but not before the interpreter's release had settled; None (now) where that is ahead."""
    day = RELEASED.get(release_of(interpreter.version))
    if as_of is None or day is None:
        return as_of
    ready = _ready(day)
    if datetime.fromisoformat(as_of) >= ready:
        return as_of
    return None if ready > datetime.now(UTC) else f"{ready:%Y-%m-%dT%H:%M:%SZ}"


def was_settled(version: str, as_of: str | None) -> bool:
    """Whether a version of Python had settled at that time."""
    day = RELEASED.get(release_of(version))
    if as_of is None or day is None:
        return True
    return datetime.fromisoformat(as_of) >= _ready(day)


def _ready(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC) + SETTLING
