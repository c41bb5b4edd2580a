"""What the packages of an environment need of each other, read from their metadata as data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import distributions
from pathlib import Path

from packaging.markers import UndefinedEnvironmentName
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from repro_tui.model.workspace import BuiltEnvironment


@dataclass(frozen=True, slots=True)
class Distribution:
    """One installed package: its version, and the requirements that hold in its environment."""

    version: str
    requires: tuple[Requirement, ...] = ()


def site_packages(environment: BuiltEnvironment) -> Path | None:
    """The folder of this machine that the environment's packages lie in; None where they are inside an image."""
    if environment.site:
        return Path(environment.site)
    if environment.kind != "venv":
        return None
    return next(iter(sorted(Path(environment.folder).glob("lib/python3*/site-packages"))), None)


def read_distributions(folder: Path, markers: Mapping[str, str]) -> dict[str, Distribution]:
    """The packages in a folder by normalised name. Markers are evaluated; extras count where somebody asks for them."""
    found = {}
    for one in distributions(path=[str(folder)]):
        name = one.metadata["Name"]
        if name:
            found[canonicalize_name(name)] = (one.version, list(_requirements(one.requires or ())))
    extras = _extras([requirement for _, wanted in found.values() for requirement in wanted])
    return {
        name: Distribution(version, tuple(r for r in wanted if _holds(r, extras.get(name, set()), markers)))
        for name, (version, wanted) in found.items()
    }


def _requirements(texts: list[str] | tuple[str, ...]) -> Iterator[Requirement]:
    for text in texts:
        try:
            yield Requirement(text)
        except InvalidRequirement:  # what pip cannot read constrains nothing
            continue


def _extras(requirements: list[Requirement]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for requirement in requirements:
        found.setdefault(canonicalize_name(requirement.name), set()).update(requirement.extras)
    return found


def _holds(requirement: Requirement, extras: set[str], markers: Mapping[str, str]) -> bool:
    if requirement.marker is None:
        return True
    try:
        return any(requirement.marker.evaluate({**markers, "extra": extra}) for extra in ("", *sorted(extras)))
    except (UndefinedEnvironmentName, ValueError):
        return False
