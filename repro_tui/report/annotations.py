"""What gates, as annotations of a build server: workflow commands of GitHub, and a code-quality report of GitLab.

Each gating difference is an error, and what was accepted is a notice with its reason: it is never left unsaid. Text of
others is cleaned, escaped, and never stands at the start of a line, where a server would take it for a command.
Sources: https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands (ten of a level for a step);
https://docs.gitlab.com/ci/testing/code_quality/#code-quality-report-format.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Literal, TextIO

from repro_tui.model.finding import Area, Finding, Severity
from repro_tui.model.predictions import PredictionsArea
from repro_tui.model.report import Report
from repro_tui.report.acceptance import acceptance_of, accepted_words
from repro_tui.report.junit import pair_name
from repro_tui.report.words import (
    MEANINGS,
    areas_of,
    differing_first,
    failures_of,
    finding_words,
    number,
    path_text,
    tone,
    value_text,
)
from repro_tui.support.plain import to_plain
from repro_tui.support.text import show

Level = Literal["error", "warning", "notice"]
MOST_OF_LEVEL = 10  # GitHub shows no more of one level for a step
MOST_ISSUES = 1_000
LONGEST = 1_000  # characters of a message
RECORD = "repro.toml"
LEVELS: tuple[Level, ...] = ("error", "warning", "notice")
SEVERITIES: dict[Severity, str] = {"important": "major", "notice": "minor", "info": "info"}


@dataclass(frozen=True, slots=True)
class Annotation:
    """One remark: its level and severity (of code quality), the area, a title and a message of one line each.

    `key` tells it from every other one, and stays the same while the difference does.
    """

    level: Level
    severity: str
    area: str
    title: str
    message: str
    key: str


class GithubReporter:
    """Writes a workflow command for each gating difference, at most ten of a level, and one for the verdict."""

    def write(self, report: Report, stream: TextIO) -> None:
        """Writes the commands as lines."""
        file = record_file(report)
        counts = dict.fromkeys(LEVELS, 0)
        for annotation in annotations_of(report):
            counts[annotation.level] += 1
            if counts[annotation.level] < MOST_OF_LEVEL:
                stream.write(_command(annotation.level, file, annotation.title, annotation.message))
        for level, count in counts.items():
            if count >= MOST_OF_LEVEL:
                message = f"{count - MOST_OF_LEVEL + 1:,} more of {count:,} are in report.json"
                stream.write(_command(level, file, f"{pair_name(report)}: and more", message))


class GitlabReporter:
    """Writes a code-quality report: an issue for each gating difference, and one of severity info for each accepted."""

    def write(self, report: Report, stream: TextIO) -> None:
        """Writes one JSON document and a newline."""
        file = record_file(report)
        issues: list[dict[str, object]] = []
        for annotation in annotations_of(report):
            if annotation.key == "same" or len(issues) == MOST_ISSUES:
                continue
            issues.append(
                {
                    "description": f"{annotation.title}: {annotation.message}",
                    "check_name": f"repro-tui.{annotation.area}",
                    "fingerprint": hashlib.sha256(annotation.key.encode("ascii")).hexdigest(),
                    "severity": annotation.severity,
                    "location": {"path": file, "lines": {"begin": 1}},
                }
            )
        stream.write(json.dumps(issues, indent=2, ensure_ascii=True) + "\n")


def record_file(report: Report) -> str:
    """The file that annotations stand at: the policy file, relative to where the audit was started."""
    file = show(report.gate.file, 300)
    inside = file and not PurePosixPath(file).is_absolute() and ".." not in PurePosixPath(file).parts
    return file if inside else RECORD


def annotations_of(report: Report) -> Iterator[Annotation]:
    """The verdict or grade, what failed, and every gating or accepted difference, the important ones first."""
    pair = pair_name(report)
    yield _head(report, pair)
    for letters, side in failures_of(report.sides):
        message = ". ".join(filter(None, (show(side.what, LONGEST), show(side.do, LONGEST))))
        title = f"{pair}: {' and '.join(letters)} failed at {show(side.failed, 100)}"
        yield Annotation("error", "critical", "sides", title, message, _key(pair, "failed", letters, side.failed))
    for name, area in areas_of(report):
        if report.grade is not None or (name not in report.gate.areas and not _has_marks(area)):
            continue
        gates = name in report.gate.areas
        if isinstance(area, PredictionsArea):
            yield from _columns(pair, area, gates)
        else:
            for finding in differing_first(area.findings):
                yield from _finding(pair, name, finding, gates)


def _head(report: Report, pair: str) -> Annotation:
    """The result as a whole: an error, unless the audit ends with 0."""
    level: Level = "error" if report.exit_status else "notice"
    key = _key(pair, "verdict", report.verdict) if report.exit_status else "same"
    if report.grade is not None:
        title = f"{pair}: {report.grade.level}"
        return Annotation(level, "critical", "grade", title, show(report.grade.sentence, LONGEST), key)
    area = report.areas.predictions
    mark = accepted_words(acceptance_of(area)) if report.verdict == "drift" else ""
    sentences = " ".join(report.summary[:2]) or MEANINGS[report.verdict]
    message = ". ".join(filter(None, (show(area.what, LONGEST), show(area.do, LONGEST)))) or sentences
    message = f"{mark}; {message}" if mark else message
    return Annotation(level, "critical", "predictions", f"{pair}: {report.verdict}", show(message, LONGEST), key)


def _has_marks(area: Area | PredictionsArea) -> bool:
    if isinstance(area, PredictionsArea):
        return acceptance_of(area) is not None or any(column.accepted for column in area.columns)
    return any(finding.accepted for finding in area.findings)


def _finding(pair: str, area: str, finding: Finding, gates: bool) -> Iterator[Annotation]:
    if finding.change == "same" or not (gates or finding.accepted):
        return
    level: Level = "notice" if finding.is_accepted or not gates else "error"
    severity = SEVERITIES[finding.severity] if level == "error" else "info"
    values = [value_text(finding.a, LONGEST), value_text(finding.b, LONGEST)]
    key = _key(pair, area, *finding.path, finding.change, *values)
    title = f"{pair}: {area} {path_text(finding.path)}"
    yield Annotation(level, severity, area, show(title, 300), show(finding_words(finding), LONGEST), key)


def _columns(pair: str, area: PredictionsArea, gates: bool) -> Iterator[Annotation]:
    """The columns that drift or are open; a vector has them, too."""
    for column in area.columns:
        mark = (column.accepted or area.accepted) if column.verdict == "drift" else None
        if tone(column.verdict) == "good" or not (gates or mark):
            continue
        accepted = mark is not None and not mark.expired
        level: Level = "notice" if accepted or not gates else "error"
        counts = f"{column.verdict}: {column.different:,} of {area.matched:,} rows are different"
        sizes = f"largest |delta| {number(column.max_abs)}, {number(column.flips)} flips"
        message = "; ".join(filter(None, (accepted_words(mark), f"{counts}, {sizes}")))
        key = _key(pair, "predictions", column.name, column.verdict)
        title = show(f"{pair}: predictions {column.name}", 300)
        severity = "critical" if level == "error" else "info"
        yield Annotation(level, severity, "predictions", title, show(message, LONGEST), key)


def _key(*parts: object) -> str:
    return json.dumps(to_plain(list(parts)), ensure_ascii=True)


def _command(level: Level, file: str, title: str, message: str) -> str:
    return f"::{level} file={_property(file)},line=1,title={_property(title)}::{_data(message)}\n"


def _data(text: str) -> str:
    """The message of a workflow command: an escape of it is decoded by the server, and a line break would end it."""
    return show(text, LONGEST).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
