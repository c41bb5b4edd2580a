"""Recorded metrics against those of the rebuilt deployment: names as MLflow has them, values by scikit-learn.

A metric's name is split into the data set that it begins with, if any (`val_f1`), the measure and the average
(`f1_macro`). It is measured again on the validation inputs, and matches if the two values differ by no more than half a
unit of the last digit that was written, plus the tolerance. If the name leaves the average open, the usual ones are
tried, and the note says which matches.

Unknown is a result: a metric of the training data, with an unknown name, or recorded on several data sets of which it
is not known which one is at hand, is neither a match nor a mismatch, and the note says why.

Example: 0.914 was recorded as the accuracy, and 366 of 400 rows are right: 0.915 differs by 0.001, more than 0.0005. No
count over 400 rows rounds to 0.914 either (365/400 = 0.9125), which the note reports as impossible.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable
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
# The names that are in use, and the measures that they mean.
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
    """A metric that cannot be measured here; the message says why."""


def judge_metrics(expected: Expected, outcomes: Outcomes, settings: Settings) -> tuple[Metric, ...]:
    """Every recorded metric, with the value measured again, whether they match (None: unknown), and a note."""
    data_sets = _data_sets(expected.metrics)
    return tuple(
        _judged(name, recorded, expected.digits.get(name) or repr(recorded), data_sets, outcomes, settings)
        for name, recorded in expected.metrics.items()
    )


def _judged(
    name: str, recorded: float, digits: str, data_sets: Counter[str], outcomes: Outcomes, settings: Settings
) -> Metric:
    shown = show(name, 200)
    try:
        measure, average = _meaning(name, data_sets)
        if not math.isfinite(recorded):
            raise Unknowable(f"the recorded value is {recorded}, which no value can match")
        half = half_unit(digits)
        if measure == "accuracy" and (why := impossible(recorded, outcomes.rows, half)):
            return Metric(shown, recorded, _or_none(measure, average, outcomes), False, why)
        values = _values(measure, average, outcomes)
    except Unknowable as error:
        return Metric(shown, recorded, None, None, str(error))
    for method, value in values.items():
        if abs(recorded - value) <= half + _tolerance(settings, recorded, value):
            return Metric(shown, recorded, value, True, method)
    (method, value), *others = values.items()
    alternatives = ", ".join(f"{value:.6g} {method}" for method, value in others)
    why = f"off by {abs(recorded - value):.4g}; {digits} allows {half:.2g}"
    note = "; ".join(filter(None, (method, why, alternatives and f"also {alternatives}")))
    return Metric(shown, recorded, value, False, note)


def _or_none(measure: str, average: str, outcomes: Outcomes) -> float | None:
    try:
        return next(iter(_values(measure, average, outcomes).values()))
    except Unknowable:
        return None


def half_unit(digits: str) -> float:
    """Half a unit of the last digit of a number as it was written: 0.0005 for 0.914; 0.0 if it is not a number."""
    try:
        exponent = Decimal(digits).as_tuple().exponent
    except InvalidOperation:
        return 0.0
    return float(Decimal(10) ** exponent / 2) if isinstance(exponent, int) else 0.0


def impossible(recorded: float, rows: int, half: float) -> str:
    """Why no count of correct rows over `rows` can give this accuracy, within `half` ("" where one can)."""
    if rows < 1:
        return ""
    nearest = min(max(round(recorded * rows), 0), rows)
    if abs(recorded - nearest / rows) <= half + 1e-12:
        return ""
    fraction = f"{nearest:,}/{rows:,} = {nearest / rows:.6g}"
    return f"impossible: no count over {rows:,} rows rounds to {recorded!r}; the nearest is {fraction}"


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


def _data_sets(metrics: Iterable[str]) -> Counter[str]:
    """How many data sets other than the training data each metric was recorded on, by its name without the data set."""
    pairs = (_split(name) for name in metrics)
    return Counter(base for prefix, base in pairs if not _TRAINING.match(prefix))


def _meaning(name: str, data_sets: Counter[str]) -> tuple[str, str]:
    """The measure and average that a name means. Raises Unknowable."""
    prefix, base = _split(name)
    if _TRAINING.match(prefix):
        raise Unknowable("it was recorded on the training data, and the validation inputs are other data")
    plain, average = base, ""
    for word in AVERAGES:
        if base.endswith(f"_{word}") or base.startswith(f"{word}_"):
            plain, average = base.removesuffix(f"_{word}").removeprefix(f"{word}_"), word
    measure = NAMES.get(base) or (NAMES.get(plain) if NAMES.get(plain) in AVERAGED else None)
    if measure is None:
        raise Unknowable("this version does not know how to measure it")
    if data_sets[base] > 1:
        raise Unknowable(
            "it was recorded on several data sets, and it is not known which of them the validation inputs are"
        )
    return measure, average if measure in AVERAGED else ""


# -- values ---------------------------------------------------------------------------------------------------------


def _values(measure: str, average: str, outcomes: Outcomes) -> dict[str, float]:
    """The values that the metric may have, by how they are measured, the most likely first. Raises Unknowable."""
    if outcomes.problem:
        raise Unknowable(outcomes.problem)
    try:
        if measure in AVERAGED:
            return _averaged(measure, average, outcomes)
        return {"": float(MEASURES[measure](outcomes))}
    except (ValueError, TypeError, ZeroDivisionError) as error:
        raise Unknowable(f"scikit-learn cannot measure it: {show(str(error), 200)}") from error


def _averaged(measure: str, average: str, outcomes: Outcomes) -> dict[str, float]:
    from sklearn import metrics

    function: Any = getattr(metrics, f"{measure}_score")
    truth, labels = outcomes.labels()
    classes = outcomes.classes()
    kinds = [average] if average else ["binary", "weighted", "macro"] if len(classes) == 2 else ["weighted", "macro"]
    values = {}
    for kind in kinds:
        positive = {"pos_label": classes[-1]} if kind == "binary" else {}
        method = f"of the class {show(str(classes[-1]), 40)}" if kind == "binary" else f"{kind} over the classes"
        values[method] = float(function(truth, labels, average=kind, zero_division=0.0, **positive))
    return values


def _by_labels(name: str) -> Callable[[Outcomes], float]:
    """The function of scikit-learn with this name, over the truth and the predicted labels."""
    return _measured(name, Outcomes.labels)


def _by_scores(name: str) -> Callable[[Outcomes], float]:
    """The function of scikit-learn with this name, over the truth and the probabilities of the positive class."""
    return _measured(name, Outcomes.scores)


def _by_numbers(name: str) -> Callable[[Outcomes], float]:
    """The function of scikit-learn with this name, over the true and the predicted values."""
    return _measured(name, Outcomes.numbers)


def _measured(name: str, arguments: Callable[[Outcomes], tuple[object, object]]) -> Callable[[Outcomes], float]:
    def measure(outcomes: Outcomes) -> float:
        from sklearn import metrics

        return float(getattr(metrics, name)(*arguments(outcomes)))

    return measure


def _roc_auc(outcomes: Outcomes) -> float:
    from sklearn import metrics

    if len(outcomes.classes()) > 2:
        truth, matrix = outcomes.matrix()
        return float(metrics.roc_auc_score(truth, matrix, multi_class="ovr"))
    return float(metrics.roc_auc_score(*outcomes.scores()))


def _log_loss(outcomes: Outcomes) -> float:
    from sklearn import metrics

    truth, probabilities = outcomes.matrix() if len(outcomes.classes()) > 2 else outcomes.scores()
    return float(metrics.log_loss(truth, probabilities))


def _precision_recall_auc(outcomes: Outcomes) -> float:
    from sklearn import metrics

    precision, recall, _ = metrics.precision_recall_curve(*outcomes.scores())
    return float(metrics.auc(recall, precision))


MEASURES: dict[str, Callable[[Outcomes], float]] = {
    "accuracy": _by_labels("accuracy_score"),
    "error_rate": lambda outcomes: 1.0 - _by_labels("accuracy_score")(outcomes),
    "balanced_accuracy": _by_labels("balanced_accuracy_score"),
    "mcc": _by_labels("matthews_corrcoef"),
    "kappa": _by_labels("cohen_kappa_score"),
    "roc_auc": _roc_auc,
    "log_loss": _log_loss,
    "brier": _by_scores("brier_score_loss"),
    "average_precision": _by_scores("average_precision_score"),
    "precision_recall_auc": _precision_recall_auc,
    "mse": _by_numbers("mean_squared_error"),
    "rmse": lambda outcomes: math.sqrt(_by_numbers("mean_squared_error")(outcomes)),
    "mae": _by_numbers("mean_absolute_error"),
    "medae": _by_numbers("median_absolute_error"),
    "r2": _by_numbers("r2_score"),
    "mape": _by_numbers("mean_absolute_percentage_error"),
    "max_error": _by_numbers("max_error"),
    "explained_variance": _by_numbers("explained_variance_score"),
    "mean_on_target": lambda outcomes: float(outcomes.numbers()[0].mean()),
    "sum_on_target": lambda outcomes: float(outcomes.numbers()[0].sum()),
    "example_count": lambda outcomes: float(outcomes.rows),
}
