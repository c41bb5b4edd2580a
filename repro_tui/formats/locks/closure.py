"""The packages of a lock that its roots need, for locks that list packages without saying who needs them.

An environment has one version of a package, and it satisfies everything that is installed. A lock may have several
versions of one, each for other Pythons or platforms: the one that satisfies all requirements is taken.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from packaging.version import Version

from repro_tui.formats.locks.base import Document, Wanted
from repro_tui.model.errors import Inconclusive
from repro_tui.support.text import show

MOST_ROUNDS = 50


@dataclass(frozen=True, slots=True)
class Need:
    """A requirement that applies: the package's normalised name, the extras of it, and which versions will do."""

    name: str
    extras: tuple[str, ...]
    allows: Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A version of a package that is locked for this environment, and what it needs with certain extras."""

    version: str
    package: Document
    needs: Callable[[tuple[str, ...]], Iterable[Need]]


@dataclass
class Closure:
    """The walk over `candidates`, by normalised name. `without` are packages that a lock never has, such as pip."""

    wanted: Wanted
    candidates: dict[str, list[Candidate]]
    remedy: str
    without: frozenset[str] = frozenset()
    needed: dict[str, list[Need]] = field(default_factory=dict)

    def packages(self, roots: Iterable[Need]) -> list[Document]:
        """The packages that the roots need, each in the version that satisfies all of its needs.

        The version of a package decides what it needs itself, so the walk is repeated until no choice changes.
        """
        starting = list(roots)
        chosen: dict[str, Candidate] = {}
        for _ in range(MOST_ROUNDS):
            before = {name: candidate.version for name, candidate in chosen.items()}
            chosen = self._walk(starting)
            if {name: candidate.version for name, candidate in chosen.items()} == before:
                return [candidate.package for candidate in chosen.values()]
        raise Inconclusive(f"{self.wanted.name} contradicts itself: its versions depend on each other", self.remedy)

    def _walk(self, roots: list[Need]) -> dict[str, Candidate]:
        chosen: dict[str, Candidate] = {}
        seen: set[tuple[str, tuple[str, ...]]] = set()
        needed: dict[str, list[Need]] = {}
        pending = list(roots)
        while pending:
            need = pending.pop()
            if need.name in self.without and need.name not in self.candidates:
                continue
            needed.setdefault(need.name, []).append(need)
            if (need.name, need.extras) in seen:
                continue
            seen.add((need.name, need.extras))
            chosen[need.name] = candidate = self._choice(need.name, need)
            pending += candidate.needs(need.extras)
        self.needed = needed
        return chosen

    def _choice(self, name: str, need: Need) -> Candidate:
        """The newest version that satisfies all that the last round saw, and this need."""
        needs = [*self.needed.get(name, ()), need]
        fitting = [
            candidate
            for candidate in self.candidates.get(name, ())
            if all(asked.allows(candidate.version) for asked in needs)
        ]
        if not fitting:
            reason = f"{self.wanted.name} has no version of {show(name, 120)} that everything which needs it allows"
            raise Inconclusive(reason, self.remedy)
        return max(fitting, key=lambda candidate: Version(candidate.version))
