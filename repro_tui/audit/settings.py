"""Checks settings that did not come from the command line by the same rules."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import get_args

from repro_tui.formats.config import LEAST_MEMORY
from repro_tui.model.errors import Mistake, Refused
from repro_tui.model.request import (
    AREA_WORDS,
    LEAST_MEMORY_LIMIT,
    BuildNetworkChoice,
    IsolationChoice,
    NetworkChoice,
    Settings,
    Tolerance,
)
from repro_tui.support import grammar
from repro_tui.support.registry import names
from repro_tui.support.sizes import size_text
from repro_tui.support.text import quote

MOST_RUNS = 100
MOST_SEED = 2**32 - 1


def check_settings(settings: Settings) -> None:
    """Raises Refused with every setting that is out of range or unknown."""
    mistakes = list(_mistakes(settings))
    if mistakes:
        raise Refused.all(mistakes)


def _mistakes(settings: Settings) -> Iterator[Mistake]:
    if settings.repeat is not None and not 1 <= settings.repeat <= MOST_RUNS:
        yield Mistake("repeat", f"{settings.repeat} is not between 1 and {MOST_RUNS}")
    if not 0 <= settings.seed <= MOST_SEED:
        yield Mistake("seed", f"{settings.seed} is not between 0 and {MOST_SEED}")
    for place, tolerance in {"": settings.tolerance, **settings.column_tolerances}.items():
        yield from _tolerance(place, tolerance)
    if mistake := grammar.container_user(settings.user):
        yield Mistake("user", f"{quote(settings.user)} {mistake}")
    known = ("auto", *sorted(names("repro_tui.runners")))
    for place, value, allowed in (
        ("runner", settings.runner, known),
        ("isolation", settings.isolation, get_args(IsolationChoice)),
        ("network", settings.network, get_args(NetworkChoice)),
        ("build_network", settings.build_network, get_args(BuildNetworkChoice)),
        *(("fail_on", word, AREA_WORDS) for word in settings.fail_on),
    ):
        if value not in allowed:
            yield Mistake(place, f"{quote(value)} is not one of {', '.join(allowed)}")
    if not settings.fail_on:
        yield Mistake("fail_on", f"no area is named: expected one or more of {', '.join(AREA_WORDS)}")
    for place, size, least in (
        ("memory", settings.limits.memory, LEAST_MEMORY),
        ("memory_limit", settings.memory_limit, LEAST_MEMORY_LIMIT),
    ):
        if size < least:
            yield Mistake(place, f"{size_text(size)} is too small: at least {size_text(least)} are needed")


def _tolerance(column: str, tolerance: Tolerance) -> Iterator[Mistake]:
    for name in ("atol", "rtol"):
        value = getattr(tolerance, name)
        if value is not None and not 0 <= value < math.inf:
            yield Mistake(
                f"column_tolerances.{column}" if column else name, f"{value!r} is not a tolerance: it must be 0 or more"
            )
