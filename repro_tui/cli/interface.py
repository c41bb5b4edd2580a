"""Opens the interface: it is imported only here, and only where there is a terminal for it."""

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
    """Checks the user's configuration of the interface before anything is executed. Raises Refused."""
    from repro_tui.tui.config import interface_config

    interface_config()


def open_picker(mouse: bool = True) -> int:
    """Opens the interface on its picker; returns the exit status. Raises Refused where there is no terminal."""
    from repro_tui.model.errors import Refused

    if not has_terminal():
        raise Refused("the interface needs a terminal: name two references to audit, or see repro-tui --help")
    return _run_interface(None, mouse)


def open_audit_screen(folder: AuditFolder, mouse: bool = True) -> int:
    """Opens the interface on one audit, running or finished; returns the exit status."""
    return _run_interface(folder, mouse)


def _run_interface(folder: AuditFolder | None, mouse: bool) -> int:
    from repro_tui.support.collector import resting_collector

    with resting_collector():  # the interface wakes it once its first screen stands
        from repro_tui.tui.app import run_interface

        return run_interface(folder, mouse)
