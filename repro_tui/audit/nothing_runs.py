"""Whether an audit has anything to run: without inputs or a predict step, only what is declared is compared."""

from __future__ import annotations

from dataclasses import dataclass

from repro_tui.model.record import Record
from repro_tui.support.text import join_names, show

GIVE_INPUTS = (
    "pass --inputs FILE, the table of the rows to predict (CSV, Parquet, JSON Lines, Arrow or .npy), "
    "or record it as validation.inputs"
)
GIVE_STEP = "record predict.command, predict.call or predict.notebook, or pass --predict STEP (a server: --protocol)"


@dataclass(frozen=True, slots=True)
class NothingRuns:
    """Why nothing of an audit is built or run, although neither side failed, and what to do about it."""

    what: str
    do: str


def why_nothing_runs(a: Record, b: Record) -> NothingRuns | None:
    """What a run needs and both sides, or one of them, do not have; None where there is something to run.

    The inputs are those that both sides share (`sources.overlay.common_validation`).
    """
    lacking = []
    if a.validation.inputs is None:
        names = f"neither record names validation inputs{_reasons(a, b)}"
        lacking.append((names, _remedy("validation.inputs", GIVE_INPUTS, a, b)))
    without = {letter: side for letter, side in (("A", a), ("B", b)) if not (side.predict and side.predict.is_recorded)}
    if without:
        holder = "neither record has a" if len(without) == 2 else f"the record of {next(iter(without))} has no"
        lacking.append((f"{holder} predict step", _remedy("predict", GIVE_STEP, *without.values())))
    if not lacking:
        return None
    reasons, remedies = zip(*lacking, strict=True)
    return NothingRuns(f"nothing was run, because {join_names(list(reasons))}", "; ".join(remedies))


def _reasons(*sides: Record) -> str:
    """Why the sources of the sides name no inputs, in brackets; those that only say that they do not add nothing."""
    reasons = [item.why for side in sides for item in side.missing if item.field == "validation.inputs"]
    telling = dict.fromkeys(reason for reason in reasons if "validation inputs" not in reason)
    return f" ({show('; '.join(telling), 300)})" if telling else ""


def _remedy(field: str, general: str, *sides: Record) -> str:
    """What the sources of the sides advise, which may name the file or the step to pass; else the general advice."""
    advice = [item.do for side in sides for item in side.missing if item.field == field and item.do]
    return show("; ".join(dict.fromkeys(advice)), 500) if advice else general
