"""The requirements of installed packages on each other, read from their metadata as data."""

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
    """An installed package: its version, and the requirements that apply in its environment."""

    version: str
    requires: tuple[Requirement, ...] = ()


def site_packages(environment: BuiltEnvironment) -> Path | None:
    """The folder with the packages of an environment; None where they are inside an image."""
    if environment.site:
        return Path(environment.site)
    if environment.kind != "venv":
        return None
    return next(iter(sorted(Path(environment.folder).glob("lib/python3*/site-packages"))), None)


def read_distributions(folder: Path, markers: Mapping[str, str]) -> dict[str, Distribution]:
    """The packages in a folder, by normalised name.

    Requirements whose markers do not apply are left out; those of an extra apply if any package requires that extra.
    `markers` are the PEP 508 markers of the interpreter.
    """
    installed = {}
    for distribution in distributions(path=[str(folder)]):
        name = distribution.metadata["Name"]
        if name:
            installed[canonicalize_name(name)] = (
                distribution.version,
                list(_requirements(distribution.requires or ())),
            )
    extras = _extras([requirement for _, requirements in installed.values() for requirement in requirements])
    return {
        name: Distribution(version, tuple(r for r in requirements if _applies(r, extras.get(name, set()), markers)))
        for name, (version, requirements) in installed.items()
    }


def _requirements(texts: list[str] | tuple[str, ...]) -> Iterator[Requirement]:
    for text in texts:
        try:
            yield Requirement(text)
        except InvalidRequirement:  # pip ignores what it cannot parse
            continue


def _extras(requirements: list[Requirement]) -> dict[str, set[str]]:
    extras: dict[str, set[str]] = {}
    for requirement in requirements:
        extras.setdefault(canonicalize_name(requirement.name), set()).update(requirement.extras)
    return extras


def _applies(requirement: Requirement, extras: set[str], markers: Mapping[str, str]) -> bool:
    if requirement.marker is None:
        return True
    try:
        return any(requirement.marker.evaluate({**markers, "extra": extra}) for extra in ("", *sorted(extras)))
    except (UndefinedEnvironmentName, ValueError):
        return False
