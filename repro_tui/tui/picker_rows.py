"""The rows of the picker's lists: references that can be chosen, and past audits."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

from repro_tui.audit.folder import AuditSummary
from repro_tui.sources.complete import Completion
from repro_tui.support.text import show
from repro_tui.tui.names import ShortNames
from repro_tui.tui.widgets.grid import ColumnSpec
from repro_tui.tui.widgets.safe import text_of
from repro_tui.tui.widgets.verdict_colours import verdict_look

REFERENCE_COLUMNS = [ColumnSpec("", 30, 2), ColumnSpec("", 20, 3)]
PAST_COLUMNS = [ColumnSpec("", 1), ColumnSpec("", 16), ColumnSpec("", 24, 1), ColumnSpec("", 19)]


class ReferenceRows:
    """The references to choose from as rows."""

    def __init__(self, references: Sequence[Completion]) -> None:
        self.references = references
        self._short = ShortNames([c.reference for c in references])

    def __len__(self) -> int:
        return len(self.references)

    def cells(self, row: int, widths: Sequence[int]) -> Sequence[Text]:
        """The reference, and what it refers to."""
        completion = self.references[row]
        name = self._short(completion.reference, widths[0])
        return (Text(name, style="loud"), text_of(completion.told, widths[1]))


class PastRows:
    """The past audits as rows, each with its verdict."""

    def __init__(self, audits: Sequence[AuditSummary]) -> None:
        self.audits = audits

    def __len__(self) -> int:
        return len(self.audits)

    def cells(self, row: int, widths: Sequence[int]) -> Sequence[Text]:
        """Glyph, verdict, both references, time."""
        audit = self.audits[row]
        glyph, style = ("…", "busy") if audit.state == "running" else verdict_look(audit.outcome)[:2]
        names = f"{show(audit.a, 60)} → {show(audit.b, 60)}"
        when = audit.started.replace("T", " ").removesuffix("Z")
        return (
            Text(glyph, style=style),
            text_of(audit.outcome, widths[1], style),
            text_of(names, widths[2]),
            text_of(when, widths[3]),
        )
