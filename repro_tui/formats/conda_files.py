"""Reads environment.yml files and explicit lists of conda packages as data."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from repro_tui.formats.documents import parse_document
from repro_tui.model.errors import Mistake, Refused
from repro_tui.support.text import show

PYTHON = "python"
INSTALLERS = ("pip", "setuptools", "wheel")
DEFAULTS = ("https://repo.anaconda.com/pkgs/main", "https://repo.anaconda.com/pkgs/r")
_SPEC = re.compile(r"(?:(?P<channel>[^\s:]+)::)?(?P<name>[A-Za-z0-9_.-]+)\s*(?P<rest>.*)")
_EXACT = re.compile(r"={0,2}\s*(\d+(?:\.\d+){1,2})(?:\.\*)?(?:\s*[= ]\s*[\w*.]+)?")
_ARCHIVE = re.compile(r"(?P<url>\S+/(?P<file>[^/\s#]+\.(?:conda|tar\.bz2)))(?:#(?P<hash>(?:sha256:)?[0-9a-fA-F]+))?")


@dataclass(frozen=True, slots=True)
class PipLine:
    """A line of the pip part: its number in the file, and its text as in a requirements file."""

    number: int
    text: str


@dataclass(frozen=True, slots=True)
class CondaFile:
    """An environment.yml: channels in their order, conda packages as written, the pip part, and variables."""

    channels: tuple[str, ...]
    packages: tuple[str, ...]
    pip: tuple[PipLine, ...] = ()
    variables: dict[str, str] = field(default_factory=dict)

    @property
    def python(self) -> str | None:
        """What it says of the version of Python: such as `=3.10` or `>=3.8`; None where it names no Python."""
        versions = [rest for name, rest in map(named, self.packages) if name == PYTHON]
        return versions[0] if versions else None

    @property
    def is_pip_only(self) -> bool:
        """Whether all of its conda packages are Python and installers of Python packages."""
        names = {name for name, _ in map(named, self.packages)}
        return names <= {PYTHON, *INSTALLERS}


@dataclass(frozen=True, slots=True)
class CondaArchive:
    """A conda package of a lock: its URL and hashes ("" where they are not recorded)."""

    url: str
    sha256: str = ""
    md5: str = ""


def named(spec: str) -> tuple[str, str]:
    """The name of a conda package in lower case, and the rest of its specification."""
    match = _SPEC.fullmatch(spec.strip())
    return (match["name"].lower(), match["rest"].strip()) if match else (spec, "")


def python_release(rest: str) -> str | None:
    """The version of Python that a specification fixes, such as 3.10 for `=3.10`; None for a range."""
    match = _EXACT.fullmatch(rest)
    return match.group(1) if match else None


def allows_python(rest: str, version: str) -> bool:
    """Whether a range allows a version of Python; a range in conda's own notation is not understood, so False."""
    try:
        return SpecifierSet(rest.replace(" ", "")).contains(version, prereleases=True)
    except InvalidSpecifier:
        return False


def parse_conda(content: bytes, name: str) -> CondaFile:
    """The environment in an environment.yml. Raises Refused with every mistake, each with its place."""
    document = parse_document(content, ".yaml", name)
    mistakes: list[Mistake] = []
    packages: list[str] = []
    pip: list[str] = []
    for number, item in enumerate(_list(document, "dependencies", name, mistakes), 1):
        if isinstance(item, str) and _SPEC.fullmatch(item.strip()):
            packages.append(item.strip())
        elif isinstance(item, dict) and set(item) == {"pip"} and _is_texts(item["pip"] or []):
            pip += [str(line).strip() for line in item["pip"] or []]
        else:
            text = f"dependency {number} is neither a conda package nor a list of pip: {show(item, 120)}"
            mistakes.append(Mistake(name, text))
    channels = _list(document, "channels", name, mistakes)
    if not _is_texts(channels):
        mistakes.append(Mistake(name, "channels is not a list of names"))
    variables = document.get("variables") or {}
    if not isinstance(variables, dict):
        mistakes.append(Mistake(name, "variables is not a table of texts"))
    if mistakes:
        raise Refused.all(mistakes)
    assert isinstance(variables, dict)
    lines = content.decode("utf-8", "replace").splitlines()
    named_variables = {str(key): "" if value is None else str(value) for key, value in variables.items()}
    return CondaFile(tuple(map(str, channels)), tuple(packages), tuple(_numbered(pip, lines)), named_variables)


def _list(document: dict[str, object], key: str, name: str, mistakes: list[Mistake]) -> list[object]:
    value = document.get(key) or []
    if isinstance(value, list):
        return value
    mistakes.append(Mistake(name, f"{key} is not a list"))
    return []


def _is_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) and "\n" not in item for item in value)


def _numbered(texts: list[str], lines: list[str]) -> list[PipLine]:
    """The texts with the lines that they are in, which are in the same order."""
    numbered, start = [], 0
    for text in texts:
        place = next((index for index in range(start, len(lines)) if text in lines[index]), start)
        numbered.append(PipLine(place + 1, text))
        start = place
    return numbered


def parse_explicit(content: bytes, name: str) -> list[CondaArchive]:
    """The packages of an explicit list (`conda list --explicit`). Raises Refused with every mistake and its line."""
    archives: list[CondaArchive] = []
    mistakes: list[Mistake] = []
    for number, raw in enumerate(content.decode("utf-8-sig", "replace").splitlines(), 1):
        line = raw.partition(" #")[0].strip()
        if not line or line.startswith(("#", "@")):
            continue
        match = _ARCHIVE.fullmatch(line)
        if match is None:
            mistakes.append(Mistake(f"{name}: line {number}", f"{show(line, 120)} is not the URL of a conda package"))
            continue
        digest = (match["hash"] or "").lower().removeprefix("sha256:")
        kinds = {64: "sha256", 32: "md5"}
        if digest and len(digest) not in kinds:
            mistakes.append(Mistake(f"{name}: line {number}", "the hash is neither a md5 nor a sha256"))
            continue
        archives.append(CondaArchive(match["url"], **({kinds[len(digest)]: digest} if digest else {})))
    if mistakes:
        raise Refused.all(mistakes)
    return archives
