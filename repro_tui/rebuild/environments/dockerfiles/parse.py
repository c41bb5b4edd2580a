"""Reads a Dockerfile as data: its instructions with their lines, its stages, and what in it only BuildKit builds."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

# The arguments that BuildKit sets by itself.
PLATFORM_ARGUMENTS = tuple(
    f"{machine}{part}" for machine in ("TARGET", "BUILD") for part in ("PLATFORM", "OS", "ARCH", "VARIANT")
)
_DIRECTIVE = re.compile(r"#\s*([A-Za-z][A-Za-z0-9]*)\s*=\s*(.+?)\s*")
_HEREDOC = re.compile(r"(?<!<)<<-?([\"']?)([A-Za-z_][A-Za-z0-9_.-]*)\1")
_FLAG = re.compile(r"--[a-z][a-z-]*(=(\"[^\"]*\"|'[^']*'|\S*))?")
_VARIABLE = re.compile(r"\\\$|\$(\{)?([A-Za-z_][A-Za-z0-9_]*)(?(1)(?::?([-+])([^}]*))?\})")
_WITH_HEREDOCS = ("RUN", "COPY", "ADD")
# What needs BuildKit: instruction, flag, and the version of the Dockerfile syntax that introduced it.
_FLAGS = (
    ("RUN", "--mount", "1.2"),
    ("RUN", "--network", "1.3"),
    ("RUN", "--security", "1.20"),
    ("COPY", "--chmod", "1.2"),
    ("ADD", "--chmod", "1.2"),
    ("COPY", "--link", "1.4"),
    ("ADD", "--link", "1.4"),
    ("ADD", "--checksum", "1.6"),
    ("ADD", "--keep-git-dir", "1.1"),
    ("COPY", "--parents", "1.20"),
    ("COPY", "--exclude", "1.19"),
    ("ADD", "--exclude", "1.19"),
)


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction: its first line (from 1), its name in capitals, its flags, and the rest of its text."""

    line: int
    name: str
    flags: tuple[str, ...]
    text: str
    heredocs: tuple[str, ...] = ()

    def flag(self, name: str) -> str | None:
        """The value of a flag; "" where it has none, None where the flag is not given."""
        for flag in self.flags:
            key, _, value = flag.partition("=")
            if key == name:
                return value.strip("\"'")
        return None


@dataclass(frozen=True, slots=True)
class NewerSyntax:
    """Something that only BuildKit builds: its line, and the version of the Dockerfile syntax that introduced it."""

    line: int
    text: str
    since: str


@dataclass(slots=True)
class Stage:
    """One stage: `base` is the image or the stage that it begins with ("": not known), `uses` what it copies from."""

    line: int
    written: str
    base: str
    name: str = ""
    platform: str = ""
    uses: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Dockerfile:
    """A Dockerfile: the frontend that its first lines name ("" for none), and its instructions."""

    syntax: str
    instructions: tuple[Instruction, ...]

    def needs(self) -> list[NewerSyntax]:
        """What in it only BuildKit builds, in the order of its lines."""
        first = [NewerSyntax(1, f"# syntax={self.syntax}", "1.0")] if self.syntax else []
        return first + [need for instruction in self.instructions for need in _needs(instruction)]

    def declared(self) -> set[str]:
        """The names of all build arguments that it declares."""
        return {name for item in self.instructions if item.name == "ARG" for name, _ in _arguments(item.text)}

    def stages(self, arguments: Mapping[str, str]) -> list[Stage]:
        """Its stages, with the build arguments in the names of their images filled in."""
        values: dict[str, str] = {}
        stages: list[Stage] = []
        for item in self.instructions:
            if item.name == "ARG" and not stages:
                for name, default in _arguments(item.text):
                    values[name] = arguments.get(name, expand(default, values) or "")
            elif item.name == "FROM":
                stages.append(_stage(item, {**arguments, **values}))
            elif stages:
                stages[-1].uses += _images_used(item)
        return stages


def _needs(item: Instruction) -> Iterator[NewerSyntax]:
    for instruction, flag, since in _FLAGS:
        if item.name == instruction and item.flag(flag) is not None:
            yield NewerSyntax(item.line, f"{instruction} {flag}", since)
    if item.heredocs:
        yield NewerSyntax(item.line, f"{item.name} <<{item.heredocs[0]}", "1.4")
    if item.name == "FROM" and any(name in (item.flag("--platform") or "") for name in PLATFORM_ARGUMENTS):
        yield NewerSyntax(item.line, f"FROM --platform={item.flag('--platform')}", "1.0")


def _stage(item: Instruction, values: Mapping[str, str]) -> Stage:
    fields = item.text.split()
    written = fields[0] if fields else ""
    name = fields[2] if len(fields) > 2 and fields[1].upper() == "AS" else ""
    platform = item.flag("--platform") or ""
    base = expand(written, values) or ""
    return Stage(item.line, written, base, name.lower(), expand(platform, values) or platform)


def _images_used(item: Instruction) -> list[str]:
    """The stages and images that an instruction takes files of."""
    if item.name in ("COPY", "ADD"):
        return [source] if (source := item.flag("--from")) else []
    mounts = [flag for flag in item.flags if flag.startswith("--mount=")]
    return [match.group(1) for mount in mounts if (match := re.search(r"[=,]from=([^,\s]+)", mount))]


def needed(stages: Sequence[Stage], target: str) -> list[Stage]:
    """The stages that the target (a name or a number; "": the last one) is built from, in their order."""
    last = len(stages) - 1 if stages else None
    wanted = {number for number in [_index(stages, target) if target else last] if number is not None}
    pending = list(wanted)
    while pending:
        number = pending.pop()
        for name in (stages[number].base, *stages[number].uses):
            before = _index(stages[:number], name)
            if before is not None and before not in wanted:
                wanted.add(before)
                pending.append(before)
    return [stages[number] for number in sorted(wanted)]


def images_of(stages: Sequence[Stage], chosen: Sequence[Stage]) -> Iterator[tuple[Stage, str]]:
    """The images, which are no stages, that the chosen stages begin with or copy from; "" where it cannot be told."""
    for stage in chosen:
        before = stages[: next(number for number, item in enumerate(stages) if item is stage)]
        for name in (stage.base, *stage.uses):
            if name != "scratch" and _index(before, name) is None:
                yield stage, name


def _index(stages: Sequence[Stage], name: str) -> int | None:
    for number in reversed(range(len(stages))):
        if name and name.lower() in (stages[number].name, str(number)):
            return number
    return None


def _arguments(text: str) -> Iterator[tuple[str, str]]:
    for match in re.finditer(r"([A-Za-z_][A-Za-z0-9_]*)(?:=(\"[^\"]*\"|'[^']*'|\S*))?", text):
        yield match.group(1), (match.group(2) or "").strip("\"'")


def expand(text: str, values: Mapping[str, str]) -> str | None:
    """The text with its variables filled in; None where one of them has no value."""
    unknown = False

    def replace(match: re.Match[str]) -> str:
        nonlocal unknown
        _, name, sign, word = match.groups()
        if name is None:
            return "$"
        value = values.get(name, "")
        if sign == "+":
            return word if value else ""
        if not value and sign != "-":
            unknown = True
        return value or word or ""

    expanded = _VARIABLE.sub(replace, text)
    return None if unknown else expanded.strip("\"'")


def parse_dockerfile(text: str) -> Dockerfile:
    """The instructions of a Dockerfile. What it does not understand is left to the builder, which has the last word."""
    lines = text.removeprefix("\ufeff").splitlines()
    directives = _directives(lines)
    return Dockerfile(directives.get("syntax", ""), tuple(_instructions(lines, directives.get("escape", "\\"))))


def _directives(lines: Sequence[str]) -> dict[str, str]:
    directives: dict[str, str] = {}
    for line in lines:
        match = _DIRECTIVE.fullmatch(line.strip())
        if match is None or match.group(1).lower() in directives:
            break
        directives[match.group(1).lower()] = match.group(2)
    return directives


def _instructions(lines: Sequence[str], escape: str) -> Iterator[Instruction]:
    number = 0
    while number < len(lines):
        first = number
        text, number = _logical_line(lines, number, escape)
        if text:
            name, _, rest = text.partition(" ")
            heredocs, number = _heredocs(lines, number, name.upper(), rest)
            flags, rest = _flags(rest.strip())
            yield Instruction(first + 1, name.upper(), flags, rest, heredocs)


def _logical_line(lines: Sequence[str], number: int, escape: str) -> tuple[str, int]:
    """The text of an instruction on one line ("": there is none), and the number of the line after it."""
    parts: list[str] = []
    while number < len(lines):
        line = lines[number].strip()
        number += 1
        if line.startswith("#") or not line:
            if not parts:
                return "", number
            continue
        parts.append(line.removesuffix(escape).strip())
        if not line.endswith(escape):
            break
    return " ".join(parts).replace("\t", " "), number


def _heredocs(lines: Sequence[str], number: int, name: str, text: str) -> tuple[tuple[str, ...], int]:
    """The marks of the heredocs that end somewhere below, and the number of the line after them."""
    marks: list[str] = []
    if name not in _WITH_HEREDOCS:
        return (), number
    for _, mark in _HEREDOC.findall(text):
        end = next((place for place in range(number, len(lines)) if lines[place].strip("\t\r") == mark), None)
        if end is not None:
            marks.append(mark)
            number = end + 1
    return tuple(marks), number


def _flags(text: str) -> tuple[tuple[str, ...], str]:
    flags = []
    while match := _FLAG.match(text):
        flags.append(match.group())
        text = text[match.end() :].lstrip()
    return tuple(flags), text
