"""The report in plain sentences, the verdict first: what a tired person reads before anything else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from repro_tui.model.causes import Causes
from repro_tui.model.finding import Area, AreaName, Finding
from repro_tui.model.predictions import SAME_VERDICTS, Column, PredictionsArea, Stress, Verdict
from repro_tui.model.report import Areas, SideReport, Sides
from repro_tui.support.text import join_names, part, shorten_middle, show

STATIC: tuple[AreaName, ...] = ("code", "environment", "parameters", "data")
MOST_NAMED = 3
WEIGHTS = {"important": 0, "notice": 1, "info": 2}
VERDICT_WORDS: dict[Verdict, str] = {
    "identical": "Identical: every prediction is the same to the last bit",
    "equal": "Equal: every prediction has the same value",
    "equal-to-rounding": "Equal to rounding: predictions differ by no more than floating-point rounding",
    "within-tolerance": "Within tolerance: predictions differ by less than the tolerance",
    "within-noise": "Within noise: the sides differ no more than repeated runs of one side do",
    "undecided": "Undecided: the predictions differ, and whether that is noise or drift is not known",
    "drift": "Drift",
    "not-comparable": "Not comparable",
}


def summarise(sides: Sides, areas: Areas, verdict: Verdict, causes: Causes | None = None) -> tuple[str, ...]:
    """The sentences of a report."""
    found = [*_verdict(sides, areas.predictions, verdict), *(causes.sentences if causes else ()), *_differences(areas)]
    found += stressed(areas.predictions)
    same = [name for name in STATIC if getattr(areas, name).status == "same"]
    if same:
        found.append(f"{join_names(same).capitalize()} {_are(same)} the same.")
    absent = [name for name in STATIC if getattr(areas, name).status == "not-recorded"]
    if absent:
        found.append(f"Neither record holds any {' or '.join(absent)}, so there was nothing to compare.")
    if areas.predictions.ignored:
        found.append(f"Left out of the predictions: {join_names([show(n, 80) for n in areas.predictions.ignored])}.")
    if areas.predictions.unused:
        found.append(f"No output column fits {join_names(list(areas.predictions.unused), 'or')}.")
    found += [text for side in (sides.a, sides.b) for text in _isolation(side)]
    return tuple(dict.fromkeys(found))


def _verdict(sides: Sides, area: PredictionsArea, verdict: Verdict) -> Iterator[str]:
    lost = False
    for letter, side in (("A", sides.a), ("B", sides.b)):
        if side.failed:
            lost = True
            advice = f" To do: {sentence(side.do)}" if side.do else ""
            head = f"{letter} ({side.name}) could not be compared: it failed at {side.failed}."
            yield f"{head} {sentence(side.what)}{advice}"
    if not lost:
        first, *rest = compared(area, verdict, _runs(sides))
        yield first
        yield from _not_run(sides)
        yield from rest
        if verdict in ("drift", "undecided") and not area.key and area.rows.matched > 1:
            yield "Rows were matched by their position: no key is recorded (validation.key, --key)."
        yield from _formats(sides)


def _not_run(sides: Sides) -> Iterator[str]:
    """What is said of a commit is not said of the changes that were not in it."""
    both = (("A", sides.a), ("B", sides.b))
    dirty = [letter for letter, side in both if (side.record.get("code") or {}).get("dirty")]
    if dirty:
        yield f"The uncommitted changes of {join_names(dirty)} were not run: commit them, and audit again."


def _runs(sides: Sides) -> str:
    """In how many runs, where there were several; what was recorded is one."""
    few, many = sorted(len(side.runs) for side in (sides.a, sides.b))
    return "" if many < 2 else f", in {many} runs{' a side' if few == many else ''}"


def _formats(sides: Sides) -> Iterator[str]:
    """Outputs in two formats are told of: their values may be the same, and their bytes are not."""
    of_a, of_b = (
        list(dict.fromkeys(run.output_format for run in side.runs if run.output_format)) for side in (sides.a, sides.b)
    )
    if of_a and of_b and of_a != of_b:
        yield f"A's outputs are {join_names(of_a)}, B's {join_names(of_b)}: the values were compared."


def compared(area: PredictionsArea, verdict: Verdict, runs: str = "") -> Iterator[str]:
    """What the predictions' comparison says, in sentences; `runs` are the words for how often each side was run."""
    grouped = {name for column in area.columns for name in column.members if column.verdict == verdict}
    moved = [column for column in area.columns if column.verdict == verdict and column.name not in grouped]
    moved.sort(key=lambda column: column.kind != "label")
    if verdict == "drift":
        yield f"Drift: {'; '.join(_moved(column, area) for column in moved[:MOST_NAMED])}{_more(len(moved))}."
    elif verdict == "not-comparable":
        advice = f" To do: {sentence(area.do)}" if area.do else ""
        yield f"Not comparable: {sentence(area.what)}{advice}"
    else:
        yield f"{VERDICT_WORDS[verdict]}{_extent(moved, area)}{runs if verdict in SAME_VERDICTS else ''}."
    if area.compared:
        yield f"The differing cells are from {area.compared}: these differ more than the first runs do."
    yield from (told for column in moved[:MOST_NAMED] if (told := _right(column)))
    yield from (f"{found.sentence}." for found in area.slices[:1] if found.kind == "leaf")
    if (verdict in ("drift", "within-noise", "undecided") or area.noise.runs == 1) and area.noise.sentence:
        yield sentence(area.noise.sentence[0].upper() + area.noise.sentence[1:])
        yield from own_noise(area)
    if verdict == "undecided" and area.do:
        yield f"To do: {sentence(area.do)}"


def stressed(area: PredictionsArea) -> Iterator[str]:
    """What each side's own predictions hang on that they should not, a sentence a side."""
    for side in sorted({found.side for found in area.stress}):
        results = [found for found in area.stress if found.side == side]
        moved = [f"{found.name} ({_by(found)})" for found in results if found.moved]
        still = [found.name for found in results if found.moved is False]
        open_ones = [f"{found.name} ({found.note})" for found in results if found.moved is None]
        told = f"move with the {join_names(moved)}" if moved else "do not move" if still else "could not be varied"
        rest = (
            f"; not with the {join_names(still)}"
            if moved and still
            else f" with the {join_names(still)}"
            if still
            else ""
        )
        left = f"; not known: {', '.join(open_ones)}" if open_ones else ""
        yield sentence(f"Varied one at a time, {side.upper()}'s own predictions {told}{rest}{left}")


def _by(found: Stress) -> str:
    """How far one variation moved a side."""
    if found.note:
        return found.note
    largest = f" by up to {found.max_abs:.3g}" if found.max_abs is not None else ""
    return f"{found.what}: {show(found.column, 80)}{largest} in {found.different:,} rows"


def own_noise(area: PredictionsArea) -> Iterator[str]:
    """How many rows moved beyond what they do from run to run, where a side is noisy and that is known."""
    told = [(c, c.beyond_noise) for c in area.columns if c.beyond_noise is not None and c.different]
    if not told or not area.noise.by_chance:
        return
    named = sorted(told, key=lambda entry: -entry[1])[:MOST_NAMED]
    parts = [f"{beyond:,} of {c.different:,} in {show(c.name, 80)}" for c, beyond in named]
    named_all = f"{', '.join(parts)}{_more(len(told))}"
    chance = f"by chance alone, about 1 row in {area.noise.by_chance:,} would"
    yield f"Rows over the tolerance that moved beyond their own noise: {named_all} ({chance})."


def _moved(column: Column, area: PredictionsArea) -> str:
    """What happened to one column, in numbers that can be checked."""
    rows = f"{area.rows.matched:,}"
    if column.flips is not None and column.kind == "label":
        return f"{column.flips:,} of {rows} {show(column.name, 80)} values flip{_share(column)}{_commonest(column)}"
    if told := _by_kind(column, rows):
        return told
    largest = f"by up to {column.max_abs:.4g}" if column.max_abs is not None else "without a number for it"
    limit = column.measures.get("threshold")
    threshold = "the decision threshold" if limit is None else f"the decision threshold of {limit:g}"
    flips = f", and {column.flips:,} cross {threshold}" if column.flips else ""
    return f"{show(column.name, 80)} moves {largest} in {column.different:,} of {rows} rows{flips}"


def _by_kind(column: Column, rows: str) -> str:
    """What is said of kinds that are more than numbers; "" of the others."""
    name, measures = show(column.name, 80), column.measures
    if column.kind == "probability" and column.flip_matrix:
        moves = f"; {column.different:,} move, by up to {column.max_abs:.4g}" if column.max_abs is not None else ""
        return f"the likeliest class of {name} changes in {column.flips:,} of {rows} rows{_commonest(column)}{moves}"
    if column.kind == "ranking" and "kendall_tau_b" in measures:
        return f"{name} changes in {column.different:,} of {rows} rows{_ranking(measures)}"
    if column.kind == "text" and "edit_distance_of_differing" in measures:
        far = f"{part(measures['edit_distance_of_differing'])} of their length on average"
        return f"{column.different:,} of {rows} texts of {name} differ, by {far}"
    if column.kind == "json" and measures.get("paths"):
        path = show(measures["paths"][0][0], 80)
        return f"{column.different:,} of {rows} documents of {name} differ, most often at {path}"
    if column.kind == "embedding" and "cosine_min" in measures and column.max_abs is not None:
        near = f"the smallest cosine of A and B is {measures['cosine_min']:.4g}"
        return f"{name} moves by up to {column.max_abs:.4g} in {column.different:,} of {rows} rows; {near}"
    return ""


def _ranking(measures: dict[str, Any]) -> str:
    first = measures.get("first_changed_rank")
    tau = measures["kendall_tau_b"]
    told = [f"from rank {first} on"] if first else []
    told += [f"the top {measures['top_k']} have {part(measures['top_k_jaccard'])} in common"]
    return " (" + ", ".join([*told, f"Kendall's tau-b {tau:.3g}"] if tau is not None else told) + ")"


def _right(column: Column) -> str:
    """Which side is right more often, where the truth is known."""
    measures = column.measures
    if "mcnemar_p" not in measures:
        return ""
    alone = f"{measures['only_a_right']:,} rows are right in A alone and {measures['only_b_right']:,} in B alone"
    share = f"{measures['accuracy_a']:.2%} of A and {measures['accuracy_b']:.2%} of B are right"
    test = f"McNemar's exact test, p = {measures['mcnemar_p']:.3g}"
    return f"By the truth, {share} in {show(column.name, 80)}: {alone} ({test})."


def _share(column: Column) -> str:
    low, high = column.measures.get("flip_rate_low"), column.measures.get("flip_rate_high")
    if low is None or high is None:
        return ""
    return f" ({part(column.measures['flip_rate'])}, 95 % interval {part(low)} to {part(high)})"


def _commonest(column: Column) -> str:
    if not column.flip_matrix:
        return ""
    a, b, rows = column.flip_matrix[0]
    return f", most often {a} to {b} ({rows:,})"


def _extent(columns: list[Column], area: PredictionsArea) -> str:
    if area.verdict == "identical":
        return f" in all {area.rows.matched:,} rows"
    largest = max(((column.max_abs or 0.0, column.name) for column in columns), default=(0.0, ""))
    return f" (at most {largest[0]:.3g}, in {show(largest[1], 80)})" if largest[0] else ""


def _differences(areas: Areas) -> Iterator[str]:
    """One sentence for each area that is not the same: the important findings by name, the rest by number.

    Areas that are unknown for one and the same reason share their sentence.
    """
    unknown: dict[str, list[AreaName]] = {}
    for name in ("parameters", "environment", "data", "code"):
        area: Area = getattr(areas, name)
        leaves = sorted(area.findings, key=lambda finding: WEIGHTS[finding.severity])
        if area.status == "unknown":
            reasons = [finding.note for finding in leaves if finding.change == "unknown" and finding.note]
            unknown.setdefault(sentence("; ".join(reasons[:2])), []).append(name)
        elif area.status == "different":
            known = [finding for finding in leaves if finding.change not in ("same", "unknown")]
            named = [_told(name, finding) for finding in known[:MOST_NAMED]]
            yield f"{'; '.join(named)}{_more(len(known), name)}."
    for told, names in unknown.items():
        yield f"Whether the {join_names(names)} {_are(names)} the same is not known: {told}"


def _told(area: str, finding: Finding) -> str:
    if area == "code":
        return _code(finding)
    if area == "data":
        return f"{show(finding.path[0], 120)} {_changed(finding)}"
    if area == "parameters":
        return f"parameters.{show('.'.join(finding.path), 120)} {_changed(finding)}"
    section = finding.path[0]
    kind = {"variables": "the variable ", "system packages": "the system package ", "image": "the image's "}.get(
        section, ""
    )
    return f"{kind}{show(' '.join(finding.path[1:] or finding.path), 120)} {_changed(finding)}"


def _code(finding: Finding) -> str:
    """Files by their lines, commits by their short ids."""
    note = f" ({show(finding.note, 200)})" if finding.note else ""
    if finding.path == ("commit",):
        return f"the commit went from {str(finding.a)[:12]} to {str(finding.b)[:12]}{note}"
    return f"{show(' '.join(finding.path), 120)} {finding.change}{note}"


def _changed(finding: Finding) -> str:
    if finding.change == "added":
        return f"is only in B{_value(finding.b)}"
    if finding.change == "removed":
        return f"is only in A{_value(finding.a)}"
    if finding.a is None or finding.b is None or finding.a == finding.b:
        return finding.note or "changed"
    return f"went from {_short(finding.a)} to {_short(finding.b)}"


def _value(value: Any) -> str:
    return f" ({_short(value)})" if value is not None else ""


def _short(value: Any) -> str:
    text = re.sub(r"\b(sha256:)?([0-9a-f]{12})[0-9a-f]{20,}\b", r"\2…", show(value, 200))
    return shorten_middle(text, 48)


def _more(count: int, what: str = "columns") -> str:
    rest = count - MOST_NAMED
    return (
        f"; and {rest:,} more in {what}"
        if rest > 0 and what != "columns"
        else f"; and {rest:,} more"
        if rest > 0
        else ""
    )


def _isolation(side: SideReport) -> Iterator[str]:
    if side.isolation and side.isolation.kind == "none":
        yield from side.isolation.warnings


def _are(names: list[AreaName]) -> str:
    return "are" if len(names) > 1 or names == ["parameters"] else "is"


def sentence(text: str) -> str:
    """A safe text with a full stop."""
    text = show(text, 700).strip()
    return text if not text or text.endswith((".", "!", "?")) else f"{text}."
