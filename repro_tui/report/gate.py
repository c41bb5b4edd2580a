"""The exit status: 0 no difference in the gated areas, 1 a difference there, 3 inconclusive."""

from __future__ import annotations

from repro_tui.model.finding import AREAS, AreaStatus
from repro_tui.model.predictions import Verdict
from repro_tui.model.report import Areas

SAME, DIFFERENT, INCONCLUSIVE = 0, 1, 3


def gated(fail_on: tuple[str, ...]) -> tuple[str, ...]:
    """The areas that decide, with the words `any` and `none` spelt out."""
    if "none" in fail_on:
        return ()
    return tuple(AREAS) if "any" in fail_on else fail_on


def exit_status(areas: Areas, verdict: Verdict, fail_on: tuple[str, ...]) -> int:
    """An audit whose predictions could not be judged is inconclusive whatever is gated, and never ends with 0.

    So is one that was to be decided by an area which neither record holds anything of, named by itself.
    """
    if verdict in ("not-comparable", "undecided"):
        return INCONCLUSIVE
    found: dict[str, AreaStatus] = {name: getattr(areas, name).status for name in gated(fail_on)}
    if "different" in found.values():
        return DIFFERENT
    asked = {status for name, status in found.items() if name in fail_on}
    return INCONCLUSIVE if "unknown" in found.values() or "not-recorded" in asked else SAME
