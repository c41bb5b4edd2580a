from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from xml.etree import ElementTree

import pytest

from repro_tui.model.finding import not_recorded
from repro_tui.model.report import Report
from repro_tui.report.junit import MOST, JUnitReporter
from tests.report.sample import accepted_report, lost_report, many_findings, rich_report, same_report
from tests.report.write import written

# What junit-10.xsd of Jenkins' xunit plug-in allows, of what is used here.
ATTRIBUTES = {
    "testsuites": {"name", "time", "tests", "failures", "errors"},
    "testsuite": {"name", "time", "tests", "failures", "errors", "skipped", "timestamp"},
    "testcase": {"name", "time", "classname"},
    "failure": {"type", "message"},
    "error": {"type", "message"},
    "skipped": {"type", "message"},
    "system-out": set(),
}
INSIDE = {
    "testsuites": {"testsuite"},
    "testsuite": {"testcase"},
    "testcase": {"failure", "error", "skipped", "system-out"},
}
SUREFIRE_TIME = re.compile(r"(([0-9]{0,3},)*[0-9]{3}|[0-9]{0,3})*(\.[0-9]*)?")


def parsed(report: Report, fail_on: tuple[str, ...] = ("predictions",)) -> ElementTree.Element:
    gated = replace(report, gate=replace(report.gate, fail_on=fail_on))
    return ElementTree.fromstring(written(JUnitReporter(), gated))


def outcomes(suite: ElementTree.Element) -> dict[str, str]:
    return {
        case.get("name", ""): next((child.tag for child in case if child.tag != "system-out"), "passed")
        for case in suite
    }


def suites(report: Report, *fail_on: str) -> dict[str, dict[str, str]]:
    return {suite.get("name", ""): outcomes(suite) for suite in parsed(report, fail_on)}


@pytest.mark.parametrize("build_report", [rich_report, same_report, lost_report])
def test_it_has_only_what_the_schema_of_jenkins_allows(build_report: Callable[[], Report]) -> None:
    root = parsed(build_report(), ("any",))
    for element in root.iter():
        assert set(element.attrib) <= ATTRIBUTES[element.tag]
        assert {child.tag for child in element} <= INSIDE.get(element.tag, set())
        assert SUREFIRE_TIME.fullmatch(element.get("time", "0"))


def test_a_tiny_time_is_a_plain_decimal() -> None:
    report = rich_report()
    assert parsed(replace(report, audit=replace(report.audit, seconds=1e-5))).get("time") == "0.000"


@pytest.mark.parametrize("build_report", [rich_report, same_report, lost_report])
def test_the_counts_are_those_of_the_cases(build_report: Callable[[], Report]) -> None:
    root = parsed(build_report(), ("any",))
    for counted in (root, *root):
        assert counted.get("tests") == str(len(list(counted.iter("testcase"))))
        assert counted.get("failures") == str(len(list(counted.iter("failure"))))
        assert counted.get("errors") == str(len(list(counted.iter("error"))))


def test_only_gated_areas_fail() -> None:
    cases = suites(rich_report(), "predictions")
    assert cases["predictions"] == {
        "verdict": "failure",
        "column label": "failure",
        "column score": "failure",
        "column segment": "passed",
        "column amount": "passed",
    }
    for name in ("code", "environment", "parameters", "data", "side-a", "side-b"):
        assert set(cases[name].values()) == {"passed"}


def test_any_gates_all_five_areas() -> None:
    cases = suites(rich_report(), "any")
    assert cases["environment"] == {
        "packages / numpy": "failure",
        "packages / wheel": "failure",
        "packages / tzdata": "failure",
        "system / blas": "error",
    }
    assert set(cases["code"].values()) == {"failure"}
    assert cases["parameters"]["model / threshold"] == "failure"
    assert cases["data"] == {"data/model.json": "passed"}


def test_none_gates_nothing() -> None:
    root = parsed(rich_report(), ("none",))
    assert (root.get("failures"), root.get("errors")) == ("0", "0")


def test_an_ungated_difference_is_still_reported() -> None:
    case = next(case for case in parsed(rich_report()).iter("testcase") if case.get("name") == "packages / numpy")
    assert "1.26.4 → 2.1.3 (major release)" in case.findtext("system-out", "")


def test_two_identical_sides_pass_whatever_is_gated() -> None:
    root = parsed(same_report(), ("any",))
    assert (root.get("failures"), root.get("errors")) == ("0", "0")
    assert [suite.get("name") for suite in root] == [
        "side-a",
        "side-b",
        "code",
        "environment",
        "parameters",
        "data",
        "predictions",
    ]
    assert all(len(suite) for suite in root)


def test_a_lost_side_is_an_error_even_where_nothing_is_gated() -> None:
    report = lost_report()
    cases = suites(report, "none")
    assert cases["side-b"]["data"] == "error"
    assert cases["predictions"]["verdict"] == "error"
    assert set(cases["side-a"].values()) == {"passed"}
    error = next(parsed(report, ("none",)).iter("error"))
    assert report.sides.b.what in (error.text or "")
    assert report.sides.b.do in (error.text or "")


def test_an_area_that_neither_side_records_is_skipped_and_never_passes() -> None:
    report = rich_report()
    area = replace(not_recorded(), note="model.json changed in the code")
    report = replace(report, areas=replace(report.areas, data=area))
    assert suites(report, "any")["data"] == {"the data": "skipped"}
    assert suites(report, "data")["data"] == {"the data": "error"}
    suite = next(suite for suite in parsed(report) if suite.get("name") == "data")
    assert (suite.get("skipped"), suite.get("failures"), suite.get("errors")) == ("1", "0", "0")
    assert "not recorded on either side: data\n| model.json" in suite.findtext("testcase/skipped", "")


def test_an_area_says_that_it_is_only_as_declared() -> None:
    cases = suites(lost_report(), "predictions")
    assert cases["code"]["the basis of the code"] == "passed"
    case = next(case for case in parsed(lost_report()).iter("testcase") if case.get("name") == "the basis of the code")
    assert "as declared; B was not built" in case.findtext("system-out", "")


def test_a_failed_run_is_one_case_and_not_two() -> None:
    report = rich_report()
    b = report.sides.b
    run = replace(b.runs[0], status="failed", exit_code=1, what="predict ended with 1", tail=("KeyError: 'x'",))
    lost = replace(b, runs=(run,), failed="run 1", what="predict ended with 1", do="see the log")
    suite = next(s for s in parsed(replace(report, sides=replace(report.sides, b=lost))) if s.get("name") == "side-b")
    assert outcomes(suite) == {"rebuild code": "passed", "rebuild environment": "passed", "run 1": "error"}
    assert "KeyError: 'x'" in suite.findtext("testcase/error", "")


def test_what_was_accepted_is_skipped_with_its_reason_and_what_expired_fails() -> None:
    root = parsed(accepted_report(), ("any",))
    cases = {suite.get("name", ""): outcomes(suite) for suite in root}
    assert cases["environment"] == {
        "packages / numpy": "skipped",
        "packages / wheel": "skipped",
        "packages / tzdata": "failure",
        "system / blas": "error",
    }
    assert cases["parameters"]["model / threshold"] == "failure"
    assert cases["predictions"] == {
        "verdict": "skipped",
        "column label": "skipped",
        "column score": "skipped",
        "column segment": "passed",
        "column amount": "passed",
    }
    messages = {case.get("name"): case[0].get("message") or "" for case in root.iter("testcase") if len(case)}
    assert "accepted by ada until 2027-01-31: numpy 2 is released" in messages["packages / numpy"]
    assert "known from audit 1" in messages["packages / wheel"]
    assert "expired: accepted by ada until 2025-12-31" in messages["model / threshold"]
    assert "accepted by ada until 2027-01-31" in messages["verdict"]


def test_the_classes_name_the_pair_and_the_area() -> None:
    report = rich_report()
    report = replace(report, sides=replace(report.sides, b=replace(report.sides.b, name="git:v1.2/x")))
    classes = {case.get("classname") for case in parsed(report).iter("testcase")}
    areas = ("side-a", "side-b", "code", "environment", "parameters", "data", "predictions")
    assert classes == {f"prod..git:v1-2-x.{area}" for area in areas}
    assert {suite.get("timestamp") for suite in parsed(report)} == {"2026-01-05T10:00:00"}


def test_undecided_is_an_error_and_never_passes() -> None:
    report = rich_report()
    area = replace(report.areas.predictions, verdict="undecided", status="unknown")
    undecided = replace(report, verdict="undecided", areas=replace(report.areas, predictions=area))
    for fail_on in ("none", "predictions", "any"):
        assert suites(undecided, fail_on)["predictions"]["verdict"] == "error"


def test_findings_are_bounded_and_the_rest_is_counted() -> None:
    suite = next(s for s in parsed(many_findings(1500), ("any",)) if s.get("name") == "environment")
    assert len(suite) == MOST + 1
    assert "500 more findings are in report.json" in [case.get("name") for case in suite]
    assert suite.get("failures") == str(MOST)


def test_it_is_ascii() -> None:
    assert written(JUnitReporter(), rich_report()).isascii()
