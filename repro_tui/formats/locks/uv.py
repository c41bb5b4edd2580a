"""uv.lock, with the workspace members, extras and dependency groups that uv installs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from packaging.utils import canonicalize_name

from repro_tui.formats.locks.base import Document, Locked, Pins, Wanted, applies
from repro_tui.model.errors import Inconclusive
from repro_tui.support.text import quote

LOCAL = ("editable", "directory", "virtual")  # the sources that are folders; a virtual one is not installed itself


class UvLock:
    """Packages with their dependencies: those of the project itself are followed, for the markers that hold."""

    def reads(self, document: Document) -> bool:
        """Whether it has the version and the packages of this format; the first versions called them distributions."""
        return "version" in document and ("package" in document or "distribution" in document)

    def locked(self, document: Document, wanted: Wanted) -> Locked:
        """The packages that `uv sync --no-default-groups` installs, with the wanted groups and extras."""
        if document["version"] != 1:
            reason = f"{wanted.name} is not a valid lock file of version 1: it has {quote(document['version'])}"
            raise Inconclusive(reason, "create it again with its tool")
        wanted.require_python(document.get("requires-python", ""))
        walk = _Walk(document, wanted)
        return walk.locked()


@dataclass(frozen=True, slots=True)
class _Reached:
    """A package that is installed, and the extras of it that are."""

    package: Document
    extras: tuple[str, ...] = ()


@dataclass
class _Walk:
    """Follows the dependencies. `active` are the conflicting extras and groups by the names that uv's markers use."""

    document: Document
    wanted: Wanted
    active: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.packages: dict[str, list[Document]] = {}
        for package in self.document["package" if "package" in self.document else "distribution"]:
            self.packages.setdefault(canonicalize_name(package["name"]), []).append(package)
        self.roots = _roots(self.document, self.packages, self.wanted)

    def locked(self) -> Locked:
        """Repeats the walk until it activates no further extra: a marker may ask for one that is reached later."""
        while True:
            before = len(self.active)
            steps = list(self._steps())
            if len(self.active) == before:
                break
        pins = Pins(self.wanted.name)
        for step in steps:
            _add(step.package, pins)
        return pins.locked()

    def _steps(self) -> Iterator[_Reached]:
        pending = list(self._started())
        seen: set[tuple[str, str, str, tuple[str, ...]]] = set()
        while pending:
            step = pending.pop()
            package = step.package
            name, version = canonicalize_name(package["name"]), str(package.get("version", ""))
            identity = (name, version, str(package.get("source")), step.extras)
            if identity in seen:
                continue
            seen.add(identity)
            self.active.update(_conflict_name("extra", name, extra) for extra in step.extras)
            optional = package.get("optional-dependencies", {})
            needed = [*package.get("dependencies", [])]
            needed += [dependency for extra in step.extras for dependency in optional.get(extra, [])]
            pending += self._followed(needed)
            yield step

    def _started(self) -> Iterator[_Reached]:
        """The projects themselves, with the wanted extras and groups of each."""
        named = [name for root in self.roots for name in (*_extras(root), *_groups(root))]
        wanted = set(self.wanted.known(named))
        for root in self.roots:
            name = canonicalize_name(root["name"])
            yield _Reached(root, tuple(sorted(extra for extra in _extras(root) if canonicalize_name(extra) in wanted)))
            for group, dependencies in _groups(root).items():
                if canonicalize_name(group) in wanted:
                    self.active.add(_conflict_name("group", name, group))
                    yield from self._followed(dependencies)

    def _followed(self, dependencies: Iterable[Document]) -> Iterator[_Reached]:
        for dependency in dependencies:
            if applies(dependency.get("marker"), self.wanted.markers, self.active):
                extras = dependency.get("extra") or dependency.get("extras") or ()
                yield _Reached(self._package(dependency), tuple(sorted(extras)))

    def _package(self, dependency: Document) -> Document:
        """The package that a dependency means: its version and source are only given where several are locked."""
        candidates = self.packages[canonicalize_name(dependency["name"])]
        for key in ("version", "source"):
            if key in dependency:
                candidates = [package for package in candidates if package.get(key) == dependency[key]]
        fitting = [package for package in candidates if self._fits(package)]
        return (fitting or candidates)[0]

    def _fits(self, package: Document) -> bool:
        markers = package.get("resolution-markers", [])
        return not markers or any(applies(marker, self.wanted.markers, self.active) for marker in markers)


def _roots(document: Document, packages: dict[str, list[Document]], wanted: Wanted) -> list[Document]:
    """The project of the lock's own folder; without one, all members of its workspace."""
    local = [package for group in packages.values() for package in group if _folder(package) is not None]
    own = [package for package in local if _folder(package) == "."]
    manifest = document.get("manifest", {})
    members = {canonicalize_name(name) for name in manifest.get("members", [])}
    roots = own or [package for package in local if not members or canonicalize_name(package["name"]) in members]
    if not own and (manifest.get("dependency-groups") or manifest.get("requirements")):
        roots.append(_manifest_root(manifest))
    if not roots:
        raise Inconclusive(f"{wanted.name} does not contain its own project", "create it again with  uv lock")
    return roots


def _manifest_root(manifest: Document) -> Document:
    """What a workspace whose root is not a project requires itself, or a script, in the shape of a virtual project."""
    return {
        "name": "workspace-root",
        "source": {"virtual": "."},
        "dependencies": manifest.get("requirements", []),
        "dev-dependencies": manifest.get("dependency-groups", {}),
    }


def _source(package: Document) -> dict[str, str]:
    """The source of a package; the first versions wrote it as `registry+URL`."""
    source = package.get("source", {})
    if isinstance(source, str):
        kind, _, place = source.partition("+")
        return {kind: place}
    return dict(source)


def _folder(package: Document) -> str | None:
    source = _source(package)
    return next((source[kind] for kind in LOCAL if kind in source), None)


def _extras(root: Document) -> Iterable[str]:
    named = root.get("metadata", {}).get("provides-extras", ())
    return dict.fromkeys([*root.get("optional-dependencies", {}), *named])


def _groups(root: Document) -> dict[str, list[Document]]:
    return dict(root.get("dev-dependencies") or {})


def _conflict_name(kind: str, package: str, name: str) -> str:
    """The name by which markers of conflicting extras and groups call one, such as `extra-3-app-cpu`."""
    return f"{kind}-{len(package)}-{package}-{canonicalize_name(name)}"


def _add(package: Document, pins: Pins) -> None:
    source, folder = _source(package), _folder(package)
    if folder is not None:
        if "virtual" not in source:
            pins.add_member(folder)
        return
    files = [*package.get("wheels", []), *([package["sdist"]] if "sdist" in package else [])]
    index = source.get("registry", "")
    if not files or not index.startswith(("http://", "https://")):
        raise pins.elsewhere(str(package["name"]))
    pins.add(package["name"], package["version"], [file["hash"] for file in files if "hash" in file], index)
