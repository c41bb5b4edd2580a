"""The way into the interface: only here is it imported, and only where there is a terminal for it."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from repro_tui.audit.folder import AuditFolder


def has_terminal() -> bool:
    """Whether the interface can be shown: it reads standard input and draws on standard error."""
    return sys.stdin.isatty() and sys.stderr.isatty() and os.environ.get("TERM", "dumb") != "dumb"


def check_interface() -> None:
    """Raises Refused where the user's configuration of the interface is wrong: before anything is executed."""
    from repro_tui.tui.config import interface_config

    interface_config()


def open_picker(mouse: bool = True) -> int:
    """The interface on its picker. Raises Refused where there is no terminal."""
    from repro_tui.model.errors import Refused

    if not has_terminal():
        raise Refused("the interface needs a terminal: name two references, or see repro-tui --help")
    from repro_tui.tui.app import run_interface

    return run_interface(None, mouse)


def open_audit_screen(folder: AuditFolder, mouse: bool = True) -> int:
    """The interface on one audit, running or finished."""
    from repro_tui.tui.app import run_interface

    return run_interface(folder, mouse)
