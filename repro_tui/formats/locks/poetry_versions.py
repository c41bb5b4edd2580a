"""Poetry's notation of versions: `^1.2`, `~1.2`, `1.*`, `>=1,<2 || >=3`."""

from __future__ import annotations

import re

from packaging.specifiers import SpecifierSet
from packaging.version import Version

from repro_tui.support.text import quote

_PART = re.compile(r"\s*(\^|~=|~|===?|!=|<=|>=|<|>)?\s*v?([^\s,<>=!~^|]+)")


def allows(constraint: str, version: str) -> bool:
    """Whether a constraint allows a version. Raises ValueError where it is not a constraint."""
    return any(
        SpecifierSet(specifiers(text)).contains(Version(version), prereleases=True)
        for text in re.split(r"\|\|?", constraint)
    )


def specifiers(constraint: str) -> str:
    """A constraint in the standard notation: `^1.2` is `>=1.2,<2`.

    Raises ValueError where it is not a constraint, and for alternatives (`||`), which the standard notation lacks.
    """
    text, parts, place = constraint.strip(), [], 0
    while place < len(text):
        part = _PART.match(text, place)
        if part is None:
            raise ValueError(f"{quote(text)} is not a version constraint")
        parts.append(_specifier(part.group(1) or "==", part.group(2)))
        place = part.end()
        place += len(text[place:]) - len(text[place:].lstrip(" ,"))
    return ",".join(part for part in parts if part)


def _specifier(operator: str, version: str) -> str:
    if version in ("*", "x"):
        return ""
    if operator in ("^", "~"):
        return f">={version},<{_next(operator, Version(version).release)}"
    return f"{operator}{version}"


def _next(operator: str, release: tuple[int, ...]) -> str:
    """The first version that is not allowed: `^1.2` ends at 2, `^0.2` at 0.3, `~1.2` at 1.3, `~1` at 2."""
    if operator == "~":
        place = min(1, len(release) - 1)
    else:
        place = next((index for index, number in enumerate(release) if number), len(release) - 1)
    return ".".join(map(str, (*release[:place], release[place] + 1)))
