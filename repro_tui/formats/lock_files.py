"""Reads lock files as data: the pinned requirements that apply to one Python version and platform."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from typing import TypedDict, cast

from packaging.markers import Marker
from packaging.utils import canonicalize_name
from packaging.version import Version

from repro_tui.model.errors import Inconclusive
from repro_tui.support.text import show

Markers = dict[str, str]


class _File(TypedDict, total=False):
    hash: str
    hashes: dict[str, str]


class _Dependency(TypedDict, total=False):
    name: str
    version: str
    marker: str
    extra: list[str]


_Package = TypedDict(
    "_Package",
    {
        "name": str,
        "version": str,
        "marker": str,
        "source": dict[str, str],
        "wheels": list[_File],
        "sdist": _File,
        "dependencies": list[_Dependency],
        "optional-dependencies": dict[str, list[_Dependency]],
    },
    total=False,
)


class _Pylock(TypedDict, total=False):
    packages: list[_Package]


class _UvLock(TypedDict):
    package: list[_Package]


# These values go into an installer's requirements file, where a line break and an option could redirect its index.
_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")
_HASH = re.compile(r"[a-z0-9]+:[0-9a-f]+")


def locked(content: bytes, name: str, markers: Markers) -> list[str]:
    """The requirements (`NAME==VERSION --hash=…`) of uv.lock or pylock.toml for an environment's markers, sorted.

    Raises Inconclusive if the file cannot be read, or if a package does not come from an index.
    """
    try:
        document = tomllib.loads(content.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise Inconclusive(f"{name} cannot be read: {show(error, 300)}", "commit a complete lock file") from error
    try:
        if "lock-version" in document:
            return sorted(_pylock(cast(_Pylock, document), markers))
        if "package" in document and "version" in document:
            once = set(_uv_lock(cast(_UvLock, document), name, markers))  # each package, whatever its extras
            return sorted(once)
    except (KeyError, TypeError, AttributeError, ValueError) as error:  # packaging's errors are ValueErrors
        reason = f"{name} is not a valid lock file: {show(repr(error), 300)}"
        raise Inconclusive(reason, "create it again with its tool") from error
    raise Inconclusive(f"{name} is neither a uv.lock nor a pylock.toml", "record one of these, or a requirements file")


def _pylock(document: _Pylock, markers: Markers) -> Iterable[str]:
    for package in document.get("packages", []):
        if not _holds(package.get("marker"), markers):
            continue
        files = [*package.get("wheels", []), *([package["sdist"]] if "sdist" in package else [])]
        if "version" not in package or not files:
            raise _elsewhere(str(package["name"]))
        hashes = [f"{kind}:{value}" for file in files for kind, value in file.get("hashes", {}).items()]
        yield _pin(package["name"], package["version"], hashes)


def _uv_lock(document: _UvLock, name: str, markers: Markers) -> Iterable[str]:
    """Walks from the project itself through its dependencies, for the extras and markers that apply."""
    packages: dict[str, list[_Package]] = {}
    for package in document["package"]:
        packages.setdefault(canonicalize_name(package["name"]), []).append(package)
    roots = [p for p in document["package"] if {"editable", "virtual", "directory"} & set(p.get("source", {}))]
    if not roots:
        raise Inconclusive(f"{name} does not contain its own project", "create it again with  uv lock")
    pending: list[tuple[_Package, tuple[str, ...]]] = [(root, ()) for root in roots]
    seen: set[tuple[str, str, tuple[str, ...]]] = set()
    while pending:
        package, extras = pending.pop()
        identity = (canonicalize_name(package["name"]), str(package.get("version", "")), extras)
        if identity in seen:
            continue
        seen.add(identity)
        needed = [*package.get("dependencies", [])]
        needed += [d for extra in extras for d in package.get("optional-dependencies", {}).get(extra, [])]
        for dependency in needed:
            if not _holds(dependency.get("marker"), markers):
                continue
            pending.append((_find(packages, dependency), tuple(sorted(dependency.get("extra", ())))))
        if package not in roots:
            yield _uv_pin(package)


def _find(packages: dict[str, list[_Package]], dependency: _Dependency) -> _Package:
    candidates = packages[canonicalize_name(dependency["name"])]
    exact = [package for package in candidates if package.get("version") == dependency.get("version")]
    return exact[0] if exact else candidates[0]


def _uv_pin(package: _Package) -> str:
    files = [*package.get("wheels", []), *([package["sdist"]] if "sdist" in package else [])]
    if "registry" not in package.get("source", {}) or not files:
        raise _elsewhere(str(package["name"]))
    return _pin(package["name"], package["version"], [file["hash"] for file in files if "hash" in file])


def _pin(name: str, version: str, hashes: list[str]) -> str:
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is not a valid package name")
    for value in hashes:
        if not _HASH.fullmatch(value):
            raise ValueError(f"{value!r} is not a valid hash (of {name})")
    Version(version)
    return " ".join(
        [f"{canonicalize_name(name)}=={version.strip()}", *(f"--hash={value}" for value in sorted(set(hashes)))]
    )


def _holds(marker: str | None, markers: Markers) -> bool:
    return not marker or Marker(marker).evaluate({**markers, "extra": ""})


def _elsewhere(name: str) -> Inconclusive:
    reason = f"the lock file takes {show(name, 120)} from a folder, a repository or a URL instead of an index"
    return Inconclusive(reason, f"lock a released version of {show(name, 120)}, or record an image")
