"""Budgets as users write them: 40 or 40runs, 90s, 15m, 2h."""

from __future__ import annotations

import re

from repro_tui.support.text import quote

_TEXT = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*")
_SECONDS = {"s": 1, "m": 60, "min": 60, "h": 3600}
_RUNS = ("", "run", "runs")


def parse_budget(text: str) -> tuple[int | None, float | None]:
    """The runs, or the seconds, that a budget allows; None: no such limit. Raises ValueError where it is not valid."""
    match = _TEXT.fullmatch(text.lower())
    number, unit = (float(match[1]), match[2]) if match else (0.0, "")
    if match and unit in _SECONDS and number > 0:
        return None, number * _SECONDS[unit]
    if match and unit in _RUNS and number >= 1 and number == int(number):
        return int(number), None
    raise ValueError(f"{quote(text)} is not a valid budget: give a number of runs (40) or a time (15m)")
