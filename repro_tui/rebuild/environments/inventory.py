"""Lists the contents of an environment: Python packages, system packages, operating system and interpreter.

Everything is read as data, from dist-info folders, the databases of dpkg and apk, os-release, and pyvenv.cfg or
Python's headers: asking pip or dpkg would execute what is audited. The readers see an environment through a FileView,
so a folder, an image and a SIF are read by the same code. What cannot be read is returned as unknown with a reason, and
is never left out: a package that silently vanished from the list would count as equal.
"""

from __future__ import annotations

import csv
import json
import os
import platform
import re
from collections.abc import Iterable
from email.parser import HeaderParser
from pathlib import Path, PurePosixPath
from typing import Protocol

from packaging.utils import canonicalize_name

from repro_tui.model.inventory import Inventory, PythonPackage
from repro_tui.support.hash_index import HashIndex
from repro_tui.support.hashes import digest_text, digest_tree
from repro_tui.support.redact import strip_url

LARGEST = 64 << 20
_NOT_CONTENT = ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json", "uv_cache.json")
_DPKG, _APK = "var/lib/dpkg/status", "lib/apk/db/installed"
_RPM = ("var/lib/rpm/rpmdb.sqlite", "usr/lib/sysimage/rpm/rpmdb.sqlite", "var/lib/rpm/Packages")
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
        return file.read_bytes()

    def digest(self, path: str) -> str:
        """The file's sha256."""
        return self._digests[path].sha256


def read_python_packages(view: FileView) -> tuple[dict[str, PythonPackage], dict[str, str]]:
    """The installed Python packages by normalised name, and why others could not be read, by dotted field."""
    packages: dict[str, PythonPackage] = {}
    unknown: dict[str, str] = {}
    paths = sorted(view.paths())
    for path in paths:
        if not path.endswith((".dist-info/METADATA", ".egg-info/PKG-INFO")):
            continue
        name, version = _name_and_version(view.read(path))
        if not name:
            unknown[f"packages.{PurePosixPath(path).parent.name}"] = f"{path} does not name the package and its version"
        elif name in packages:
            unknown[f"packages.{name}"] = f"{name} is installed twice: {path} is the second"
        else:
            try:
                packages[name] = _package(view, path, version)
            except csv.Error as error:
                unknown[f"packages.{name}"] = f"the RECORD next to {path} cannot be read: {error}"
    return packages, unknown


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


def read_system_packages(view: FileView) -> tuple[dict[str, str], dict[str, str]]:
    """The system packages and their versions (from dpkg, status.d and apk), and why others could not be read."""
    packages: dict[str, str] = {}
    for path in (_DPKG, *sorted(p for p in view.paths() if p.startswith("var/lib/dpkg/status.d/"))):
        text = (view.read(path) or b"").decode("utf-8", "replace")
        for paragraph in text.split("\n\n"):
            fields = dict(line.partition(": ")[::2] for line in paragraph.splitlines() if line[:1].isalpha())
            if "Package" in fields and fields.get("Status", "install ok installed").endswith(" installed"):
                packages[fields["Package"]] = fields.get("Version", "")
    apk = (view.read(_APK) or b"").decode("utf-8", "replace")
    for paragraph in apk.split("\n\n"):
        fields = dict(line.partition(":")[::2] for line in paragraph.splitlines())
        if "P" in fields:
            packages[fields["P"]] = fields.get("V", "")
    rpm = [path for path in _RPM if path in set(view.paths())]
    reason = f"{rpm[0]} is an RPM database, which this version cannot read" if rpm else ""
    return packages, {"system packages": reason} if rpm else {}


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


def inventory_of(view: FileView) -> Inventory:
    """The inventory of an image, as far as its files show."""
    packages, unknown = read_python_packages(view)
    system, unread = read_system_packages(view)
    interpreter = read_interpreter(view)
    if "version" not in interpreter:
        interpreter |= _debian_python(system)
    return Inventory(interpreter, read_os_release(view), {}, packages, system, {}, unknown | unread)


def _debian_python(system: dict[str, str]) -> dict[str, str]:
    for name in ("python3-minimal", "python3"):
        if name in system:
            return {"implementation": "CPython", "version": system[name].partition("-")[0]}
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
