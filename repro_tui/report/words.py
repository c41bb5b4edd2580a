"""What the report formats and the screens share: glyphs, plain words for values, formatted numbers, bounded lists."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, TypeVar

from repro_tui.model.environment_kind import ENVIRONMENT_KINDS
from repro_tui.model.finding import AREAS, Area, AreaName, Change, Finding, Severity
from repro_tui.model.grade import Grade, Metric
from repro_tui.model.predictions import SAME_VERDICTS, Column, PredictionsArea, Verdict
from repro_tui.model.report import Report, SideReport, Sides
from repro_tui.model.run import Isolation
from repro_tui.report.acceptance import accepted_words
from repro_tui.support.sizes import size_text
from repro_tui.support.text import part, plural, show

T = TypeVar("T")
Tone = Literal["good", "bad", "open"]
ABSENT = "—"
GLYPHS: dict[Change, str] = {"same": "=", "changed": "≠", "added": "+", "removed": "-", "unknown": "?"}
STATUS_GLYPHS = {"same": "=", "different": "≠", "unknown": "?", "not-recorded": "·"}
SEVERITY_ORDER: dict[Severity, int] = {"important": 0, "notice": 1, "info": 2}
MEANINGS: dict[Verdict, str] = {
    "identical": "the predictions have the same types and are the same to the last bit",
    "equal": "the predictions are equal: only the sign of a zero or a lossless type differs",
    "equal-to-rounding": "the predictions are equal except for floating-point rounding",
    "within-tolerance": "every difference is within the tolerance, and no decision flips",
    "within-noise": "the sides differ no more than repeated runs of one side do",
    "undecided": "the predictions exceed the tolerance, and the runs cannot separate noise from drift",
    "drift": "the predictions differ",
    "not-comparable": "the predictions could not be compared",
}
# The names of a column's measures for people; a measure that is not listed goes by its own name.
MEASURES = {
    "mean_abs": "mean |Δ|",
    "p99_abs": "p99 |Δ|",
    "rmse": "RMSE",
    "rmse_over_sd": "RMSE / sd of A",
    "ks": "KS (ignores pairing)",
    "wasserstein_over_sd": "Wasserstein / sd of A",
    "flip_rate": "rows that flip",
    "kappa": "kappa of A and B",
    "threshold": "decision threshold",
    "mean_jensen_shannon": "mean Jensen-Shannon",
    "max_jensen_shannon": "max Jensen-Shannon",
    "accuracy_a": "right in A",
    "accuracy_b": "right in B",
    "only_a_right": "right only in A",
    "only_b_right": "right only in B",
    "mcnemar_p": "p of McNemar's test",
    "brier_a": "Brier score of A",
    "brier_b": "Brier score of B",
    "log_loss_a": "log loss of A",
    "log_loss_b": "log loss of B",
    "truth": "truth",
    "calibration_error_a": "calibration error A",
    "calibration_error_b": "calibration error B",
    "exact_match": "rows that are equal",
    "edit_distance_of_differing": "mean edit distance",
    "edit_distance_max": "max edit distance",
    "first_differing_token": "first differing word",
    "first_differing_token_median": "its median",
    "changed_paths": "values changed",
    "missing_paths": "values only in A",
    "extra_paths": "values only in B",
    "cosine_min": "smallest cosine",
    "cosine_p1": "p1 cosine",
    "relative_l2_max": "max L2 / length of A",
    "neighbours_k": "nearest neighbours",
    "neighbours_kept": "neighbours kept, mean",
    "neighbours_kept_min": "neighbours kept, min",
    "neighbours_of": "neighbours of",
    "top_k": "items in the top",
    "top_k_jaccard": "Jaccard of the top",
    "top_k_jaccard_min": "smallest Jaccard",
    "rank_biased_overlap": "rank-biased overlap",
    "rank_biased_overlap_min": "smallest overlap",
    "kendall_tau_b": "Kendall's tau-b",
    "kendall_tau_b_min": "smallest tau-b",
    "first_changed_rank": "first changed rank",
    "first_changed_rank_median": "its median",
    "tied_a": "tied scores in A",
    "tied_b": "tied scores in B",
    "rows_with_ties": "rows with tied scores",
    "sample": "measured on",
}
INTERVAL = ("flip_rate_low", "flip_rate_high")  # of 95 %, for rows like those that were compared
ACCURACIES = ("accuracy_a", "accuracy_b")  # with two digits, as small differences of them matter
SHARES = frozenset(("flip_rate", *ACCURACIES, "exact_match", "neighbours_kept", "neighbours_kept_min"))


def tone(verdict: str) -> Tone:
    """The tone of a verdict: good for the same, bad for drift, open where the question was not settled."""
    return "good" if verdict in SAME_VERDICTS else "bad" if verdict == "drift" else "open"


def verdict_glyph(verdict: Verdict) -> str:
    """The glyph at the start of a verdict, so that no meaning depends on colour alone."""
    return {"good": "=", "bad": "≠"}.get(tone(verdict), "!" if verdict == "not-comparable" else "?")


def grade_tone(grade: Grade) -> Tone:
    """The tone of a grade: good for reproduced, bad for not reproduced, open where that is not known."""
    tones: dict[int, Tone] = {0: "good", 1: "bad"}
    return tones.get(grade.exit_status, "open")


def measure_rows(column: Column) -> list[tuple[str, str]]:
    """A column's measures as (name in words, formatted value); columns of documents have a row for each path, too."""
    rows = [
        (MEASURES.get(name, name.replace("_", " ")), _measure(name, value))
        for name, value in column.measures.items()
        if value is not None and name not in ("paths", *INTERVAL)
    ]
    low, high = (column.measures.get(name) for name in INTERVAL)
    if isinstance(low, float) and isinstance(high, float):
        after = next((index for index, row in enumerate(rows) if row[0] == MEASURES["flip_rate"]), -1) + 1
        rows.insert(after, ("expected on other rows", f"{part(low)} to {part(high)}"))
    paths = column.measures.get("paths")
    for path, changed, only_a, only_b in paths if isinstance(paths, list | tuple) else ():
        counts = ((changed, "changed"), (only_a, "only in A"), (only_b, "only in B"))
        rows.append((f"path {show(path, 120)}", ", ".join(f"{count:,} {word}" for count, word in counts if count)))
    return rows


def kind_words(column: Column) -> str:
    """A column's kind, and whether it was declared or from what it was inferred."""
    if not column.inferred:
        return f"{column.kind} (declared)"
    return f"{column.kind} (inferred: {column.kind_why})" if column.kind_why else f"{column.kind} (inferred)"


def _measure(name: str, value: object) -> str:
    if name in SHARES and isinstance(value, float):
        return part(value, 2 if name in ACCURACIES else 1)
    return number(value) if isinstance(value, int | float) and not isinstance(value, bool) else show(value, 200)


def metric_glyph(metric: Metric) -> str:
    """The glyph at the start of a metric: an unknown match is not a match."""
    return {True: "=", False: "≠", None: "?"}[metric.matches]


def metric_cells(metric: Metric) -> tuple[str, str, str, str]:
    """A metric as four cells: recorded, rebuilt, their difference, and whether they match in one word."""
    rebuilt = ABSENT if metric.rebuilt is None else f"{metric.rebuilt:.6g}"
    delta = ABSENT
    if metric.rebuilt is not None and metric.recorded is not None:
        delta = f"{metric.rebuilt - metric.recorded:+.3g}"
    word = {True: "matches", False: "differs", None: "unknown"}[metric.matches]
    return ABSENT if metric.recorded is None else f"{metric.recorded!r}", rebuilt, delta, word


def number(value: float | None) -> str:
    """A count with thousands separators, a measure with four significant digits; None is a dash."""
    if value is None:
        return ABSENT
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"


def seconds(value: float) -> str:
    """A duration in seconds with its unit."""
    return f"{value:.3g} s" if value < 100 else f"{value:,.0f} s"


def bounded(items: Sequence[T], most: int) -> tuple[Sequence[T], int]:
    """The first `most` items, and the number of items left out."""
    return items[:most], max(0, len(items) - most)


def path_text(path: Sequence[str]) -> str:
    """A finding's path as one name; the empty path is the whole area."""
    return " / ".join(show(part, 300) for part in path) or "the whole area"


def value_text(value: object, cap: int = 300) -> str:
    """One side's value in at most `cap` characters; None is a dash."""
    return show(value, cap)


def finding_note(finding: Finding) -> str:
    """Whether a finding was accepted; the first line of its note, and whether it is only as declared or as built."""
    note = show(finding.note.partition("\n")[0], 300)
    basis = f"as {finding.basis}" if finding.basis else ""
    return "; ".join(filter(None, (accepted_words(finding.accepted), note, basis)))


def finding_words(finding: Finding) -> str:
    """A finding in one line: how the value changed, and the first line of its note."""
    change = f"{value_text(finding.a)} → {value_text(finding.b)}"
    texts = {
        "added": f"only in B: {value_text(finding.b)}",
        "removed": f"only in A: {value_text(finding.a)}",
        "same": "same",
    }
    text = "" if finding.change == "unknown" else texts.get(finding.change, change)
    note = finding_note(finding)
    return f"{text} ({note})" if text and note else text or note or "unknown"


def differing_first(findings: Sequence[Finding]) -> list[Finding]:
    """The findings that differ or are unknown before those that are the same, each group by severity."""
    return sorted(findings, key=lambda finding: (finding.change == "same", SEVERITY_ORDER[finding.severity]))


def areas_of(report: Report) -> Iterator[tuple[AreaName, Area | PredictionsArea]]:
    """The five areas with their names, in their fixed order."""
    for name in AREAS:
        yield name, getattr(report.areas, name)


def failures_of(sides: Sides) -> Iterator[tuple[str, SideReport]]:
    """The sides that failed, with their letters: both at once ("AB") where they failed alike."""
    a, b = sides.a, sides.b
    if a.failed and (a.failed, a.what, a.do) == (b.failed, b.what, b.do):
        yield "AB", a
        return
    yield from ((letter, side) for letter, side in (("A", a), ("B", b)) if side.failed)


def nothing_was_run(sides: Sides) -> bool:
    """Whether neither side was built or run although none failed: only what is declared was compared."""
    return not any(side.failed or side.rebuild or side.runs for side in (sides.a, sides.b))


def not_built(sides: Sides) -> list[str]:
    """The letters of the sides that were not built."""
    if nothing_was_run(sides):
        return ["A", "B"]
    return [letter for letter, side in (("A", sides.a), ("B", sides.b)) if side.failed and not was_built(side)]


def was_built(side: SideReport) -> bool:
    """Whether a side was rebuilt, whether or not its runs succeeded."""
    return not side.failed or side.failed.startswith("run ")


def basis_words(area: Area | PredictionsArea, sides: Sides | None) -> str:
    """What an area is based on, where that is not the build of both sides: "as declared; B was not built".

    `sides` is None while the audit runs. The text is empty where nothing has to be said.
    """
    if isinstance(area, PredictionsArea) or area.basis == "built" or area.status == "not-recorded":
        return ""
    if sides is None:
        return "as declared"
    lost = not_built(sides)
    if len(lost) == 2:
        return "as declared; neither side was built"
    if lost:
        return f"as declared; {lost[0]} was not built"
    return "as declared" if area.status != "unknown" else ""


def area_remarks(area: Area | PredictionsArea, sides: Sides | None) -> list[str]:
    """What a reader of an area has to know beside its findings: its basis, and what another area has."""
    note = "" if isinstance(area, PredictionsArea) else area.note
    return [text for text in (basis_words(area, sides), note) if text]


def predictions_words(area: PredictionsArea) -> str:
    """What came of the predictions in a few words: rows, cells and flips, or why none were compared."""
    if area.rows is None:
        return f"not compared{f': {show(area.what, 600)}' if area.what else ''}"
    cells = f"{plural(area.differences, 'cell')} differ{'s' if area.differences == 1 else ''}"
    flips = sum(column.flips or 0 for column in area.columns if column.kind == "label")
    flipped = f", {plural(flips, 'label')} flip{'s' if flips == 1 else ''}" if flips else ""
    return f"{plural(area.matched, 'row')} matched, {cells}{flipped}"


def counts_words(area: Area | PredictionsArea) -> str:
    """An area's counts that are not zero, in words."""
    counts = [f"{count:,} {show(name, 40)}" for name, count in area.counts.items() if count]
    return ", ".join(counts) or "nothing to compare"


def isolation_words(isolation: Isolation | None) -> str:
    """The isolation that a side's runs had, in words."""
    if isolation is None:
        return "not run"
    if isolation.kind == "remote":
        return "remote: queried over the network, no code of it ran here"
    verified = "verified" if isolation.probed else "not verified"
    user = f", user {show(isolation.detail['user'], 80)}" if "chosen user" in isolation.detail else ""
    chosen = f" ({show(isolation.detail['chosen user'], 300)})" if user else ""
    loose = f", memory {loose_memory(isolation)}" if loose_memory(isolation) else ""
    return f"{isolation.kind}, network {isolation.network}{user}{chosen}{loose}, {verified}"


def loose_memory(isolation: Isolation) -> str:
    """How the memory of the runs was limited, where it was not limited for all of their processes together; else ""."""
    return {"per process": "limited per process", "not limited": "not limited"}.get(
        isolation.limits.get("memory", ""), ""
    )


def area_notes(area: PredictionsArea) -> Iterator[str]:
    """What a reader of the columns has to know: the noise, which runs the cells come from, and what was left out."""
    if area.noise.sentence:
        yield area.noise.sentence
    if area.compared:
        yield f"the differing cells come from {area.compared}"
    if area.ignored:
        yield f"left out: {', '.join(area.ignored)}"
    if area.unused:
        yield f"no output column matches {', '.join(area.unused)}"


def side_facts(side: SideReport) -> list[tuple[str, str]]:
    """The facts on a side's card as (label, cleaned text); facts without a value are left out."""
    code, environment = _table(side.record, "code"), _table(side.record, "environment")
    kind = next((kind for kind in ENVIRONMENT_KINDS if environment.get(kind)), "")
    facts = [
        ("reference", side.reference),
        ("commit", code.get("commit")),
        ("repository", code.get("repository")),
        ("environment", f"{kind}: {show(environment[kind], 300)}" if kind else None),
        ("python", environment.get("python")),
        ("predict", _command(side)),
        ("runs", _runs(side)),
        ("written", _written(side)),
        ("note", "; ".join(dict.fromkeys(note for run in side.runs for note in run.notes))),
        ("isolation", isolation_words(side.isolation)),
        ("warning", " ".join(side.isolation.warnings) if side.isolation else ""),
        ("not recorded", ", ".join(show(missing.field, 100) for missing in side.missing)),
        ("failed at", side.failed),
        ("why", side.what),
        ("what to do", side.do),
    ]
    return [(label, show(value, 600)) for label, value in facts if value]


def _table(record: Mapping[str, object], name: str) -> Mapping[str, object]:
    """A table of a record; {} where there is none."""
    table = record.get(name)
    return table if isinstance(table, dict) else {}


def _command(side: SideReport) -> str:
    predict = _table(side.record, "predict")
    arguments, protocol = predict.get("command"), predict.get("protocol")
    command = " ".join(show(word, 300) for word in arguments) if isinstance(arguments, list | tuple) else ""
    if not protocol:
        return command or _own_step(predict)
    server = predict.get("url") or f"the server in its image{f', started by {command}' if command else ''}"
    return f"queries {show(server, 300)} ({show(protocol, 40)})"


def _own_step(predict: Mapping[str, object]) -> str:
    kinds = {"call": "calls", "notebook": "runs the notebook"}
    return next((f"{verb} {show(predict[kind], 300)}" for kind, verb in kinds.items() if predict.get(kind)), "")


def _written(side: SideReport) -> str:
    """What the first run that wrote into its working folder wrote there besides the output; "" if none did."""
    run = next((run for run in side.runs if run.written_files), None)
    if run is None:
        return ""
    names = ", ".join(show(file.path, 100) for file in run.written[:3])
    more = f" and {run.written_files - 3:,} more" if run.written_files > 3 else ""
    size = f"{size_text(run.written_bytes)} in {plural(run.written_files, 'file')}"
    return f"{names}{more}: {size}, thrown away after each run"


def _runs(side: SideReport) -> str:
    if not side.runs:
        return "none"
    succeeded = sum(run.status == "succeeded" for run in side.runs)
    return f"{succeeded} of {len(side.runs)} succeeded, {seconds(sum(run.seconds for run in side.runs))} in all"


def sentence(text: str) -> str:
    """A text of at most 700 characters, cleaned, that ends with a full stop; "" stays empty."""
    text = show(text, 700).strip()
    return text if not text or text.endswith((".", "!", "?")) else f"{text}."
