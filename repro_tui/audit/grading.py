"""The grade of a verification, R0 to R6.

The grade is the first that applies, from the worst: gaps in the record (R0), a failed rebuild (R1), a failed run or
missing rows (R2), a recorded metric that does not match (R3), predictions that differ (R4, or R3 if no metric is known
to match), predictions within the tolerance or the noise (R5), identical predictions (R6). A metric that does not match
outweighs identical predictions: the recorded metric then contradicts the recorded predictions.

Example: a record with `accuracy: 0.95` and no predictions that is rebuilt to 0.9 gets R3: "it runs, but 1 of 1 recorded
metric does not match: accuracy 0.95 recorded, 0.9 rebuilt".
"""

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
    """The fields that a verification needs and the record lacks."""
    environment, predict = record.environment, record.predict
    asked = bool(predict and predict.url)
    gaps = []
    if record.code is None and not asked and not _brings_its_code(record):
        gaps.append(_gap(record, "code", "the record names no commit", "record code.repository and code.commit"))
    if environment.kind == "unrecorded" and not asked:
        do = "record environment.image (by digest), dockerfile, lock, requirements or sif"
        gaps.append(_gap(record, "environment", "the record names no environment", do))
    if predict is None or not predict.is_recorded:
        gaps.append(_gap(record, "predict", "the record names no predict step", "record predict.command"))
    if record.validation.inputs is None:
        do = "record validation.inputs, or pass --inputs FILE"
        gaps.append(_gap(record, "validation.inputs", "the record names no validation inputs", do))
    return (*gaps, *_nothing_expected(record))


def _brings_its_code(record: Record) -> bool:
    """Whether a record without a commit has all the code that runs: inside an image, or with a model of MLflow."""
    return record.environment.kind in ("image", "sif") or any(item.source.startswith("mlflow:") for item in record.data)


def _nothing_expected(record: Record) -> list[Missing]:
    expected = record.expected
    if expected.predictions:
        return []
    if not expected.metrics:
        why = "the record has no outputs, so there is nothing to verify"
        return [Missing("expected", why, "record expected.predictions (a table), or expected.metrics")]
    if record.validation.truth is None:
        why = "metrics are recorded, but without the truth they cannot be measured again"
        do = "record validation.truth, the column of the inputs with the true values, or pass --truth COLUMN"
        return [Missing("validation.truth", why, do)]
    return []


def _gap(record: Record, field: str, why: str, do: str) -> Missing:
    """The gap as the record's source describes it, if it does, else in our own words."""
    return next((item for item in record.missing if item.field == field), Missing(field, why, do))


def grade(
    record: Record, gaps: tuple[Missing, ...], recorded: Run | None, side: SideState, area: PredictionsArea,
    metrics: tuple[Metric, ...], short: str,
) -> Grade:  # fmt: skip
    """The grade, with its reason in one sentence.

    `gaps` are what the record lacks, `recorded` is the recorded predictions as a run (None: none), `side` the rebuilt
    side, `area` the comparison of both, `metrics` the recorded metrics measured again; `short` says which input rows
    have no output ("" if all have one).
    """
    if gaps:
        missing_fields = "; ".join(f"{item.field}: {item.why}" for item in gaps)
        return Grade("R0", f"the record is incomplete: {missing_fields}", gaps)
    if side.workspace is None:
        return Grade("R1", f"it cannot be rebuilt ({side.failed}): {side.what}", record.missing, metrics)
    if side.failed:
        return Grade("R2", f"it is rebuilt, but does not run ({side.failed}): {side.what}", record.missing, metrics)
    if short:
        return Grade("R2", f"it is rebuilt, but does not predict every row: {short}", record.missing, metrics)
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
        return "R3", f"it runs, but {len(off)} of {total} {verb} not match: {named}{more}"
    if recorded is not None and area.verdict in SAME_VERDICTS:
        return _reproduced(recorded, runs, area, metrics)
    outcome = _prediction_outcome(recorded, area)
    if any(metric.matches for metric in metrics):
        return "R4", f"{_matches_sentence(metrics)}, but {outcome}"
    return "R3", f"it runs, but no recorded metric is known to match{_unknown_metrics(metrics)}; {outcome}"


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
        return "R6", f"the predictions are byte-identical to the recorded file in all {area.matched:,} rows{extra}"
    forms = (recorded.output_format, runs[0].output_format)
    formats = (
        f"both {forms[0]}, with different bytes"
        if forms[0] == forms[1]
        else f"recorded as {forms[0]}, rebuilt as {forms[1]}"
    )
    return "R6", f"the predictions are byte-identical as tables ({formats}) in all {area.matched:,} rows{extra}"


def _prediction_outcome(recorded: Run | None, area: PredictionsArea) -> str:
    if recorded is None:
        return "no predictions were recorded"
    if area.verdict == "undecided":
        return "the predictions differ, and it is not known whether that is noise"
    if area.verdict == "not-comparable":
        return f"the predictions cannot be compared: {area.what}"
    return "the predictions differ from the recorded ones"


def _describe_mismatch(metric: Metric) -> str:
    rebuilt = f"{metric.rebuilt:.6g} rebuilt" if metric.rebuilt is not None else "not measured"
    impossible = " (impossible)" if metric.note.startswith("impossible") else ""
    return f"{metric.name} {metric.recorded!r} recorded{impossible}, {rebuilt}"


def _matches_sentence(metrics: tuple[Metric, ...]) -> str:
    count = sum(bool(metric.matches) for metric in metrics)
    verb = "matches" if count == 1 else "match"
    return f"{count} of {plural(len(metrics), 'recorded metric')} {verb}{_unknown_metrics(metrics)}"


def _unknown_metrics(metrics: tuple[Metric, ...]) -> str:
    names = [show(metric.name, 60) for metric in metrics if metric.matches is None]
    if not names:
        return ""
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return f" (not known: {', '.join(names[:MOST_NAMED])}{more})"
