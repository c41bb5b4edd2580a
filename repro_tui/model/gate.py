"""What decides an audit's exit status: the gated areas, the changes that were accepted, and what came of each."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from repro_tui.model.finding import AREAS, AreaName, Change

KnownState = Literal["applies", "expired", "changed", "absent", "unclear"]


@dataclass(frozen=True, slots=True)
class AcceptedChange:
    """One `[[accepted]]` of a policy file: exactly this change, and why it is accepted until when.

    `path` is a pattern over `area.path.joined.by.dots`, as in --ignore. Of a finding, `change`, `a` and `b` are what it
    says, and `digest` is that of the whole finding, where these do not tell it from another one. Of predictions,
    `evidence` is the digest of all differing cells, or `bounds` are limits such as `flips <= 0.5 %`. `until` is the
    last day (UTC, YYYY-MM-DD), `audit` the audit that it was seen in, and `place` where it is written.
    """

    path: str
    reason: str
    until: str
    owner: str = ""
    audit: str = ""
    change: Change | None = None
    a: Any = None
    b: Any = None
    digest: str = ""
    evidence: str = ""
    bounds: tuple[str, ...] = ()
    place: str = ""


@dataclass(frozen=True, slots=True)
class KnownChange:
    """What came of one accepted change in an audit.

    `applies`: it was seen as it was accepted; `expired`: likewise, but after its last day; `changed`: something else is
    seen there, which is not accepted; `unclear`: it cannot be told whether this is what was accepted; `absent`: nothing
    of it was seen. `note` says more.
    """

    path: str
    state: KnownState
    reason: str
    owner: str = ""
    until: str = ""
    audit: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class GateReport:
    """How the exit status was decided.

    `file` is the policy file ("": none), `fail_on` the gated areas as they were named; `changes` are the accepted
    changes of the policy file. `baseline` names the report that this audit is measured by ("": none), and `known` is
    the number of differences that are in it, too. `open` has the number of differences of each area that are neither
    accepted nor known.
    """

    file: str = ""
    fail_on: tuple[str, ...] = ("predictions",)
    changes: tuple[KnownChange, ...] = ()
    baseline: str = ""
    known: int = 0
    open: dict[str, int] = field(default_factory=dict)

    @property
    def areas(self) -> tuple[str, ...]:
        """The gated areas."""
        return gated(self.fail_on)


def gated(fail_on: tuple[str, ...]) -> tuple[AreaName | str, ...]:
    """The areas whose differences decide the exit status, with `any` and `none` expanded."""
    if "none" in fail_on:
        return ()
    return tuple(AREAS) if "any" in fail_on else fail_on
