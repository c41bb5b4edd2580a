"""The messages that screens send to the application: all that a screen knows of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, get_args

from textual.message import Message

from repro_tui.audit.folder import AuditFolder
from repro_tui.model.finding import AreaName, Finding
from repro_tui.tui.store import AuditStore

ScreenName = Literal["overview", "environment", "parameters", "data", "predictions", "code", "cause", "progress"]
SCREENS: tuple[ScreenName, ...] = get_args(ScreenName)


class Interface(Protocol):
    """What the application offers to its screens: the user's own keys, and the audit that is followed."""

    own_keys: Mapping[str, str]
    store: AuditStore | None


class GoUp(Message):
    """Go up one screen."""


class StopAudit(Message):
    """Stop the running audit."""


@dataclass
class ShowScreen(Message):
    """Show one of the audit's screens, with the overview below it."""

    name: ScreenName


@dataclass
class OpenAudit(Message):
    """Follow an audit."""

    folder: AuditFolder


@dataclass
class OpenFinding(Message):
    """Open a finding on top of the current screen, or (`from_its_area`) with its area below it.

    `among` are the findings of the list that it stands in, through which the keys of the differences go on.
    """

    area: AreaName
    finding: Finding
    from_its_area: bool = False
    among: tuple[Finding, ...] = ()


@dataclass
class ShowColumn(Message):
    """Show the predictions, with the cursor on an output column."""

    name: str


@dataclass
class OpenFile(Message):
    """Open a file of the audit's folder, or (None) the list of its files."""

    path: Path | None
