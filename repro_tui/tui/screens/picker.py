"""Choose A and B: deployments of the nearest repro.toml, references typed with completion, or a past audit."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.text import Text
from textual import work
from textual.app import ComposeResult
from textual.content import Content
from textual.screen import Screen
from textual.suggester import SuggestFromList
from textual.widgets import Input, Static

from repro_tui.audit.folder import AuditFolder, AuditSummary, list_audits
from repro_tui.model.errors import ReproError
from repro_tui.model.predictions import SAME_VERDICTS
from repro_tui.sources.resolve import PREFIXES, Deployment, nearest_deployments
from repro_tui.support.text import show
from repro_tui.tui.actions import GLOBAL, Action, bindings
from repro_tui.tui.screens.modals import Told
from repro_tui.tui.widgets.bars import KeyBar, TitleBar
from repro_tui.tui.widgets.grid import ColumnSpec, Grid
from repro_tui.tui.widgets.safe import safe, text_of

KEYS = (
    Action("tab", "app.focus_next", "Next field", "the picker", "Tab next"),
    Action("r", "reload", "Read the lists again", "the picker", "r reload"),
)


class DeploymentRows:
    """Deployments as rows."""

    def __init__(self, deployments: Sequence[Deployment]) -> None:
        self.deployments = deployments

    def __len__(self) -> int:
        return len(self.deployments)

    def cells(self, row: int, widths: Sequence[int]) -> Sequence[Text]:
        """Name and description."""
        found = self.deployments[row]
        return (Text(show(found.name, 80), style="bold"), text_of(found.description, widths[1]))


class PastRows:
    """Past audits as rows, each with its verdict."""

    def __init__(self, audits: Sequence[AuditSummary]) -> None:
        self.audits = audits

    def __len__(self) -> int:
        return len(self.audits)

    def cells(self, row: int, widths: Sequence[int]) -> Sequence[Text]:
        """Glyph, verdict, what was compared, when."""
        audit = self.audits[row]
        verdict = audit.verdict or {"running": "running", "died": "stopped"}.get(audit.state, "unknown")
        good = verdict in SAME_VERDICTS
        glyph, style = (
            ("=", "green")
            if good
            else ("≠", "red")
            if verdict == "drift"
            else ("…", "cyan")
            if verdict == "running"
            else ("?", "yellow")
        )
        names = f"{show(audit.a, 60)} → {show(audit.b, 60)}"
        when = audit.started.replace("T", " ").removesuffix("Z")
        return (Text(glyph, style=style), Text(verdict, style=style), text_of(names, widths[2]), Text(when))


class Picker(Screen[None]):
    """The first screen where no audit was named."""

    CSS_PATH = "picker.tcss"
    BINDINGS = bindings(GLOBAL, KEYS)

    def compose(self) -> ComposeResult:
        """Two references, two lists."""
        yield TitleBar(markup=False)
        yield Static("", id="told", markup=False)
        yield Input(placeholder="A, the baseline: NAME, FILE#NAME or git:REV", id="a", compact=True)
        yield Input(placeholder="B, the candidate", id="b", compact=True)
        yield Grid(
            [ColumnSpec("deployment", 16, 1), ColumnSpec("", 20, 3)],
            empty="no repro.toml here or above",
            id="deployments",
        )
        columns = [
            ColumnSpec("", 1),
            ColumnSpec("past audit", 16),
            ColumnSpec("A → B", 20, 1),
            ColumnSpec("when (UTC)", 19),
        ]
        yield Grid(columns, empty="no audits yet: repro-tui demo makes one", id="audits")
        yield KeyBar(KEYS, GLOBAL)

    def on_mount(self) -> None:
        """Fills the lists."""
        self.query_one(TitleBar).tell("repro-tui", right=safe("choose A and B, or open a past audit", "dim"))
        self.action_reload()
        self.query_one("#deployments" if self.query_one("#deployments", Grid).count else "#audits").focus()

    def action_reload(self) -> None:
        """Reads the lists again."""
        deployments = nearest_deployments(Path.cwd())
        words = [d.name for d in deployments] + [prefix for prefix in PREFIXES if prefix == "git:"]
        for side in ("a", "b"):
            self.query_one(f"#{side}", Input).suggester = SuggestFromList(words, case_sensitive=True)
        self.query_one("#deployments", Grid).show_rows(DeploymentRows(deployments))
        self.query_one("#audits", Grid).show_rows(PastRows(list_audits()))
        self._tell("Enter on a deployment makes it A, on a second one B; Enter again starts.")

    def _tell(self, text: str, style: str = "dim") -> None:
        self.query_one("#told", Static).update(Content.styled(text, style))

    def on_grid_opened(self, event: Grid.Opened) -> None:
        """A deployment becomes A or B; a past audit opens."""
        source = event.grid.source
        if isinstance(source, PastRows):
            self.app.open_audit(AuditFolder(source.audits[event.row].path))  # type: ignore[attr-defined]
        elif isinstance(source, DeploymentRows):
            self._choose(source.deployments[event.row].name)

    def _choose(self, name: str) -> None:
        a, b = self.query_one("#a", Input), self.query_one("#b", Input)
        if not a.value:
            a.value = name
            self._tell("Now B.")
        elif not b.value:
            b.value = name
            b.focus()
            self._tell("Enter starts the audit.")
        else:
            self._start()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter in A goes on to B; in B it starts."""
        if event.input.id == "a":
            self.query_one("#b").focus()
        else:
            self._start()

    def _start(self) -> None:
        a, b = (self.query_one(f"#{side}", Input).value.strip() for side in ("a", "b"))
        if not (a and b):
            self._tell("Both A and B are needed.", "$text-warning")
            return
        self._tell("Reading both records …")
        self._plan(a, b)

    @work(thread=True, exclusive=True)
    def _plan(self, a: str, b: str) -> None:
        from repro_tui.audit.launch import start
        from repro_tui.audit.plan import Overrides, plan
        from repro_tui.model.request import Settings
        from repro_tui.support.cache import Cache
        from repro_tui.support.context import Context
        from repro_tui.support.paths import cache_root

        try:
            settings = Settings()
            folder = start(plan(a, b, settings, Overrides(), Context(cache=Cache(cache_root()), settings=settings)))
        except ReproError as error:
            mistakes = [str(mistake) for mistake in getattr(error, "mistakes", ())] or [str(error)]
            self.app.call_from_thread(self._refused, mistakes)
            return
        self.app.call_from_thread(self.app.open_audit, folder)  # type: ignore[attr-defined]

    def _refused(self, mistakes: list[str]) -> None:
        self._tell("Nothing was run.", "$text-warning")
        self.app.push_screen(Told("Refused", mistakes))

    def selected(self) -> object:
        """The row under the cursor is nothing to copy here."""
        return None
