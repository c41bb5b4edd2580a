"""poetry.lock of all versions: from 2.1 on, each package has its groups and markers; before, the project has them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from packaging.utils import canonicalize_name

from repro_tui.formats.locks.base import Document, Locked, Pins, Wanted, applies
from repro_tui.formats.locks.poetry_project import PoetryProject
from repro_tui.formats.locks.poetry_versions import allows
from repro_tui.model.errors import Inconclusive

MAIN = "main"


class PoetryLock:
    """Packages with hashes, in the versions that Poetry resolved."""

    def reads(self, document: Document) -> bool:
        """Whether it has the header of this format."""
        metadata = document.get("metadata")
        return isinstance(metadata, dict) and ("python-versions" in metadata or "content-hash" in metadata)

    def locked(self, document: Document, wanted: Wanted) -> Locked:
        """The packages that `poetry install --only main` installs, with the wanted groups and extras."""
        metadata, version = document["metadata"], wanted.markers.get("python_full_version")
        if version and not allows(metadata.get("python-versions", "*"), version):
            raise wanted.made_for(metadata["python-versions"])
        project, pins = PoetryProject(wanted.project), Pins(wanted.name)
        hashes = metadata.get("files", metadata.get("hashes", {}))
        for package in _installed(document, wanted, project):
            _add(package, hashes, pins)
        if project.is_package:
            pins.add_member(".")
        if not wanted.project:
            pins.left_out.append(f"there is no pyproject.toml next to {wanted.name}: the project is not installed")
        return pins.locked()


def _installed(document: Document, wanted: Wanted, project: PoetryProject) -> Iterable[Document]:
    packages = document.get("package", [])
    lock_version = tuple(int(number) for number in str(document["metadata"].get("lock-version", "1.0")).split("."))
    if lock_version >= (2, 1):
        return _marked(packages, document.get("extras", {}), wanted, project)
    if lock_version[0] > 2:
        raise Inconclusive(
            f"{wanted.name} is of version {lock_version[0]}, which is not known", "lock it with Poetry 2"
        )
    return project.needed(packages, wanted)


def _marked(packages: list[Document], extras: Document, wanted: Wanted, project: PoetryProject) -> Iterator[Document]:
    groups = {canonicalize_name(group) for package in packages for group in package.get("groups", [])}
    wanted.known({*groups, *project.groups, *extras})
    chosen = {MAIN, *wanted.groups}
    for package in packages:
        markers = package.get("markers")
        for group in map(canonicalize_name, package.get("groups", [MAIN])):
            marker = markers.get(group) if isinstance(markers, dict) else markers
            if group in chosen and applies(marker, wanted.markers, wanted.groups):
                yield package
                break


def _add(package: Document, hashes: Document, pins: Pins) -> None:
    name, source = package["name"], package.get("source", {})
    kind = source.get("type", "")
    if kind == "directory":
        pins.add_member(source["url"])
        return
    if kind not in ("", "legacy", "pypi"):
        raise pins.elsewhere(name)
    files = package.get("files") or hashes.get(name, [])
    values = [file["hash"] if isinstance(file, dict) else f"sha256:{file}" for file in files]
    pins.add(name, package["version"], values, source.get("url", "") if kind == "legacy" else "")
