"""Prometheus' gauges and dotenv's variables: what alerts and later steps of a pipeline read."""

from __future__ import annotations

import io

from prometheus_client.parser import text_string_to_metric_families

from repro_tui.model.report import Report
from repro_tui.report.dotenv import DotenvReporter
from repro_tui.report.prometheus import PrometheusReporter
from tests.report.sample import hostile_report, lost_report, rich_report


def samples(report: Report) -> dict[str, list[tuple[dict[str, str], float]]]:
    stream = io.StringIO()
    PrometheusReporter().write(report, stream)
    families = text_string_to_metric_families(stream.getvalue())
    return {family.name: [(sample.labels, sample.value) for sample in family.samples] for family in families}


def test_every_sample_names_the_pair() -> None:
    pair = {"a": "prod", "b": "staging"}
    for values in samples(rich_report()).values():
        assert all(labels.items() >= pair.items() for labels, _ in values)


def test_the_values_are_those_of_the_report() -> None:
    report = rich_report()
    metrics = samples(report)
    assert [value for _, value in metrics["repro_tui_exit_status"]] == [report.exit_status]
    assert [labels["verdict"] for labels, _ in metrics["repro_tui_verdict"]] == [report.verdict]
    statuses = {labels["area"]: labels["status"] for labels, _ in metrics["repro_tui_area_status"]}
    assert statuses == {name: getattr(report.areas, name).status for name in statuses}
    assert len(statuses) == 5
    columns = report.areas.predictions.columns
    different = {labels["column"]: value for labels, value in metrics["repro_tui_rows_different"]}
    assert different == {column.name: column.different for column in columns}
    flips = {labels["column"]: value for labels, value in metrics["repro_tui_flips"]}
    assert flips == {column.name: column.flips for column in columns if column.flips is not None}
    assert flips


def test_what_was_not_compared_has_no_sample() -> None:
    names = set(samples(lost_report()))
    assert not {name for name in names if "rows" in name or "flips" in name}
    assert {"repro_tui_exit_status", "repro_tui_verdict"} <= names


def test_labels_are_escaped() -> None:
    text = 'quo"te \\ back\nline'
    names = {labels["a"] for values in samples(hostile_report(text)).values() for labels, _ in values}
    assert len(names) == 1
    assert 'quo"te \\ back' in names.pop()


def test_each_variable_is_one_line() -> None:
    stream = io.StringIO()
    DotenvReporter().write(hostile_report("a\nREPRO_TUI_VERDICT=identical"), stream)
    lines = stream.getvalue().splitlines()
    assert [line for line in lines if line.startswith("REPRO_TUI_VERDICT")] == [
        f"REPRO_TUI_VERDICT={rich_report().verdict}"
    ]
    assert len(lines) == 4
