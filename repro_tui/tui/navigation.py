"""What screens ask of the application: they post messages, and know nothing of it but this."""

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
    """What the application has for whoever stands below it: the user's own keys, and the audit that is followed."""

    own_keys: Mapping[str, str]
    store: AuditStore | None


class GoUp(Message):
    """One screen up."""


class StopAudit(Message):
    """The running audit is to be stopped."""


@dataclass
class ShowScreen(Message):
    """One of the audit's screens is wanted, with the overview below it."""

    name: ScreenName


@dataclass
class OpenAudit(Message):
    """An audit is to be followed."""

    folder: AuditFolder


@dataclass
class OpenFinding(Message):
    """A finding is to be opened, on top of what is shown, or (`from_its_area`) with its area below it."""

    area: AreaName
    finding: Finding
    from_its_area: bool = False


@dataclass
class ShowColumn(Message):
    """The predictions are wanted, with the cursor on an output column."""

    name: str


@dataclass
class OpenFile(Message):
    """A file of the audit's folder is to be opened; None: the list of all of them."""

    path: Path | None
