"""What the formats share: the glyphs, the plain words for a verdict, numbers, and lists with an end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal, TypeVar

from repro_tui.model.causes import Causes, Culprit, Hybrid
from repro_tui.model.finding import AREAS, Area, AreaName, Change, Finding
from repro_tui.model.grade import Grade, Metric
from repro_tui.model.predictions import SAME_VERDICTS, Column, PredictionsArea, Verdict
from repro_tui.model.report import Report, SideReport
from repro_tui.model.run import Isolation
from repro_tui.support.text import part, show, signed_part

T = TypeVar("T")
Tone = Literal["good", "bad", "open"]
ABSENT = "—"
GLYPHS: dict[Change, str] = {"same": "=", "changed": "≠", "added": "+", "removed": "-", "unknown": "?"}
STATUS_GLYPHS = {"same": "=", "different": "≠", "unknown": "?", "not-recorded": "·"}
MEANINGS: dict[Verdict, str] = {
    "identical": "the predictions have the same types, and are the same to the last bit",
    "equal": "the predictions are equal: only the sign of zero or a lossless type differs",
    "equal-to-rounding": "the predictions are equal but for the rounding of floating-point numbers",
    "within-tolerance": "every difference is within the tolerance, and no decision flips",
    "within-noise": "the sides differ no more than repeated runs of one side do",
    "undecided": "the predictions are over the tolerance, and the runs do not tell noise from drift",
    "drift": "the predictions differ",
    "not-comparable": "the predictions could not be compared",
}
# What the measures of a column are called where people read them; others by their own names.
MEASURES = {
    "mean_abs": "mean |Δ|",
    "p99_abs": "p99 |Δ|",
    "rmse": "RMSE",
    "rmse_over_sd": "RMSE / sd of A",
    "ks": "KS (ignores pairing)",
    "wasserstein_over_sd": "Wasserstein / sd of A",
    "flip_rate": "rows that flip",
    "flip_rate_low": "at least (95 %)",
    "flip_rate_high": "at most (95 %)",
    "kappa": "kappa of A and B",
    "threshold": "decision threshold",
    "mean_jensen_shannon": "mean Jensen-Shannon",
    "max_jensen_shannon": "max Jensen-Shannon",
    "accuracy_a": "right in A",
    "accuracy_b": "right in B",
    "only_a_right": "right in A alone",
    "only_b_right": "right in B alone",
    "mcnemar_p": "p of McNemar's test",
    "brier_a": "Brier score of A",
    "brier_b": "Brier score of B",
    "log_loss_a": "log loss of A",
    "log_loss_b": "log loss of B",
    "truth": "beside the truth",
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
    "neighbours_kept": "of them kept, mean",
    "neighbours_kept_min": "of them kept, fewest",
    "neighbours_of": "neighbours are of",
    "top_k": "k of the top",
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
PARTS = ("flip_rate", "flip_rate_low", "flip_rate_high", "accuracy_a", "accuracy_b", "exact_match", "neighbours_kept")
SHARES = frozenset((*PARTS, "neighbours_kept_min"))
KINDS = ("dockerfile", "image", "lock", "requirements", "sif")


def tone(verdict: Verdict) -> Tone:
    """Whether a verdict reads as the same, as different, or as an open question."""
    return "good" if verdict in SAME_VERDICTS else "bad" if verdict == "drift" else "open"


def verdict_glyph(verdict: Verdict) -> str:
    """The glyph that leads a verdict, so that nothing rests on colour alone."""
    return {"good": "=", "bad": "≠"}.get(tone(verdict), "!" if verdict == "not-comparable" else "?")


def grade_tone(grade: Grade) -> Tone:
    """Whether a grade reads as reproduced, as not reproduced, or as an open question."""
    tones: dict[int, Tone] = {0: "good", 1: "bad"}
    return tones.get(grade.exit_status, "open")


def measure_rows(column: Column) -> list[tuple[str, str]]:
    """A column's measures: what each is in words, and its value; documents have a line for every path."""
    found = [
        (MEASURES.get(name, name.replace("_", " ")), _measure(name, value))
        for name, value in column.measures.items()
        if value is not None and name != "paths"
    ]
    for path, changed, only_a, only_b in column.measures.get("paths", ()):
        counts = ((changed, "changed"), (only_a, "only in A"), (only_b, "only in B"))
        found.append((f"path {show(path, 120)}", ", ".join(f"{count:,} {word}" for count, word in counts if count)))
    return found


def kind_words(column: Column) -> str:
    """A column's kind, and what it was inferred from."""
    if not column.inferred:
        return f"{column.kind} (declared)"
    return f"{column.kind} (inferred: {column.kind_why})" if column.kind_why else f"{column.kind} (inferred)"


def _measure(name: str, value: Any) -> str:
    if name in SHARES and isinstance(value, float):
        return f"{100 * value:.4g} %"
    return number(value) if isinstance(value, int | float) and not isinstance(value, bool) else show(value, 200)


def metric_glyph(metric: Metric) -> str:
    """The glyph that leads a metric: unknown is no match."""
    return {True: "=", False: "≠", None: "?"}[metric.matches]


def metric_cells(metric: Metric) -> tuple[str, str, str, str]:
    """A metric as recorded, as rebuilt, the change, and in a word whether they match."""
    rebuilt = ABSENT if metric.rebuilt is None else f"{metric.rebuilt:.6g}"
    delta = ABSENT
    if metric.rebuilt is not None and metric.recorded is not None:
        delta = f"{metric.rebuilt - metric.recorded:+.3g}"
    word = {True: "matches", False: "off", None: "unknown"}[metric.matches]
    return ABSENT if metric.recorded is None else f"{metric.recorded!r}", rebuilt, delta, word


def number(value: float | None) -> str:
    """A count with its thousands apart, a measure to four digits; absent is a dash."""
    if value is None:
        return ABSENT
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"


def seconds(value: float) -> str:
    """A duration in seconds, as people read it."""
    return f"{value:.3g} s" if value < 100 else f"{value:,.0f} s"


def bounded(items: Sequence[T], most: int) -> tuple[Sequence[T], int]:
    """The first `most` items, and how many are left out."""
    return items[:most], max(0, len(items) - most)


def path_text(path: Sequence[str]) -> str:
    """A finding's path as one name."""
    return " / ".join(show(part, 300) for part in path) or "the whole area"


def value_text(value: Any, cap: int = 300) -> str:
    """One side's value; absent is a dash."""
    return show(value, cap)


def finding_words(finding: Finding) -> str:
    """A finding in one line: what it went from and to, and its note."""
    change = f"{value_text(finding.a)} → {value_text(finding.b)}"
    told = {
        "added": f"only in B: {value_text(finding.b)}",
        "removed": f"only in A: {value_text(finding.a)}",
        "same": "same",
    }
    words = "" if finding.change == "unknown" else told.get(finding.change, change)
    note = show(finding.note.partition("\n")[0], 300)
    return f"{words} ({note})" if words and note else words or note or "unknown"


def differing_first(findings: Sequence[Finding]) -> list[Finding]:
    """What differs or is unknown before what is the same; the important before the rest."""
    weights = {"important": 0, "notice": 1, "info": 2}
    return sorted(findings, key=lambda finding: (finding.change == "same", weights[finding.severity]))


def areas_of(report: Report) -> Iterator[tuple[AreaName, Area | PredictionsArea]]:
    """The five areas by name, in their fixed order."""
    for name in AREAS:
        yield name, getattr(report.areas, name)


def counts_words(area: Area | PredictionsArea) -> str:
    """An area's counts that are not zero, in words."""
    told = [f"{count:,} {show(name, 40)}" for name, count in area.counts.items() if count]
    return ", ".join(told) or "nothing to compare"


def isolation_words(isolation: Isolation | None) -> str:
    """The isolation that was obtained."""
    if isolation is None:
        return "not run"
    if isolation.kind == "remote":
        return "remote: asked over the network, nothing of it ran here"
    probed = ", probed" if isolation.probed else ", not probed"
    return f"{isolation.kind}, network {isolation.network}{probed}"


def cause_rows(causes: Causes) -> list[tuple[str, str, str]]:
    """What a search for the cause found, as rows: what it is, of what, and in numbers or values."""
    shares = sorted(causes.shares.items(), key=lambda item: -abs(item[1]))
    rows = [("share", name, signed_part(share)) for name, share in shares]
    rows += [("only together", " + ".join(one.factors), signed_part(one.dividend)) for one in causes.interactions]
    rows += [("smallest set", " + ".join(causes.smallest), "reproduces B")] if causes.smallest else []
    rows += [("reverting", " + ".join(names), "restores A") for names in causes.restores]
    rows += [("culprit", path_text((one.factor, *one.path)), culprit_text(one)) for one in causes.culprits]
    rows += [("not tried", ", ".join(one.from_b), one.why) for one in causes.unresolved]
    return rows + [("hybrid", f"{' + '.join(one.from_b)} from B", hybrid_text(one)) for one in causes.hybrids]


def beside(area: PredictionsArea) -> Iterator[str]:
    """What has to be known beside the columns: their noise, whose cells they are, and what was left out."""
    if area.noise.sentence:
        yield area.noise.sentence
    if area.compared:
        yield f"the differing cells are from {area.compared}"
    if area.ignored:
        yield f"left out: {', '.join(area.ignored)}"
    if area.unused:
        yield f"no output column fits {', '.join(area.unused)}"


def hybrid_text(hybrid: Hybrid) -> str:
    """How much of the change a mixture makes, how many of the moved rows are B's in it, and whose its outputs are."""
    rows = f", {part(hybrid.rows_as_b)} of the moved rows as in B" if hybrid.rows_as_b is not None else ""
    return f"{signed_part(hybrid.score)} of the change{rows}: outputs match {hybrid.outputs}"


def culprit_text(culprit: Culprit) -> str:
    """What each side has of a guilty thing, and whether that is enough."""
    values = " → ".join("absent" if value is None else show(value, 80) for value in (culprit.a, culprit.b))
    return f"{values} ({'enough alone' if culprit.sufficient else 'not enough alone'})"


def side_facts(side: SideReport) -> list[tuple[str, str]]:
    """What a side's card says: a label and a safe text each."""
    code, environment = _table(side.record, "code"), _table(side.record, "environment")
    kind = next((kind for kind in KINDS if environment.get(kind)), "")
    facts = [
        ("reference", side.reference),
        ("commit", code.get("commit")),
        ("repository", code.get("repository")),
        ("environment", f"{kind}: {show(environment[kind], 300)}" if kind else None),
        ("python", environment.get("python")),
        ("predict", _command(side)),
        ("runs", _runs(side)),
        ("isolation", isolation_words(side.isolation)),
        ("beware", " ".join(side.isolation.warnings) if side.isolation else ""),
        ("not recorded", ", ".join(show(missing.field, 100) for missing in side.missing)),
        ("failed at", side.failed),
        ("why", side.what),
        ("what to do", side.do),
    ]
    return [(label, show(value, 600)) for label, value in facts if value]


def _table(record: dict[str, Any], name: str) -> dict[str, Any]:
    found = record.get(name)
    return found if isinstance(found, dict) else {}


def _command(side: SideReport) -> str:
    predict = _table(side.record, "predict")
    words, protocol = predict.get("command"), predict.get("protocol")
    command = " ".join(show(word, 300) for word in words) if isinstance(words, list | tuple) else ""
    if not protocol:
        return command
    asked = predict.get("url") or f"the server of its image{f', started by {command}' if command else ''}"
    return f"asks {show(asked, 300)} ({show(protocol, 40)})"


def _runs(side: SideReport) -> str:
    if not side.runs:
        return "none"
    good = sum(run.status == "succeeded" for run in side.runs)
    return f"{good} of {len(side.runs)} succeeded, {seconds(sum(run.seconds for run in side.runs))} in all"
