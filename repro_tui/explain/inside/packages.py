"""The packages of an environment as things that can be mixed, and the releases of one package."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import cast

from packaging.version import InvalidVersion, Version

from repro_tui.explain.factors import differing_packages
from repro_tui.explain.inside.base import Inside
from repro_tui.explain.inside.implications import implications, likelihoods
from repro_tui.model.workspace import BuiltEnvironment
from repro_tui.rebuild.environments.interpreters import Interpreter, find_interpreter
from repro_tui.rebuild.environments.python import made_environment, pin_name
from repro_tui.rebuild.environments.releases import releases_between
from repro_tui.rebuild.environments.requires import Distribution, read_distributions, site_packages
from repro_tui.rebuild.hybrid import Parts
from repro_tui.support.context import Context

PYTHON = "python"
STEP = "environment"


@dataclass(frozen=True, slots=True)
class Side:
    """One side's environment: its interpreter, and its packages' pins by name."""

    environment: BuiltEnvironment
    interpreter: Interpreter
    pins: Mapping[str, str]

    @classmethod
    def of(cls, environment: BuiltEnvironment, context: Context) -> Side:
        """The side of a rebuilt environment of this machine."""
        interpreter = find_interpreter(environment.inventory.interpreter["version"], context)
        return cls(environment, interpreter, {pin_name(pin): pin for pin in environment.pins})

    def version(self, name: str) -> str | None:
        """The version of a package, or of the interpreter itself."""
        if name == PYTHON:
            return self.interpreter.version
        package = self.environment.inventory.python_packages.get(name)
        return package.version if package else None

    def distributions(self) -> dict[str, Distribution]:
        """The packages with what they need."""
        folder = site_packages(self.environment)
        return read_distributions(folder, self.interpreter.markers) if folder else {}


def inside_environment(
    factor: str, a: BuiltEnvironment, b: BuiltEnvironment, imported: frozenset[str], context: Context
) -> Inside:
    """The packages in which two environments of this machine differ, and the interpreter where that differs.

    `imported` are the modules that the code imports by itself: they are likelier to be guilty.
    """
    one, other = Side.of(a, context), Side.of(b, context)
    items = _differing(one, other)
    of_a, of_b = one.distributions(), other.distributions()

    def parts(base: Parts, from_b: frozenset[str], context: Context) -> Parts:
        return replace(base, environment=mixed(one, other, from_b, {}, context))

    return Inside(
        factor,
        items,
        parts,
        sides=lambda name: (one.version(name), other.version(name)),
        path=lambda name: ("interpreter",) if name == PYTHON else ("packages", name),
        implications=implications(of_a, of_b, items),
        likely=likelihoods(of_a, of_b, items, imported),
    )


def _differing(a: Side, b: Side) -> tuple[str, ...]:
    found = differing_packages(a.environment, b.environment)
    return (*found, *((PYTHON,) if a.interpreter != b.interpreter else ()))


def mixed(a: Side, b: Side, from_b: frozenset[str], releases: Mapping[str, str], context: Context) -> BuiltEnvironment:
    """The environment with these packages from B and the rest from A. `releases`: a package's version, of neither side.

    Raises Inconclusive where uv cannot make it.
    """
    names = sorted(a.pins.keys() | b.pins.keys())
    pins = [pin for name in names if (pin := (b if name in from_b else a).pins.get(name)) and name not in releases]
    pins += [f"{name}=={version}" for name, version in releases.items()]
    interpreter = (b if PYTHON in from_b else a).interpreter
    with context.step(STEP, "mixing packages") as step:
        built = made_environment(sorted(pins), interpreter, step, context)
    return replace(built, inventory=a.environment.inventory)


@dataclass(frozen=True, slots=True)
class Releases:
    """The releases of one package from A's to B's, in the order in which they lie between the two."""

    name: str
    versions: tuple[str, ...]
    a: Side
    b: Side

    def parts(self, base: Parts, from_b: frozenset[str], at: int, context: Context) -> Parts:
        """The hybrid in which this package is the release at that place, and these others are B's."""
        chosen = {self.name: self.versions[at]}
        return replace(base, environment=mixed(self.a, self.b, from_b - {self.name}, chosen, context))


def releases_of(name: str, a: BuiltEnvironment, b: BuiltEnvironment, context: Context) -> Releases | None:
    """The releases from A's version of a package to B's; None where none lies between, or none is known."""
    one, other = Side.of(a, context), Side.of(b, context)
    versions = one.version(name), other.version(name)
    if name == PYTHON or None in versions or one.interpreter != other.interpreter:
        return None
    ends = cast(tuple[str, str], versions)
    try:
        low, high = sorted(ends, key=Version)
    except InvalidVersion:
        return None
    between = releases_between(name, low, high, one.interpreter, context)
    if not between or low == high:
        return None
    rising = (low, *between, high)
    return Releases(name, rising if ends[0] == low else rising[::-1], one, other)
