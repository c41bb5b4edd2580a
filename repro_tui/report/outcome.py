"""What came of the predictions, in sentences: whether they are the same, by how much they moved, and what else is seen.

Every number is one that the report or differences.parquet has, so that a reader can check it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from repro_tui.model.predictions import SAME_VERDICTS, VERDICTS, Column, PredictionsArea, Verdict
from repro_tui.report.words import sentence
from repro_tui.support.text import part, plural, show

MOST_NAMED = 3  # columns that a sentence names; it counts the others
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


def verdict_sentence(area: PredictionsArea, verdict: Verdict, runs: str = "") -> str:
    """The verdict on the predictions in numbers, without a full stop, as others may follow.

    `runs` is appended to a verdict that is a kind of "same": how often each side was run (", in 2 runs a side").
    """
    moved = _moved_columns(area, verdict)
    if verdict == "drift":
        return f"Drift: {'; '.join(_moved(column, area) for column in moved[:MOST_NAMED])}{_more(len(moved))}"
    if verdict == "not-comparable":
        head = "Predictions were not compared" if area.rows is None else VERDICT_WORDS[verdict]
        return f"{head}: {show(area.what, 600)}" if area.what else head
    return f"{VERDICT_WORDS[verdict]}{_extent(moved, area)}{runs if verdict in SAME_VERDICTS else ''}"


def _moved_columns(area: PredictionsArea, verdict: Verdict) -> list[Column]:
    """The columns that the verdict is about, labels first, then the worst; a vector stands for its members."""
    grouped = {name for column in area.columns for name in column.members if column.verdict == verdict}
    moved = [column for column in area.columns if column.verdict == verdict and column.name not in grouped]
    return sorted(worst_first(moved), key=lambda column: column.kind != "label")


def worst_first(columns: Sequence[Column]) -> list[Column]:
    """The columns by verdict, then by decisions that flip, rows that differ, and how far they moved.

    Columns that are equally bad stay in the order of the predictions.
    """

    def badness(column: Column) -> tuple[int, int, int, float, float]:
        moved = (column.max_rel or 0.0, column.max_abs or 0.0)
        return (VERDICTS.index(column.verdict), column.flips or 0, column.different, *moved)

    return sorted(columns, key=badness, reverse=True)


def noise_sentence(area: PredictionsArea) -> str:
    """What the repeated runs show; "" where nothing has to be said of them."""
    text = area.noise.sentence
    return sentence(text[0].upper() + text[1:]) if text else ""


def outcome_notes(area: PredictionsArea, verdict: Verdict) -> Iterator[str]:
    """What is known of the predictions beside the verdict: which runs are shown, accuracy, slices, noise of rows."""
    if area.compared:
        yield f"The differing cells come from {area.compared}, which differ more than the first runs do."
    moved = _moved_columns(area, verdict)[:MOST_NAMED]
    yield from (accuracy for column in moved if (accuracy := _accuracy(column)))
    yield from (f"{moved_slice.sentence}." for moved_slice in area.slices[:1] if moved_slice.kind == "leaf")
    if verdict in ("drift", "within-noise", "undecided"):
        yield from own_noise(area)


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
    change = f"moves by up to {column.max_abs:.4g}" if column.max_abs else "differs"  # 0.0: in what has no distance
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
        if not column.max_abs:
            return change
        move = _verb(column.different, "moves", "move")
        return f"{change}; {column.different:,} {move}, by up to {column.max_abs:.4g}"
    if column.kind == "ranking" and "kendall_tau_b" in measures:
        return f"{name} changes in {column.different:,} of {rows} rows{_ranking(column)}"
    if column.kind == "text" and "edit_distance_of_differing" in measures:
        distance = measures["edit_distance_of_differing"]  # 0.0 of texts that differ after what was measured of them
        extent = f", by {part(distance)} of their length on average" if distance else ""
        return f"{column.different:,} of {rows} texts of {name} {differ}{extent}"
    if column.kind == "json" and measures.get("paths"):
        path = show(measures["paths"][0][0], 80)
        return f"{column.different:,} of {rows} documents of {name} {differ}, most often at {path}"
    if column.kind == "embedding" and "cosine_min" in measures and column.max_abs:
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
    share = f"{part(measures['accuracy_a'], 2)} of A and {part(measures['accuracy_b'], 2)} of B are right"
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
    size, name = _largest(columns)
    return f" (at most {size:.3g}, in {show(name, 80)})" if size else ""


def largest_difference(area: PredictionsArea) -> str:
    """By how much predictions that count as the same differ at most, without a full stop; "" where that is nothing."""
    size, name = _largest(_moved_columns(area, area.verdict))
    return f"The largest difference is {size:.3g}, in {show(name, 80)}" if size else ""


def _largest(columns: Sequence[Column]) -> tuple[float, str]:
    return max(((column.max_abs or 0.0, column.name) for column in columns), default=(0.0, ""))


def _more(count: int) -> str:
    """How many of `count` are not named; "" for none."""
    return f"; and {count - MOST_NAMED:,} more" if count > MOST_NAMED else ""
