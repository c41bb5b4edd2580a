"""The context of every stage: the event sink, the cancel token, the cache and the settings."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from repro_tui.model.errors import Inconclusive
from repro_tui.model.event import Event, StepStatus
from repro_tui.model.request import Settings
from repro_tui.model.workspace import Match, Part
from repro_tui.support.cache import Cache
from repro_tui.support.cancel import CancelToken
from repro_tui.support.redact import Redactor

EventSink = Callable[[Event], None]


def ignore_events(event: Event) -> None:
    """An event sink that discards events."""


@dataclass(slots=True)
class Step:
    """One running step; its fields become a Part of the report."""

    name: str
    context: Context
    began: float
    how: str = ""
    cached: bool = False
    key: str = ""
    matches: Match = "unknown"
    warnings: list[str] = field(default_factory=list)
    failed: bool = False

    def log(self, line: str) -> None:
        """Emits one line of this step's log, which the user interface shows live."""
        self.context.emit(Event("log", side=self.context.side, step=self.name, text=line))

    def progress(self, text: str) -> None:
        """Emits what the step is doing now."""
        self.context.emit(Event("step", side=self.context.side, step=self.name, status="progress", text=text))

    def rows_done(self, done: int, total: int) -> None:
        """Emits how many of the step's rows are done: who follows it can estimate the time that is left."""
        detail = {"done": done, "total": total}
        self.context.emit(Event("step", side=self.context.side, step=self.name, status="progress", detail=detail))

    def warn(self, text: str) -> None:
        """Records a warning that does not stop the step."""
        self.warnings.append(text)
        self.context.emit(Event("warning", side=self.context.side, step=self.name, text=text))

    def part(self) -> Part:
        """This step as a Part of the report; its duration ends now."""
        seconds = time.monotonic() - self.began
        return Part(self.name, self.how, self.cached, seconds, self.key, self.matches, tuple(self.warnings))


@dataclass(frozen=True, slots=True)
class Context:
    """Passed down to every stage; nothing is global.

    `folder` is the side's own folder in the audit ("a", "b"); `here` is the user's current folder, for sources that
    search upwards. `unreachable` has the repositories and commits, and the servers ("" as commit), that could not be
    read in this audit, and why: nobody waits for them twice.
    """

    cache: Cache
    cancel: CancelToken = field(default_factory=CancelToken)
    emit: EventSink = ignore_events
    settings: Settings = field(default_factory=Settings)
    side: str = ""
    folder: Path = field(default_factory=Path)
    audit_id: str = ""
    here: Path = field(default_factory=Path.cwd)
    redactor: Redactor = field(default_factory=Redactor)
    unreachable: dict[tuple[str, str], Inconclusive] = field(default_factory=dict)

    def for_side(self, side: str, folder: Path) -> Context:
        """The same context for one side."""
        return replace(self, side=side, folder=folder)

    @contextmanager
    def step(self, name: str, text: str) -> Iterator[Step]:
        """Emits the start and the end of a step; an error ends the step as failed and is raised again."""
        self.cancel.check()
        step = Step(name, self, time.monotonic())
        self.emit(Event("step", side=self.side, step=name, status="started", text=text))
        try:
            yield step
        except BaseException as error:
            self.emit(Event("step", side=self.side, step=name, status="failed", text=str(error)))
            raise
        status: StepStatus = "failed" if step.failed else "cached" if step.cached else "done"
        self.emit(Event("step", side=self.side, step=name, status=status, text=step.how))
