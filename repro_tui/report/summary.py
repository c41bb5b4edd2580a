"""The report's summary: at most five plain sentences, and the notes that say more.

1. Whether the predictions are the same, in numbers, or which side failed, where and why.
   Right after it, what makes this rest on less than it seems ("Note: …"): what was accepted, and what was not run, not
   compared or only as declared.
2. Why, if that was searched for: the culprits with old and new values and their shares.
3. What restores A.
4. What else differs: what was seen to do nothing, and what was not tested.
5. What to do next ("Next: …").

No fact is in two sentences, and no sentence has a hash. What is only listed stands in its area. Where a note would make
six sentences of five, the second and the third are one. The notes say what a reader may ask after these: noise, slices,
accuracy, formats, what `--stress` moved, what was open in the search, and how the code was confined.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from repro_tui.model.causes import Causes
from repro_tui.model.finding import Area, AreaName
from repro_tui.model.gate import GateReport
from repro_tui.model.grade import Grade
from repro_tui.model.predictions import SAME_VERDICTS, PredictionsArea, Verdict
from repro_tui.model.report import Areas, SideReport, Sides
from repro_tui.report.acceptance import gate_cautions, gate_notes
from repro_tui.report.cause_sentences import CauseWording
from repro_tui.report.differences import Difference, are_several, differences_of, is_all_known, listed
from repro_tui.report.next_step import next_after_grade, next_step, uncommitted
from repro_tui.report.outcome import largest_difference, noise_sentence, outcome_notes, verdict_sentence
from repro_tui.report.stress import stress_sentences
from repro_tui.report.words import basis_words, failures_of, loose_memory, nothing_was_run, sentence
from repro_tui.support.text import join_names, last_output, show, without_hashes

MOST = 5
NAMES: tuple[AreaName, ...] = ("code", "environment", "parameters", "data")
NEXT, NOTE = "Next: ", "Note: "


class Summary(NamedTuple):
    """The sentences of a report's summary, at most five, and its notes."""

    sentences: tuple[str, ...]
    notes: tuple[str, ...]


def summarise(
    sides: Sides, areas: Areas, verdict: Verdict, causes: Causes | None = None, gate: GateReport | None = None
) -> Summary:
    """The summary of an audit; `gate` is how it was judged (None: not yet)."""
    gate = gate or GateReport()
    differences = differences_of(areas)
    area = areas.predictions
    failed = list(failures_of(sides))
    head = "; ".join(_failure(sides, letters, side) for letters, side in failed)
    head = head or verdict_sentence(area, verdict, _runs(sides))
    reasons = _reasons(area, verdict, causes, differences, all_known=is_all_known(areas))
    rest = [_others(areas, verdict, causes, differences, reasons_known=not failed)]
    step = f"{NEXT}{next_step(sides, areas, verdict, causes, gate)}"
    notes = [*_audit_notes(sides, areas, verdict, causes, reasons), *gate_notes(gate), *_isolation_notes(sides)]
    return _summary(head, [*gate_cautions(gate), *_cautions(sides, areas, verdict)], reasons, rest, step, notes)


def summarise_grade(grade: Grade, area: PredictionsArea, sides: Sides) -> Summary:
    """The summary of a verification: the grade, what was compared, and what to do next."""
    reasons: list[str] = []
    notes = [*_metric_notes(grade)]
    ran = grade.level not in ("R0", "R1", "R2")
    if ran and area.verdict == "not-comparable":
        reasons += [f"predictions: {area.what}"] if area.what and area.what not in grade.sentence else []
    elif ran and area.verdict in SAME_VERDICTS:
        reasons += [largest] if (largest := largest_difference(area)) else []
    elif ran:
        reasons.append(verdict_sentence(area, area.verdict))
    (reasons if area.verdict in ("undecided", "within-noise") else notes).append(noise_sentence(area) if ran else "")
    notes += [*outcome_notes(area, area.verdict), *_column_notes(area), *stress_sentences(area)]
    step = f"{NEXT}{next_after_grade(grade, area, sides.b)}"
    head = f"{grade.level}: {last_output(grade.sentence, 600)}"
    return _summary(head, _left_out(area), reasons, [], step, [*notes, *_isolation_notes(sides)])


def next_of(sentences: Sequence[str]) -> str:
    """What to do next, as the last of a summary's sentences has it, without its label and full stop; "" without one."""
    last = sentences[-1] if sentences else ""
    return last.removeprefix(NEXT).removesuffix(".") if last.startswith(NEXT) else ""


def _summary(
    head: str, cautions: Iterable[str], reasons: Sequence[str], rest: Sequence[str], step: str, notes: Iterable[str]
) -> Summary:
    """The sentences in their order, each cleaned and once; of more than five, the reasons become one."""
    caution = "; ".join(cautions)
    start = [head, *([f"{NOTE}{caution}"] if caution else [])]
    reasons, rest = [text for text in reasons if text], [text for text in rest if text]
    if len(start) + len(reasons) + len(rest) >= MOST and len(reasons) > 1:
        reasons = ["; ".join((reasons[0].removesuffix("."), *(_inside(text) for text in reasons[1:])))]
    sentences = list(dict.fromkeys(_clean(text) for text in (*start, *reasons, *rest)))
    sentences.append(sentence(step))  # what is to be pasted, such as a full commit, stays whole
    own = (text for text in map(_clean, notes) if text and text not in sentences)
    return Summary(tuple(sentences), tuple(dict.fromkeys(own)))


def _clean(text: str) -> str:
    return sentence(without_hashes(_capital(text)))


def _capital(text: str) -> str:
    """A sentence begins with a capital, but a name keeps its own spelling."""
    plain = ("reverting ", "the ", "it ", "predictions: ", "as declared", "nothing ", "not recorded", "removing ")
    return text[:1].upper() + text[1:] if text.startswith(plain) else text


def _inside(text: str) -> str:
    return text[:1].lower() + text[1:] if text[1:2].islower() else text


# -- whether it is the same -----------------------------------------------------------------------------------------


def _failure(sides: Sides, letters: str, side: SideReport) -> str:
    """Which side failed, where and why; of the last lines of a program only the very last."""
    both = len(letters) > 1
    named = (
        f"A ({show(sides.a.name, 60)}) and B ({show(sides.b.name, 60)})"
        if both
        else f"{letters} ({show(side.name, 60)})"
    )
    why = last_output(side.what, 500).removesuffix(".")
    return (
        f"{named} could not be compared: {'both' if both else 'it'} failed at {side.failed}{f': {why}' if why else ''}"
    )


def _runs(sides: Sides) -> str:
    """The number of runs, where a side had several; recorded predictions count as one run."""
    few, many = sorted(len(side.runs) for side in (sides.a, sides.b))
    return "" if many < 2 else f", in {many} runs{' a side' if few == many else ''}"


def _cautions(sides: Sides, areas: Areas, verdict: Verdict) -> Iterator[str]:
    """What the first sentence rests on less than it seems: never hidden among the notes."""
    area = areas.predictions
    if sides.a.failed or sides.b.failed:
        for letter, side, lost in (("A", sides.a, "B"), ("B", sides.b, "A")):
            if not side.failed and side.rebuild and not side.runs:
                yield f"{letter} was built; no run of it was finished, because {lost} had failed"
    elif dirty := uncommitted(sides):
        yield f"the uncommitted changes of {join_names(dirty)} were not run"
    yield from _basis(areas, sides)
    if area.noise.runs == 1 and area.noise.sentence and area.rows is not None and verdict != "undecided":
        yield _inside(area.noise.sentence.removesuffix("."))
    if verdict in ("drift", "undecided") and not area.key and area.matched > 1:
        yield "rows were matched by position, because no key is recorded (validation.key or --key)"
    yield from _left_out(area)


def _left_out(area: PredictionsArea) -> Iterator[str]:
    if area.ignored:
        names = join_names([show(name, 80) for name in area.ignored], most=6)
        yield f"{names} {'was' if len(area.ignored) == 1 else 'were'} left out of the predictions"


def _basis(areas: Areas, sides: Sides) -> Iterator[str]:
    """Which areas were only compared as declared, because a side was not built or nothing was run."""
    if not (sides.a.failed or sides.b.failed or nothing_was_run(sides)):
        return
    basis: dict[str, list[str]] = {}
    for name in NAMES:
        if getattr(areas, name).status != "unknown":
            basis.setdefault(basis_words(getattr(areas, name), sides), []).append(name)
    for text, names in basis.items():
        if text:
            yield f"{join_names(names)} {'was' if _are(names) == 'is' else 'were'} compared {text}"


# -- why ------------------------------------------------------------------------------------------------------------


def _reasons(
    area: PredictionsArea,
    verdict: Verdict,
    causes: Causes | None,
    differences: Sequence[Difference],
    *,
    all_known: bool,
) -> list[str]:
    """Why the predictions moved, and what restores A; without a search, what the repeated runs show."""
    if causes is not None and causes.factors and not causes.note and verdict == "drift":
        wording = CauseWording(causes, differences, all_known)
        return [text for text in (wording.cause(), wording.restores()) if text]
    if causes is not None and causes.sentences and (causes.factors or verdict == "drift"):
        return [causes.sentences[0] if causes.factors else f"The cause was not found: {causes.note}"]
    if verdict in ("within-noise", "undecided"):
        return [text for text in (noise_sentence(area),) if text]
    return []


def _metric_notes(grade: Grade) -> Iterator[str]:
    """Why metrics do not match or could not be checked; the grade names those that do not match, with their values."""
    for metric in grade.metrics:
        if metric.matches is not True and metric.note:
            state = "does not match" if metric.matches is False else "could not be checked"
            yield f"{show(metric.name, 80)} {state}: {metric.note}"


# -- what else differs ----------------------------------------------------------------------------------------------


def _others(
    areas: Areas, verdict: Verdict, causes: Causes | None, differences: Sequence[Difference], *, reasons_known: bool
) -> str:
    """What differs besides, and what is known of it; which areas are the same, unknown or not recorded.

    `reasons_known`: why an area is unknown is said; where a side failed, the first sentence has said it.
    """
    clauses: list[str] = []
    if causes is not None and causes.factors and not causes.note and verdict == "drift":
        clauses.append(CauseWording(causes, differences, is_all_known(areas)).others())
    elif differences:
        clauses.append(_untested(areas, verdict, causes, differences))
    clauses += _unknown(areas, reasons_known)
    same = [name for name in NAMES if getattr(areas, name).status == "same"]
    built = [name for name in same if getattr(areas, name).basis == "built"]
    declared = [name for name in same if name not in built]
    if built:
        clauses.append(f"{join_names(built)} {_are(built)} the same")
    if declared:
        clauses.append(f"as declared, {join_names(declared)} {_are(declared)} the same")
    absent = [name for name in NAMES if getattr(areas, name).status == "not-recorded"]
    if absent:
        clauses.append(f"not recorded on either side, so not compared: {join_names(absent)}")
    text = "; ".join(filter(None, clauses))
    areas_first = text.startswith(NAMES) and not (differences and text.startswith(differences[0].name))
    return text[:1].upper() + text[1:] if areas_first or text.startswith("not recorded") else text


def _untested(areas: Areas, verdict: Verdict, causes: Causes | None, differences: Sequence[Difference]) -> str:
    """What differs where no cause was found or searched for."""
    differ = "differ" if are_several(differences) else "differs"
    names = listed(differences)
    if verdict == "drift":
        return f"{names} {differ} (not tested as the cause)"
    built = all(getattr(areas, name).basis == "built" for name in NAMES if getattr(areas, name).status == "different")
    if verdict in SAME_VERDICTS and built and causes is None:
        together = "together they change" if are_several(differences) else "that changes"
        kind = {"identical": "no", "equal": "no"}.get(verdict)
        if kind:
            return f"{names} {differ}; {together} no prediction that was compared"
        return f"{names} {differ}; {together} the predictions by no more than that"
    return f"{names} {differ}"


def _unknown(areas: Areas, reasons_known: bool) -> Iterator[str]:
    """The areas that are unknown; those with the same reason together."""
    reasons: dict[str, list[str]] = {}
    for name in NAMES:
        area: Area = getattr(areas, name)
        if area.status == "unknown":
            notes = [
                last_output(f.note, 300).removesuffix(".") for f in area.findings if f.change == "unknown" and f.note
            ]
            reason = "; ".join(dict.fromkeys(notes[:2])) if reasons_known else ""
            reasons.setdefault(reason, []).append(name)
    for reason, names in reasons.items():
        why = f" ({reason})" if reason else ""
        yield f"it is not known whether the {join_names(names)} {_are(names)} the same{why}"


def _are(names: Sequence[str]) -> str:
    return "are" if len(names) > 1 or names == ["parameters"] else "is"


# -- notes ----------------------------------------------------------------------------------------------------------


def _audit_notes(
    sides: Sides, areas: Areas, verdict: Verdict, causes: Causes | None, reasons: Sequence[str]
) -> Iterator[str]:
    area = areas.predictions
    if (
        area.noise.runs != 1
        and verdict in ("drift", "within-noise", "undecided")
        and noise_sentence(area) not in reasons
    ):
        yield noise_sentence(area)
    yield from outcome_notes(area, verdict)
    yield from _formats(sides)
    yield from _cause_notes(causes, reasons)
    yield from stress_sentences(area)
    if areas.code.note:  # the notes of the other areas point here
        yield f"Code: {areas.code.note}"
    yield from _column_notes(area)


def _cause_notes(causes: Causes | None, reasons: Sequence[str]) -> Iterator[str]:
    if causes is None:
        return
    yield from causes.remarks
    if not causes.factors and not reasons:
        yield from causes.sentences


def _column_notes(area: PredictionsArea) -> Iterator[str]:
    if area.unused:
        yield f"No output column matches {join_names(list(area.unused), 'or')}"


def _formats(sides: Sides) -> Iterator[str]:
    """Outputs in two formats are mentioned: their values may be the same although their bytes differ."""
    formats_a, formats_b = (
        list(dict.fromkeys(run.output_format for run in side.runs if run.output_format)) for side in (sides.a, sides.b)
    )
    if formats_a and formats_b and formats_a != formats_b:
        names = (join_names(formats) for formats in (formats_a, formats_b))
        yield "A's outputs are {} and B's are {}: their values were compared".format(*names)


def _isolation_notes(sides: Sides) -> Iterator[str]:
    for side in (sides.a, sides.b):
        if side.isolation and side.isolation.kind == "none":
            yield from side.isolation.warnings
        elif side.isolation and loose_memory(side.isolation):
            yield f"The memory of the runs was {loose_memory(side.isolation)}"
