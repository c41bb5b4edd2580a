"""The application: which screen is shown, which audit is followed, and a clean end whatever ends it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from typing import Any, ClassVar, Literal

from textual import work
from textual.app import App
from textual.binding import BindingType
from textual.screen import Screen

from repro_tui.audit.folder import AuditFolder
from repro_tui.model.errors import ReproError
from repro_tui.model.finding import Finding
from repro_tui.support.plain import to_plain
from repro_tui.support.text import show
from repro_tui.tui.palette import Everything
from repro_tui.tui.screens.base import AuditScreen
from repro_tui.tui.screens.modals import Ask, Copied, Help, Told
from repro_tui.tui.store import Store
from repro_tui.tui.themes import DARK, LIGHT

POLL_S = 0.2


class Auditor(App[int]):
    """The terminal interface of repro-tui."""

    TITLE = "repro-tui"
    COMMANDS = {Everything}
    BINDINGS: ClassVar[list[BindingType]] = []
    ENABLE_COMMAND_PALETTE = True

    def __init__(self, audit: AuditFolder | None = None) -> None:
        super().__init__()
        self.first = audit
        self.store: Store | None = None
        self.register_theme(DARK)
        self.register_theme(LIGHT)
        self.theme = "repro-light" if os.environ.get("COLORFGBG", "").endswith((";15", ";7")) else "repro-dark"
        if os.environ.get("SSH_TTY"):
            self.animation_level = "none"

    def on_mount(self) -> None:
        """Opens the first screen; a signal restores the terminal and leaves the audit to its engine."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self.exit, 128 + number)
        if self.first is not None:
            self.open_audit(self.first)
        else:
            self.show_picker()
        self.set_interval(POLL_S, self._poll)

    # -- the audit that is followed -----------------------------------------------------------------------------

    def open_audit(self, folder: AuditFolder) -> None:
        """Follows an audit: its overview, or its progress while it runs."""
        self.store = Store(folder)
        self.store.read()
        self.run_action_show("progress" if self.store.running else "overview")

    def _poll(self) -> None:
        store = self.store
        if store is None or store.state != "running":
            return
        news = store.read()
        if store.state != "running":
            self.run_action_show("overview")
        elif news or type(self.screen).__name__ == "Progress":
            self._tell_screens()

    def _tell_screens(self) -> None:
        if isinstance(self.screen, AuditScreen) and self.screen.is_mounted:
            self.screen.changed()

    @work(thread=True, exclusive=True)
    def stop_audit(self, then_quit: bool = False) -> None:
        """Stops the engine, off the interface's own thread: it may take seconds."""
        from repro_tui.audit.launch import stop

        if self.store is not None:
            stop(self.store.folder, signal.SIGINT)
        if then_quit:
            self.call_from_thread(self.exit, 130)

    # -- screens ------------------------------------------------------------------------------------------------

    def show_picker(self) -> None:
        """The picker, and nothing below it."""
        from repro_tui.tui.screens.picker import Picker

        self.store = None
        self._replace(Picker())

    def run_action_show(self, name: str) -> None:
        """One of the audit's screens, with the overview below it."""
        if self.store is None:
            return
        while len(self.screen_stack) > 2:
            self.pop_screen()
        if name in ("overview", "progress"):
            self._replace(self._screen(name))
        else:
            if not isinstance(self.screen, AuditScreen) or self.screen.title_text != "Overview":
                self._replace(self._screen("overview"))
            self.push_screen(self._screen(name))

    def _screen(self, name: str) -> AuditScreen:
        assert self.store is not None
        if name == "overview":
            from repro_tui.tui.screens.overview import Overview

            return Overview(self.store)
        if name == "progress":
            from repro_tui.tui.screens.progress import Progress

            return Progress(self.store)
        if name == "predictions":
            from repro_tui.tui.screens.predictions import PredictionsScreen

            return PredictionsScreen(self.store)
        from repro_tui.tui.screens.area import AreaScreen

        return AreaScreen(self.store, name)  # type: ignore[arg-type]

    def _replace(self, screen: Screen[Any]) -> None:
        if len(self.screen_stack) > 1:
            self.switch_screen(screen)
        else:
            self.push_screen(screen)

    def show_area(self, name: str) -> None:
        """Opens one area."""
        self.run_action_show(name)

    def show_finding(self, area: str, finding: Finding) -> None:
        """Opens one finding, with its area below it."""
        from repro_tui.tui.screens.finding import FindingScreen

        if self.store is not None:
            self.run_action_show(area)
            self.push_screen(FindingScreen(self.store, area, finding))  # type: ignore[arg-type]

    def go_up(self) -> None:
        """One screen up: from a detail to its list, from there to the overview, from there to the picker."""
        if len(self.screen_stack) > 2:
            self.pop_screen()
        elif self.store is not None and type(self.screen).__name__ == "Progress":
            self.run_action_show("overview")
        elif self.store is not None and not self.store.running:
            self.show_picker()
        else:
            self.action_leave()

    # -- actions ------------------------------------------------------------------------------------------------

    def action_show(self, name: str) -> None:
        """The keys 1 to 7."""
        self.run_action_show(name)

    def action_help(self) -> None:
        """The keys."""
        self.push_screen(Help())

    def action_leave(self) -> None:
        """Quits; while an audit runs, asks first."""
        if self.store is None or not self.store.running:
            self.exit(self.store.report.exit_status if self.store and self.store.report else 0)
            return
        answers = (("l", "leave it running: repro-tui show attaches again"), ("s", "stop it"), ("escape", "stay"))
        self.push_screen(Ask("An audit is running.", answers), self._left)

    def _left(self, answer: str | None) -> None:
        if answer == "l":
            self.exit(0)
        elif answer == "s":
            self.stop_audit(then_quit=True)

    def action_copy(self) -> None:
        """The value under the cursor, to the terminal's clipboard."""
        found = self._selected()
        if found is not None:
            self._copy("\n".join(map(str, found)) if isinstance(found, list) else _plainly(found))

    def action_copy_json(self) -> None:
        """The same as JSON."""
        found = self._selected()
        if found is not None:
            self._copy(json.dumps(to_plain(found), indent=2))

    def _selected(self) -> Any:
        found = getattr(self.screen, "selected", lambda: None)()
        if found is None:
            self.notify("there is nothing to copy here", timeout=2)
        return found

    def _copy(self, text: str) -> None:
        shown = "\n".join(show(line) for line in text.split("\n"))
        self.copy_to_clipboard(shown)
        self.push_screen(Copied(shown))

    @work(thread=True, exclusive=True)
    def action_run_again(self) -> None:
        """Audits the same two references again."""
        from repro_tui.audit.launch import start
        from repro_tui.audit.plan import plan_again

        if self.store is None or self.store.running:
            return
        try:
            folder = start(plan_again(self.store.folder.request()))
        except ReproError as error:
            mistakes = [str(mistake) for mistake in getattr(error, "mistakes", ())] or [str(error)]
            self.call_from_thread(self.push_screen, Told("It cannot be run again", mistakes))
            return
        self.call_from_thread(self.open_audit, folder)


def _plainly(found: Any) -> str:
    if isinstance(found, dict) and {"a", "b"} <= set(found):
        return f"A: {found['a']}\nB: {found['b']}"
    return str(found)


def run_interface(screen: Literal["picker", "audit"], audit: AuditFolder | None = None, mouse: bool = True) -> int:
    """Shows the picker or an audit until the user leaves; returns the exit status."""
    app = Auditor(audit if screen == "audit" else None)
    status = app.run(mouse=mouse)
    return status if isinstance(status, int) else 0
