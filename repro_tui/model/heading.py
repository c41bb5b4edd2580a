"""The few fields of an audit's request that every view shows above all else; the other hundred need not be read."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CommitHeading:
    """The commit that a side's record names."""

    commit: str


@dataclass(frozen=True, slots=True)
class SideHeading:
    """One side: its name, what the user typed for it, and its commit."""

    name: str
    reference: str = ""
    code: CommitHeading | None = None

    @property
    def label(self) -> str:
        """The name, with the commit where there is one."""
        return f"{self.name}@{self.code.commit[:7]}" if self.code else self.name


@dataclass(frozen=True, slots=True)
class Heading:
    """Both sides of an audit, and when it was started (UTC)."""

    a: SideHeading
    b: SideHeading
    started: str = ""
