"""Lists the contents of an environment: Python packages, system packages, operating system and interpreter.

Everything is read as data, from dist-info folders, the databases of package managers, os-release, and pyvenv.cfg or
Python's headers: asking pip or dpkg would execute what is audited. The readers see an environment through a FileView,
so a folder, an image and a SIF are read by the same code. What cannot be read is returned as unknown with a reason, and
is never left out: a package that silently vanished from the list would count as equal.
"""

from __future__ import annotations

import base64
import csv
import json
import os
import platform
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from email.parser import HeaderParser
from pathlib import Path, PurePosixPath
from typing import Protocol

from packaging.utils import canonicalize_name

from repro_tui.model.inventory import Inventory, PythonPackage
from repro_tui.rebuild.environments.contents.databases import read_system_packages
from repro_tui.support.hash_index import HashIndex
from repro_tui.support.hashes import digest_text, digest_tree
from repro_tui.support.redact import strip_url
from repro_tui.support.regular import read_regular

LARGEST = 64 << 20
DESCRIPTIONS = (".dist-info/METADATA", ".egg-info/PKG-INFO")  # of installed Python packages
_NOT_CONTENT = ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json", "uv_cache.json")
_BLAS = re.compile(r"(?i)^lib(openblas|scipy_openblas|mkl_rt|blis|atlas|accelerate)[^/]*\.so")


class FileView(Protocol):
    """The files of an environment, however it is stored. Paths are relative to its root, with forward slashes."""

    def paths(self) -> Iterable[str]:
        """Every regular file."""
        ...

    def read(self, path: str, limit: int = LARGEST) -> bytes | None:
        """The file's bytes; None where it is not there or larger than `limit`."""
        ...

    def digest(self, path: str) -> str:
        """The file's sha256."""
        ...


class FolderView:
    """The files below a local folder, all hashed at once; symbolic links are not followed."""

    def __init__(self, root: Path, hashes: HashIndex) -> None:
        self.root = root
        self._digests, _ = hashes.below(root)

    def paths(self) -> Iterable[str]:
        """Every regular file below the folder."""
        return self._digests

    def read(self, path: str, limit: int = LARGEST) -> bytes | None:
        """The file's bytes."""
        file = self.root / path
        if path not in self._digests or file.stat().st_size > limit:
            return None
        return read_regular(file)

    def digest(self, path: str) -> str:
        """The file's sha256."""
        return self._digests[path].sha256


def read_python_packages(view: FileView, order: Sequence[str] = ()) -> tuple[dict[str, PythonPackage], dict[str, str]]:
    """The installed Python packages by normalised name, and why others could not be read, by dotted field.

    `order` are the packages folders that Python looks into, in its order. Of a package that is installed twice, the
    copy that Python imports is taken where that can be told: it is in an earlier folder, or it is the only one in its
    folder whose files are those that its RECORD lists.
    """
    copies: dict[str, list[tuple[str, str]]] = {}
    unknown: dict[str, str] = {}
    for path in _descriptions(view, order):
        name, version = _name_and_version(view.read(path))
        if name:
            copies.setdefault(name, []).append((path, version))
        else:
            unknown[f"packages.{PurePosixPath(path).parent.name}"] = f"{path} does not name its package and version"
    packages: dict[str, PythonPackage] = {}
    for name, places in copies.items():
        path, version = imported = _imported(view, places, order)
        if imported[0] == "":
            path, version = places[0]
            others = ", ".join(f"{version} in {place}" for place, version in places)
            unknown[f"packages.{name}"] = (
                f"{name} is installed {len(places)} times, and the copy that Python imports is not known: {others}"
            )
        try:
            packages[name] = _package(view, path, version)
        except csv.Error as error:
            unknown[f"packages.{name}"] = f"the RECORD next to {path} cannot be read: {error}"
    return packages, unknown


def _descriptions(view: FileView, order: Sequence[str]) -> Iterator[str]:
    """The metadata of the installed packages; what a package brings below `_vendor` is that package's own."""
    for path in sorted(view.paths()):
        folder = PurePosixPath(path).parent.parent
        if path.endswith(DESCRIPTIONS) and ("_vendor" not in folder.parts or str(folder) in order):
            yield path


def hidden_copies(view: FileView, packages: Mapping[str, PythonPackage]) -> str:
    """The packages of which there is another copy than the one in `packages`, with the version of that; "" for none."""
    hidden = []
    for path in _descriptions(view, ()):
        name, version = _name_and_version(view.read(path))
        folder = str(PurePosixPath(path).parent.parent)
        if name in packages and (packages[name].folder, packages[name].version) != (folder, version):
            hidden.append(f"{name} {version} in {folder}")
    return ", ".join(hidden)


def _imported(view: FileView, places: list[tuple[str, str]], order: Sequence[str]) -> tuple[str, str]:
    """The copy of a package that Python imports, as its metadata and version; "" where that cannot be told."""
    if len(places) == 1:
        return places[0]
    folders = {str(PurePosixPath(path).parent.parent) for path, _ in places}
    first = next((folder for folder in order if folder in folders), None) if len(folders) > 1 else folders.pop()
    there = [place for place in places if str(PurePosixPath(place[0]).parent.parent) == first]
    whole = there if len(there) == 1 else [place for place in there if _is_whole(view, PurePosixPath(place[0]).parent)]
    return whole[0] if len(whole) == 1 else ("", "")


def _is_whole(view: FileView, info: PurePosixPath) -> bool:
    """Whether all files that a RECORD lists with a hash are there, with that hash."""
    record = view.read(str(info / "RECORD"))
    known = set(view.paths())
    try:
        rows = list(csv.reader((record or b"").decode("utf-8", "replace").splitlines()))
    except csv.Error:
        return False
    hashed = {str(info.parent / row[0]): row[1] for row in rows if len(row) > 1 and row[1].startswith("sha256=")}
    modules = {path: digest for path, digest in hashed.items() if is_content(path) and not path.startswith(f"{info}/")}
    return bool(modules) and all(path in known and _recorded(view.digest(path)) == modules[path] for path in modules)


def _recorded(sha256: str) -> str:
    """A digest as RECORD writes it."""
    return "sha256=" + base64.urlsafe_b64encode(bytes.fromhex(sha256)).rstrip(b"=").decode("ascii")


def _name_and_version(metadata: bytes | None) -> tuple[str, str]:
    if metadata is None:
        return "", ""
    headers = HeaderParser().parsestr(metadata.decode("utf-8", "replace"), headersonly=True)
    name, version = headers.get("Name", ""), headers.get("Version", "")
    return (canonicalize_name(name), version) if name and version else ("", "")


def _package(view: FileView, path: str, version: str) -> PythonPackage:
    info = PurePosixPath(path).parent
    files = {name: view.digest(str(place)) for name, place in _installed(view, info).items()}
    return PythonPackage(version, _source(view, info), digest_tree(files.items()), files, str(info.parent))


def _installed(view: FileView, info: PurePosixPath) -> dict[str, PurePosixPath]:
    """The existing files in RECORD, without bytecode, scripts and the installer's metadata."""
    record = view.read(str(info / "RECORD"))
    known = set(view.paths())
    if record is None:
        names = [p for p in known if p.startswith(f"{info}/")]
        return {name: PurePosixPath(name) for name in names if is_content(name)}
    rows = csv.reader(record.decode("utf-8", "replace").splitlines())
    names = [row[0] for row in rows if row and is_content(row[0]) and not row[0].startswith(("..", "/"))]
    site = info.parent
    return {name: site / name for name in names if str(site / name) in known}


def is_content(name: str) -> bool:
    """Whether a file is part of a package itself: neither bytecode nor a note of the installer."""
    return not name.endswith(".pyc") and PurePosixPath(name).name not in _NOT_CONTENT


def _source(view: FileView, info: PurePosixPath) -> str:
    raw = view.read(str(info / "direct_url.json"), 1 << 16)
    if raw is None:
        return "index"
    try:
        document = json.loads(raw)
        url = strip_url(str(document["url"]))
        commit = document.get("vcs_info", {}).get("commit_id", "")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return "unreadable direct_url.json"
    return f"{url}@{commit}" if commit else url


def read_os_release(view: FileView) -> dict[str, str]:
    """The id, version and name of the operating system, from os-release."""
    raw = view.read("etc/os-release", 1 << 16) or view.read("usr/lib/os-release", 1 << 16) or b""
    pairs = dict(line.partition("=")[::2] for line in raw.decode("utf-8", "replace").splitlines())
    names = {"ID": "os", "VERSION_ID": "os version", "PRETTY_NAME": "os name"}
    return {fact: pairs[name].strip("\"'") for name, fact in names.items() if name in pairs}


def read_interpreter(view: FileView) -> dict[str, str]:
    """The Python interpreter, as far as files show: implementation, version and BLAS libraries.

    The version is taken from pyvenv.cfg, or else from Python's header patchlevel.h.
    """
    facts: dict[str, str] = {}
    config = (view.read("pyvenv.cfg", 1 << 16) or b"").decode("utf-8", "replace")
    fields = {key.strip(): value.strip() for key, _, value in (line.partition("=") for line in config.splitlines())}
    if version := fields.get("version_info") or fields.get("version"):
        facts |= {"implementation": fields.get("implementation", "CPython"), "version": version}
    if "version" not in facts:
        headers = sorted(p for p in view.paths() if re.search(r"include/python3\.\d+/patchlevel\.h$", p))
        text = b"".join(view.read(path, 1 << 16) or b"" for path in headers[:1]).decode("utf-8", "replace")
        if match := re.search(r'#define PY_VERSION\s+"([^"]+)"', text):
            facts |= {"implementation": "CPython", "version": match.group(1)}
    blas = sorted({PurePosixPath(path).name for path in view.paths() if _BLAS.match(PurePosixPath(path).name)})
    if blas:
        facts["blas"] = ", ".join(blas)
    return facts


def inventory_of(view: FileView, order: Sequence[str] = ()) -> Inventory:
    """The inventory of an image, as far as its files show; `order` as in `read_python_packages`."""
    packages, unknown = read_python_packages(view, order)
    system, unread = read_system_packages(view)
    interpreter = read_interpreter(view)
    if "version" not in interpreter:
        interpreter |= _packaged_python(system)
    hidden = hidden_copies(view, {name: item for name, item in packages.items() if f"packages.{name}" not in unknown})
    if hidden:
        interpreter["hidden copies of packages"] = hidden
    return Inventory(interpreter, read_os_release(view), {}, packages, system, {}, unknown | unread)


def _packaged_python(system: dict[str, str]) -> dict[str, str]:
    """The Python that a package manager installed."""
    for name in ("python (conda)", "python3-minimal", "python3"):
        if name in system:
            return {"implementation": "CPython", "version": system[name].partition(" ")[0].partition("-")[0]}
    return {}


def host_facts() -> dict[str, str]:
    """The facts about this machine that can affect a local run: system, libc, kernel, architecture and processor."""
    try:
        release = platform.freedesktop_os_release()
    except OSError:
        release = {}
    model, flags = _processor_facts()
    return {
        "os": release.get("ID", platform.system()),
        "os version": release.get("VERSION_ID", ""),
        "os name": release.get("PRETTY_NAME", platform.platform()),
        "libc": " ".join(platform.libc_ver()),
        "kernel": os.uname().release,
        "architecture": os.uname().machine,
        "processor": model,
        "processor flags": flags,
    }


def _processor_facts() -> tuple[str, str]:
    """The model of the processor, and a digest of its flags: the same model can offer different instructions."""
    try:
        text = Path("/proc/cpuinfo").read_text("utf-8", "replace")
    except OSError:
        return "", ""
    pairs = dict(line.partition(":")[::2] for line in text.partition("\n\n")[0].splitlines())
    fields = {key.strip(): value.strip() for key, value in pairs.items()}
    flags = fields.get("flags") or fields.get("Features") or ""
    return fields.get("model name", ""), digest_text(*sorted(flags.split()))[:12] if flags else ""
