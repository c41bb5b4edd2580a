"""Annotations of build servers: what gates is an error, what was accepted a notice, and no text becomes a command."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest

from repro_tui.model.report import Report
from repro_tui.report.annotations import MOST_OF_LEVEL, GithubReporter, GitlabReporter
from tests.report.sample import accepted_report, lost_report, many_findings, rich_report, same_report
from tests.report.test_hostile import HOSTILE
from tests.report.write import written

COMMAND = re.compile(r"::(error|warning|notice) file=([^,:]+),line=1,title=([^,:]*)::(.*)")


def commands(report: Report) -> list[tuple[str, str, str]]:
    """The level, title and message of every line."""
    lines = written(GithubReporter(), report).split("\n")
    assert lines.pop() == ""
    parsed = [COMMAND.fullmatch(line) for line in lines]
    assert None not in parsed, lines
    return [(match[1], match[3], match[4]) for match in parsed if match]


def issues(report: Report) -> list[dict[str, object]]:
    parsed: list[dict[str, object]] = json.loads(written(GitlabReporter(), report))
    for issue in parsed:
        assert issue.keys() == {"description", "check_name", "fingerprint", "severity", "location"}
        assert issue["severity"] in ("info", "minor", "major", "critical", "blocker")
    return parsed


def gated(report: Report, *fail_on: str) -> Report:
    return replace(report, gate=replace(report.gate, fail_on=fail_on))


def test_what_gates_is_an_error_and_what_does_not_is_left_out() -> None:
    listed = commands(gated(rich_report(), "predictions"))
    assert [(level, title) for level, title, _ in listed] == [
        ("error", "prod..staging%3A drift"),
        ("error", "prod..staging%3A predictions label"),
        ("error", "prod..staging%3A predictions score"),
    ]
    assert any("packages / numpy" in title for _, title, _ in commands(gated(rich_report(), "environment")))


def test_what_was_accepted_is_a_notice_with_its_reason_and_what_expired_an_error() -> None:
    notices = {title.partition("%3A ")[2]: (level, message) for level, title, message in commands(accepted_report())}
    assert notices["environment packages / numpy"][0] == "notice"
    assert "accepted by ada until 2027-01-31: numpy 2 is released" in notices["environment packages / numpy"][1]
    assert notices["environment packages / tzdata"][0] == "error"
    level, message = notices["parameters model / threshold"]
    assert (level, "expired" in message) == ("error", True)
    assert notices["predictions label"][0] == "notice"


def test_an_audit_that_passes_is_one_notice_and_no_issue() -> None:
    assert [level for level, _, _ in commands(same_report())] == ["notice"]
    assert issues(same_report()) == []


def test_a_side_that_failed_is_an_error_whatever_is_gated() -> None:
    report = gated(lost_report(), "none")
    assert any(level == "error" and "B failed at data" in title for level, title, _ in commands(report))
    assert any("B failed at data" in str(issue["description"]) for issue in issues(report))


def test_a_server_gets_no_more_than_it_shows_and_the_rest_is_counted() -> None:
    listed = commands(gated(many_findings(1_500), "environment"))
    assert len(listed) == MOST_OF_LEVEL
    assert listed[-1][2] == "1,492 more of 1,501 are in report.json"
    assert len(issues(gated(many_findings(1_500), "environment"))) == 1_000


def test_fingerprints_tell_differences_apart_and_stay_the_same() -> None:
    report = gated(rich_report(), "any")
    prints = [issue["fingerprint"] for issue in issues(report)]
    assert len(set(prints)) == len(prints)
    assert prints == [issue["fingerprint"] for issue in issues(report)]
    renamed = replace(report, sides=replace(report.sides, b=replace(report.sides.b, name="canary")))
    assert not set(prints) & {issue["fingerprint"] for issue in issues(renamed)}


@pytest.mark.parametrize("text", ["a,b::error::x", "50%", "x\r\n::error::y", "file=z,line=2", *HOSTILE.values()])
def test_no_text_ends_a_property_or_begins_a_command(text: str) -> None:
    report = rich_report()
    finding = replace(report.areas.environment.findings[0], path=(text,), a=text, b=text + "!", note=text)
    areas = replace(report.areas, environment=replace(report.areas.environment, findings=(finding,)))
    report = gated(replace(report, areas=areas, summary=(text,)), "any")
    assert len(commands(report)) >= 4  # every line is one of ours
    assert "%0A" not in written(GithubReporter(), report)  # line breaks are visible, and not decoded by the server
    assert issues(report)


@pytest.mark.parametrize("file", ["", "/builds/x/repro.toml", "../repro.toml"])
def test_annotations_stand_at_a_file_of_the_repository(file: str) -> None:
    report = rich_report()
    report = replace(report, gate=replace(report.gate, file=file))
    assert {issue["location"]["path"] for issue in issues(report)} == {"repro.toml"}  # type: ignore[index]
