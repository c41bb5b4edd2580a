"""Reads requirements files as data: options that could redirect the installer or execute code are mistakes."""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from packaging.requirements import InvalidRequirement, Requirement

from repro_tui.model.errors import Mistake
from repro_tui.support.redact import strip_urls
from repro_tui.support.text import show

_OPTION = re.compile(r"^(--[A-Za-z][A-Za-z-]*|-[A-Za-z])[ =]*(?P<value>.*)$")
_HASH = re.compile(r"\s--hash[= ](?P<hash>sha(256|384|512):[0-9a-f]+)(?=\s|$)")
_EXTRAS = re.compile(r"^(?P<path>[^\[\]]*)(\[(?P<extras>[A-Za-z0-9._, -]*)\])?$")
_INCLUDING, _CONSTRAINING = ("-r", "--requirement", "--requirements"), ("-c", "--constraint", "--constraints")
_EDITABLE = ("-e", "--editable")
# Options of pip that only choose between the files of one release, or how pip itself works.
_TOLERATED = frozenset(
    "--no-binary --only-binary --prefer-binary --pre --use-pep517 --no-use-pep517 --use-feature".split()
)
_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
MOST_FILES = 64

ReadFile = Callable[[str], bytes]


@dataclass(frozen=True, slots=True)
class RequirementLine:
    """One requirement: its line (0: none) in the file `file`, the requirement, and its hashes."""

    number: int
    requirement: Requirement
    hashes: tuple[str, ...] = ()
    file: str = ""

    @property
    def pinned(self) -> bool:
        """Whether it names exactly one version."""
        specifiers = list(self.requirement.specifier)
        return len(specifiers) == 1 and specifiers[0].operator in ("==", "===") and "*" not in specifiers[0].version

    @property
    def text(self) -> str:
        """The line as it is passed to the installer."""
        return " ".join([str(self.requirement), *(f"--hash={value}" for value in self.hashes)])


@dataclass(frozen=True, slots=True)
class LocalProject:
    """A project that a requirements file installs: its folder below that of the code, and its extras."""

    folder: str
    extras: tuple[str, ...] = ()


@dataclass(slots=True)
class RequirementsFile:
    """The content of a requirements file and of the files that it includes.

    `lines` are the requirements, `constraints` those that only limit versions, `projects` the folders of the commit
    that are installed, `ignored` the options that are not honoured, each with its place, and `mistakes` all that is
    refused.
    """

    lines: list[RequirementLine] = field(default_factory=list)
    constraints: list[RequirementLine] = field(default_factory=list)
    projects: list[LocalProject] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)
    mistakes: list[Mistake] = field(default_factory=list)


def parse_requirements(text: str, name: str) -> tuple[list[RequirementLine], list[Mistake]]:
    """The requirements of a file that stands alone and its mistakes, which include the file's `name` and the line."""
    content = read_alone(text, name)
    return content.lines, content.mistakes


def read_alone(text: str, name: str) -> RequirementsFile:
    """A requirements file that stands alone, so that what it includes is a mistake; with its projects and options."""
    reader = _Reader(_no_file)
    reader.read_text(text, name, reader.content.lines)
    return reader.content


def read_requirements(name: str, read: ReadFile) -> RequirementsFile:
    """A requirements file with all that it includes.

    `read` returns the bytes of a file by its path, and raises OSError or ValueError where there is none. Paths of
    included files are relative to the file that includes them, those of projects to the folder of the code. Raises
    OSError where the file itself is not there.
    """
    reader = _Reader(read)
    try:
        reader.read_file(name, reader.content.lines)
    except ValueError as error:
        reader.content.mistakes.append(Mistake(name, str(error)))
    return reader.content


def decoded(content: bytes) -> str:
    """The text of a requirements file: UTF-8, or UTF-16 with a byte-order mark. Raises ValueError."""
    encoding = next((encoding for mark, encoding in _MARKS if content.startswith(mark)), "utf-8")
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        raise ValueError("it is neither UTF-8 nor UTF-16 with a byte-order mark: save it as UTF-8") from error


def _no_file(name: str) -> bytes:
    raise FileNotFoundError(f"record one complete file, without {name}")


class _Reader:
    """Reads a file, and the files that it includes, into one content."""

    def __init__(self, read: ReadFile) -> None:
        self.read, self.content = read, RequirementsFile()
        self.open: list[str] = []
        self.count = 0

    def read_file(self, name: str, target: list[RequirementLine]) -> None:
        """Adds the requirements of a file to `target`. Raises OSError or ValueError where it cannot be read."""
        if name in self.open:
            raise ValueError(f"{show(name, 120)} includes itself")
        self.count += 1
        if self.count > MOST_FILES:
            raise ValueError(f"more than {MOST_FILES} files are included")
        self.open.append(name)
        try:
            self.read_text(decoded(self.read(name)), name, target)
        finally:
            self.open.pop()

    def read_text(self, text: str, name: str, target: list[RequirementLine]) -> None:
        """Adds the requirements of a file's text to `target`."""
        for number, line in _logical(text):
            hashes = tuple(match.group("hash") for match in _HASH.finditer(line))
            bare = _HASH.sub("", line).strip()
            try:
                if not self._special(bare, name, number, target):
                    target.append(RequirementLine(number, _requirement(bare), hashes, name))
            except (OSError, ValueError) as error:
                self.content.mistakes.append(Mistake(f"{name}: line {number}", str(error)))

    def _special(self, text: str, name: str, number: int, target: list[RequirementLine]) -> bool:
        """Whether the line is no requirement from an index; it is then dealt with."""
        match = _OPTION.match(text)
        option, value = (match.group(1), _unquoted(match.group("value"))) if match else ("", text)
        if option in (*_INCLUDING, *_CONSTRAINING):
            self._include(value, name, self.content.constraints if option in _CONSTRAINING else target)
        elif option in _EDITABLE or (not option and _is_path(text)):
            self.content.projects.append(_project(value))
        elif option in _TOLERATED:
            self.content.ignored.append(f"{name}: line {number}: {show(text, 80)} is not honoured")
        else:
            return option == "--require-hashes"
        return True

    def _include(self, value: str, name: str, target: list[RequirementLine]) -> None:
        if "://" in value:
            raise ValueError(f"{show(strip_urls(value), 120)} is a URL: commit that file, and include it by its path")
        path = _joined(PurePosixPath(name).parent, value)
        try:
            self.read_file(path, target)
        except OSError as error:
            reason = error.args[0] if self.read is _no_file else f"{show(path, 120)} is not in the commit: commit it"
            raise ValueError(reason) from error


def _unquoted(text: str) -> str:
    text = text.strip()
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'" else text


def _is_path(text: str) -> bool:
    return text.startswith((".", "/")) or text in ("~", "~/")


def _joined(folder: PurePosixPath, path: str) -> str:
    """The path of a file below the root. Raises ValueError where it leaves it."""
    from repro_tui.support.paths import is_inside

    parts: list[str] = []
    for part in (*folder.parts, *PurePosixPath(path).parts):
        if part == "..":
            if not parts:
                break
            parts.pop()
        else:
            parts.append(part)
    else:
        if is_inside("/".join(parts) or "."):
            return "/".join(parts) or "."
    raise ValueError(f"{show(path, 120)} is outside the folder of the code: record a path inside it")


def _project(value: str) -> LocalProject:
    """The folder of the commit that a line installs. Raises ValueError for a URL, an archive or a path outside."""
    value = value.partition(" ;")[0].strip()
    if "://" in value or value.startswith(("git+", "hg+", "svn+", "bzr+")):
        raise ValueError(f"{show(strip_urls(value), 120)} comes from a repository: record a released version of it")
    match = _EXTRAS.match(value)
    if match is None or not match.group("path").strip():
        raise ValueError(f"{show(value, 120)} is not a folder of the commit: record a released version")
    folder = _joined(PurePosixPath(), match.group("path").strip())
    if folder.endswith((".whl", ".tar.gz", ".zip")):
        raise ValueError(f"{show(folder, 120)} is a package file: record a released version, or the folder of its code")
    extras = tuple(sorted({extra.strip() for extra in (match.group("extras") or "").split(",")} - {""}))
    return LocalProject(folder, extras)


def _logical(text: str) -> list[tuple[int, str]]:
    """The logical lines: without comments, with continuation lines joined, each with the number of its first line."""
    lines: list[tuple[int, str]] = []
    begun, first = "", 0
    for number, raw in enumerate(text.splitlines(), 1):
        first = first if begun else number
        line = re.sub(r"(^|\s)#.*$", "", raw)
        begun += line.rstrip("\\") + " " if line.endswith("\\") else line
        if not line.endswith("\\"):
            if begun.strip():
                lines.append((first, begun.strip()))
            begun = ""
    if begun.strip():
        lines.append((first, begun.strip()))
    return lines


def as_requirement(text: str) -> Requirement:
    """A requirement from an index. Raises ValueError with what is wrong and what to do."""
    return _requirement(text)


def _requirement(text: str) -> Requirement:
    option = _OPTION.match(text)
    if option:
        raise ValueError(
            f"the option {option.group(1)} is not allowed in a requirements file: {_advice(option.group(1))}"
        )
    try:
        requirement = Requirement(text)
    except InvalidRequirement as error:
        shown = show(strip_urls(text), 120)
        raise ValueError(f"{shown} is not a requirement: {show(str(error).splitlines()[0], 120)}") from error
    if requirement.url:
        raise ValueError(f"{requirement.name} comes from a URL: record a released version of it")
    return requirement


def _advice(option: str) -> str:
    if "index" in option or option in ("-i", "-f", "--find-links", "--trusted-host"):
        return "set the index in your own environment (UV_DEFAULT_INDEX, UV_INDEX, UV_FIND_LINKS)"
    return "remove it"
