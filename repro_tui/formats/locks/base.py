"""What every format of lock file needs: what is asked of it, its answer, and the collection of pins.

All values of a lock end in an installer's requirements file, where a line break or an option could redirect it to
another index. So every name, version and hash is checked before it becomes a pin.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from packaging.markers import Marker
from packaging.utils import canonicalize_name
from packaging.version import Version

from repro_tui.model.errors import Inconclusive
from repro_tui.support.redact import strip_url
from repro_tui.support.text import plural, quote, show

Markers = dict[str, str]
Document = dict[str, Any]  # a parsed lock file; `read.locked` reports what has another shape than a format expects
PUBLIC_INDEX = ("https://pypi.org/simple", "https://pypi.python.org/simple")

_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")
_HASH = re.compile(r"[a-z0-9]+:[0-9a-f]+")
_EXTRA = re.compile(r"extra\s*(==|!=)\s*(['\"])([^'\"]*)\2")
_TRUE, _FALSE = "python_version >= '0'", "python_version < '0'"


@dataclass(frozen=True, slots=True)
class Locked:
    """What a lock file installs in one environment.

    `pins`: each package as `NAME==VERSION --hash=…`, sorted. `members`: the folders, relative to the lock's own, whose
    projects are installed from the commit (`.` is the project itself). `left_out`: a sentence for each thing in the
    lock that is not honoured.
    """

    pins: tuple[str, ...]
    members: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be installed from a lock file.

    `name` is the file's, for messages; `markers` are the interpreter's PEP 508 markers; `groups` the dependency groups
    and extras besides the main dependencies, as normalised names; `project` the parsed pyproject.toml next to the lock
    ({}: there is none).
    """

    name: str
    markers: Markers
    groups: tuple[str, ...] = ()
    project: Document = field(default_factory=dict)

    def known(self, names: Iterable[str]) -> tuple[str, ...]:
        """The groups, all of which must be among `names`. Raises Inconclusive."""
        available = sorted({canonicalize_name(name) for name in names})
        absent = [group for group in self.groups if group not in available]
        if absent:
            has = f"it has {show(', '.join(available), 200)}" if available else "it has none"
            raise Inconclusive(
                f"{self.name} has no group or extra {show(', '.join(absent), 120)}: {has}",
                "correct environment.groups",
            )
        return self.groups

    def require_python(self, specifiers: str) -> None:
        """Raises Inconclusive where the lock was made for other versions of Python than this one."""
        from packaging.specifiers import SpecifierSet

        version = self.markers.get("python_full_version", "")
        if specifiers and version and not SpecifierSet(specifiers).contains(version, prereleases=True):
            raise self.made_for(specifiers)

    def made_for(self, specifiers: str) -> Inconclusive:
        """The error for a lock that was made for other versions of Python."""
        version = self.markers.get("python_full_version", "another")
        reason = f"{self.name} is for Python {show(specifiers, 60)}, and the environment has {version}"
        return Inconclusive(reason, "correct environment.python")


class LockFormat(Protocol):
    """One format of lock file."""

    def reads(self, document: Document) -> bool:
        """Whether a parsed file is of this format."""
        ...

    def locked(self, document: Document, wanted: Wanted) -> Locked:
        """What it installs. Raises Inconclusive, and what a malformed document makes Python raise."""
        ...


@dataclass(slots=True)
class Pins:
    """Collects what a lock installs."""

    name: str
    versions: dict[str, str] = field(default_factory=dict)
    hashes: dict[str, set[str]] = field(default_factory=dict)
    members: set[str] = field(default_factory=set)
    indexes: dict[str, set[str]] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)

    def add(self, name: str, version: str, hashes: Iterable[str], index: str = "") -> None:
        """Adds a package from an index. Raises ValueError for text that is not its kind, Inconclusive for a clash."""
        if not _NAME.fullmatch(name):
            raise ValueError(f"{quote(name)} is not a valid package name")
        hashes = set(hashes)
        for value in hashes:
            if not _HASH.fullmatch(value):
                raise ValueError(f"{quote(value)} is not a valid hash (of {name})")
        Version(version)
        key, version = canonicalize_name(name), version.strip()
        if self.versions.setdefault(key, version) != version:
            reason = f"{self.name} locks {key} {self.versions[key]} and {version} for the same environment"
            raise Inconclusive(reason, "create it again with its tool, or correct environment.groups")
        self.hashes.setdefault(key, set()).update(hashes)
        if index and index.rstrip("/") not in PUBLIC_INDEX:
            self.indexes.setdefault(index, set()).add(key)

    def add_member(self, folder: str) -> None:
        """Adds a project that is installed from the commit. Raises Inconclusive for one elsewhere on a machine."""
        if folder.startswith(("/", "~", "file:")) or "\\" in folder or "\0" in folder:
            reason = f"{self.name} takes a project from the folder {show(folder, 120)} of its author's machine"
            raise Inconclusive(reason, "lock a released version of it, or a folder of the repository")
        self.members.add(folder.removeprefix("./").rstrip("/") or ".")

    def elsewhere(self, name: str) -> Inconclusive:
        """The error for a package that is neither from an index nor a folder: without it the environment is wrong."""
        package = show(str(name), 120)
        reason = f"{self.name} takes {package} from a file, a repository or a URL instead of an index"
        return Inconclusive(reason, f"lock a released version of {package}, or record an image")

    def locked(self) -> Locked:
        """All that was collected."""
        pins = [
            " ".join([f"{name}=={version}", *(f"--hash={value}" for value in sorted(self.hashes[name]))])
            for name, version in self.versions.items()
        ]
        return Locked(tuple(sorted(pins)), tuple(sorted(self.members)), (*self.left_out, *self._from_indexes()))

    def _from_indexes(self) -> Iterable[str]:
        for index, names in sorted(self.indexes.items()):
            listed = show(", ".join(sorted(names)), 120)
            yield (
                f"{self.name} takes {plural(len(names), 'package')} ({listed}) from {show(strip_url(index), 120)}: "
                "they are installed from the indexes of this machine, with the locked hashes (if they are not there, "
                "set UV_INDEX to that one)"
            )


def applies(marker: str | None, markers: Mapping[str, str], extras: Iterable[str] = ()) -> bool:
    """Whether a marker holds in an environment with a set of extras. Raises packaging's errors, which are ValueErrors.

    A marker compares `extra` with one name at a time, but several extras are installed at once: each comparison is
    answered for the whole set first.
    """
    if not marker:
        return True
    chosen = frozenset(canonicalize_name(extra) for extra in extras)

    def answer(comparison: re.Match[str]) -> str:
        has = canonicalize_name(comparison.group(3)) in chosen
        return _TRUE if has == (comparison.group(1) == "==") else _FALSE

    return Marker(_EXTRA.sub(answer, marker)).evaluate({"python_version": "3", **markers, "extra": ""})
