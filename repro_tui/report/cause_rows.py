"""The result of a search for the cause as rows that all formats and the screen share."""

from __future__ import annotations

from repro_tui.model.causes import Causes, Culprit, Hybrid
from repro_tui.report.cause_sentences import CauseWording
from repro_tui.report.words import path_text
from repro_tui.support.text import part, show, signed_part


def effects(causes: Causes) -> list[tuple[str, float | None]]:
    """Each factor with its share of the change, the largest first, and last those whose share is not known (None).

    Not known are factors that could not be told apart, and those that no hybrid had alone: 0 would say that they were
    seen to do nothing. The list is empty where there are no shares at all.
    """
    if not causes.shares:
        return []
    wording = CauseWording(causes, ())
    shares = {name: None if wording.is_untried(name) else causes.shares.get(name) for name in causes.factors}
    known = [(name, share) for name, share in shares.items() if share is not None]
    unknown: list[tuple[str, float | None]] = [(name, None) for name, share in shares.items() if share is None]
    return [*sorted(known, key=lambda item: -abs(item[1])), *unknown]


def cause_rows(causes: Causes) -> list[tuple[str, str, str]]:
    """The result of a search for the cause as rows of three texts: the row's role, the factors or path, the result."""
    rows = [("share", name, "not known" if share is None else signed_part(share)) for name, share in effects(causes)]
    rows += [("only together", " + ".join(group.factors), signed_part(group.dividend)) for group in causes.interactions]
    rows += [("smallest set", " + ".join(causes.smallest), "reproduces B")] if causes.smallest else []
    rows += [("reverting", " + ".join(names), "restores A") for names in causes.restores]
    rows += [("culprit", path_text((guilty.factor, *guilty.path)), culprit_text(guilty)) for guilty in causes.culprits]
    rows += [("not tried", ", ".join(failure.from_b), failure.why) for failure in causes.unresolved]
    return rows + [("hybrid", f"{' + '.join(h.from_b)} from B", hybrid_text(h)) for h in causes.hybrids]


def hybrid_text(hybrid: Hybrid) -> str:
    """A hybrid's result: its part of the change, the share of the moved rows that are as in B, and which side it is."""
    rows = f", {part(hybrid.rows_as_b)} of the moved rows as in B" if hybrid.rows_as_b is not None else ""
    return f"{signed_part(hybrid.score)} of the change{rows}: outputs match {hybrid.outputs}"


def culprit_text(culprit: Culprit) -> str:
    """Both values of a culprit, and whether it alone is enough for its factor's change."""
    values = " → ".join("absent" if value is None else show(value, 80) for value in (culprit.a, culprit.b))
    return f"{values} ({'enough alone' if culprit.sufficient else 'not enough alone'})"
