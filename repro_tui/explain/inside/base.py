"""What is inside a factor: things that can be taken from B one by one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from repro_tui.rebuild.hybrid import Parts
from repro_tui.support.context import Context


@dataclass(frozen=True, slots=True)
class Inside:
    """The differing things of one factor.

    `parts` gives the parts of a hybrid of which these things are B's, and the rest of this factor A's; `sides` what A
    and B have of a thing (None: nothing), and `path` how the report names it. `implications`: what a thing from B needs
    from B beside it; `likely`: how much likelier than others it is to be guilty. `where` says in words where the things
    are, if not simply in the factor.
    """

    factor: str
    items: tuple[str, ...]
    parts: Callable[[Parts, frozenset[str], Context], Parts]
    sides: Callable[[str], tuple[Any, Any]]
    path: Callable[[str], tuple[str, ...]]
    implications: Mapping[str, frozenset[str]] = field(default_factory=dict)
    likely: Mapping[str, float] = field(default_factory=dict)
    where: str = ""
