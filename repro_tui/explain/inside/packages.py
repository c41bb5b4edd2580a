"""The packages of an environment of this machine as items, and the releases of one package as a sequence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import cast

from packaging.version import InvalidVersion, Version

from repro_tui.explain.factors import differing_packages
from repro_tui.explain.inside.base import Inside
from repro_tui.explain.inside.implications import implications, likelihoods
from repro_tui.model.workspace import BuiltEnvironment
from repro_tui.rebuild.environments.contents.requires import Distribution, read_distributions, site_packages
from repro_tui.rebuild.environments.pythons.interpreters import Interpreter, find_interpreter
from repro_tui.rebuild.environments.releases import releases_between
from repro_tui.rebuild.environments.venv import is_of_commit, made_environment, pin_name, wheel_of
from repro_tui.rebuild.hybrid import Parts
from repro_tui.support.context import Context

PYTHON = "python"
STEP = "environment"


@dataclass(frozen=True, slots=True)
class Side:
    """One side's environment: its interpreter, and the pins of its packages by name, without projects of the commit."""

    environment: BuiltEnvironment
    interpreter: Interpreter
    pins: Mapping[str, str]

    @classmethod
    def from_environment(cls, environment: BuiltEnvironment, context: Context) -> Side:
        """The side of a rebuilt environment. Raises Inconclusive where its interpreter is not on this machine."""
        interpreter = find_interpreter(environment.inventory.interpreter["version"], context)
        return cls(environment, interpreter, {pin_name(pin): pin for pin in environment.pins if not is_of_commit(pin)})

    def version(self, name: str) -> str | None:
        """The version of a package, or of the interpreter itself."""
        if name == PYTHON:
            return self.interpreter.version
        package = self.environment.inventory.python_packages.get(name)
        return package.version if package else None

    def distributions(self) -> dict[str, Distribution]:
        """The packages with their requirements."""
        folder = site_packages(self.environment)
        return read_distributions(folder, self.interpreter.markers) if folder else {}


def inside_environment(
    factor: str, a: BuiltEnvironment, b: BuiltEnvironment, imported: frozenset[str], context: Context
) -> Inside:
    """The packages in which two environments of this machine differ, and the interpreter where that differs.

    `imported` are the packages that the code imports: they are likelier to be guilty.
    """
    side_a, side_b = Side.from_environment(a, context), Side.from_environment(b, context)
    items = _differing(side_a, side_b)
    of_a, of_b = side_a.distributions(), side_b.distributions()

    def parts(base: Parts, from_b: frozenset[str], context: Context) -> Parts:
        return replace(base, environment=mixed(side_a, side_b, from_b, {}, context))

    return Inside(
        factor,
        items,
        parts,
        sides=lambda name: (side_a.version(name), side_b.version(name)),
        path=lambda name: ("interpreter",) if name == PYTHON else ("packages", name),
        implications=implications(of_a, of_b, items),
        likely=likelihoods(of_a, of_b, items, imported),
    )


def _differing(a: Side, b: Side) -> tuple[str, ...]:
    own = {pin_name(pin) for side in (a, b) for pin in side.environment.pins if is_of_commit(pin)}
    packages = [name for name in differing_packages(a.environment, b.environment) if name not in own]
    return (*packages, *((PYTHON,) if a.interpreter != b.interpreter else ()))


def mixed(a: Side, b: Side, from_b: frozenset[str], releases: Mapping[str, str], context: Context) -> BuiltEnvironment:
    """The environment with these packages from B and the rest from A.

    `releases` has the versions of packages that are of neither side. Raises Inconclusive where uv cannot build it.
    """
    names = sorted(a.pins.keys() | b.pins.keys())
    pins = [pin for name in names if (pin := (b if name in from_b else a).pins.get(name)) and name not in releases]
    pins += [f"{name}=={version}" for name, version in releases.items()]
    base = b if PYTHON in from_b else a
    with context.step(STEP, "mixing packages") as step:
        built = made_environment(sorted(pins), base.interpreter, step, context)
    return replace(built, inventory=base.environment.inventory)


@dataclass(frozen=True, slots=True)
class Releases:
    """The releases of one package from A's to B's: ascending, or descending where B's is the older one."""

    name: str
    versions: tuple[str, ...]
    a: Side
    b: Side

    def parts(self, base: Parts, from_b: frozenset[str], index: int, context: Context) -> Parts:
        """The parts of the hybrid with the release at this index, and the packages `from_b` from B."""
        release = {self.name: self.versions[index]}
        return replace(base, environment=mixed(self.a, self.b, from_b - {self.name}, release, context))


def releases_of(name: str, a: BuiltEnvironment, b: BuiltEnvironment, context: Context) -> Releases | None:
    """The releases from A's version of a package to B's, both included; None where none between them is known."""
    side_a, side_b = Side.from_environment(a, context), Side.from_environment(b, context)
    versions = side_a.version(name), side_b.version(name)
    if name == PYTHON or None in versions or side_a.interpreter != side_b.interpreter:
        return None
    if any(wheel_of(side.pins.get(name, "")) for side in (side_a, side_b)):
        return None  # it was built here: an index may have another package of that name
    ends = cast(tuple[str, str], versions)
    try:
        low, high = sorted(ends, key=Version)
    except InvalidVersion:
        return None
    between = releases_between(name, low, high, side_a.interpreter, context)
    if not between or low == high:
        return None
    ascending = (low, *between, high)
    return Releases(name, ascending if ends[0] == low else ascending[::-1], side_a, side_b)
