"""Counts work in calls: a clock would measure the machine's load."""

from __future__ import annotations

import cProfile
from collections.abc import Callable
from typing import Any


def calls(function: Callable[..., Any], *arguments: Any) -> int:
    """The number of Python and C calls that a call makes."""
    profile = cProfile.Profile()
    profile.runcall(function, *arguments)
    return int(sum(entry.callcount for entry in profile.getstats()))
