"""What a search inside a guilty factor finds: groups of items, and steps of a sequence, that make the change."""

from __future__ import annotations

from dataclasses import dataclass

from repro_tui.explain.inside.base import Inside
from repro_tui.explain.lattice import Culprits
from repro_tui.explain.window import Change


@dataclass(frozen=True, slots=True)
class CulpritGroup:
    """Guilty items inside a factor: the items that differ, and the result of the search among them."""

    inside: Inside
    culprits: Culprits


@dataclass(frozen=True, slots=True)
class ChangePoint:
    """The step of a sequence of commits or releases with which the change came: from the point `a` to the point `b`.

    `path` names the sequence as in the report. `whole`: all of the change came with this step. For commits, `guilty` is
    the id of the commit to blame, and `subject` the first line of its message.
    """

    factor: str
    path: tuple[str, ...]
    a: str
    b: str
    change: Change
    whole: bool = False
    guilty: str = ""
    subject: str = ""


Located = CulpritGroup | ChangePoint
