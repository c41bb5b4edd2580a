"""What the parts of the interface say to each other."""

from __future__ import annotations

from textual.message import Message


class AuditChanged(Message):
    """The audit's folder has something new; the state in the store is the new one."""

    bubble = False
