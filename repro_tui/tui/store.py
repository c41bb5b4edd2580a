"""What the interface knows about one audit: read from its folder, at most five times a second, and never written."""

from __future__ import annotations

import contextlib
import os
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, cast

from repro_tui.audit.folder import AuditFolder
from repro_tui.model.errors import Refused
from repro_tui.model.event import Event
from repro_tui.model.finding import Accepted, Area, AreaName, Finding
from repro_tui.model.predictions import PredictionsArea
from repro_tui.model.report import Report
from repro_tui.support.paths import audits_root, data_rows, line_diff
from repro_tui.support.plain import from_plain
from repro_tui.tui.clock import AuditClock, WallClock, age, duration

if TYPE_CHECKING:
    from repro_tui.model.heading import Heading

ENDED = "ended, because "  # how the journal calls a run that was ended because the other side had failed


class StepLog:
    """The lines that the journal has of one step, as bytes: hundreds of thousands of them take no more room there."""

    def __init__(self) -> None:
        self._added: list[bytes] = []
        self._content = b""

    def append(self, text: str) -> None:
        """Adds a text of one or more lines."""
        self._added.append(text.encode("utf-8", "backslashreplace") + b"\n")

    @property
    def content(self) -> bytes:
        """All lines."""
        if self._added:
            self._content = b"".join((self._content, *self._added))
            self._added.clear()
        return self._content


@dataclass(slots=True)
class StepState:
    """One step of one side: its status, its last message, when it began and how long it took (seconds), and its log.

    `done` of `total` rows (or whatever the step counts) are done; 0 of 0 where that is not known.
    """

    status: str = ""
    text: str = ""
    began: float = 0.0
    seconds: float = 0.0
    done: int = 0
    total: int = 0
    log: StepLog = field(default_factory=StepLog)

    @property
    def running(self) -> bool:
        """Whether it has begun and not ended."""
        return self.status in ("started", "progress")


class LedgerEntry(TypedDict, total=False):
    """A hybrid that a search for the cause has tried: a line of explain/ledger.jsonl, as far as it is shown."""

    stage: str
    from_b: list[str]
    score: float | None
    rows_as_b: float | None
    told: str


class AuditStore:
    """Follows the folder of one audit.

    `state` is "running", "finished" (there is a report) or "stopped" (there is none), `areas` the areas that are known
    so far, `ledger` the hybrids that a search for the cause has tried, `problem` why the report cannot be read, and
    `swapped` whether the screens show B left of A. `last_step` is the side and the name of the step that the journal's
    last event of a step is about. `keys` are the user's own keys, for the texts that name one.
    """

    def __init__(
        self, folder: AuditFolder, clock: WallClock | None = None, keys: Mapping[str, str] | None = None
    ) -> None:
        self.folder, self.keys = folder, dict(keys or {})
        self.clock = clock or WallClock()
        self._time = AuditClock(self.clock)
        self.steps: dict[tuple[str, str], StepState] = {}
        self.areas: dict[str, Area | PredictionsArea] = {}
        self.warnings: list[str] = []
        self.ledger: list[LedgerEntry] = []
        self.report: Report | None = None
        self.state = "running"
        self.last_words = ""
        self.last_step = ("", "")
        self.problem = ""
        self.swapped = False
        self._offset = 0
        self._seconds = 0.0
        self._started: str | None = None
        self._heading: Heading | None = None

    @property
    def seconds(self) -> float:
        """The seconds since the engine began: by the clock while it runs, else until the journal's last event."""
        return max(self._seconds, self._time.now()) if self.running else self._seconds

    def seconds_of(self, step: StepState) -> float:
        """The seconds that a step has taken so far."""
        return max(step.seconds, self.seconds - step.began) if self.running and step.running else step.seconds

    def seconds_left(self, side: str, name: str) -> float | None:
        """The seconds that a running step still takes, by its rows or by earlier runs of its side; None if unknown."""
        step = self.steps.get((side, name))
        if step is None or not step.running:
            return None
        spent = self.seconds_of(step)
        if step.done and step.total:
            return max(0.0, spent * (step.total - step.done) / step.done)
        earlier = [
            run.seconds
            for (letter, run_name), run in self.steps.items()
            if letter == side and name.startswith("run ") and run_name.startswith("run ") and run.status == "done"
        ]
        return max(0.0, max(earlier) - spent) if earlier else None

    @property
    def started(self) -> str:
        """When the audit was started (UTC), as its report or its request has it; "" where neither can be read."""
        if self.report is not None and self.report.audit.started:
            return self.report.audit.started
        return heading.started if (heading := self._read_heading()) is not None else ""

    @property
    def age(self) -> str:
        """How long the audit has been running, or how long ago it was started."""
        if self.running:
            return f"running {duration(self.seconds)}"
        if self._started is None:
            self._started = self.started
        return age(self._started, self.clock.wall())

    @property
    def running(self) -> bool:
        """Whether the engine is still running."""
        return self.state == "running"

    @property
    def id(self) -> str:
        """The audit's id, or its folder's name while there is no report."""
        return self.report.audit.id if self.report else self.folder.path.name

    @property
    def shown_folder(self) -> str:
        """The folder's path, relative to the current folder where it is below it."""
        path, here = self.folder.path.absolute(), Path.cwd()
        return str(path.relative_to(here) if path.is_relative_to(here) else path)

    @property
    def attach(self) -> str:
        """The command that opens this audit again, with its id where that is enough."""
        path = self.folder.path.absolute()
        name = path.name if path.parent == audits_root().absolute() else self.shown_folder
        return f"repro-tui show {shlex.quote(name)}"

    def reload(self) -> None:
        """Forgets what was read, and reads everything again."""
        swapped = self.swapped
        self.__init__(self.folder, self.clock)  # type: ignore[misc]
        self.swapped = swapped
        self.read()

    def read(self) -> bool:
        """Reads what is new in the folder; returns whether there was anything."""
        before, offset = self.state, self._offset
        alive = self.folder.engine_alive()
        events = self._new_events()
        for event in events:
            self._add(event)
        if events and alive:
            self._set_clock()
        if not alive or os.path.lexists(self.folder.path / "report.json"):
            self._finish()
        return self._offset != offset or self.state != before

    def _new_events(self) -> list[Event]:
        """What was added to the journal; nothing where it cannot be read, which is shown once the engine has ended."""
        try:
            events, self._offset = self.folder.events(self._offset)
        except Refused as error:
            self.problem = str(error)
            return []
        return events

    def _set_clock(self) -> None:
        """Ties our clock to the journal's: the file says when its last event was written."""
        with contextlib.suppress(OSError):
            self._time.set(self._seconds, (self.folder.path / "journal.jsonl").stat().st_mtime)

    def _finish(self) -> None:
        if self.report is None:
            try:
                self.report = self.folder.report()
            except Refused as error:
                self.problem = str(error)
        self.state = "finished" if self.report else "stopped"
        if self.report:
            self.areas = {name: getattr(self.report.areas, name) for name in self.report.areas.__dataclass_fields__}
            self.warnings = list(self.report.warnings)

    def _add(self, event: Event) -> None:
        self._seconds = max(self._seconds, event.seconds)
        if event.kind == "area":
            kind: Any = PredictionsArea if event.step == "predictions" else Area
            with contextlib.suppress(ValueError):  # too large for the journal; or no engine's journal
                self.areas[event.step] = from_plain(kind, event.detail.get("area"))
        elif event.kind == "warning":
            self.warnings.append(f"{event.side.upper()}: {event.text}" if event.side else event.text)
        elif event.kind == "end":
            self.last_words = event.text
        elif event.step:
            self._step(event)

    def _step(self, event: Event) -> None:
        step = self.steps.setdefault((event.side, event.step), StepState())
        self.last_step = (event.side, event.step)
        if event.kind == "log":
            step.log.append(event.text)
            if isinstance(event.detail.get("ledger"), dict):
                self.ledger.append(cast(LedgerEntry, event.detail["ledger"]))
            return
        if event.status == "started":
            step.began = event.seconds
        step.status = event.status
        step.text = event.text or step.text
        step.seconds = event.seconds - step.began
        done, total = event.detail.get("done"), event.detail.get("total")
        if isinstance(done, int) and isinstance(total, int) and 0 <= done <= total:
            step.done, step.total = done, total
        if event.text and event.status in ("progress", "done", "cached", "failed"):
            step.log.append(event.text)

    def area(self, name: AreaName) -> Area | None:
        """One of the areas other than the predictions; None while it is not known."""
        area = self.areas.get(name)
        return area if isinstance(area, Area) else None

    def whole_diff(self, area: AreaName, finding: Finding) -> Path | None:
        """The file with all changed lines of a finding about a text; None where the report has them all."""
        path = line_diff(self.folder.path, area, finding.path)
        return path if path.exists() else None

    def data_cells(self, finding: Finding) -> Path | None:
        """The differing cells of the data table whose column the finding is about; None if it is about no column."""
        cells = data_rows(self.folder.path, finding.path[:-1]) / "differences.parquet"
        return cells if not finding.children and cells.exists() else None

    def mark_accepted(self, area: AreaName, finding: Finding | None, mark: Accepted) -> None:
        """Shows as accepted what was just written into the policy file; the audit's folder stays as it is."""
        known = self.areas.get(area)
        if isinstance(known, Area) and finding is not None:
            findings = tuple(replace(f, accepted=mark) if f.path == finding.path else f for f in known.findings)
            self.areas[area] = replace(known, findings=findings)
        elif isinstance(known, PredictionsArea):
            self.areas[area] = replace(known, accepted=mark)

    def predictions(self) -> PredictionsArea | None:
        """The predictions' area; None while it is not known."""
        area = self.areas.get("predictions")
        return area if isinstance(area, PredictionsArea) else None

    def names(self) -> tuple[str, str]:
        """The labels of both sides: their names, with the commit where there is one."""
        if (heading := self._read_heading()) is not None:
            return heading.a.label, heading.b.label
        sides = self.report.sides if self.report else None
        return (sides.a.name, sides.b.name) if sides else ("A", "B")

    def references(self) -> tuple[str, str]:
        """The references of both sides as the user typed them."""
        if (heading := self._read_heading()) is None:
            return ("A", "B")
        return heading.a.reference or heading.a.name, heading.b.reference or heading.b.name

    def _read_heading(self) -> Heading | None:
        """The request's sides and start, which are read once; None where they cannot be read."""
        if self._heading is None:
            with contextlib.suppress(Refused):
                self._heading = self.folder.heading()
        return self._heading
