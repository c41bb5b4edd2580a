"""What the picker's Enter would do, and the sentence that says so: worked out from what is typed and chosen."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from repro_tui.audit.folder import AuditSummary
from repro_tui.model.errors import Refused
from repro_tui.sources.complete import Completion, CompletionSet
from repro_tui.sources.resolve import check_reference, source_of
from repro_tui.support.text import join_names, quote, show

LONGEST = 120  # characters of a reference in a sentence
NAMED = 3  # references that a message names
OTHER = {"a": "b", "b": "a"}


@dataclass(frozen=True, slots=True)
class Picking:
    """What is typed on both lines (`typed`), the line that is typed into (`side`), and the row that was moved to.

    `known` are the references that can be chosen (None: they are still being read); `here` is the current folder.
    """

    side: str
    typed: Mapping[str, str]
    known: CompletionSet | None
    row: Completion | None
    here: Path

    @property
    def text(self) -> str:
        """What is typed on the current line."""
        return self.typed[self.side]

    @property
    def continuation(self) -> str:
        """The only reference that continues what is typed; "" if that is one itself, or none, or several do."""
        if self.known is None or not self.text or self.known.has(self.text):
            return ""
        continuing = self.known.beginning_with(self.text)
        return continuing[0].reference if len(continuing) == 1 and not continuing[0].is_folder else ""

    @property
    def chosen(self) -> str:
        """The reference that Enter uses for the current line; "" if there is none."""
        return self.row.reference if self.row else self.continuation or self.text

    @property
    def is_folder(self) -> bool:
        """Whether Enter goes into a folder."""
        return bool(self.row and self.row.is_folder)

    @property
    def audits(self) -> bool:
        """Whether Enter audits A against B."""
        return bool(self.chosen and self.typed[OTHER[self.side]] and not self.is_folder)

    def sentence(self) -> tuple[str, str]:
        """What Enter does now, and the style of the sentence."""
        letter = self.side.upper()
        if self.is_folder:
            return f"Enter goes into {show(self.chosen, LONGEST)}", ""
        if not self.chosen:
            return f"Type a reference for {letter}, or choose one with ↓.", "dim"
        if self._is_unknown():
            return self._unknown(), "$text-warning"
        if self.audits:
            a, b = (show((dict(self.typed) | {self.side: self.chosen})[side], LONGEST) for side in OTHER)
            return f"Enter audits A {a} against B {b}", "bold"
        return f"Enter uses {show(self.chosen, LONGEST)} as {letter}", ""

    def _is_unknown(self) -> bool:
        """Whether this cannot be a reference, as far as the list that was read says."""
        if self.known is None or self.row or self.known.has(self.chosen):
            return False
        return source_of(self.chosen, self.here) == "recordfile" and not any(mark in self.chosen for mark in "#./")

    def _unknown(self) -> str:
        """Why Enter cannot use what is typed, and what can be done."""
        assert self.known is not None
        continuing = [item.reference for item in self.known.beginning_with(self.text)]
        if len(continuing) > 1:
            names = join_names([show(name, 40) for name in continuing], most=NAMED)
            return f"{names} begin with {quote(self.text, 40)}: type on, or choose one with ↓."
        near = difflib.get_close_matches(self.text, [item.reference for item in self.known.items], 1)
        meant = f"did you mean {show(near[0], 60)}?" if near else "choose one with ↓, or name a file or git:REV."
        return f"There is no deployment {quote(self.text, 40)}: {meant}"


def past_sentence(audit: AuditSummary) -> str:
    """What Enter does on a past audit."""
    return f"Enter opens the audit {show(audit.id, 60)} of {show(audit.a, 60)} against {show(audit.b, 60)}"


def problem_of(reference: str, here: Path) -> str:
    """Why a text is no reference, as far as this machine's files say; "" where it may be one."""
    try:
        check_reference(reference, here)
    except Refused as error:
        return line_of([str(mistake) for mistake in error.mistakes], reference)
    return ""


def line_of(mistakes: list[str], reference: str) -> str:
    """The mistakes of a reference as one line below it, where its name need not be repeated."""
    own = f"{show(reference, 200)}: "
    return " · ".join(mistake.removeprefix(own) for mistake in mistakes)
