"""A report as one self-contained HTML page without scripts: it loads nothing, and no value in it can become markup."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files
from typing import TextIO

from repro_tui.model.causes import Causes
from repro_tui.model.finding import Area, Finding
from repro_tui.model.gate import GateReport
from repro_tui.model.grade import LEVEL_WORDS, Grade
from repro_tui.model.predictions import PredictionsArea
from repro_tui.model.report import Report, SideReport
from repro_tui.report.acceptance import KNOWN_HEAD, gate_words, known_rows, verdict_suffix
from repro_tui.report.cause_rows import cause_rows
from repro_tui.report.html_predictions import predictions
from repro_tui.report.markup import cells, details, element, facts, glyph, left_out, table, text
from repro_tui.report.words import (
    GLYPHS,
    MEANINGS,
    STATUS_GLYPHS,
    area_remarks,
    areas_of,
    basis_words,
    bounded,
    counts_words,
    differing_first,
    finding_note,
    grade_tone,
    metric_cells,
    metric_glyph,
    path_text,
    seconds,
    side_facts,
    tone,
    value_text,
    verdict_glyph,
)
from repro_tui.support.text import plural, show_lines

MOST_FINDINGS, MOST_CHILDREN, MOST_LINES, MOST_WARNINGS = 300, 30, 120, 100
LONG_HUNK = 24
POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
STATUS_TONES = {"same": "good", "different": "bad", "unknown": "open", "not-recorded": "open"}
METRIC_TONES = {True: "good", False: "bad", None: "open"}
CHANGE_TONES = {"same": "", "changed": "bad", "added": "good", "removed": "bad", "unknown": "open"}


class HtmlReporter:
    """Writes the page: the verdict, the summary, both sides, and every area as a section that folds."""

    def write(self, report: Report, stream: TextIO) -> None:
        """Writes the whole page; characters outside ASCII become character references, so that any encoding works."""
        for part in _page(report):
            stream.write(part.encode("ascii", "xmlcharrefreplace").decode("ascii") + "\n")


def _page(report: Report) -> Iterator[str]:
    style = files("repro_tui.report").joinpath("page.css").read_text(encoding="utf-8")
    yield '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">'
    yield f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield f"<title>{text(report.verdict)}: {text(report.sides.a.name, 80)} | {text(report.sides.b.name, 80)}</title>"
    yield f"<style>\n{style}</style>\n</head>\n<body>"
    yield from _head(report)
    if report.grade is not None:
        yield _grade(report.grade)
    yield _known(report.gate)
    yield f'<div class="cards">{_side("A", report.sides.a)}{_side("B", report.sides.b)}</div>'
    if report.causes is not None and report.causes.factors:
        yield _causes(report.causes)
    yield "<h2>Areas</h2>"
    yield _fold("predictions", report.areas.predictions, predictions(report.areas.predictions))
    for name, area in areas_of(report):
        if not isinstance(area, PredictionsArea):
            remarks = "".join(element("p", text(remark, 800), "soft") for remark in area_remarks(area, report.sides))
            yield _fold(name, area, remarks + _findings(area), basis_words(area, report.sides))
    yield _warnings(report.warnings)
    yield from _foot(report)


def _head(report: Report) -> Iterator[str]:
    names = (
        f"{text(report.sides.a.name, 120)} <span>(A) against</span> {text(report.sides.b.name, 120)} <span>(B)</span>"
    )
    yield f"<h1>{names}</h1>"
    judged = f", {text(gate_words(report.gate), 600)}" if report.grade is None else ""
    status = element("span", f"exit status {report.exit_status}{judged}", "soft")
    suffix = verdict_suffix(report.areas.predictions)
    verdict, meaning = f"{verdict_glyph(report.verdict)} {report.verdict}{suffix}", MEANINGS[report.verdict]
    css = "open" if report.areas.predictions.is_accepted and report.verdict == "drift" else tone(report.verdict)
    if report.grade is not None:
        verdict, meaning, css = report.grade.level, LEVEL_WORDS[report.grade.level], grade_tone(report.grade)
    strip = f"{element('b', text(verdict))}{element('span', text(meaning))}{status}"
    yield element("div", strip, f"verdict {css}")
    yield element("ul", "".join(element("li", text(sentence, 800)) for sentence in report.summary), "summary")
    if report.notes:
        kept, more = bounded(report.notes, MOST_WARNINGS)
        body = element("ul", "".join(element("li", text(note, 800)) for note in kept)) + left_out(more, "notes")
        yield details(text(plural(len(report.notes), "note")), body, opened=True)


def _known(gate: GateReport) -> str:
    """What came of each accepted change."""
    kept, more = bounded(known_rows(gate), MOST_FINDINGS)
    if not kept:
        return ""
    tones = {"=": "good", "!": "bad", "≠": "bad"}
    rows = [
        cells(
            (("", glyph(row[0], tones.get(row[0], "open"))), ("path", text(row[1])), *(("", text(c)) for c in row[2:]))
        )
        for row in kept
    ]
    return details("Accepted changes", table(KNOWN_HEAD, rows) + left_out(more, "accepted changes"), opened=True)


def _causes(causes: Causes) -> str:
    kept, more = bounded(cause_rows(causes), MOST_FINDINGS)
    rows = [cells((("", text(role)), ("path", text(name)), ("", text(result)))) for role, name, result in kept]
    title = f"Cause: {text(plural(causes.runs, 'run'))}, {causes.cached} from the cache"
    return details(title, table(["", "of", ""], rows) + left_out(more, "rows"), opened=True)


def _grade(grade: Grade) -> str:
    kept, more = bounded(grade.metrics, MOST_FINDINGS)
    rows = [
        cells(
            (
                ("", glyph(metric_glyph(metric), METRIC_TONES[metric.matches])),
                ("path", text(metric.name)),
                *(("number", text(cell)) for cell in metric_cells(metric)[:3]),
                ("", text(metric_cells(metric)[3])),
                ("", text(metric.note)),
            )
        )
        for metric in kept
    ]
    head = ["", "metric", "recorded", "rebuilt", "Δ", "match", "note"]
    metrics = details("Metrics", table(head, rows, frozenset(head[2:5])), opened=True) if rows else ""
    gaps, left = bounded(grade.gaps, MOST_WARNINGS)
    items = "".join(element("li", text(f"{gap.field}: {gap.why}. To do: {gap.do}")) for gap in gaps)
    title = text(plural(len(grade.gaps), "gap") + " in the record")
    missing = details(title, element("ul", items) + left_out(left, "gaps"), opened=grade.level == "R0") if gaps else ""
    return metrics + left_out(more, "metrics") + missing


def _side(label: str, side: SideReport) -> str:
    failure = glyph("!", "bad") if side.failed else ""
    body = element("h2", f"{failure}{label} {text(side.name, 120)}") + facts(side_facts(side))
    parts = [
        cells(
            (
                ("", text(part.step)),
                ("", text(part.how)),
                ("", "cached" if part.cached else text(seconds(part.seconds))),
                ("", text({"matches": "as recorded", "differs": "differs from the record"}.get(part.matches, ""))),
            )
        )
        for part in side.rebuild
    ]
    rebuilt = details("Rebuild", table(["step", "how", "took", "record"], parts), opened=False) if parts else ""
    return element("section", body + rebuilt + _runs(side), "card")


def _runs(side: SideReport) -> str:
    rows = [
        cells(
            (
                ("", f"run {run.number}"),
                ("", text(run.status)),
                ("number", text(seconds(run.seconds))),
                ("value", text(run.what or (run.tail[-1] if run.tail else ""))),
            )
        )
        for run in side.runs
    ]
    return (
        details("Runs", table(["", "ended", "took", "last output"], rows, frozenset({"took"})), opened=False)
        if rows
        else ""
    )


def _fold(name: str, area: Area | PredictionsArea, body: str, basis: str = "") -> str:
    counted = area.counts and area.status != "not-recorded"
    summary = f"{area.status}: {counts_words(area)}" if counted else area.status
    summary += f" ({basis})" if basis else ""
    title = f"{glyph(STATUS_GLYPHS[area.status], STATUS_TONES[area.status])} {name}"
    return details(
        f"{title}{element('span', text(summary), 'soft')}", body, opened=area.status in ("different", "unknown")
    )


def _findings(area: Area) -> str:
    kept, more = bounded(differing_first(area.findings), MOST_FINDINGS)
    if not kept:
        reasons = {"same": "Nothing differs.", "not-recorded": "Recorded on neither side: nothing was compared."}
        return element("p", reasons.get(area.status, "Nothing was compared."), "soft")
    rows = (row for finding in kept for row in _rows(finding))
    return table(["", "what", "A", "B", "note"], rows) + left_out(more, "findings")


def _rows(finding: Finding, below: bool = False) -> Iterator[str]:
    css = "below" if below else "heavy" if finding.severity == "important" else ""
    if finding.path and finding.path[-1].startswith("@@ "):
        yield f'<tr class="below"><td></td><td colspan="4">{_hunk(finding)}</td></tr>'
        return
    name = path_text(finding.path[1:] if below and len(finding.path) > 1 else finding.path)
    yield cells(
        (
            ("", glyph(GLYPHS[finding.change], CHANGE_TONES[finding.change])),
            ("path", text(name)),
            ("value", text(value_text(finding.a))),
            ("value", text(value_text(finding.b))),
            ("", text(finding_note(finding))),
        ),
        css,
    )
    kept, more = bounded(finding.children, MOST_CHILDREN)
    for child in kept if not below else ():
        yield from _rows(child, below=True)
    if more and not below:
        yield f'<tr class="below"><td></td><td colspan="4">{left_out(more, "findings below")}</td></tr>'


def _hunk(finding: Finding) -> str:
    signs = {"+": "in-b", "-": "in-a"}
    lines = show_lines(finding.note, 500, MOST_LINES)
    body = "".join(element("i", text(line) or " ", signs.get(line[:1], "")) for line in lines)
    header = element("i", text(finding.path[-1]), "soft")
    if len(lines) <= LONG_HUNK:
        return element("pre", header + body)
    return details(
        text(finding.path[-1]) + element("span", f"{len(lines):,} lines", "soft"), element("pre", body), opened=False
    )


def _warnings(warnings: tuple[str, ...]) -> str:
    if not warnings:
        return ""
    kept, more = bounded(warnings, MOST_WARNINGS)
    body = element("ul", "".join(element("li", text(warning)) for warning in kept)) + left_out(more, "warnings")
    return details(f"{glyph('!', 'open')} {plural(len(warnings), 'warning')}", body, opened=True)


def _foot(report: Report) -> Iterator[str]:
    stages = ", ".join(f"{text(name, 60)} {seconds(spent)}" for name, spent in report.audit.seconds_by_stage.items())
    took = f"{seconds(report.audit.seconds)}{f' ({stages})' if stages else ''}"
    producer = f"{text(report.tool.name)} {text(report.tool.version)}, report schema {report.schema}"
    audit = f"Audit {text(report.audit.id)}, started {text(report.audit.started)}, took {took}."
    signs = "= same, &ne; changed, + only in B, - only in A, ? unknown, ! failed"
    yield f"<footer><p>{audit}</p><p>{producer}. {signs}.</p></footer>"
    yield "</body>\n</html>"
