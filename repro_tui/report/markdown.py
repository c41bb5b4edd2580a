"""A report as Markdown, for a build's summary page or a comment. No value in it can become markup."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TextIO

from repro_tui.model.causes import Causes
from repro_tui.model.finding import Finding
from repro_tui.model.gate import GateReport
from repro_tui.model.grade import Grade
from repro_tui.model.predictions import Column, PredictionsArea
from repro_tui.model.report import Report, SideReport
from repro_tui.report.acceptance import KNOWN_HEAD, accepted_columns, gate_words, known_rows, verdict_suffix
from repro_tui.report.cause_rows import cause_rows
from repro_tui.report.stress import TITLE, StressRow, stress_glyph, stress_rows, stress_words
from repro_tui.report.words import (
    GLYPHS,
    MEANINGS,
    STATUS_GLYPHS,
    area_remarks,
    areas_of,
    bounded,
    differing_first,
    failures_of,
    finding_note,
    grade_tone,
    metric_cells,
    metric_glyph,
    number,
    path_text,
    predictions_words,
    seconds,
    side_facts,
    value_text,
    verdict_glyph,
)
from repro_tui.support.text import plural, show

MOST_FINDINGS, MOST_COLUMNS, MOST_ROWS, MOST_WARNINGS = 25, 50, 10, 20
TONES = {"good": "=", "bad": "≠", "open": "?"}
COUNTS = ("added", "removed", "changed", "unknown", "same")
_MARKUP = re.compile(r"[\\`*_\[\]|~$]")
_BEGINNING = re.compile(r"^(?=[-+](?:[\s-]|$)|[=:]|\d{1,9}[.)](?:\s|$))(\d*)(.)")
_LINK = re.compile(r"(?i)\b(https?|ftp|mailto|xmpp):|\bwww\.")


def escape(value: object, cap: int = 300) -> str:
    """A value as one line of literal text of at most `cap` characters before escaping.

    In CommonMark and on GitHub it is no markup, HTML, link, mention or reference to an issue, wherever on a line or in
    a table it stands: `@name` becomes `@<!-- -->name`, for instance, which is displayed as it was.
    """
    text = show(value, cap).strip().replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    text = _MARKUP.sub(lambda match: "\\" + match.group(), text)
    text = _LINK.sub(lambda match: match.group()[:-1] + "\\" + match.group()[-1], text)
    text = _BEGINNING.sub(r"\1\\\2", text)
    return text.replace("@", "@<!-- -->").replace("#", "\\#<!-- -->")


class MarkdownReporter:
    """Writes the verdict, the summary, the areas and the most important findings."""

    def write(self, report: Report, stream: TextIO) -> None:
        """Writes the report; every line begins with text of this module, never with a value."""
        for block in _blocks(report):
            stream.write(block.rstrip("\n") + "\n\n")


def _blocks(report: Report) -> Iterator[str]:
    names = f"A {escape(report.sides.a.name)} against B {escape(report.sides.b.name)}"
    if report.grade is None:
        suffix = verdict_suffix(report.areas.predictions)
        yield f"## {verdict_glyph(report.verdict)} {report.verdict}{suffix}: {names}"
    else:
        yield f"## {TONES[grade_tone(report.grade)]} {report.grade.level}: {names}"
    yield "\n".join(f"> {escape(sentence, 800)}  " for sentence in report.summary) or f"> {MEANINGS[report.verdict]}"
    yield from _notes(report.notes)
    for letters, side in failures_of(report.sides):
        advice = f". To do: {escape(side.do, 600)}" if side.do else ""
        yield f"**! {' and '.join(letters)} failed at {escape(side.failed)}:** {escape(side.what, 600)}{advice}"
    if report.grade is not None:
        yield from _grade(report.grade)
    if report.causes is not None and report.causes.factors:
        yield from _causes(report.causes)
    yield from _known(report.gate)
    yield _areas(report)
    yield from _predictions(report.areas.predictions)
    for name, area in areas_of(report):
        if area.findings and not isinstance(area, PredictionsArea):
            yield from _findings(f"{STATUS_GLYPHS[area.status]} {name}", area.findings)
    yield from _warnings(report.warnings)
    yield from _sides(report)
    took, gate = seconds(report.audit.seconds), escape(gate_words(report.gate), 600)
    judged = f", {gate}" if report.grade is None else ""
    yield f"Audit {escape(report.audit.id)} took {took}; exit status {report.exit_status}{judged}."


def _known(gate: GateReport) -> Iterator[str]:
    """What came of each accepted change; and what the audit is measured by."""
    kept, more = bounded(known_rows(gate), MOST_FINDINGS)
    if kept:
        yield "### Accepted changes"
        yield _table(KNOWN_HEAD, [[row[0], *(escape(cell, 600) for cell in row[1:])] for row in kept])
    if more:
        yield f"… and {more:,} more in report.json."


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _details(title: str, body: str) -> str:
    return f"<details><summary>{title}</summary>\n\n{body}\n\n</details>"


def _causes(causes: Causes) -> Iterator[str]:
    kept, more = bounded(cause_rows(causes), MOST_FINDINGS)
    yield "### Cause"
    yield _table(["", "of", ""], [[role, escape(name), escape(result)] for role, name, result in kept])
    if more:
        yield f"… and {more:,} more in report.json."


def _grade(grade: Grade) -> Iterator[str]:
    kept, more = bounded(grade.metrics, MOST_COLUMNS)
    if kept:
        rows = [
            [metric_glyph(m), escape(m.name), *(escape(cell) for cell in metric_cells(m)), escape(m.note, 600)]
            for m in kept
        ]
        yield "### Metrics"
        yield _table(["", "metric", "recorded", "rebuilt", "Δ", "match", "note"], rows)
    if more:
        yield f"… and {more:,} more metrics in report.json."
    gaps, left = bounded(grade.gaps, MOST_WARNINGS)
    if gaps:
        lines = [f"- {escape(gap.field)}: {escape(gap.why, 600)}. To do: {escape(gap.do, 600)}" for gap in gaps]
        more_lines = [f"- … and {left:,} more"] if left else []
        yield _details(plural(len(grade.gaps), "gap") + " in the record", "\n".join([*lines, *more_lines]))


def _areas(report: Report) -> str:
    rows = []
    for name, area in areas_of(report):
        if isinstance(area, PredictionsArea):
            counts = f"{area.verdict}; {escape(predictions_words(area), 600)}"
        else:
            counts = ", ".join(f"{area.counts[c]:,} {c}" for c in COUNTS if area.counts.get(c)) or "nothing to compare"
        remarks = escape("; ".join(area_remarks(area, report.sides)), 600)
        rows.append([STATUS_GLYPHS[area.status], name, area.status, counts, remarks])
    return _table(["", "area", "status", "counts", "based on"], rows)


def _predictions(area: PredictionsArea) -> Iterator[str]:
    kept, more = bounded(area.columns, MOST_COLUMNS)
    if kept:
        head = ["", "column", "kind", "verdict", "equal", "within tolerance", "different", "largest Δ", "flips", "rule"]
        yield "### Predictions"
        yield _table(head, [_column(column) for column in kept])
    if more:
        yield f"… and {more:,} more columns in report.json."
    noted = [f"{column.name} ({column.note})" for column in kept if column.note]
    notes = (
        ("Accepted", accepted_columns(area)),
        ("Columns", "; ".join(noted)),
        ("Noise", area.noise.sentence),
        ("Cells from", area.compared),
        ("Left out", ", ".join(area.ignored)),
        ("Why", area.what),
        ("To do", area.do),
    )
    for label, text in notes if kept else ():  # without columns a side failed, which is reported above
        if text:
            yield f"{label}: {escape(text, 600)}"
    if area.worst:
        yield _details("Rows that moved most", _worst(area))
    if area.stress:
        yield _details(
            TITLE, _table(["factor", "changed to", "A", "B"], list(map(_stressed, stress_rows(area.stress))))
        )


def _stressed(row: StressRow) -> list[str]:
    sides = (f"{stress_glyph(result)} {escape(stress_words(result), 600)}" for result in row.sides)
    return [escape(row.name), escape(row.what, 600), *sides]


def _column(column: Column) -> list[str]:
    return [
        verdict_glyph(column.verdict),
        escape(column.name),
        escape(column.kind),
        column.verdict,
        f"{column.equal:,}",
        f"{column.within_tolerance:,}",
        f"{column.different:,}",
        number(column.max_abs),
        number(column.flips),
        escape(column.rule),
    ]


def _worst(area: PredictionsArea) -> str:
    rows = [
        [
            ", ".join(f"{escape(name)} = {escape(value)}" for name, value in row.key.items()),
            escape(row.column),
            escape(row.a),
            escape(row.b),
            number(row.abs_delta),
            "yes" if row.flip else "",
        ]
        for row in area.worst[:MOST_ROWS]
    ]
    return _table(["row", "column", "A", "B", "Δ", "flips"], rows)


def _findings(title: str, findings: Sequence[Finding]) -> Iterator[str]:
    kept, more = bounded([f for f in differing_first(findings) if f.change != "same"], MOST_FINDINGS)
    if not kept:
        return
    body = _table(["", "what", "A", "B", "severity", "note"], [_finding(finding) for finding in kept])
    if more:
        body += f"\n\n… and {more:,} more in report.json."
    yield _details(f"{title}: {plural(len(kept) + more, 'finding')}", body)


def _finding(finding: Finding) -> list[str]:
    return [
        GLYPHS[finding.change],
        escape(path_text(finding.path)),
        escape(value_text(finding.a)),
        escape(value_text(finding.b)),
        finding.severity,
        escape(finding_note(finding)),
    ]


def _notes(notes: Sequence[str]) -> Iterator[str]:
    kept, more = bounded(notes, MOST_WARNINGS)
    if kept:
        lines = [f"- {escape(text, 700)}" for text in kept] + ([f"- … and {more:,} more"] if more else [])
        yield _details(plural(len(notes), "note"), "\n".join(lines))


def _warnings(warnings: Sequence[str]) -> Iterator[str]:
    kept, more = bounded(warnings, MOST_WARNINGS)
    if kept:
        lines = [f"- {escape(text, 600)}" for text in kept] + ([f"- … and {more:,} more"] if more else [])
        yield _details(plural(len(warnings), "warning"), "\n".join(lines))


def _sides(report: Report) -> Iterator[str]:
    def facts(side: SideReport) -> dict[str, str]:
        return dict(side_facts(side))

    a, b = facts(report.sides.a), facts(report.sides.b)
    rows = [[label, escape(a.get(label), 600), escape(b.get(label), 600)] for label in dict.fromkeys((*a, *b))]
    yield _details("The two sides", _table(["", "A", "B"], rows))
