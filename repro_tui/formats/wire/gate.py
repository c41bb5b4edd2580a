"""The tables of a policy file: `[gate]`, and `[[accepted]]` for each accepted change."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from repro_tui.formats.wire.mistakes import Table
from repro_tui.model.finding import AREAS
from repro_tui.model.request import AreaWord
from repro_tui.support.bounds import parse_bound
from repro_tui.support.budgets import parse_budget

Positive = Annotated[float, Field(ge=0, allow_inf_nan=False)]


def _day(value: object) -> object:
    """A day as TOML has it, or as text in YAML and JSON."""
    if isinstance(value, datetime.datetime) or not isinstance(value, str | datetime.date):
        raise ValueError("is not a day: expected YYYY-MM-DD, such as 2027-01-31")  # noqa: TRY004
    if isinstance(value, datetime.date):
        return value
    try:
        return datetime.date.fromisoformat(value)
    except ValueError:
        raise ValueError("is not a day: expected YYYY-MM-DD, such as 2027-01-31") from None


def _sandbox(value: object) -> object:
    """A sandbox. To go without one is for the person who starts the audit to say, not for a file that it audits."""
    if value == "none":
        raise ValueError(
            "may not be none, as whoever can change this file could switch the sandbox off: pass --isolation none"
        )
    return value


def _budget(text: str) -> str:
    parse_budget(text)
    return text


def _bound(text: str) -> str:
    parse_bound(text)
    return text


def _text(text: str) -> str:
    if not text.strip():
        raise ValueError("is empty: say why the change is accepted")
    return text


Day = Annotated[datetime.date, BeforeValidator(_day)]


class ToleranceFields(Table):
    """The tolerance of one output column."""

    atol: Positive | None = Field(None, description="Absolute tolerance.")
    rtol: Positive | None = Field(None, description="Relative tolerance.")


class GateFields(Table):
    """Settings of every audit of this project, in CI and by hand; options of the command line override them."""

    fail_on: Annotated[list[AreaWord], Field(min_length=1)] | None = Field(
        None, description="Areas whose differences mean exit status 1 (default: predictions)."
    )
    atol: Positive | None = Field(None, description="Absolute tolerance for all columns.")
    rtol: Positive | None = Field(None, description="Relative tolerance for all columns.")
    columns: dict[str, ToleranceFields] = Field({}, description="Tolerances by output column.")
    explain: bool | None = Field(None, description="Whether to find the cause of a drift.")
    budget: Annotated[str, AfterValidator(_budget)] | None = Field(
        None, description="Limit of that search: a number of predict runs, such as 40, or a time, such as 15m."
    )
    repeat: Annotated[int, Field(ge=1, le=100)] | None = Field(None, description="Runs of each side.")
    isolation: Annotated[Literal["auto", "container", "bubblewrap", "namespace"], BeforeValidator(_sandbox)] | None = (
        Field(None, description="Sandbox that isolates a run from this machine.")
    )


class AcceptedFields(Table):
    """A change that was accepted: this one, and not any change at its path. `repro-tui accept` writes it."""

    path: str = Field(description="AREA.PATH joined by dots, with * and ?; predictions, or predictions.COLUMN.")
    reason: Annotated[str, AfterValidator(_text)] = Field(description="Why it is accepted.")
    until: Day = Field(description="The last day (UTC) on which it is accepted.")
    owner: str = Field("", description="Who answers for it.")
    audit: str = Field("", description="The id of the audit that it was seen in, which prune keeps.")
    change: Literal["added", "removed", "changed"] | None = Field(None, description="How it changed.")
    a: Any = Field(None, description="The value or hash in A; absent: none.")
    b: Any = Field(None, description="The value or hash in B; absent: none.")
    digest: str = Field("", description="The digest of the whole finding, where a and b do not tell it from another.")
    evidence: str = Field("", description="Of predictions: the digest of all differing cells.")
    bounds: list[Annotated[str, AfterValidator(_bound)]] = Field(
        [], description='Of predictions: limits that the drift stays within, such as "flips <= 0.5 %".'
    )

    @model_validator(mode="after")
    def _says_which_change(self) -> AcceptedFields:
        mistakes = list(self._mistakes())
        if mistakes:
            raise ValueError("; ".join(mistakes))
        return self

    def _mistakes(self) -> Iterator[str]:
        area = self.path.partition(".")[0]
        if area not in AREAS:
            yield f"has a path in no area: expected it to begin with one of {', '.join(AREAS)}"
        elif area == "predictions":
            if bool(self.evidence) == bool(self.bounds):
                yield "accepts predictions: expected either evidence or bounds"
            if self.evidence and self.path != area:
                yield "has evidence, which is of all predictions: expected the path predictions"
            if self.change or self.digest or not (self.a is None and self.b is None):
                yield "accepts predictions: change, a, b and digest are of the other areas"
        else:
            if self.evidence or self.bounds:
                yield "has evidence or bounds, which are of predictions only"
            if self.change is None or (self.a is None and self.b is None and not self.digest):
                yield "does not say which change is accepted: expected change with a, b or digest"
            if (self.change == "added" and self.a is not None) or (self.change == "removed" and self.b is not None):
                yield f"has a value on the side that has none: the change is {self.change}"
