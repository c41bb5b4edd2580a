"""A nightly job, from the drift that it finds to the baseline: the real program in a real project, and a real clock."""

from __future__ import annotations

import json
import os
import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from tests.audit.project import Project, Result, run_program
from tests.audit.shifted_clock import Clock

MONTH = 31 * 86400
RECORD = """\
# The record of the credit score. Ask ada before you change it.
schema = 1

[gate]   # what the nightly job is judged by
fail_on = ["predictions", "parameters"]
repeat = 3

[validation]
inputs = "inputs.csv"
key = ["id"]

[deployments.prod]
description = "what serves customers"  # since March
code = {{ repository = "code", commit = "{commit}" }}
environment = {{ requirements = "requirements.txt" }}
parameters = {{ values = {{ threshold = 5.0 }} }}
data = [{{ path = "model.json", source = "file" }}]
predict = {{ command = ["python3", "predict.py", "{{inputs}}", "{{output}}", "{{params}}"] }}

[deployments.staging]
code = {{ repository = "code", commit = "{commit}" }}
environment = {{ requirements = "requirements.txt" }}
parameters = {{ values = {{ threshold = 4.0 }} }}  # the candidate
data = [{{ path = "model.json", source = "file" }}]
predict = {{ command = ["python3", "predict.py", "{{inputs}}", "{{output}}", "{{params}}"] }}
"""


@pytest.fixture
def project(tmp_path: Path, warm_cache: None) -> Project:
    project = Project(tmp_path / "project")
    (project.folder / "repro.toml").write_text(RECORD.format(commit=project.commit))
    return project


def nightly(project: Project, *options: str, variables: dict[str, str] | None = None) -> Result:
    """The nightly job: no option says what it is judged by. `variables` are those of the environment."""
    arguments = ("prod", "staging", "--report", "--quiet", "--junit", "junit.xml", *options, *project.options())
    return run_program(project.folder, *arguments, environment=os.environ | (variables or {}))


def junit(project: Project) -> tuple[int, set[str]]:
    """The number of failures, and the messages of what was skipped."""
    root = ElementTree.parse(project.folder / "junit.xml").getroot()
    skipped = {element.get("message") or "" for element in root.iter("skipped")}
    return int(root.get("failures") or 0), skipped


def marks(report: dict[str, Any]) -> list[tuple[str, str, bool]]:
    """Who has accepted the drift and the parameter, why, and whether that has expired."""
    places = (report["areas"]["predictions"], *report["areas"]["parameters"]["findings"])
    accepted = [place["accepted"] for place in places if place["accepted"]]
    return [(mark["by"], mark["reason"], mark["expired"]) for mark in accepted]


def test_the_story_of_a_nightly_job(project: Project, clock: Clock) -> None:
    record = project.folder / "repro.toml"

    first = nightly(project)
    assert (first.status, first.report["verdict"]) == (1, "drift"), first.stderr
    assert [len(first.report["sides"][side]["runs"]) for side in "ab"] == [3, 3]  # as the gate says
    assert junit(project)[0] > 0

    audit, last_day = first.report["audit"]["id"], (datetime.now(UTC) + timedelta(days=30)).date().isoformat()
    reason = "a lower threshold, agreed in RISK-7"
    accepted = project.run(
        "accept",
        audit,
        "parameters.threshold",
        "predictions",
        "--reason",
        reason,
        "--until",
        last_day,
        "--owner",
        "ada",
    )
    assert accepted.status == 0, accepted.stderr
    text = record.read_text()
    assert text.startswith(RECORD.partition("[deployments")[0])
    assert "# since March" in text
    assert "# the candidate" in text
    assert [entry["path"] for entry in tomllib.loads(text)["accepted"]] == ["parameters.threshold", "predictions"]

    second = nightly(project)
    assert (second.status, second.report["verdict"]) == (0, "drift"), second.stderr
    assert marks(second.report) == [("record", reason, False)] * 2
    assert reason in " ".join(second.report["summary"])
    failures, skipped = junit(project)
    assert failures == 0
    assert any(reason in message for message in skipped)

    record.write_text(text.replace("threshold = 4.0", "threshold = 3.0"))
    third = nightly(project)
    assert third.status == 1, third.stderr
    assert marks(third.report) == []
    assert [change["state"] for change in third.report["gate"]["changes"]] == ["changed", "changed"]
    assert junit(project)[0] > 0

    record.write_text(text)
    fourth = nightly(project, variables=clock.set(MONTH))
    assert fourth.status == 1, fourth.stderr
    assert marks(fourth.report) == [("record", reason, True)] * 2
    assert [change["state"] for change in fourth.report["gate"]["changes"]] == ["expired", "expired"]
    assert "expired" in fourth.report["summary"][1]

    fifth = nightly(project, "--baseline", audit, variables=clock.set(MONTH))
    assert (fifth.status, fifth.report["verdict"]) == (0, "drift"), fifth.stderr
    assert fifth.report["gate"]["baseline"] == audit
    assert fifth.report["gate"]["known"] == 2
    assert [mark[0] for mark in marks(fifth.report)] == ["baseline", "baseline"]
    assert junit(project)[0] == 0
    assert json.loads((project.audits()[-1] / "report.json").read_text())["exit_status"] == 0
