"""The report in plain sentences, the verdict first: what a tired person reads before anything else."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from repro_tui.model.finding import Area, AreaName, Finding
from repro_tui.model.predictions import Column, PredictionsArea, Verdict
from repro_tui.model.report import Areas, SideReport, Sides
from repro_tui.support.text import shorten_middle, show

STATIC: tuple[AreaName, ...] = ("code", "environment", "parameters", "data")
MOST_NAMED = 3
VERDICT_WORDS: dict[Verdict, str] = {
    "identical": "Identical: the predictions are the same bytes",
    "equal": "Equal: every prediction has the same value",
    "equal-to-rounding": "Equal to rounding: predictions differ by no more than floating-point rounding",
    "within-tolerance": "Within tolerance: predictions differ by less than the tolerance",
    "within-noise": "Within noise: the sides differ no more than repeated runs of one side do",
    "undecided": "Undecided: the predictions differ, and whether that is noise or drift is not known",
    "drift": "Drift",
    "not-comparable": "Not comparable",
}


def summarise(sides: Sides, areas: Areas, verdict: Verdict) -> tuple[str, ...]:
    """The sentences of a report."""
    found = [*_verdict(sides, areas.predictions, verdict), *_differences(areas)]
    same = [name for name in STATIC if getattr(areas, name).status == "same"]
    if same:
        found.append(f"{_listed(same).capitalize()} {_are(same)} the same.")
    found += [text for side in (sides.a, sides.b) for text in _isolation(side)]
    return tuple(dict.fromkeys(found))


def _verdict(sides: Sides, area: PredictionsArea, verdict: Verdict) -> Iterator[str]:
    failed = [(letter, side) for letter, side in (("A", sides.a), ("B", sides.b)) if side.failed]
    for letter, side in failed:
        advice = f" To do: {_sentence(side.do)}" if side.do else ""
        yield f"{letter} ({side.name}) could not be compared: it failed at {side.failed}. {_sentence(side.what)}{advice}"
    if failed:
        return
    moved = [column for column in area.columns if column.verdict == verdict]
    if verdict == "drift":
        yield f"Drift: {'; '.join(_moved(column, area) for column in moved[:MOST_NAMED])}{_more(len(moved))}."
    elif verdict == "not-comparable":
        advice = f" To do: {_sentence(area.do)}" if area.do else ""
        yield f"Not comparable: {_sentence(area.what)}{advice}"
    else:
        yield f"{VERDICT_WORDS[verdict]}{_extent(moved, area)}."
    if verdict in ("drift", "within-noise", "undecided") and area.noise.sentence:
        yield _sentence(area.noise.sentence[0].upper() + area.noise.sentence[1:])


def _moved(column: Column, area: PredictionsArea) -> str:
    """What happened to one column, in numbers that can be checked."""
    rows = f"{area.rows.matched:,}"
    if column.flips is not None and column.kind == "label":
        return f"{column.flips:,} of {rows} {show(column.name, 80)} values flip{_share(column)}{_commonest(column)}"
    largest = f"by up to {column.max_abs:.4g}" if column.max_abs is not None else "without a number for it"
    flips = f", and {column.flips:,} cross the decision threshold" if column.flips else ""
    return f"{show(column.name, 80)} moves {largest} in {column.different:,} of {rows} rows{flips}"


def _share(column: Column) -> str:
    low, high = column.measures.get("flip_rate_low"), column.measures.get("flip_rate_high")
    if low is None or high is None:
        return ""
    return f" ({column.measures['flip_rate']:.1%}, 95 % interval {low:.1%} to {high:.1%})"


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
    """One sentence for each area that is not the same: the important findings by name, the rest by number."""
    for name in ("parameters", "environment", "data", "code"):
        area: Area = getattr(areas, name)
        if area.status == "same":
            continue
        weights = {"important": 0, "notice": 1, "info": 2}
        leaves = sorted(_leaves(area.findings), key=lambda finding: weights[finding.severity])
        known = [finding for finding in leaves if finding.change not in ("same", "unknown")]
        if area.status == "unknown":
            reasons = [finding.note for finding in leaves if finding.change == "unknown" and finding.note]
            told = _sentence("; ".join(reasons[:2]))
            yield f"Whether the {name} {_are([name])} the same is not known: {told}"
            continue
        named = [_told(name, finding) for finding in known[:MOST_NAMED]]
        yield f"{'; '.join(named)}{_more(len(known), name)}."


def _leaves(findings: tuple[Finding, ...]) -> Iterator[Finding]:
    """The findings that a sentence can name: below groups, but not below files and packages."""
    yield from findings


def _told(area: str, finding: Finding) -> str:
    name = ".".join(finding.path) if area == "parameters" else " ".join(finding.path[1:] or finding.path)
    if area == "code":
        return f"Code: {show(' '.join(finding.path), 120)} {_changed(finding)}"
    prefix = {
        "parameters": "parameters.",
        "environment": f"{finding.path[0]} " if finding.path[0] == "variables" else "",
    }
    if area == "data":
        name = finding.path[0]
    return f"{prefix.get(area, '')}{show(name, 120)} {_changed(finding)}"


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
    return shorten_middle(show(value, 200), 48)


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


def _listed(names: list[AreaName]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _sentence(text: str) -> str:
    text = show(text, 700).strip()
    return text if not text or text.endswith((".", "!", "?")) else f"{text}."
