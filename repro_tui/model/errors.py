"""The errors that users see. Each says what happened, to which thing, and what to do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from repro_tui.model.workspace import BuiltEnvironment, FetchedData, Part


class ReproError(Exception):
    """The base class of every error that is shown to the user as a plain message."""

    exit_status = 3


@dataclass(frozen=True, slots=True)
class Mistake:
    """One mistake in the user's input: its place, and what is wrong there."""

    place: str
    message: str

    def __str__(self) -> str:
        return f"{self.place}: {self.message}" if self.place else self.message


class Refused(ReproError):
    """Bad input: nothing was executed and nothing was written (exit status 2)."""

    exit_status = 2

    def __init__(self, *mistakes: Mistake | str) -> None:
        self.mistakes = tuple(m if isinstance(m, Mistake) else Mistake("", m) for m in mistakes)
        super().__init__("; ".join(map(str, self.mistakes)))

    @classmethod
    def all(cls, mistakes: Sequence[Mistake]) -> Refused:
        """Reports all mistakes of one input at once, each with its place."""
        return cls(*mistakes)


class Inconclusive(ReproError):
    """A side could not be rebuilt, run or compared (exit status 3).

    `what` says what happened and to which thing; `do` is the remedy. A failed rebuild sets `step` to the step that
    failed, `parts` to the finished steps (model.workspace.Part), and `environment` and `data` to what these steps made
    (None: they did not succeed).
    """

    exit_status = 3

    def __init__(self, reason: str, do: str = "") -> None:
        self.what, self.do = reason, do
        self.step = ""
        self.parts: tuple[Part, ...] = ()
        self.environment: BuiltEnvironment | None = None
        self.data: tuple[FetchedData, ...] | None = None
        super().__init__(f"{reason.rstrip('.')}. {do[0].upper()}{do[1:]}" if do else reason)


class PluginFailed(Inconclusive):
    """A plug-in raised something unexpected, did not return, or returned something else than it has to."""


class Cancelled(ReproError):
    """The audit was stopped by a signal (exit status 128 + signal)."""

    def __init__(self, signal_number: int = 2) -> None:
        self.signal_number = signal_number
        self.exit_status = 128 + signal_number
        super().__init__(f"stopped by signal {signal_number}")


class Ended(Cancelled):
    """A part of the audit was ended because nothing needs its result any more; the audit itself goes on."""

    def __init__(self, reason: str) -> None:
        super().__init__()
        self.args = (reason,)
