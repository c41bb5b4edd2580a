"""The protocol that every source implements."""

from __future__ import annotations

from typing import Protocol

from repro_tui.model.record import Record
from repro_tui.support.context import Context


class Source(Protocol):
    """Reads the record of a deployment from the system that it was recorded in.

    Third-party packages register a class with this method under the entry-point group `repro_tui.sources`; it is then
    used for every reference that begins with the name of the entry point and a colon.
    """

    def load(self, reference: str, context: Context) -> Record:
        """Returns the record that `reference` names, with the place each field was read from in `provenance`.

        Nothing may be executed, and nothing may be written outside `context.cache`. What the system did not record is
        listed in `Record.missing`, never guessed. Raises Refused with every mistake in the reference or the record.
        """
        ...
