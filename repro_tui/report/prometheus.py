"""A report as metrics for the textfile collector of Prometheus' node_exporter.

Source: https://prometheus.io/docs/instrumenting/exposition_formats/. What was not compared has no sample: a 0 would say
that nothing differs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TextIO

from repro_tui.model.finding import AREAS
from repro_tui.model.report import Report
from repro_tui.support.text import show

LONGEST = 200  # characters of a label
MOST_COLUMNS = 100  # with samples of their own: each is a time series


@dataclass(frozen=True, slots=True)
class Gauge:
    """One gauge with its samples: labels, beside those of the pair, to a value."""

    name: str
    help: str
    samples: tuple[tuple[Mapping[str, str], float], ...]


class PrometheusReporter:
    """Writes gauges with the labels `a` and `b`, the names of the two sides."""

    def write(self, report: Report, stream: TextIO) -> None:
        """Writes the metrics, after a comment with the summary."""
        pair = {"a": report.sides.a.name, "b": report.sides.b.name}
        predictions = report.areas.predictions
        for text in (*report.summary, *(part.what for part in (report.sides.a, report.sides.b, predictions))):
            if text:
                stream.write(f"# {show(text)}\n")
        for metric in _metrics(report):
            if metric.samples:
                name = f"repro_tui_{metric.name}"
                stream.write(f"# HELP {name} {metric.help}\n# TYPE {name} gauge\n")
                for labels, value in metric.samples:
                    stream.write(f"{name}{_labels(pair | dict(labels))} {value!r}\n")


def _metrics(report: Report) -> Iterator[Gauge]:
    status = report.exit_status
    yield _single("exit_status", "0 no difference in the gated areas, 1 a difference, 3 inconclusive.", status)
    yield Gauge("verdict", "The verdict on the predictions, as a label.", (({"verdict": report.verdict}, 1.0),))
    areas = tuple(({"area": name, "status": getattr(report.areas, name).status}, 1.0) for name in AREAS)
    yield Gauge("area_status", "The status of each area, as a label.", areas)
    yield from _predictions(report)
    yield _single("seconds", "Duration of the audit.", report.audit.seconds)
    if (started := _time(report.audit.started)) is not None:
        yield _single("started_timestamp_seconds", "When the audit started, in seconds since 1970.", started)


def _predictions(report: Report) -> Iterator[Gauge]:
    """What differs between the outputs; nothing where they were not compared."""
    area = report.areas.predictions
    if area.rows is None:
        return
    columns = area.columns[:MOST_COLUMNS]
    yield _single("rows_matched", "Rows of both outputs that were compared.", area.rows.matched)
    yield _single("rows_only_a", "Rows that only A predicted.", area.rows.only_a)
    yield _single("rows_only_b", "Rows that only B predicted.", area.rows.only_b)
    different = tuple(({"column": column.name}, float(column.different)) for column in columns)
    yield Gauge("rows_different", "Rows that differ by more than the tolerance, by output column.", different)
    flips = tuple(({"column": column.name}, float(column.flips)) for column in columns if column.flips is not None)
    yield Gauge("flips", "Rows whose decision changed, by output column.", flips)


def _single(name: str, text: str, value: float) -> Gauge:
    return Gauge(name, text, (({}, float(value)),))


def _labels(labels: Mapping[str, str]) -> str:
    return "{" + ",".join(f'{name}="{_label(value)}"' for name, value in labels.items()) + "}"


def _label(value: str) -> str:
    return show(value, LONGEST).replace("\\", "\\\\").replace('"', '\\"')


def _time(started: str) -> float | None:
    try:
        moment = datetime.fromisoformat(started)
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
