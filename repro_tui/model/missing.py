"""What a record lacks. It has a file of its own, because a report names it without having to know records."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Missing:
    """A field that the record lacks: why it matters or is absent, and how to record it."""

    field: str
    why: str
    do: str = ""
