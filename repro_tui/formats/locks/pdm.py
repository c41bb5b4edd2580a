"""pdm.lock: packages with groups and markers where PDM wrote them, else what the project needs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from repro_tui.formats.locks.base import Document, Locked, Pins, Wanted, applies
from repro_tui.formats.locks.closure import Candidate, Closure, Need
from repro_tui.model.errors import Inconclusive

MAIN = "default"


class PdmLock:
    """Packages with hashes; one with extras is a further entry, which requires the package itself."""

    def reads(self, document: Document) -> bool:
        """Whether it has the header of this format."""
        metadata = document.get("metadata")
        return isinstance(metadata, dict) and ("lock_version" in metadata or "content_hash" in metadata)

    def locked(self, document: Document, wanted: Wanted) -> Locked:
        """The packages that `pdm sync --prod` installs, with the wanted groups and extras."""
        metadata, pins = document["metadata"], Pins(wanted.name)
        targets = metadata.get("targets", [])
        if targets and not any(_includes(target, wanted) for target in targets):
            raise wanted.made_for(targets[0].get("requires_python", ""))
        for package in _installed(document, wanted):
            _add(package, metadata.get("files", {}), pins)
        if _is_package(wanted.project):
            pins.add_member(".")
        if not wanted.project:
            pins.left_out.append(f"there is no pyproject.toml next to {wanted.name}: the project is not installed")
        return pins.locked()


def _includes(target: Document, wanted: Wanted) -> bool:
    """Whether a target of the lock is this Python, on this platform where it names one."""
    systems = {"linux": "Linux", "macos": "Darwin", "windows": "Windows"}
    platform = str(target.get("platform", "")).partition("_")[0]
    platform = "linux" if platform in ("manylinux", "musllinux") else platform
    system = systems.get(platform, "")
    return _is_for(target.get("requires_python", ""), wanted) and system in ("", wanted.markers.get("platform_system"))


def _is_for(python: str, wanted: Wanted) -> bool:
    version = wanted.markers.get("python_full_version")
    return not version or python == "*" or SpecifierSet(python).contains(version, prereleases=True)


def _installed(document: Document, wanted: Wanted) -> Iterable[Document]:
    packages, metadata = document.get("package", []), document["metadata"]
    if "inherit_metadata" in metadata.get("strategy", []):
        return _marked(packages, metadata, wanted)
    return _needed(packages, wanted)


def _marked(packages: list[Document], metadata: Document, wanted: Wanted) -> Iterator[Document]:
    wanted.known({*metadata.get("groups", [])} - {MAIN})
    chosen = {MAIN, *wanted.groups}
    for package in packages:
        groups = {canonicalize_name(group) for group in package.get("groups", [MAIN])}
        if groups & chosen and applies(package.get("marker"), wanted.markers, wanted.groups):
            yield package


def _needed(packages: list[Document], wanted: Wanted) -> list[Document]:
    groups = _groups(wanted.project)
    if not wanted.project.get("project"):
        raise Inconclusive(
            f"{wanted.name} does not say what the project itself requires",
            "commit its pyproject.toml next to it, or lock it with  pdm lock --strategy inherit_metadata",
        )
    wanted.known(set(groups) - {MAIN})
    candidates: dict[str, list[Candidate]] = {}
    for package in packages:
        if _is_for(package.get("requires_python", ""), wanted) and applies(package.get("marker"), wanted.markers):
            key = _key(package["name"], package.get("extras", ()))
            candidate = Candidate(package.get("version", "0"), package, _PdmNeeds(package, wanted))
            candidates.setdefault(key, []).append(candidate)
    texts = [text for group in (MAIN, *wanted.groups) for text in groups[group]]
    return Closure(wanted, candidates, "lock it again with  pdm lock").packages(_needs(texts, wanted))


def _groups(project: Document) -> dict[str, list[str]]:
    """The requirements of a project's main dependencies, extras and groups."""
    standard = project.get("project", {})
    tables = [
        standard.get("optional-dependencies", {}),
        project.get("dependency-groups", {}),
        project.get("tool", {}).get("pdm", {}).get("dev-dependencies", {}),
    ]
    groups: dict[str, list[str]] = {MAIN: list(standard.get("dependencies", []))}
    for table in tables:
        for name, texts in table.items():
            groups.setdefault(canonicalize_name(name), []).extend(text for text in texts if isinstance(text, str))
    return groups


@dataclass(frozen=True)
class _PdmNeeds:
    """What an entry of the lock needs; its extras are part of the entry itself."""

    package: Document
    wanted: Wanted

    def __call__(self, extras: tuple[str, ...]) -> Iterable[Need]:
        return _needs(self.package.get("dependencies", []), self.wanted)


def _needs(texts: Iterable[str], wanted: Wanted) -> Iterator[Need]:
    for requirement in map(Requirement, texts):
        if applies(str(requirement.marker or ""), wanted.markers):
            yield Need(_key(requirement.name, requirement.extras), (), partial(_satisfied, requirement.specifier))
            if requirement.extras:
                yield Need(_key(requirement.name, ()), (), partial(_satisfied, requirement.specifier))


def _satisfied(specifier: SpecifierSet, version: str) -> bool:
    return specifier.contains(version, prereleases=True)


def _key(name: str, extras: Iterable[str]) -> str:
    chosen = ",".join(sorted(canonicalize_name(extra) for extra in extras))
    return canonicalize_name(name) + (f"[{chosen}]" if chosen else "")


def _is_package(project: Document) -> bool:
    """Whether PDM installs the project itself."""
    settings = project.get("tool", {}).get("pdm", {})
    if not project.get("project", {}).get("name"):
        return False
    if "package-type" in settings:
        return bool(settings["package-type"] == "library")
    return settings.get("distribution", True) is not False


def _add(package: Document, files: Document, pins: Pins) -> None:
    name, folder = package["name"], package.get("path")
    if folder and not folder.endswith((".whl", ".gz", ".zip", ".bz2")):
        pins.add_member(folder)
        return
    if folder or {"git", "url", "hg", "svn", "bzr"} & set(package):
        raise pins.elsewhere(name)
    version = package["version"]
    listed = package.get("files") or files.get(f"{name} {version}", [])
    pins.add(name, version, [file["hash"] for file in listed])
