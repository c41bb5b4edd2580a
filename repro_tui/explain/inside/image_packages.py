"""The packages of two images as things that can be mixed, shown over the packages of one of them."""

from __future__ import annotations

from dataclasses import dataclass, replace

from repro_tui.explain.factors import PACKAGES, SYSTEM, differing_packages, environment_key
from repro_tui.explain.inside.base import Inside
from repro_tui.explain.inside.implications import implications, likelihoods
from repro_tui.model.errors import Inconclusive
from repro_tui.model.workspace import BuiltEnvironment, Workspace
from repro_tui.rebuild.environments.requires import read_distributions
from repro_tui.rebuild.environments.site_packages import Site, mixed_site, sites_of
from repro_tui.rebuild.hybrid import Parts
from repro_tui.support.context import Context


@dataclass(frozen=True, slots=True)
class ImagePackages:
    """Two images whose packages can be exchanged: of one Python, at one place."""

    a: BuiltEnvironment
    b: BuiltEnvironment
    sites: tuple[Site, Site]

    def mixed(self, system: int, from_b: frozenset[str], context: Context) -> BuiltEnvironment:
        """One image with these packages from B. All or none of them take along what no package owns."""
        rest = 1 if from_b.issuperset(differing_packages(self.a, self.b)) else 0
        if system == rest and (rest or not from_b):
            return (self.a, self.b)[system]
        return mixed_site((self.a, self.b)[system], self.sites, from_b, rest, context)

    def chosen(self, from_b: frozenset[str], context: Context) -> BuiltEnvironment:
        """The environment of a hybrid of these factors."""
        system, packages = int(SYSTEM in from_b), PACKAGES in from_b
        return self.mixed(system, frozenset(differing_packages(self.a, self.b)) if packages else frozenset(), context)

    def inside(self, factor: str, imported: frozenset[str]) -> Inside:
        """The packages in which the two differ; those that the code imports are likelier to be guilty."""
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
    """The two sides' images, where their packages can be exchanged; else why the image is one factor ("": none is)."""
    one, other = a.environment, b.environment
    if one.kind == "venv" or environment_key(one) == environment_key(other):
        return None, ""
    names = differing_packages(one, other)
    if not names:
        return None, "the environment is one factor: the Python packages of the images are the same"
    if _minor(one) != _minor(other) or not _minor(one):
        return (
            None,
            "the environment is one factor: the images are of other Pythons, whose packages cannot be exchanged",
        )
    try:
        sites = sites_of(one, other, names, context)
    except Inconclusive as error:
        return None, f"the environment is one factor: the packages of an image cannot be taken out ({error.what})"
    if sites is None:
        return None, "the environment is one factor: the packages of the images do not lie at one and the same place"
    return ImagePackages(one, other, sites), ""


def _minor(environment: BuiltEnvironment) -> str:
    version = environment.inventory.interpreter.get("version", "")
    return ".".join(version.split(".")[:2]) if version.count(".") >= 1 else ""


def _version(environment: BuiltEnvironment, name: str) -> str | None:
    package = environment.inventory.python_packages.get(name)
    return package.version if package else None


def _markers(environment: BuiltEnvironment) -> dict[str, str]:
    """What markers see inside the image; what its files do not tell is as on any Linux machine."""
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
