"""pylock.toml, the standard lock file (PEP 751, version 1.0)."""

from __future__ import annotations

from collections.abc import Iterable

from packaging.markers import Marker
from packaging.utils import canonicalize_name

from repro_tui.formats.locks.base import Document, Locked, Pins, Wanted
from repro_tui.model.errors import Inconclusive
from repro_tui.support.text import quote

VERSION = "1"


class Pylock:
    """Packages with markers, which may name extras and dependency groups. Its own default groups are its main part."""

    def reads(self, document: Document) -> bool:
        """Whether it has the version and the packages of this format."""
        return "lock-version" in document

    def locked(self, document: Document, wanted: Wanted) -> Locked:
        """The packages whose markers hold."""
        if str(document["lock-version"]).partition(".")[0] != VERSION:
            reason = f"{wanted.name} is not a valid lock file of version 1: it has {quote(document['lock-version'])}"
            raise Inconclusive(reason, "create it again with its tool")
        wanted.require_python(document.get("requires-python", ""))
        chosen = _Chosen(document, wanted)
        if not any(map(chosen.holds, document.get("environments", []))) and document.get("environments"):
            raise Inconclusive(
                f"{wanted.name} is for other platforms or versions of Python than this one",
                "correct environment.python, or lock for this platform",
            )
        pins = Pins(wanted.name)
        for package in document.get("packages", []):
            if chosen.holds(package.get("marker")):
                _add(package, pins, wanted)
        return pins.locked()


class _Chosen:
    """The environment of a marker, with the extras and dependency groups that are installed."""

    def __init__(self, document: Document, wanted: Wanted) -> None:
        extras = {canonicalize_name(name) for name in document.get("extras", [])}
        groups = {canonicalize_name(name) for name in document.get("dependency-groups", [])}
        defaults = {canonicalize_name(name) for name in document.get("default-groups", [])}
        named = set(wanted.known(extras | groups | defaults))
        self.markers = wanted.markers
        self.sets: dict[str, frozenset[str]] = {
            "extras": frozenset(named & extras),
            "dependency_groups": frozenset(defaults | named & groups),
        }

    def holds(self, marker: str | None) -> bool:
        return not marker or Marker(marker).evaluate({**self.markers, **self.sets}, context="lock_file")


def _add(package: Document, pins: Pins, wanted: Wanted) -> None:
    name = str(package["name"])
    if "directory" in package:
        pins.add_member(package["directory"]["path"])
        return
    wanted.require_python(package.get("requires-python", ""))
    files = [*package.get("wheels", []), *([package["sdist"]] if "sdist" in package else [])]
    if "version" not in package or not files:
        raise pins.elsewhere(name)
    pins.add(name, package["version"], _hashes(files), package.get("index", ""))


def _hashes(files: Iterable[Document]) -> Iterable[str]:
    for file in files:
        for kind, value in file.get("hashes", {}).items():
            yield f"{kind}:{value}"
