"""What a source is."""

from __future__ import annotations

from typing import Protocol

from repro_tui.model.record import Record
from repro_tui.support.context import Context


class Source(Protocol):
    """Reads the record of a deployment from the system that keeps it."""

    def load(self, reference: str, context: Context) -> Record:
        """The record that `reference` names. Raises Refused with every mistake in it; nothing is executed."""
        ...
