"""The registry of plug-ins by name, ours and those of others: listed without importing them, loaded when used."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Literal, cast, get_args

from repro_tui.model.errors import Refused
from repro_tui.support.extras import bring_module
from repro_tui.support.text import quote

Group = Literal["repro_tui.sources", "repro_tui.environments", "repro_tui.runners", "repro_tui.reporters"]


_reading = threading.Lock()


def names(group: Group) -> dict[str, EntryPoint]:
    """The entry points of a group by name, built-in and third-party ones alike."""
    with _reading:
        return _names()[group]


@cache
def _names() -> dict[Group, dict[str, EntryPoint]]:
    """Those of every group: each look at the installed packages reads the files of all of them."""
    points = entry_points()
    return {group: {point.name: point for point in points.select(group=group)} for group in get_args(Group)}


def is_third_party(group: Group, name: str) -> bool:
    """Whether another package registered it."""
    point = names(group).get(name)
    return point is not None and not point.module.startswith("repro_tui.")


def load(group: Group, name: str) -> Callable[..., object]:
    """The implementation of that name. Raises Refused if there is none, or if it needs a package that is missing."""
    known = names(group)
    kind = group.rpartition(".")[2].rstrip("s")
    if name not in known:
        raise Refused(f"there is no {kind} named {quote(name)}: expected one of {', '.join(sorted(known))}")
    try:
        return cast("Callable[..., object]", known[name].load())
    except ImportError as error:
        raise Refused(f"the {kind} {name} needs {error.name}: {bring_module(error.name or name)}") from error
