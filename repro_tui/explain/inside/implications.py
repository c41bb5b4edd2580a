"""Which packages need each other: "j from B needs i from B", from the metadata of both sides.

Every mixture of packages that is closed under these implications can be installed without a conflict that the
packages declare. What pure A or pure B violates already is ignored.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from repro_tui.rebuild.environments.requires import Distribution

IMPORTED = 4.0
Packages = Mapping[str, Distribution]


def implications(a: Packages, b: Packages, items: Collection[str]) -> dict[str, frozenset[str]]:
    """For each differing package that is taken from B, those that have to come from B with it."""
    found: dict[str, set[str]] = {name: set() for name in items}
    for name in items:
        for needed in _clashes(b.get(name), b, a):
            if needed in found:
                found[name].add(needed)  # B's package, with A's version of what it needs
        for needed in _clashes(a.get(name), a, b):
            if needed in found:
                found[needed].add(name)  # A's package, with B's version of what it needs
    return {name: frozenset(needed - {name}) for name, needed in found.items()}


def _clashes(package: Distribution | None, own: Packages, other: Packages) -> Iterator[str]:
    """What a package needs and its own side fulfils, and the other side does not."""
    for requirement in package.requires if package else ():
        name = canonicalize_name(requirement.name)
        if _fulfilled(requirement, own.get(name)) and not _fulfilled(requirement, other.get(name)):
            yield name


def _fulfilled(requirement: Requirement, package: Distribution | None) -> bool:
    if package is None:
        return False
    try:
        return requirement.specifier.contains(Version(package.version), prereleases=True)
    except InvalidVersion:
        return True


def likelihoods(a: Packages, b: Packages, items: Collection[str], imported: Collection[str]) -> dict[str, float]:
    """How much likelier than others each package is to be guilty: what the code imports, what many packages need."""
    needed: dict[str, int] = {}
    for packages in (a, b):
        for package in packages.values():
            for name in {canonicalize_name(requirement.name) for requirement in package.requires}:
                needed[name] = needed.get(name, 0) + 1
    return {name: 1.0 + needed.get(name, 0) / 2 + (IMPORTED if name in imported else 0.0) for name in items}
