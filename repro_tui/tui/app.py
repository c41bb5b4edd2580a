"""The application: it follows one audit, shows its screens, and restores the terminal however it ends."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

from rich.text import Text
from textual import work
from textual.binding import BindingType
from textual.filter import LineFilter
from textual.screen import Screen

from repro_tui.audit.folder import AuditFolder
from repro_tui.model.errors import Inconclusive, ReproError
from repro_tui.model.finding import AreaName, Finding
from repro_tui.support.ascii_output import is_utf8
from repro_tui.support.collector import wake_collector
from repro_tui.support.text import show
from repro_tui.tui.ascii_lines import AsciiLines
from repro_tui.tui.clock import WallClock
from repro_tui.tui.command_palette import Everything
from repro_tui.tui.config import InterfaceConfig, interface_config
from repro_tui.tui.editor import as_json, as_text
from repro_tui.tui.failure import ending
from repro_tui.tui.navigation import (
    GoUp,
    OpenAudit,
    OpenFile,
    OpenFinding,
    ScreenName,
    ShowColumn,
    ShowScreen,
    StopAudit,
)
from repro_tui.tui.painting import PaintedApp
from repro_tui.tui.screens.base import AuditScreen
from repro_tui.tui.screens.registry import file_screen, make_screen
from repro_tui.tui.store import AuditStore
from repro_tui.tui.themes import DEFAULTS, THEMES
from repro_tui.tui.widgets.safe import notify

POLL_S = 0.2
LEFT_RUNNING = 3  # inconclusive: 0 would say to a script that nothing differs
SSH_BEAT_S = 1.0  # over SSH, what changes with the time alone is drawn once a second


class Auditor(PaintedApp):
    """The terminal interface of repro-tui."""

    TITLE = "repro-tui"
    CSS_PATH = "screens/overview.tcss"  # of the first screen: read with its widgets, the whole sheet is parsed again
    COMMANDS = {Everything}
    BINDINGS: ClassVar[list[BindingType]] = []
    ENABLE_COMMAND_PALETTE = True
    ESCAPE_TO_MINIMIZE = False

    def __init__(
        self, audit: AuditFolder | None = None, config: InterfaceConfig | None = None, clock: WallClock | None = None
    ) -> None:
        self.clock = clock or WallClock()
        config = config or interface_config()
        super().__init__(ansi_color=True if os.environ.get("NO_COLOR") else None)
        self.first = audit
        self.store: AuditStore | None = None
        for theme in THEMES.values():
            self.register_theme(theme)
        self.theme = config.theme
        self.own_keys = config.keys
        self._ascii = [] if is_utf8(getattr(sys.__stderr__, "encoding", None)) else [AsciiLines()]
        self.set_keymap(config.keys)
        if os.environ.get("SSH_TTY") or os.environ.get("SSH_CONNECTION"):
            self.animation_level = "none"
        self.beat_s = SSH_BEAT_S if self.animation_level == "none" else POLL_S
        self._beaten = 0.0

    def get_line_filters(self) -> Sequence[LineFilter]:
        """The filters of drawn lines; the last one draws ASCII where the terminal does not show UTF-8."""
        return [*super().get_line_filters(), *self._ascii]

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """The style variables that a theme may set in addition to its colours."""
        return DEFAULTS

    def _handle_signals(self) -> None:
        """A lost terminal ends the interface, any other signal the audit too."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGHUP, self.exit, 128 + signal.SIGHUP)
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._stop_at, number)

    def on_load(self) -> None:
        """Handles signals before there is a screen: from here on the terminal has to be restored."""
        self._handle_signals()

    def on_mount(self) -> None:
        """Opens the first screen."""
        if self.first is not None:
            self.open_audit(self.first)
        else:
            self.show_picker()
        self.set_interval(POLL_S, self.poll)
        self.screen.call_after_refresh(wake_collector)

    # -- the audit that is followed -----------------------------------------------------------------------------

    def open_audit(self, folder: AuditFolder) -> None:
        """Follows an audit: shows its overview, or its progress while it is running."""
        self.store = AuditStore(folder, self.clock, self.own_keys)
        self.store.read()
        self.show_screen("progress" if self.store.running else "overview")

    def poll(self) -> None:
        """Reads what is new in the audit's folder, and lets the time go on."""
        store = self.store
        if store is None or not self.is_running:
            return  # while the interface closes, its screens have lost their widgets
        if store.state != "running":
            self._beat()
            return
        news = store.read()
        if store.state != "running" and self._is_on("ProgressScreen", "OverviewScreen"):
            self.show_screen("overview")  # which is that of the failure, if there is one
        elif store.state != "running":
            self._update_screens()
            notify(self, ending(store))
        elif news:
            self._update_screens()
        else:
            self._beat()

    def _beat(self) -> None:
        """Draws what changes with the time alone."""
        now = self.clock.ticks()
        if now - self._beaten >= self.beat_s and isinstance(self.screen, AuditScreen) and self.screen.is_mounted:
            self._beaten = now
            self.screen.tick()

    def _is_on(self, *names: str) -> bool:
        return type(self.screen).__name__ in names

    def _update_screens(self) -> None:
        for screen in self.screen_stack:
            if isinstance(screen, AuditScreen) and screen.is_mounted:
                screen.changed()
                screen.show_hints()

    def _stop_at(self, number: int) -> None:
        if self.store is not None and self.store.running:
            self.stop_audit(then_quit=True, number=number)
        else:
            self.exit(128 + number)

    @work(thread=True, exclusive=True)
    def stop_audit(self, then_quit: bool = False, number: int = signal.SIGINT) -> None:
        """Stops the engine by a signal, in a thread, as that may take seconds."""
        from repro_tui.audit.launch import stop
        from repro_tui.tui.dialogs import MessageDialog

        try:
            if self.store is not None:
                stop(self.store.folder, number)
        except Inconclusive as error:  # it is not ours to stop; the view may go all the same
            if not then_quit:
                self.call_from_thread(self.push_screen, MessageDialog("Not stopped", [str(error)]))
        if then_quit:
            self.call_from_thread(self._leave_stopped, 128 + number)

    def _leave_stopped(self, status: int) -> None:
        """Ends after the audit was stopped, and names it and the command that opens it."""
        store = self.store
        sentence = f"The audit {store.id} was stopped: {store.attach} opens it." if store else ""
        self.exit(status, message=Text(show(sentence)) if sentence else None)

    # -- screens ------------------------------------------------------------------------------------------------

    def show_picker(self) -> None:
        """Shows the picker, with no screen below it."""
        from repro_tui.tui.screens.picker import PickerScreen

        self.store = None
        self._replace(PickerScreen())

    def show_screen(self, name: ScreenName) -> None:
        """Shows one of the audit's screens, with the overview below it."""
        if self.store is None:
            return
        while len(self.screen_stack) > 2:
            self.pop_screen()
        if name in ("overview", "progress"):
            self._replace(make_screen(name, self.store))
        else:
            if not self._is_on("OverviewScreen", "FailureScreen"):
                self._replace(make_screen("overview", self.store))
            self.push_screen(make_screen(name, self.store))

    def _replace(self, screen: Screen[None]) -> None:
        if len(self.screen_stack) > 1:
            self.switch_screen(screen)
        else:
            self.push_screen(screen)

    # -- messages of the screens ---------------------------------------------------------------------------------

    def on_show_screen(self, message: ShowScreen) -> None:
        """Shows the screen."""
        self.show_screen(message.name)

    def on_open_audit(self, message: OpenAudit) -> None:
        """Follows the audit."""
        self.open_audit(message.folder)

    def on_stop_audit(self, message: StopAudit) -> None:
        """Stops the audit, and stays on its screen."""
        self.stop_audit()

    def on_open_finding(self, message: OpenFinding) -> None:
        """Opens the finding on top of the current screen, or with its area below it."""
        if message.from_its_area:
            self.show_screen(message.area)
        self.push_finding(message.area, message.finding, message.among)

    def on_open_file(self, message: OpenFile) -> None:
        """Opens a file of the audit: a table as rows and columns, anything else as text."""
        if self.store is None:
            return
        if message.path is not None and not message.path.exists():
            notify(self, f"{message.path.name} no longer exists.", warn=True)
        else:
            self.push_screen(file_screen(self.store, message.path))

    def on_show_column(self, message: ShowColumn) -> None:
        """Opens the predictions with the cursor on an output column."""
        from repro_tui.tui.screens.predictions import PredictionsScreen

        self.show_screen("predictions")
        if isinstance(self.screen, PredictionsScreen):
            self.screen.start_column = message.name

    def push_finding(self, area: AreaName, finding: Finding, among: tuple[Finding, ...] = ()) -> None:
        """Opens a finding on top: a data column as its cells, any other as its difference."""
        if self.store is None:
            return
        if area == "data" and (cells := self.store.data_cells(finding)):
            from repro_tui.tui.screens.data_cells import DataCellsScreen

            self.push_screen(DataCellsScreen(self.store, finding, cells))
        else:
            from repro_tui.tui.screens.finding import FindingScreen

            self.push_screen(FindingScreen(self.store, area, finding, among))

    def on_go_up(self, message: GoUp | None = None) -> None:
        """Goes up one screen: from a detail to its list, then to the overview, then to the picker."""
        if len(self.screen_stack) > 2:
            self.pop_screen()
        elif self.store is not None and self._is_on("ProgressScreen"):
            self.show_screen("overview")
        elif self.store is not None and not self.store.running:
            self.show_picker()
        else:
            self.action_leave()

    # -- actions ------------------------------------------------------------------------------------------------

    def action_show(self, name: ScreenName) -> None:
        """Shows a screen: the keys 1 to 7."""
        self.show_screen(name)

    def action_help(self) -> None:
        """Shows all keys."""
        from repro_tui.tui.dialogs import HelpDialog

        self.push_screen(HelpDialog(self.own_keys, in_picker=self.store is None))

    async def action_quit(self) -> None:
        """Quits like `action_leave`, where Textual's own action is called."""
        self.action_leave()

    def action_leave(self) -> None:
        """Quits; while an audit runs, asks first."""
        if self._is_on("QuestionDialog"):
            return
        if self.store is None:
            self.exit(0)
            return
        if not self.store.running:
            if self.store.report:
                self.exit(self.store.report.exit_status)
            else:  # nothing was compared: 0 would say that nothing differs
                self._leave_stopped(3)
            return
        from repro_tui.tui.dialogs import QuestionDialog

        answers = (("l", f"leave it running ({self.store.attach} reattaches)"), ("s", "stop it"), ("escape", "stay"))
        self.push_screen(QuestionDialog("An audit is running.", answers), self._left)

    def _left(self, answer: str | None) -> None:
        if answer == "l" and self.store is not None:
            message = f"The audit is still running: {self.store.attach} reattaches."
            self.exit(LEFT_RUNNING, message=Text(show(message)))
        elif answer == "s":
            self.stop_audit(then_quit=True)

    def action_reload(self) -> None:
        """Reads the audit, or the picker's lists, from disk again."""
        if self.store is not None:
            self.store.reload()
            self._update_screens()
        elif self._is_on("PickerScreen"):
            self.screen.reload()  # type: ignore[attr-defined]
        self.paint_anew()
        notify(self, "Reloaded.")

    def action_copy(self) -> None:
        """Copies the value under the cursor to the terminal's clipboard."""
        selection = self._selected()
        if selection is not None:
            self._copy("\n".join(map(str, selection)) if isinstance(selection, list) else as_text(selection))

    def action_copy_json(self) -> None:
        """Copies the value under the cursor as JSON."""
        selection = self._selected()
        if selection is not None:
            self._copy(as_json(selection).rstrip("\n"))

    def action_share(self) -> None:
        """Copies a summary of the audit in Markdown, for an incident channel."""
        if self.store is None or self.store.report is None:
            notify(self, "There is no report to share yet.")
            return
        from repro_tui.report.channel import channel_summary

        self._copy(channel_summary(self.store.report, self.store.attach))

    def _selected(self) -> object:
        selection: object = getattr(self.screen, "selected", lambda: None)()
        if selection is None:
            notify(self, "There is nothing to copy here.")
        return selection

    def _copy(self, text: str) -> None:
        from repro_tui.tui.dialogs import CopiedDialog

        shown = "\n".join(show(line) for line in text.split("\n"))
        self.copy_to_clipboard(shown)
        self.push_screen(CopiedDialog(shown))

    def action_run_again(self) -> None:
        """Audits the same two references again."""
        self._start_again(explain=False)

    def action_explain(self) -> None:
        """Audits them again, and searches for the cause of the drift."""
        self._start_again(explain=True)

    def _start_again(self, *, explain: bool) -> None:
        if not any(worker.group == "again" for worker in self.workers):  # else it is already being planned
            self._again(explain=explain)

    @work(thread=True, group="again")
    def _again(self, *, explain: bool) -> None:
        from repro_tui.audit.launch import start
        from repro_tui.audit.plan import plan_again
        from repro_tui.tui.dialogs import MessageDialog

        if self.store is None or self.store.running:
            return
        try:
            request = self.store.folder.request()
            if explain:
                settings = replace(request.settings, explain=True)
                request = replace(request, settings=settings, given=tuple({*request.given, "explain"}))
            folder = start(plan_again(request))
        except ReproError as error:
            mistakes = [str(mistake) for mistake in getattr(error, "mistakes", ())] or [str(error)]
            self.call_from_thread(self.push_screen, MessageDialog("The audit cannot be run again", mistakes))
            return
        self.call_from_thread(self.open_audit, folder)


def run_interface(audit: AuditFolder | None = None, mouse: bool = True) -> int:
    """Shows an audit, or the picker (None), until the user quits; returns the exit status.

    Without `mouse` the terminal keeps the mouse. Raises Refused where the user's configuration is wrong.
    """
    config = interface_config()
    interface = Auditor(audit, config)
    status = interface.run(mouse=mouse and config.mouse)
    if isinstance(status, int):
        return status
    return 3 if interface.return_code else 128 + signal.SIGINT  # it failed; or was interrupted while it started
