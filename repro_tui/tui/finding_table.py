"""Findings as a table for files, and as texts for the editor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from repro_tui.model.finding import Finding
from repro_tui.support.text import show
from repro_tui.tui.difference.lines import is_hunk
from repro_tui.tui.editor import as_json
from repro_tui.tui.written_table import WrittenTable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pyarrow import RecordBatch

FIELDS = ("path", "change", "a", "b", "severity", "note")


def finding_table(name: str, findings: Sequence[Finding]) -> WrittenTable:
    """One row per finding: its path joined by slashes, the change, both values as text, severity and note."""
    rows = [("/".join(f.path), f.change, _text(f.a), _text(f.b), f.severity, f.note) for f in findings]
    return text_table(name, FIELDS, rows)


def text_table(name: str, fields: Sequence[str], rows: Sequence[Sequence[str | None]]) -> WrittenTable:
    """Rows of texts as a table with these fields; None is a null."""

    def batches() -> Iterator[RecordBatch]:
        import pyarrow as pa

        columns = [pa.array([_utf8(row[index]) for row in rows], pa.string()) for index in range(len(fields))]
        if rows:
            yield pa.RecordBatch.from_arrays(columns, names=list(fields))

    return WrittenTable(name, batches, len(rows))


def finding_texts(finding: Finding) -> dict[str, str]:
    """Both values of a finding, or the lines of its hunks, as text files; else the finding as JSON."""
    from dataclasses import asdict

    hunks = [child for child in finding.children if is_hunk(child)]
    if hunks:
        sides = (("a", [hunk.a for hunk in hunks]), ("b", [hunk.b for hunk in hunks]))
        return {f"{side}.txt": "\n".join(str(text or "") for text in texts) + "\n" for side, texts in sides}
    a, b = _text(finding.a), _text(finding.b)
    if "\n" in (a or "") + (b or ""):
        return {"a.txt": a or "", "b.txt": b or ""}
    return {"finding.json": as_json(asdict(finding))}


def _text(value: object) -> str | None:
    return None if value is None else value if isinstance(value, str) else show(value, 1 << 20)


def _utf8(text: str | None) -> str | None:
    return None if text is None else text.encode("utf-8", "backslashreplace").decode("utf-8")
