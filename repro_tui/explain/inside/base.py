"""What is inside a factor: items that can be taken from B one by one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from repro_tui.rebuild.hybrid import Parts
from repro_tui.support.context import Context


@dataclass(frozen=True, slots=True)
class Inside:
    """The differing items of one factor, and how to build hybrids of them.

    - `parts(base, from_b, context)` returns the parts of the hybrid that has the items `from_b` from B, the other items
      of this factor from A, and everything else from `base`.
    - `sides(item)` returns what A and B have of an item (None: nothing), and `path(item)` its path in the report.
    - `implications`: for an item from B, the items that must be from B, too.
    - `likely`: how much likelier than others (1.0) an item is to be guilty.
    - `where` names the place of the items for people, where that is not simply the factor.
    """

    factor: str
    items: tuple[str, ...]
    parts: Callable[[Parts, frozenset[str], Context], Parts]
    sides: Callable[[str], tuple[object, object]]
    path: Callable[[str], tuple[str, ...]]
    implications: Mapping[str, frozenset[str]] = field(default_factory=dict)
    likely: Mapping[str, float] = field(default_factory=dict)
    where: str = ""
