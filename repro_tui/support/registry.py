"""Names of sources, runners and reporters to what implements them: listed without importing, loaded when used."""

from __future__ import annotations

from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Literal

from repro_tui.model.errors import Refused

Group = Literal["repro_tui.sources", "repro_tui.runners", "repro_tui.reporters"]


@cache
def names(group: Group) -> dict[str, EntryPoint]:
    """The entry points of a group by name, built-ins and third parties' alike."""
    return {point.name: point for point in entry_points(group=group)}


def load(group: Group, name: str) -> Any:
    """The implementation of that name. Raises Refused where there is none, or what it needs is not installed."""
    known = names(group)
    kind = group.rpartition(".")[2].rstrip("s")
    if name not in known:
        raise Refused(f"there is no {kind} named {name!r}: there are {', '.join(sorted(known))}")
    try:
        return known[name].load()
    except ImportError as error:
        raise Refused(f"{kind} {name} needs {error.name}: install it with  pip install 'repro-tui[{name}]'") from error
