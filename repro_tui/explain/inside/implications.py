"""Which packages need each other: "j from B needs i from B", from the metadata of both sides.

Two rules give an implication, for packages j and i that differ:

- B's j requires a version of i that B's i fulfils and A's i does not: j from B needs i from B.
- A's i requires a version of j that A's j fulfils and B's j does not: j from B needs i from B, or A's i would break.

Every hybrid of packages that is closed under these implications can be installed without a declared conflict.
Requirements that a side violates already are ignored.

Example: A has numpy 1.26 and scipy 1.13, B numpy 2.1 and scipy 1.14; scipy 1.14 requires numpy >= 2, scipy 1.13
requires numpy < 2. scipy from B needs numpy from B, and numpy from B needs scipy from B: the two are a cycle.

Cost: linear in the number of requirements.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from repro_tui.rebuild.environments.contents.requires import Distribution

IMPORTED = 4.0  # how much an import in the code adds to the likelihood of a package
Packages = Mapping[str, Distribution]


def implications(a: Packages, b: Packages, items: Collection[str]) -> dict[str, frozenset[str]]:
    """For each differing package, those that must come from B where it does."""
    needs: dict[str, set[str]] = {name: set() for name in items}
    for name in items:
        for required in _clashes(b.get(name), b, a):
            if required in needs:
                needs[name].add(required)  # B's package clashes with A's version of what it requires
        for required in _clashes(a.get(name), a, b):
            if required in needs:
                needs[required].add(name)  # A's package clashes with B's version of what it requires
    return {name: frozenset(needed - {name}) for name, needed in needs.items()}


def _clashes(package: Distribution | None, own: Packages, opposite: Packages) -> Iterator[str]:
    """What a package requires in a version that its own side has, and the opposite side has not."""
    for requirement in package.requires if package else ():
        name = canonicalize_name(requirement.name)
        if _fulfilled(requirement, own.get(name)) and not _fulfilled(requirement, opposite.get(name)):
            yield name


def _fulfilled(requirement: Requirement, package: Distribution | None) -> bool:
    if package is None:
        return False
    try:
        return requirement.specifier.contains(Version(package.version), prereleases=True)
    except InvalidVersion:
        return True


def likelihoods(a: Packages, b: Packages, items: Collection[str], imported: Collection[str]) -> dict[str, float]:
    """How much likelier than 1.0 each package is to be guilty: the code imports it, or many packages require it."""
    uses: dict[str, int] = {}
    for packages in (a, b):
        for package in packages.values():
            for name in {canonicalize_name(requirement.name) for requirement in package.requires}:
                uses[name] = uses.get(name, 0) + 1
    return {name: 1.0 + uses.get(name, 0) / 2 + (IMPORTED if name in imported else 0.0) for name in items}
