"""Reads requirements files as data: options that could redirect the installer or execute code are mistakes."""

from __future__ import annotations

import re
from dataclasses import dataclass

from packaging.requirements import InvalidRequirement, Requirement

from repro_tui.model.errors import Mistake
from repro_tui.support.redact import strip_urls
from repro_tui.support.text import show

_OPTION = re.compile(r"^(--?[A-Za-z][A-Za-z-]*)")
_HASH = re.compile(r"\s--hash[= ](?P<hash>sha(256|384|512):[0-9a-f]+)(?=\s|$)")


@dataclass(frozen=True, slots=True)
class RequirementLine:
    """One requirement of a file: its line number, the requirement, and its hashes."""

    number: int
    requirement: Requirement
    hashes: tuple[str, ...] = ()

    @property
    def pinned(self) -> bool:
        """Whether it names exactly one version."""
        specifiers = list(self.requirement.specifier)
        return len(specifiers) == 1 and specifiers[0].operator in ("==", "===") and "*" not in specifiers[0].version

    @property
    def text(self) -> str:
        """The line as it is passed to the installer."""
        return " ".join([str(self.requirement), *(f"--hash={value}" for value in self.hashes)])


def check_requirements(text: str, name: str) -> list[Mistake]:
    """The mistakes in a requirements file, each with its line."""
    return parse_requirements(text, name)[1]


def parse_requirements(text: str, name: str) -> tuple[list[RequirementLine], list[Mistake]]:
    """The requirements of a file and its mistakes, which include the file's `name` and the line."""
    lines: list[RequirementLine] = []
    mistakes: list[Mistake] = []
    for number, line in _logical(text):
        hashes = tuple(match.group("hash") for match in _HASH.finditer(line))
        bare = _HASH.sub("", line).strip()
        try:
            lines.append(RequirementLine(number, _requirement(bare), hashes))
        except ValueError as error:
            mistakes.append(Mistake(f"{name}: line {number}", str(error)))
    return lines, mistakes


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
        return "set the index in your own environment (UV_DEFAULT_INDEX)"
    if option in ("-r", "--requirement", "-c", "--constraint"):
        return "record one complete file"
    if option in ("-e", "--editable"):
        return "record a released version"
    return "remove it"
