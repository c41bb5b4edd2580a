"""The packages of two images as items: a hybrid of them is mounted over the packages of one of the images."""

from __future__ import annotations

from dataclasses import dataclass, replace

from repro_tui.explain.factors import PACKAGES, SYSTEM, differing_packages, environment_key
from repro_tui.explain.inside.base import Inside
from repro_tui.explain.inside.implications import implications, likelihoods
from repro_tui.model.errors import Inconclusive
from repro_tui.model.workspace import BuiltEnvironment, Workspace
from repro_tui.rebuild.environments.contents.requires import read_distributions
from repro_tui.rebuild.environments.site_packages import Site, mixed_site, sites_of
from repro_tui.rebuild.hybrid import Parts
from repro_tui.support.context import Context

ONE_FACTOR = "the environment is one factor"


@dataclass(frozen=True, slots=True)
class ImagePackages:
    """Two images whose packages can be exchanged: they are of one Python version, and in one and the same folder."""

    a: BuiltEnvironment
    b: BuiltEnvironment
    sites: tuple[Site, Site]

    def mixed(self, system: int, from_b: frozenset[str], context: Context) -> BuiltEnvironment:
        """One image (`system`: 0 for A's, 1 for B's) with these packages from B, and the others from A.

        Files that no package owns are B's where all differing packages are, else A's.
        """
        rest = 1 if from_b.issuperset(differing_packages(self.a, self.b)) else 0
        if system == rest and (rest or not from_b):
            return (self.a, self.b)[system]
        return mixed_site((self.a, self.b)[system], self.sites, from_b, rest, context)

    def for_factors(self, from_b: frozenset[str], context: Context) -> BuiltEnvironment:
        """The environment of the hybrid that has these factors from B."""
        system, packages = int(SYSTEM in from_b), PACKAGES in from_b
        return self.mixed(system, frozenset(differing_packages(self.a, self.b)) if packages else frozenset(), context)

    def inside(self, factor: str, imported: frozenset[str]) -> Inside:
        """The packages in which the two differ; those in `imported`, by the code, are likelier to be guilty."""
        items = differing_packages(self.a, self.b)
        of_a, of_b = (read_distributions(site.folder, _markers(self.a)) for site in self.sites)

        def parts(base: Parts, from_b: frozenset[str], context: Context) -> Parts:
            system = int(base.environment.image_id == self.b.image_id and base.environment.folder == self.b.folder)
            return replace(base, environment=self.mixed(system, from_b, context))

        return Inside(
            factor,
            items,
            parts,
            sides=lambda name: (_version(self.a, name), _version(self.b, name)),
            path=lambda name: ("packages", name),
            implications=implications(of_a, of_b, items),
            likely=likelihoods(of_a, of_b, items, imported),
        )


def image_packages(a: Workspace, b: Workspace, context: Context) -> tuple[ImagePackages | None, str]:
    """The two sides' images, where their packages can be exchanged.

    Otherwise None, and a note that says why the environment is one factor; "" where no image differs.
    """
    of_a, of_b = a.environment, b.environment
    if of_a.is_pinned or environment_key(of_a) == environment_key(of_b):
        return None, ""
    if of_a.kind == "venv":
        return None, f"{ONE_FACTOR}: packages of conda cannot be exchanged one by one"
    names = differing_packages(of_a, of_b)
    if not names:
        return None, f"{ONE_FACTOR}: the Python packages of the images are the same"
    versions = _minor(of_a), _minor(of_b)
    if not all(versions):
        return None, f"{ONE_FACTOR}: the Python version of an image is not known, so its packages cannot be exchanged"
    if versions[0] != versions[1]:
        return None, f"{ONE_FACTOR}: packages cannot be exchanged between Python {versions[0]} and {versions[1]}"
    try:
        sites = sites_of(of_a, of_b, names, context)
    except Inconclusive as error:
        return None, f"{ONE_FACTOR}: the packages of an image cannot be extracted ({error.what})"
    if sites is None:
        return None, f"{ONE_FACTOR}: the packages of the images are not in one and the same folder"
    return ImagePackages(of_a, of_b, sites), ""


def _minor(environment: BuiltEnvironment) -> str:
    version = environment.inventory.interpreter.get("version", "")
    return ".".join(version.split(".")[:2]) if version.count(".") >= 1 else ""


def _version(environment: BuiltEnvironment, name: str) -> str | None:
    package = environment.inventory.python_packages.get(name)
    return package.version if package else None


def _markers(environment: BuiltEnvironment) -> dict[str, str]:
    """The values of environment markers inside the image; those that its files do not give are those of Linux."""
    version, interpreter = environment.inventory.interpreter["version"], environment.inventory.interpreter
    return {
        "implementation_name": interpreter.get("implementation", "CPython").lower(),
        "implementation_version": version,
        "os_name": "posix",
        "platform_machine": environment.inventory.system.get("architecture", ""),
        "platform_python_implementation": interpreter.get("implementation", "CPython"),
        "platform_release": "",
        "platform_system": "Linux",
        "platform_version": "",
        "python_full_version": version,
        "python_version": _minor(environment),
        "sys_platform": "linux",
    }
