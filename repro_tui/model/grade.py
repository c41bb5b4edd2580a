"""How well a record reproduces what was recorded of its outputs: the grades of `verify`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from repro_tui.model.record import Missing

Level = Literal["R0", "R1", "R2", "R3", "R4", "R5", "R6"]
LEVEL_WORDS: dict[Level, str] = {
    "R0": "the record is incomplete",
    "R1": "a part of it cannot be rebuilt",
    "R2": "it is rebuilt, and does not run",
    "R3": "it runs, and does not give the recorded metrics",
    "R4": "its metrics match, and its predictions differ or were not recorded",
    "R5": "its predictions are within the tolerance or the noise",
    "R6": "its predictions are byte-identical",
}


@dataclass(frozen=True, slots=True)
class Metric:
    """One recorded metric against what the rebuilt deployment gives. `matches` None: unknown, which is no match.

    `recorded` is null in a report where NaN or infinity was recorded.
    """

    name: str
    recorded: float | None
    rebuilt: float | None = None
    matches: bool | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Grade:
    """The grade in one sentence; `gaps` is what the record does not have."""

    level: Level
    sentence: str
    gaps: tuple[Missing, ...] = ()
    metrics: tuple[Metric, ...] = ()

    @property
    def exit_status(self) -> int:
        """0 where the predictions are reproduced, 1 where they or the metrics are not, 3 where nothing ran."""
        return 0 if self.level in ("R5", "R6") else 1 if self.level in ("R3", "R4") else 3
