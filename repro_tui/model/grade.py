"""The grades of `verify`: how well a rebuilt record reproduces its recorded outputs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from repro_tui.model.missing import Missing

Level = Literal["R0", "R1", "R2", "R3", "R4", "R5", "R6"]
LEVEL_WORDS: dict[Level, str] = {
    "R0": "the record is incomplete",
    "R1": "a part of it cannot be rebuilt",
    "R2": "it is rebuilt, but does not run",
    "R3": "it runs, but does not reproduce the recorded metrics",
    "R4": "its metrics match, but its predictions differ or were not recorded",
    "R5": "its predictions are within the tolerance or the noise",
    "R6": "its predictions are byte-identical",
}


@dataclass(frozen=True, slots=True)
class Metric:
    """One recorded metric and its value for the rebuilt deployment.

    `matches` None means unknown, which does not count as a match. `recorded` is null in a report if NaN or infinity was
    recorded.
    """

    name: str
    recorded: float | None
    rebuilt: float | None = None
    matches: bool | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Grade:
    """The grade, with a sentence that gives the reason; `gaps` are the fields that the record lacks."""

    level: Level
    sentence: str
    gaps: tuple[Missing, ...] = ()
    metrics: tuple[Metric, ...] = ()

    @property
    def exit_status(self) -> int:
        """0 if the predictions are reproduced, 1 if they or the metrics are not, 3 if nothing ran."""
        return 0 if self.level in ("R5", "R6") else 1 if self.level in ("R3", "R4") else 3
