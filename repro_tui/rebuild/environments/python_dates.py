"""When each Python was released: packages of a time know only the Pythons of that time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from repro_tui.rebuild.environments.interpreters import Interpreter

RELEASED = {
    (3, 6): "2016-12-23",
    (3, 7): "2018-06-27",
    (3, 8): "2019-10-14",
    (3, 9): "2020-10-05",
    (3, 10): "2021-10-04",
    (3, 11): "2022-10-24",
    (3, 12): "2023-10-02",
    (3, 13): "2024-10-07",
    (3, 14): "2025-10-07",
}
SETTLING = timedelta(days=180)  # until most packages have wheels for a new Python


def release_of(version: str) -> tuple[int, int]:
    """The release of a version, such as (3, 11) of 3.11.7."""
    major, minor, *_ = (*version.split("."), "0")
    return int(major), int("".join(filter(str.isdigit, minor)) or 0)


def settled(as_of: str | None, interpreter: Interpreter) -> str | None:
    """The time `as_of`, but not before the interpreter's release had settled; None (now) where that is ahead."""
    day = RELEASED.get(release_of(interpreter.version))
    if as_of is None or day is None:
        return as_of
    ready = datetime.fromisoformat(f"{day}T00:00:00+00:00") + SETTLING
    if datetime.fromisoformat(as_of) >= ready:
        return as_of
    return None if ready > datetime.now(UTC) else f"{ready:%Y-%m-%dT%H:%M:%SZ}"


def was_settled(version: str, as_of: str | None) -> bool:
    """Whether a version of Python had settled at that time."""
    day = RELEASED.get(release_of(version))
    if as_of is None or day is None:
        return True
    return datetime.fromisoformat(as_of) >= datetime.fromisoformat(f"{day}T00:00:00+00:00") + SETTLING
