"""Recorded metrics against what the rebuilt deployment gives: names as MLflow has them, values by scikit-learn."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from repro_tui.compare.truth.outcomes import Outcomes
from repro_tui.model.grade import Metric
from repro_tui.model.record import Expected
from repro_tui.model.request import Settings
from repro_tui.support.text import show

ATOL = RTOL = 1e-7
_PREFIX = re.compile(r"(?i)^(train(?:ing)?|val(?:id(?:ation)?)?|eval(?:uation)?|test|holdout|dev)[_./\- ]+(?=.)")
_TRAINING = re.compile(r"(?i)^train")
# Every name that is in use, to the measure that it means.
NAMES = {
    "accuracy": "accuracy", "accuracy_score": "accuracy", "acc": "accuracy",
    "balanced_accuracy": "balanced_accuracy", "balanced_accuracy_score": "balanced_accuracy",
    "error_rate": "error_rate",
    "precision": "precision", "precision_score": "precision",
    "recall": "recall", "recall_score": "recall",
    "f1": "f1", "f1_score": "f1",
    "matthews_corrcoef": "mcc", "mcc": "mcc",
    "cohen_kappa": "kappa", "cohen_kappa_score": "kappa", "kappa": "kappa",
    "roc_auc": "roc_auc", "roc_auc_score": "roc_auc", "auc": "roc_auc", "auroc": "roc_auc",
    "log_loss": "log_loss", "logloss": "log_loss",
    "brier": "brier", "brier_score": "brier", "brier_score_loss": "brier", "brier_loss": "brier",
    "average_precision": "average_precision", "average_precision_score": "average_precision",
    "precision_recall_auc": "precision_recall_auc", "pr_auc": "precision_recall_auc",
    "mse": "mse", "mean_squared_error": "mse",
    "rmse": "rmse", "root_mean_squared_error": "rmse",
    "mae": "mae", "mean_absolute_error": "mae",
    "median_absolute_error": "medae", "medae": "medae",
    "r2": "r2", "r2_score": "r2",
    "mape": "mape", "mean_absolute_percentage_error": "mape",
    "max_error": "max_error",
    "explained_variance": "explained_variance", "explained_variance_score": "explained_variance",
    "mean_on_target": "mean_on_target", "sum_on_target": "sum_on_target",
    "example_count": "example_count",
}  # fmt: skip
AVERAGED = ("precision", "recall", "f1")
AVERAGES = ("macro", "micro", "weighted", "binary")


class Unknowable(Exception):
    """A metric that cannot be measured here, and why."""


def judge_metrics(expected: Expected, outcomes: Outcomes, settings: Settings) -> tuple[Metric, ...]:
    """Every recorded metric: whether it matches, and what is to be said of it. Unknown is no match."""
    sets = _sets(expected.metrics)
    return tuple(
        _judged(name, recorded, expected.digits.get(name) or repr(recorded), sets, outcomes, settings)
        for name, recorded in expected.metrics.items()
    )


def _judged(
    name: str, recorded: float, digits: str, sets: Counter[str], outcomes: Outcomes, settings: Settings
) -> Metric:
    found = Metric(show(name, 200), recorded)
    try:
        measure, average = _meaning(name, sets)
        if not math.isfinite(recorded):
            raise Unknowable(f"{recorded} was recorded, which is no number to match")
        half = half_unit(digits)
        if measure == "accuracy" and (words := impossible(recorded, outcomes.rows, half)):
            return Metric(found.name, recorded, _or_none(measure, average, outcomes), False, words)
        values = _values(measure, average, outcomes)
    except Unknowable as error:
        return Metric(found.name, recorded, None, None, str(error))
    for told, value in values.items():
        if abs(recorded - value) <= half + _tolerance(settings, recorded, value):
            return Metric(found.name, recorded, value, True, told)
    told, value = next(iter(values.items()))
    others = ", ".join(f"{value:.6g} {words}" for words, value in list(values.items())[1:])
    why = f"off by {abs(recorded - value):.4g}; {digits} allows {half:.2g}"
    return Metric(found.name, recorded, value, False, "; ".join(filter(None, (told, why, others and f"also {others}"))))


def _or_none(measure: str, average: str, outcomes: Outcomes) -> float | None:
    try:
        return next(iter(_values(measure, average, outcomes).values()))
    except Unknowable:
        return None


def half_unit(digits: str) -> float:
    """Half a unit of the last digit of a number as it was written: 0.0005 for 0.914."""
    try:
        exponent = Decimal(digits).as_tuple().exponent
    except InvalidOperation:
        return 0.0
    return float(Decimal(10) ** exponent / 2) if isinstance(exponent, int) else 0.0


def impossible(recorded: float, rows: int, half: float) -> str:
    """Why no count of right rows over `rows` can have been written as this accuracy ("" where one can)."""
    if rows < 1:
        return ""
    nearest = min(max(round(recorded * rows), 0), rows)
    if abs(recorded - nearest / rows) <= half + 1e-12:
        return ""
    return f"impossible: no count over {rows:,} rows is written as {recorded!r}; the nearest is {nearest:,}/{rows:,} = {nearest / rows:.6g}"  # noqa: E501


def _tolerance(settings: Settings, recorded: float, value: float) -> float:
    atol = ATOL if settings.tolerance.atol is None else settings.tolerance.atol
    rtol = RTOL if settings.tolerance.rtol is None else settings.tolerance.rtol
    return atol + rtol * max(abs(recorded), abs(value))


# -- names ----------------------------------------------------------------------------------------------------------


def _split(name: str) -> tuple[str, str]:
    """The data set that a metric's name begins with ("" for none), and the rest in lower case."""
    hit = _PREFIX.match(name)
    prefix = hit.group(1).lower() if hit else ""
    rest = name[hit.end() :] if hit else name
    return prefix, re.sub(r"[\s.\-/]+", "_", rest.strip().lower())


def _sets(metrics: Mapping[str, float]) -> Counter[str]:
    """How many data sets each metric was recorded on, beside the training data."""
    pairs = (_split(name) for name in metrics)
    return Counter(base for prefix, base in pairs if not _TRAINING.match(prefix))


def _meaning(name: str, sets: Counter[str]) -> tuple[str, str]:
    """The measure and average that a name means. Raises Unknowable."""
    prefix, base = _split(name)
    if _TRAINING.match(prefix):
        raise Unknowable("it was recorded on the training data, which is not what the record is validated on")
    plain, average = base, ""
    for word in AVERAGES:
        if base.endswith(f"_{word}") or base.startswith(f"{word}_"):
            plain, average = base.removesuffix(f"_{word}").removeprefix(f"{word}_"), word
    measure = NAMES.get(base) or (NAMES.get(plain) if NAMES.get(plain) in AVERAGED else None)
    if measure is None:
        raise Unknowable("this version does not know how it is measured")
    if sets[base] > 1:
        raise Unknowable(
            "it was recorded on several data sets, and which of them the validation inputs are is not known"
        )
    return measure, average if measure in AVERAGED else ""


# -- values ---------------------------------------------------------------------------------------------------------


def _values(measure: str, average: str, outcomes: Outcomes) -> dict[str, float]:
    """What the metric is, by the words that say how it was measured, the likeliest first. Raises Unknowable."""
    if outcomes.problem:
        raise Unknowable(outcomes.problem)
    try:
        if measure in AVERAGED:
            return _averaged(measure, average, outcomes)
        return {"": float(MEASURES[measure](outcomes))}
    except (ValueError, TypeError, ZeroDivisionError) as error:
        raise Unknowable(f"scikit-learn does not measure it here: {show(str(error), 200)}") from error


def _averaged(measure: str, average: str, outcomes: Outcomes) -> dict[str, float]:
    from sklearn import metrics

    function: Any = getattr(metrics, f"{measure}_score")
    truth, labels = outcomes.labels()
    classes = outcomes.classes()
    kinds = [average] if average else ["binary", "weighted", "macro"] if len(classes) == 2 else ["weighted", "macro"]
    found = {}
    for kind in kinds:
        positive = {"pos_label": classes[-1]} if kind == "binary" else {}
        words = f"of the class {show(str(classes[-1]), 40)}" if kind == "binary" else f"{kind} over the classes"
        found[words] = float(function(truth, labels, average=kind, zero_division=0.0, **positive))
    return found


def _labelled(name: str) -> Callable[[Outcomes], float]:
    def measure(outcomes: Outcomes) -> float:
        from sklearn import metrics

        return float(getattr(metrics, name)(*outcomes.labels()))

    return measure


def _scored(name: str) -> Callable[[Outcomes], float]:
    def measure(outcomes: Outcomes) -> float:
        from sklearn import metrics

        return float(getattr(metrics, name)(*outcomes.scores()))

    return measure


def _valued(name: str) -> Callable[[Outcomes], float]:
    def measure(outcomes: Outcomes) -> float:
        from sklearn import metrics

        return float(getattr(metrics, name)(*outcomes.numbers()))

    return measure


def _roc_auc(outcomes: Outcomes) -> float:
    from sklearn import metrics

    if len(outcomes.classes()) > 2:
        truth, matrix = outcomes.matrix()
        return float(metrics.roc_auc_score(truth, matrix, multi_class="ovr"))
    return float(metrics.roc_auc_score(*outcomes.scores()))


def _log_loss(outcomes: Outcomes) -> float:
    from sklearn import metrics

    found = outcomes.matrix() if len(outcomes.classes()) > 2 else outcomes.scores()
    return float(metrics.log_loss(*found))


def _precision_recall_auc(outcomes: Outcomes) -> float:
    from sklearn import metrics

    precision, recall, _ = metrics.precision_recall_curve(*outcomes.scores())
    return float(metrics.auc(recall, precision))


MEASURES: dict[str, Callable[[Outcomes], float]] = {
    "accuracy": _labelled("accuracy_score"),
    "error_rate": lambda outcomes: 1.0 - _labelled("accuracy_score")(outcomes),
    "balanced_accuracy": _labelled("balanced_accuracy_score"),
    "mcc": _labelled("matthews_corrcoef"),
    "kappa": _labelled("cohen_kappa_score"),
    "roc_auc": _roc_auc,
    "log_loss": _log_loss,
    "brier": _scored("brier_score_loss"),
    "average_precision": _scored("average_precision_score"),
    "precision_recall_auc": _precision_recall_auc,
    "mse": _valued("mean_squared_error"),
    "rmse": lambda outcomes: math.sqrt(_valued("mean_squared_error")(outcomes)),
    "mae": _valued("mean_absolute_error"),
    "medae": _valued("median_absolute_error"),
    "r2": _valued("r2_score"),
    "mape": _valued("mean_absolute_percentage_error"),
    "max_error": _valued("max_error"),
    "explained_variance": _valued("explained_variance_score"),
    "mean_on_target": lambda outcomes: float(outcomes.numbers()[0].mean()),
    "sum_on_target": lambda outcomes: float(outcomes.numbers()[0].sum()),
    "example_count": lambda outcomes: float(outcomes.rows),
}
