"""A report as JUnit XML, which Jenkins, GitLab and most build servers display.

Valid against the xunit plug-in's junit-10.xsd: no properties, no file, line or assertions, times as plain decimals.
Every class is named after the pair and the area, `prod..staging.parameters`, so that a server keeps the history of each
pair on its own. What was accepted or is known is skipped, with its reason: never passed in silence.
Source: https://github.com/jenkinsci/xunit-plugin (junit-10.xsd).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TextIO
from xml.etree import ElementTree

from repro_tui.model.finding import Area, Finding
from repro_tui.model.grade import Grade
from repro_tui.model.predictions import Column, PredictionsArea, Verdict
from repro_tui.model.report import Report, SideReport
from repro_tui.report.acceptance import acceptance_of, accepted_words
from repro_tui.report.words import (
    MEANINGS,
    area_notes,
    area_remarks,
    areas_of,
    bounded,
    counts_words,
    differing_first,
    finding_words,
    grade_tone,
    isolation_words,
    metric_cells,
    nothing_was_run,
    number,
    path_text,
    tone,
)
from repro_tui.support.text import show, show_lines

MOST = 1_000
_DOTS = re.compile(r"[.\s/]+")
Outcome = Literal["passed", "skipped", "failure", "error"]


@dataclass(frozen=True, slots=True)
class _Case:
    """One test case: `message` is one line, `text` has any number of lines."""

    name: str
    outcome: Outcome = "passed"
    message: str = ""
    text: str = ""
    seconds: float = 0.0


class JUnitReporter:
    """Writes one test suite per area and one per side; a difference is a failure where its area is gated."""

    def write(self, report: Report, stream: TextIO) -> None:
        """Writes the report as ASCII XML."""
        root = ElementTree.Element("testsuites", name="repro-tui", time=_time(report.audit.seconds))
        named, areas = report.gate.fail_on, frozenset(report.gate.areas)
        suite = _Suites(pair_name(report), report.audit.started).suite
        if report.grade is not None:
            root.append(suite("grade", tuple(_grade_cases(report.grade))))
        for label, side in (("a", report.sides.a), ("b", report.sides.b)):
            if (
                side.runs or side.rebuild or side.failed or report.grade is None
            ):  # a recorded side is not rebuilt or run
                unrun = report.areas.predictions.what if nothing_was_run(report.sides) else ""
                root.append(suite(f"side-{label}", tuple(_side_cases(side, unrun))))
        for name, area in areas_of(report):
            decides = name in areas
            if isinstance(area, PredictionsArea):
                cases = tuple(_prediction_cases(area, report.verdict, decides))
            else:
                basis = "; ".join(area_remarks(area, report.sides))
                cases = tuple(_area_cases(name, area, decides, name in named, basis))
            root.append(suite(name, cases))
        for count in ("tests", "failures", "errors"):
            root.set(count, str(sum(int(suite.get(count, "0")) for suite in root)))
        ElementTree.indent(root)
        stream.write(ElementTree.tostring(root, encoding="us-ascii", xml_declaration=True).decode("ascii") + "\n")


def pair_name(report: Report) -> str:
    """The pair in the name of a class, in which dots separate packages: `prod..staging`."""
    return "..".join(_DOTS.sub("-", show(side.name, 100)) or "-" for side in (report.sides.a, report.sides.b))


@dataclass(frozen=True, slots=True)
class _Suites:
    """Makes the suites of one pair; `started` is the audit's start in UTC ("": unknown)."""

    pair: str
    started: str

    def suite(self, name: str, cases: Sequence[_Case]) -> ElementTree.Element:
        suite = ElementTree.Element("testsuite", name=name, tests=str(len(cases)))
        suite.set("failures", str(sum(case.outcome == "failure" for case in cases)))
        suite.set("errors", str(sum(case.outcome == "error" for case in cases)))
        suite.set("skipped", str(sum(case.outcome == "skipped" for case in cases)))
        suite.set("time", _time(sum(case.seconds for case in cases)))
        if self.started:
            suite.set("timestamp", self.started.removesuffix("Z"))
        for case in cases:
            element = ElementTree.SubElement(suite, "testcase", classname=f"{self.pair}.{name}", name=case.name)
            element.set("time", _time(case.seconds))
            _add_text(element, case)
        return suite


def _add_text(element: ElementTree.Element, case: _Case) -> None:
    """Adds the case's text, each line behind a bar.

    Build servers execute lines of output such as `::error::x`, and skip leading spaces when they look for them: no
    line of untrusted text may begin with its own characters.
    """
    if case.outcome != "passed":
        output = ElementTree.SubElement(element, case.outcome, message=case.message, type=case.outcome)
    elif case.text:
        output = ElementTree.SubElement(element, "system-out")
    else:
        return
    output.text = "".join(f"\n| {line}" for line in show_lines(case.text or case.message, 500, 200)) + "\n"


def _time(seconds: float) -> str:
    return f"{max(0.0, seconds):.3f}"


def _grade_cases(grade: Grade) -> Iterator[_Case]:
    outcomes: dict[str, Outcome] = {"good": "passed", "bad": "failure", "open": "error"}
    gaps = [f"missing: {gap.field}: {gap.why}. {gap.do}" for gap in grade.gaps]
    sentence = show(f"{grade.level}: {grade.sentence}", 600)
    yield _Case(f"grade {grade.level}", outcomes[grade_tone(grade)], sentence, "\n".join((sentence, *gaps)))
    for metric in grade.metrics:
        recorded, rebuilt, delta, word = metric_cells(metric)
        outcome: Outcome = "passed" if metric.matches else "failure" if metric.matches is False else "error"
        text = f"{word}: recorded {recorded}, rebuilt {rebuilt}, delta {delta}"
        yield _Case(f"metric {show(metric.name, 200)}", outcome, show(f"{text}. {metric.note}", 600))


# -- sides ----------------------------------------------------------------------------------------------------------


def _side_cases(side: SideReport, unrun: str) -> Iterator[_Case]:
    """A case for each rebuild step and run; the one that failed carries the failure, or else a case of its own.

    `unrun` says why neither side was rebuilt or run, where none failed.
    """
    message = show(f"{side.failed}: {side.what}", 600)
    failure = _Case(show(side.failed, 100), "error", message, f"{side.what}\n{side.do}")
    reported = False
    for case, step in (*_parts(side), *_runs(side)):
        if side.failed and step == side.failed:
            reported = True
            case = replace(failure, name=case.name, text=f"{failure.text}\n{case.text}", seconds=case.seconds)
        yield case
    if side.failed and not reported:
        yield failure
    elif not side.failed and not (side.rebuild or side.runs):
        name = "nothing was rebuilt or run"
        yield _Case(name, "error", show(unrun or name, 600))


def _parts(side: SideReport) -> Iterator[tuple[_Case, str]]:
    for part in side.rebuild:
        text = "\n".join((f"{part.how} ({'cached, ' if part.cached else ''}record: {part.matches})", *part.warnings))
        yield _Case(f"rebuild {show(part.step, 100)}", text=text, seconds=part.seconds), part.step


def _runs(side: SideReport) -> Iterator[tuple[_Case, str]]:
    for run in side.runs:
        head = f"{run.status}, exit code {number(run.exit_code)}, {number(run.rows)} rows"
        isolation = [f"isolation: {isolation_words(run.isolation)}"] if run.isolation else []
        text = "\n".join((head, *isolation, *run.tail))
        outcome: Outcome = "passed" if run.status == "succeeded" else "error"
        yield (
            _Case(f"run {run.number}", outcome, show(run.what or run.status, 600), text, run.seconds),
            f"run {run.number}",
        )


# -- areas ----------------------------------------------------------------------------------------------------------


def _area_cases(name: str, area: Area, decides: bool, named: bool, basis: str) -> Iterator[_Case]:
    """A case for each finding; `decides`: the area is gated, `named`: `--fail-on` names it rather than `any`.

    `basis` says what the area is based on, and what else a reader has to know ("": nothing).
    """
    kept, more = bounded(differing_first(area.findings), MOST)
    for finding in kept:
        yield _finding_case(finding, decides)
    if more:
        yield _Case(f"{more:,} more findings are in report.json")
    if area.status == "unknown" and not any(finding.change == "unknown" for finding in kept):
        yield _Case(
            f"the {name}", "error" if decides else "passed", f"the {name} could not be compared", counts_words(area)
        )
    elif area.status == "not-recorded":
        message = f"not recorded on either side: {name}"
        yield _Case(f"the {name}", "error" if named else "skipped", message, "\n".join(filter(None, (message, basis))))
        return
    elif not kept:
        yield _Case(f"the {name}", text="\n".join(filter(None, (counts_words(area), basis))))
        return
    if basis:
        yield _Case(f"the basis of the {name}", text=basis)


def _finding_case(finding: Finding, decides: bool) -> _Case:
    outcomes: dict[str, Outcome] = {"same": "passed", "unknown": "error"}
    outcome = outcomes.get(finding.change, "failure") if decides else "passed"
    if finding.is_accepted and outcome == "failure":
        outcome = "skipped"
    change = finding_words(finding)
    below = [f"{path_text(child.path)}: {finding_words(child)}" for child in finding.children[:50]]
    return _Case(
        show(path_text(finding.path), 500),
        outcome,
        show(change, 600),
        "\n".join((change, *finding.note.split("\n")[1:], *below)),
    )


def _prediction_cases(area: PredictionsArea, verdict: Verdict, decides: bool) -> Iterator[_Case]:
    mark = acceptance_of(area) if verdict == "drift" else None
    text = "\n".join(
        filter(None, (MEANINGS[verdict], accepted_words(mark), area.rule, *area_notes(area), area.what, area.do))
    )
    unjudged = tone(verdict) == "open"  # inconclusive whichever areas are gated
    outcome = _outcome(verdict, decides or unjudged)
    if outcome == "failure" and area.is_accepted:  # what it leaves undecided is an error of its own column
        outcome = "skipped"
    why = accepted_words(mark) or area.what or MEANINGS[verdict]
    yield _Case("verdict", outcome, show(f"{verdict}: {why}", 600), text)
    kept, more = bounded(area.columns, MOST)
    for column in kept:
        yield _column_case(column, decides, area)
    if more:
        yield _Case(f"{more:,} more columns are in report.json")


def _column_case(column: Column, decides: bool, area: PredictionsArea) -> _Case:
    counts = f"{column.verdict}: {column.different:,} different, {column.within_tolerance:,} within tolerance, "
    counts += f"{column.equal:,} equal, largest |delta| {number(column.max_abs)}, {number(column.flips)} flips"
    mark = (column.accepted or area.accepted) if column.verdict == "drift" else None
    text = "\n".join(filter(None, (accepted_words(mark), counts, column.rule, column.note)))
    outcome = _outcome(column.verdict, decides)
    if outcome == "failure" and (column.is_accepted or (area.accepted is not None and area.is_accepted)):
        outcome = "skipped"
    message = "; ".join(filter(None, (accepted_words(mark), counts)))
    return _Case(f"column {show(column.name, 200)}", outcome, show(message, 600), text)


def _outcome(verdict: Verdict, decides: bool) -> Outcome:
    outcomes: dict[str, Outcome] = {"good": "passed", "bad": "failure", "open": "error"}
    return outcomes[tone(verdict)] if decides else "passed"
