"""What a search inside a guilty factor finds: groups of things, and points on a way, that make the change."""

from __future__ import annotations

from dataclasses import dataclass

from repro_tui.explain.inside.base import Inside
from repro_tui.explain.lattice import Culprits
from repro_tui.explain.window import Change


@dataclass(frozen=True, slots=True)
class CulpritGroup:
    """Guilty things inside a factor."""

    inside: Inside
    culprits: Culprits


@dataclass(frozen=True, slots=True)
class ChangePoint:
    """Where on a way the change came: between the points `a` and `b`. `whole`: all of it came there.

    `guilty` is the commit that is to blame, and `subject` the first line of its message.
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
