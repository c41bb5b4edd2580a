"""Reads the packages of conda-lock.yml and pixi.lock as data, for one platform; nothing is resolved or fetched.

Both list the packages of every platform: of conda-lock.yml version 1 with `name`, `version`, `manager` and `category`,
of pixi.lock versions 4 to 7 as URLs below `environments`, whose details are below `packages`. A package of conda is
named by its archive, NAME-VERSION-BUILD.conda.
"""

from __future__ import annotations

import platform
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from packaging.utils import canonicalize_name

from repro_tui.model.errors import Inconclusive
from repro_tui.support.redact import strip_url
from repro_tui.support.text import join_names, show

MAIN, DEFAULT = "main", "default"
_ARCHIVE = re.compile(r"(?P<name>.+)-(?P<version>[^-]+)-(?P<build>[^-]+)\.(?:conda|tar\.bz2)")
_TOKEN = re.compile(r"/t/[^/]+(?=/)")
_MACHINES = {"x86_64": "linux-64", "amd64": "linux-64", "aarch64": "linux-aarch64", "arm64": "linux-aarch64"}


@dataclass(frozen=True, slots=True)
class LockedPackage:
    """A package of a lock: its name and version, and what it is installed from (channel, archive and hash)."""

    name: str
    version: str
    source: str


def machine_platform() -> str:
    """This machine as conda calls it, such as linux-64."""
    machine = platform.machine().lower()
    return _MACHINES.get(machine, f"linux-{machine}")


def read_conda_lock(kind: str, content: bytes, name: str, groups: Collection[str], subdir: str) -> list[LockedPackage]:
    """The packages of a lock of the kind `conda-lock` or `pixi` for a platform such as linux-64.

    `groups` are categories besides `main`, or the name of one environment. Raises Inconclusive where it cannot be read,
    or has nothing for the platform or a group.
    """
    document = _document(content, name)
    read = _of_pixi if kind == "pixi" else _of_conda_lock
    return _one_a_name(read(document, name, groups, subdir))


def archive_source(url: str, digest: str) -> str:
    """What a package of conda is installed from: without credentials, which may be in the path, too."""
    place = _TOKEN.sub("", strip_url(url) if "://" in url else url)
    return f"{place} ({digest})" if digest else place


def archive_package(url: str, digest: str = "") -> LockedPackage | None:
    """The package of an archive by its name; None where it is not named as conda names them."""
    match = _ARCHIVE.fullmatch(strip_url(url).rpartition("/")[2] if "://" in url else url.rpartition("/")[2])
    return LockedPackage(match["name"], match["version"], archive_source(url, digest)) if match else None


def _document(content: bytes, name: str) -> Mapping[str, object]:
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        document = yaml.load(content.decode("utf-8-sig", "replace"), Loader=loader)  # noqa: S506 - both are safe
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise Inconclusive(f"{name} is not valid YAML", f"correct {name}") from error
    if not isinstance(document, dict):
        raise Inconclusive(f"{name} has no table at its top level", f"correct {name}")
    return document


def _tables(value: object) -> list[Mapping[str, object]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _one_a_name(packages: Iterable[LockedPackage]) -> list[LockedPackage]:
    """The packages by canonical name; what conda and pip both install under one name is one entry of both."""
    by_name: dict[str, LockedPackage] = {}
    for package in packages:
        name = canonicalize_name(package.name)
        known = by_name.get(name)
        if known and known != package:
            versions, sources = ([a, b] for a, b in ((known.version, package.version), (known.source, package.source)))
            package = LockedPackage(package.name, " and ".join(dict.fromkeys(versions)), " and ".join(sources))
        by_name[name] = package
    return list(by_name.values())


# -- conda-lock.yml ---------------------------------------------------------------------------------------------------


def _of_conda_lock(
    document: Mapping[str, object], name: str, groups: Collection[str], subdir: str
) -> Iterator[LockedPackage]:
    packages = _tables(document.get("package"))
    _check_platform(name, subdir, {str(package.get("platform")) for package in packages})
    wanted = {MAIN, *groups}
    known = {category for package in packages for category in _categories(package)}
    if unknown := sorted(set(groups) - known):
        raise Inconclusive(f"{name} has no category {join_names(unknown)}", "correct environment.groups")
    for package in packages:
        if package.get("platform") == subdir and wanted & _categories(package):
            source = archive_source(str(package.get("url") or ""), _hash(package.get("hash")))
            yield LockedPackage(str(package.get("name")), str(package.get("version")), source)


def _categories(package: Mapping[str, object]) -> set[str]:
    several = package.get("categories")
    return {str(item) for item in several} if isinstance(several, list) else {str(package.get("category") or MAIN)}


def _hash(hashes: object) -> str:
    table = hashes if isinstance(hashes, dict) else {}
    return next((f"{kind}:{table[kind]}" for kind in ("sha256", "md5") if table.get(kind)), "")


def _check_platform(name: str, subdir: str, platforms: Collection[str]) -> None:
    if subdir not in platforms:
        names = join_names([show(item, 40) for item in sorted(platforms)]) or "none"
        raise Inconclusive(
            f"{name} has no packages for {subdir}, this machine's platform: it has packages for {names}",
            f"lock it for {subdir} as well",
        )


# -- pixi.lock --------------------------------------------------------------------------------------------------------


def _of_pixi(
    document: Mapping[str, object], name: str, groups: Collection[str], subdir: str
) -> Iterator[LockedPackage]:
    environments = document.get("environments")
    named = environments if isinstance(environments, dict) else {}
    if unknown := sorted(set(groups) - named.keys()):
        raise Inconclusive(f"{name} has no environment {join_names(unknown)}", "correct environment.groups")
    if len(groups) > 1:
        raise Inconclusive(f"{name}: environments cannot be combined", "name one in environment.groups")
    chosen = named.get(next(iter(groups), DEFAULT))
    by_platform = chosen.get("packages") if isinstance(chosen, dict) else None
    listed = by_platform if isinstance(by_platform, dict) else {}
    _check_platform(name, subdir, listed.keys())
    details = {
        (kind, location): entry for entry in _tables(document.get("packages")) for kind, location in _keys(entry)
    }
    for reference in _tables(listed[subdir]):
        for kind, location in _keys(reference):
            yield _pixi_package(kind, location, details.get((kind, location), {}), name)


def _keys(entry: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """What an entry is found by: `conda: URL` or `pypi: URL`; in older locks, `kind: conda` and `url: URL`."""
    if "kind" in entry:
        location = entry.get("url") or entry.get("path") or ""
        yield str(entry["kind"]), str(location)
        return
    yield from ((kind, str(entry[kind])) for kind in ("conda", "pypi") if kind in entry)


def _pixi_package(kind: str, location: str, details: Mapping[str, object], name: str) -> LockedPackage:
    digest = _hash(details)
    package = archive_package(location, digest) if kind == "conda" else None
    if package is not None:
        return package
    version = str(details.get("version") or location)
    if not details.get("name"):
        raise Inconclusive(
            f"{name} does not name the package of {show(location, 120)}", f"write {name} again with pixi"
        )
    return LockedPackage(str(details["name"]), version, archive_source(location, digest))
