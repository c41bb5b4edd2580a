"""The grade of a verification, R0 to R6, from what was lost, what matched and what the predictions' comparison says."""

from __future__ import annotations

from collections.abc import Sequence

from repro_tui.audit.side import SideState
from repro_tui.model.grade import Grade, Level, Metric
from repro_tui.model.predictions import SAME_VERDICTS, PredictionsArea
from repro_tui.model.record import Missing, Record
from repro_tui.model.run import Run
from repro_tui.support.text import plural, show

MOST_NAMED = 3


def gaps_of(record: Record) -> tuple[Missing, ...]:
    """What the record would need for a verification, and does not have."""
    environment, predict = record.environment, record.predict
    asked = bool(predict and predict.url)
    gaps = []
    if record.code is None and not asked and environment.kind not in ("image", "sif"):
        gaps.append(_gap(record, "code", "the record names no commit", "record code.repository and code.commit"))
    if environment.kind == "unrecorded" and not asked:
        do = "record environment.image (by digest), dockerfile, lock or requirements"
        gaps.append(_gap(record, "environment", "the record names no environment", do))
    if predict is None or not (predict.command or predict.protocol):
        gaps.append(_gap(record, "predict", "the record names no predict step", "record predict.command"))
    if record.validation.inputs is None:
        do = "record validation.inputs, or give them with --inputs FILE"
        gaps.append(_gap(record, "validation.inputs", "the record names no validation inputs", do))
    return (*gaps, *_nothing_expected(record))


def _nothing_expected(record: Record) -> list[Missing]:
    expected = record.expected
    if expected.predictions:
        return []
    if not expected.metrics:
        why = "nothing is recorded of its outputs, so there is nothing to verify"
        return [Missing("expected", why, "record expected.predictions (a table), or expected.metrics")]
    if record.validation.truth is None:
        why = "metrics are recorded, and without the truth they cannot be measured again"
        do = "record validation.truth, the column of the inputs that holds the truth, or give --truth COLUMN"
        return [Missing("validation.truth", why, do)]
    return []


def _gap(record: Record, field: str, why: str, do: str) -> Missing:
    """The record's own words for a gap, where its source has some."""
    return next((item for item in record.missing if item.field == field), Missing(field, why, do))


def grade(
    record: Record, gaps: tuple[Missing, ...], recorded: Run | None, side: SideState, area: PredictionsArea,
    metrics: tuple[Metric, ...], short: str,
) -> Grade:  # fmt: skip
    """The grade. `short` says which input rows have no output ("" where all have one)."""
    if gaps:
        missing_fields = "; ".join(f"{item.field}: {item.why}" for item in gaps)
        return Grade("R0", f"the record is incomplete: {missing_fields}", gaps)
    if side.workspace is None:
        return Grade("R1", f"the {side.failed} cannot be rebuilt: {side.what}", record.missing, metrics)
    if side.failed:
        return Grade("R2", f"it is rebuilt, and does not run ({side.failed}): {side.what}", record.missing, metrics)
    if short:
        return Grade("R2", f"it is rebuilt, and does not predict every row: {short}", record.missing, metrics)
    level, sentence = _grade_of_a_run(recorded, side.runs, area, metrics)
    return Grade(level, sentence, record.missing, metrics)


def _grade_of_a_run(
    recorded: Run | None, runs: Sequence[Run], area: PredictionsArea, metrics: tuple[Metric, ...]
) -> tuple[Level, str]:
    off = [metric for metric in metrics if metric.matches is False]
    if off:
        named = ", ".join(_describe_mismatch(metric) for metric in off[:MOST_NAMED])
        more = f" and {len(off) - MOST_NAMED} more" if len(off) > MOST_NAMED else ""
        verb = "does" if len(off) == 1 else "do"
        total = plural(len(metrics), "recorded metric")
        return "R3", f"it runs, and {len(off)} of {total} {verb} not match: {named}{more}"
    if recorded is not None and area.verdict in SAME_VERDICTS:
        return _reproduced(recorded, runs, area, metrics)
    outcome = _prediction_outcome(recorded, area)
    if any(metric.matches for metric in metrics):
        return "R4", f"{_matches_sentence(metrics)}, and {outcome}"
    return "R3", f"it runs, and no recorded metric is known to match{_unknown_metrics(metrics)}; {outcome}"


def _reproduced(
    recorded: Run, runs: Sequence[Run], area: PredictionsArea, metrics: tuple[Metric, ...]
) -> tuple[Level, str]:
    extra = f"; {_matches_sentence(metrics)}" if metrics else ""
    if area.verdict != "identical":
        closeness = (
            "within the noise of repeated runs" if area.verdict == "within-noise" else area.verdict.replace("-", " ")
        )
        return "R5", f"the predictions are reproduced: they are {closeness}{extra}"
    if any(run.output_sha256 == recorded.output_sha256 for run in runs[:1]):
        return "R6", f"the predictions are byte-identical to the recorded file in all {area.rows.matched:,} rows{extra}"
    forms = (recorded.output_format, runs[0].output_format)
    formats = (
        f"both {forms[0]}, written otherwise"
        if forms[0] == forms[1]
        else f"recorded as {forms[0]}, rebuilt as {forms[1]}"
    )
    return "R6", f"the predictions are byte-identical as tables ({formats}) in all {area.rows.matched:,} rows{extra}"


def _prediction_outcome(recorded: Run | None, area: PredictionsArea) -> str:
    if recorded is None:
        return "no predictions were recorded"
    if area.verdict == "undecided":
        return "the predictions differ, and whether that is noise is not known"
    if area.verdict == "not-comparable":
        return f"the predictions cannot be compared: {area.what}"
    return "the predictions differ from what was recorded"


def _describe_mismatch(metric: Metric) -> str:
    rebuilt = f"{metric.rebuilt:.6g} rebuilt" if metric.rebuilt is not None else "not measured"
    impossible = " (impossible)" if metric.note.startswith("impossible") else ""
    return f"{metric.name} {metric.recorded!r} recorded{impossible}, {rebuilt}"


def _matches_sentence(metrics: tuple[Metric, ...]) -> str:
    count = sum(bool(metric.matches) for metric in metrics)
    return f"{count} of {plural(len(metrics), 'recorded metric')} match{'es' if count == 1 else ''}{_unknown_metrics(metrics)}"


def _unknown_metrics(metrics: tuple[Metric, ...]) -> str:
    names = [show(metric.name, 60) for metric in metrics if metric.matches is None]
    if not names:
        return ""
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return f" (not known: {', '.join(names[:MOST_NAMED])}{more})"
