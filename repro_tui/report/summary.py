"""The report's summary in plain sentences, the verdict first: what people read before anything else.

The order of the sentences is fixed: the verdict (or which side failed, and where), what the verdict rests on (runs that
were not made, noise, slices), the cause where it was searched for, what differs in the other areas (the important
findings by name, the rest by number), what depends on factors that should not matter, and what is the same or was not
compared. Every number is one that the report or differences.parquet has, so that a reader can check it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from repro_tui.model.causes import Causes
from repro_tui.model.finding import Area, AreaName, Finding
from repro_tui.model.predictions import SAME_VERDICTS, Column, PredictionsArea, Stress, Verdict
from repro_tui.model.report import Areas, SideReport, Sides
from repro_tui.report.words import SEVERITY_ORDER, basis_words, failures_of, loose_memory, nothing_was_run
from repro_tui.support.text import join_names, part, plural, shorten_middle, show

STATIC: tuple[AreaName, ...] = ("code", "environment", "parameters", "data")
MOST_NAMED = 3  # columns or findings that a sentence names; it counts the others
VERDICT_WORDS: dict[Verdict, str] = {
    "identical": "Identical: every prediction is the same to the last bit",
    "equal": "Equal: every prediction has the same value",
    "equal-to-rounding": "Equal to rounding: predictions differ by no more than floating-point rounding",
    "within-tolerance": "Within tolerance: predictions differ by no more than the tolerance",
    "within-noise": "Within noise: the sides differ no more than repeated runs of one side do",
    "undecided": "Undecided: the predictions differ, and the runs cannot separate noise from drift",
    "drift": "Drift",
    "not-comparable": "Not comparable",
}


def summarise(sides: Sides, areas: Areas, verdict: Verdict, causes: Causes | None = None) -> tuple[str, ...]:
    """The sentences of a report's summary, in their order, each once."""
    verdict_sentences = _verdict(sides, areas.predictions, verdict)
    sentences = [*verdict_sentences, *(causes.sentences if causes else ()), *_differences(areas)]
    sentences += stressed(areas.predictions)
    sentences += _unchanged(areas)
    sentences += _based_on(areas, sides)
    if areas.predictions.ignored:
        left_out = [show(name, 80) for name in areas.predictions.ignored]
        sentences.append(f"Left out of the predictions: {join_names(left_out)}.")
    if areas.predictions.unused:
        sentences.append(f"No output column matches {join_names(list(areas.predictions.unused), 'or')}.")
    sentences += [text for side in (sides.a, sides.b) for text in _isolation(side)]
    return tuple(dict.fromkeys(sentences))


def _unchanged(areas: Areas) -> Iterator[str]:
    """The areas that are the same, as built or as far as was declared, and those that no record fills."""
    same = [name for name in STATIC if getattr(areas, name).status == "same"]
    built = [name for name in same if getattr(areas, name).basis == "built"]
    declared = [name for name in same if name not in built]
    if built:
        yield f"{join_names(built).capitalize()} {_are(built)} the same."
    if declared:
        yield f"As declared, {join_names(declared)} {_are(declared)} the same."
    absent = [name for name in STATIC if getattr(areas, name).status == "not-recorded"]
    if absent:
        yield f"Not recorded on either side, so not compared: {join_names(absent)}."


def _based_on(areas: Areas, sides: Sides) -> Iterator[str]:
    """Which areas were only compared as declared because a side was not built, and what the areas say of each other."""
    basis: dict[str, list[AreaName]] = {}
    for name in STATIC:
        if sides.a.failed or sides.b.failed or nothing_was_run(sides):
            basis.setdefault(basis_words(getattr(areas, name), sides), []).append(name)
    for text, names in basis.items():
        if text:
            yield f"{join_names(names).capitalize()} {'were' if _are(names) == 'are' else 'was'} compared {text}."
    if areas.code.note:  # the notes of the other areas point here
        yield sentence(f"Code: {areas.code.note}")


def _verdict(sides: Sides, area: PredictionsArea, verdict: Verdict) -> Iterator[str]:
    failures = list(failures_of(sides))
    for letters, side in failures:
        advice = f" To do: {sentence(side.do)}" if side.do else ""
        both = f"A ({sides.a.name}) and B ({sides.b.name})"
        named = both if len(letters) > 1 else f"{letters} ({side.name})"
        subject = "both" if len(letters) > 1 else "it"
        yield f"{named} could not be compared: {subject} failed at {side.failed}. {sentence(side.what)}{advice}"
    if failures:
        yield from _not_started(sides)
    else:
        first, *rest = compared(area, verdict, _runs(sides))
        yield first
        yield from _not_run(sides)
        yield from rest
        if verdict in ("drift", "undecided") and not area.key and area.matched > 1:
            yield "Rows were matched by position because no key is recorded: set validation.key or --key."
        yield from _formats(sides)


def _not_started(sides: Sides) -> Iterator[str]:
    """A side that was built, but not run because the other one was lost."""
    for letter, side, lost in (("A", sides.a, "B"), ("B", sides.b, "A")):
        if not side.failed and side.rebuild and not side.runs:
            yield f"{letter} was built; no run of it was finished, because {lost} had failed."


def _not_run(sides: Sides) -> Iterator[str]:
    """The predictions of a commit say nothing about changes that were not committed, so these are named."""
    both = (("A", sides.a), ("B", sides.b))
    dirty = [letter for letter, side in both if (side.record.get("code") or {}).get("dirty")]
    if dirty:
        yield f"The uncommitted changes of {join_names(dirty)} were not run: commit them and audit again."


def _runs(sides: Sides) -> str:
    """The number of runs, where a side had several; recorded predictions count as one run."""
    few, many = sorted(len(side.runs) for side in (sides.a, sides.b))
    return "" if many < 2 else f", in {many} runs{' a side' if few == many else ''}"


def _formats(sides: Sides) -> Iterator[str]:
    """Outputs in two formats are mentioned: their values may be the same although their bytes differ."""
    formats_a, formats_b = (
        list(dict.fromkeys(run.output_format for run in side.runs if run.output_format)) for side in (sides.a, sides.b)
    )
    if formats_a and formats_b and formats_a != formats_b:
        names = (join_names(formats) for formats in (formats_a, formats_b))
        yield "A's outputs are {} and B's are {}: their values were compared.".format(*names)


def compared(area: PredictionsArea, verdict: Verdict, runs: str = "") -> Iterator[str]:
    """The result of comparing the predictions, in sentences, the verdict first.

    `runs` is appended to a verdict that is a kind of "same": how often each side was run (", in 2 runs a side").
    """
    grouped = {name for column in area.columns for name in column.members if column.verdict == verdict}
    moved = [column for column in area.columns if column.verdict == verdict and column.name not in grouped]
    moved.sort(key=lambda column: column.kind != "label")
    if verdict == "drift":
        yield f"Drift: {'; '.join(_moved(column, area) for column in moved[:MOST_NAMED])}{_more(len(moved))}."
    elif verdict == "not-comparable":
        advice = f" To do: {sentence(area.do)}" if area.do else ""
        head = "Predictions were not compared" if area.rows is None else VERDICT_WORDS[verdict]
        yield f"{head}: {sentence(area.what)}{advice}"
    else:
        yield f"{VERDICT_WORDS[verdict]}{_extent(moved, area)}{runs if verdict in SAME_VERDICTS else ''}."
    if area.compared:
        yield f"The differing cells come from {area.compared}, which differ more than the first runs do."
    yield from (accuracy for column in moved[:MOST_NAMED] if (accuracy := _accuracy(column)))
    yield from (f"{moved_slice.sentence}." for moved_slice in area.slices[:1] if moved_slice.kind == "leaf")
    if (verdict in ("drift", "within-noise", "undecided") or area.noise.runs == 1) and area.noise.sentence:
        yield sentence(area.noise.sentence[0].upper() + area.noise.sentence[1:])
        yield from own_noise(area)
    if verdict == "undecided" and area.do:
        yield f"To do: {sentence(area.do)}"


def stressed(area: PredictionsArea) -> Iterator[str]:
    """On which factors that should not matter each side's own predictions depend: one sentence per side."""
    for side in sorted({result.side for result in area.stress}):
        results = [result for result in area.stress if result.side == side]
        moving = [f"{result.name} ({_effect(result)})" for result in results if result.moved]
        steady = [result.name for result in results if result.moved is False]
        unknown = [f"{result.name} ({result.note})" for result in results if result.moved is None]
        name = f"{side.upper()}'s own predictions"
        clauses = [f"{name} move with the {join_names(moving)}"] if moving else []
        if steady:
            clauses.append(f"{'they' if moving else name} do not move with the {join_names(steady, 'or')}")
        if unknown:
            clauses.append(f"{'not known' if clauses else f'what moves {name} is not known'}: {', '.join(unknown)}")
        yield sentence(f"One factor varied at a time: {'; '.join(clauses)}")


def _effect(result: Stress) -> str:
    """How far one variation moved a side."""
    if result.note:
        return result.note
    largest = f" by up to {result.max_abs:.3g}" if result.max_abs is not None else ""
    return f"{result.what}: {show(result.column, 80)}{largest} in {plural(result.different, 'row')}"


def own_noise(area: PredictionsArea) -> Iterator[str]:
    """How many rows moved by more than they do from run to run; nothing where no side is noisy or that is unknown."""
    counts = [(c, c.beyond_noise) for c in area.columns if c.beyond_noise is not None and c.different]
    if not counts or not area.noise.by_chance:
        return
    named = sorted(counts, key=lambda entry: -entry[1])[:MOST_NAMED]
    parts = [f"{rows:,} of {c.different:,} in {show(c.name, 80)}" for c, rows in named]
    named_all = f"{', '.join(parts)}{_more(len(counts))}"
    chance = f"by chance alone, about 1 row in {area.noise.by_chance:,} would"
    yield f"Rows over the tolerance that moved beyond their own noise: {named_all} ({chance})."


def _moved(column: Column, area: PredictionsArea) -> str:
    """How one column moved, in numbers that can be checked against the report."""
    rows = f"{area.matched:,}"
    if column.flips is not None and column.kind == "label":
        flip = _verb(column.flips, "flips", "flip")
        return f"{column.flips:,} of {rows} {show(column.name, 80)} values {flip}{_share(column)}{_commonest(column)}"
    if text := _by_kind(column, rows):
        return text
    change = f"moves by up to {column.max_abs:.4g}" if column.max_abs is not None else "differs"
    limit = column.measures.get("threshold")
    threshold = "the decision threshold" if limit is None else f"the decision threshold of {limit:g}"
    flips = f", and {column.flips:,} {_verb(column.flips, 'crosses', 'cross')} {threshold}" if column.flips else ""
    return f"{show(column.name, 80)} {change} in {column.different:,} of {rows} rows{flips}"


def _by_kind(column: Column, rows: str) -> str:
    """How a column of a kind that is more than a number moved; "" for the other kinds."""
    name, measures = show(column.name, 80), column.measures
    differ = _verb(column.different, "differs", "differ")
    if column.kind == "probability" and column.flip_matrix:
        change = f"the most likely class of {name} changes in {column.flips:,} of {rows} rows{_commonest(column)}"
        if column.max_abs is None:
            return change
        move = _verb(column.different, "moves", "move")
        return f"{change}; {column.different:,} {move}, by up to {column.max_abs:.4g}"
    if column.kind == "ranking" and "kendall_tau_b" in measures:
        return f"{name} changes in {column.different:,} of {rows} rows{_ranking(column)}"
    if column.kind == "text" and "edit_distance_of_differing" in measures:
        distance = f"{part(measures['edit_distance_of_differing'])} of their length on average"
        return f"{column.different:,} of {rows} texts of {name} {differ}, by {distance}"
    if column.kind == "json" and measures.get("paths"):
        path = show(measures["paths"][0][0], 80)
        return f"{column.different:,} of {rows} documents of {name} {differ}, most often at {path}"
    if column.kind == "embedding" and "cosine_min" in measures and column.max_abs is not None:
        cosine = f"the smallest cosine of A and B is {measures['cosine_min']:.4g}"
        return f"{name} moves by up to {column.max_abs:.4g} in {column.different:,} of {rows} rows; {cosine}"
    return ""


def _verb(count: int, single: str, several: str) -> str:
    return single if count == 1 else several


def _ranking(column: Column) -> str:
    measures = column.measures
    first = measures.get("first_changed_rank")
    tau = measures["kendall_tau_b"]
    facts = [f"from rank {first} on"] if first else []
    facts.append(f"the Jaccard index of the top {measures['top_k']} is {measures['top_k_jaccard']:.3g}")
    if tau is not None:
        facts.append(f"Kendall's tau-b {tau:.3g}")
    return f" ({', '.join(facts)})"


def _accuracy(column: Column) -> str:
    """Which side is right more often; "" where the true values are not known."""
    measures = column.measures
    if "mcnemar_p" not in measures:
        return ""
    split = f"{plural(measures['only_a_right'], 'row')} right only in A and {measures['only_b_right']:,} only in B"
    share = f"{measures['accuracy_a']:.2%} of A and {measures['accuracy_b']:.2%} of B are right"
    test = f"McNemar's exact test, p = {measures['mcnemar_p']:.3g}"
    return f"Against the true values, {share} in {show(column.name, 80)}: {split} ({test})."


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


def _extent(columns: Sequence[Column], area: PredictionsArea) -> str:
    if area.verdict == "identical":
        return f" in all {area.matched:,} rows"
    largest = max(((column.max_abs or 0.0, column.name) for column in columns), default=(0.0, ""))
    return f" (at most {largest[0]:.3g}, in {show(largest[1], 80)})" if largest[0] else ""


def _differences(areas: Areas) -> Iterator[str]:
    """One sentence for each area that is not the same: the important findings by name, the rest by number.

    Areas that are unknown for the same reason share one sentence.
    """
    unknown: dict[str, list[AreaName]] = {}
    for name in ("parameters", "environment", "data", "code"):
        area: Area = getattr(areas, name)
        leaves = sorted(area.findings, key=lambda finding: SEVERITY_ORDER[finding.severity])
        if area.status == "unknown":
            reasons = [finding.note for finding in leaves if finding.change == "unknown" and finding.note]
            unknown.setdefault(sentence("; ".join(reasons[:2])), []).append(name)
        elif area.status == "different":
            known = [finding for finding in leaves if finding.change not in ("same", "unknown")]
            named = [_change_sentence(name, finding) for finding in known[:MOST_NAMED]]
            yield f"{'; '.join(named)}{_more(len(known), name)}."
    for reason, names in unknown.items():
        because = f": {reason}" if reason else "."
        yield f"It is not known whether the {join_names(names)} {_are(names)} the same{because}"


def _change_sentence(area: str, finding: Finding) -> str:
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
    """A file with its note, a commit by its short ids."""
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
        return f"changed ({finding.note})" if finding.note else "changed"
    return f"went from {_short(finding.a)} to {_short(finding.b)}"


def _value(value: object) -> str:
    return f" ({_short(value)})" if value is not None else ""


def _short(value: object) -> str:
    text = re.sub(r"\b(sha256:)?([0-9a-f]{12})[0-9a-f]{20,}\b", r"\2…", show(value, 200))
    return shorten_middle(text, 48)


def _more(count: int, area: str = "") -> str:
    """How many of `count` are not named; "" for none."""
    rest = count - MOST_NAMED
    if rest <= 0:
        return ""
    return f"; and {rest:,} more in {area}" if area else f"; and {rest:,} more"


def _isolation(side: SideReport) -> Iterator[str]:
    if side.isolation and side.isolation.kind == "none":
        yield from side.isolation.warnings
    elif side.isolation and loose_memory(side.isolation):
        yield f"The memory of the runs was {loose_memory(side.isolation)}."


def _are(names: list[AreaName]) -> str:
    return "are" if len(names) > 1 or names == ["parameters"] else "is"


def sentence(text: str) -> str:
    """A text of at most 700 characters, cleaned, that ends with a full stop; "" stays empty."""
    text = show(text, 700).strip()
    return text if not text or text.endswith((".", "!", "?")) else f"{text}."
