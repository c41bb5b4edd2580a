"""The events of an audit, one line of the journal each."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

EventKind = Literal["audit", "step", "log", "area", "warning", "end"]
StepStatus = Literal["started", "progress", "done", "cached", "failed", "skipped", ""]


@dataclass(frozen=True, slots=True)
class Event:
    """One event. `seconds` is the monotonic time since the audit began.

    kind `step`: `side` ("a", "b" or "" for both) and `step` ("code", "environment", "data", "parameters", "run 1",
    "compare environment") with a `status`, and where rows are counted, with how many are `done` of the `total` in
    `detail`; kind `log`: one line of that step's log; kind `area`: an area is finished, and `detail` holds it as in the
    report; kind `end`: `detail` has exit_status and verdict.
    """

    kind: EventKind
    seconds: float = 0.0
    side: str = ""
    step: str = ""
    status: StepStatus = ""
    text: str = ""
    detail: dict[str, Any] = field(default_factory=dict)
