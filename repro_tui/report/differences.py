"""What differs in the areas beside the predictions, as phrases of a sentence: "numpy 1.26.4 → 2.1.3 and 2 commits".

A phrase has no hash and no digest: commits are counted, and a file that changed is only named. Its `factors` are those
of a search for the cause that can hold it, so that a sentence can say what the search has shown of it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property

from repro_tui.model.causes import names_a_model
from repro_tui.model.finding import AreaName, Finding
from repro_tui.model.report import Areas
from repro_tui.report.words import SEVERITY_ORDER
from repro_tui.support.text import excerpt, first_difference, join_names, plural, show, without_hashes

STATIC: tuple[AreaName, ...] = ("parameters", "environment", "data", "code")
MOST_NAMED = 5  # differences that a sentence names; it counts the others
MANY, NAMED_OF_MANY = 8, 3  # of more than so many, it names fewer: it is read in one breath
LONGEST_VALUE, BEFORE = 32, 8  # characters of a value, and of these before the first difference
LONGEST_SEARCHED = 100_000  # characters of a value in which the first difference is looked for
LONGEST_NAME = 70
NOUNS = {"packages": "package", "variables": "variable", "system packages": "system package"}
AREA_NOUNS = {"parameters": "parameter", "data": "data item", "code": "file"}
COMMIT = ("commit",)
INTERPRETER = {"version": "Python", "blas": "BLAS", "implementation": "the Python implementation"}


@dataclass(frozen=True)
class Difference:
    """One difference of an area. It is worded when it is named: of thousands, a sentence names a few."""

    area: AreaName
    finding: Finding

    @property
    def path(self) -> tuple[str, ...]:
        """Its path in the area."""
        return self.finding.path

    @property
    def section(self) -> str:
        """The first part of the path."""
        return self.path[0] if self.path else ""

    @property
    def name(self) -> str:
        """The phrase without values."""
        if self.area == "code":
            return _code_name(self.finding)
        if self.area == "data":
            return show(self.section, LONGEST_NAME)
        return parameter_name(self.path) if self.area == "parameters" else _environment_name(self.path)

    @property
    def values(self) -> str:
        """The values on both sides; "" where they cannot be read."""
        no_text = self.area == "code" or self.path == ("interpreter", "blas")  # hashes, or names of files
        return "" if no_text else _values(self.finding)

    @property
    def noun(self) -> str:
        """The noun under which it is counted."""
        return NOUNS.get(self.section, "difference") if self.area == "environment" else AREA_NOUNS[self.area]

    @cached_property
    def factors(self) -> tuple[str, ...]:
        """The factors of a search that may hold it."""
        if self.area == "data":
            children = [child.path[-1] for child in self.finding.children]
            return ("model",) if names_a_model(self.section, children) else ("model", "data")
        return _environment_factors(self.section) if self.area == "environment" else (self.area,)

    @property
    def is_counted(self) -> bool:
        """Whether the phrase is a count, such as "2 commits"."""
        return self.is_commit and bool(self.finding.children)

    @property
    def is_commit(self) -> bool:
        """Whether it is that of the commits."""
        return self.area == "code" and self.path == COMMIT

    @property
    def phrase(self) -> str:
        """The difference with its values on both sides, where they can be read."""
        name, values = self.name, self.values
        return f"{name} {values}" if values else name


def differences_of(areas: Areas) -> list[Difference]:
    """All differences of the four areas, the important ones first; the commits and files of the code are one."""
    differences: list[Difference] = []
    for name in STATIC:
        findings = [f for f in getattr(areas, name).findings if f.change not in ("same", "unknown")]
        if name == "code" and any(finding.path == COMMIT for finding in findings):
            findings = [finding for finding in findings if finding.path == COMMIT]
        differences += [Difference(name, finding) for finding in findings]
    return sorted(differences, key=lambda difference: SEVERITY_ORDER[difference.finding.severity])


def is_all_known(areas: Areas) -> bool:
    """Whether every area was recorded and read, so that what is not listed does not differ."""
    static = [getattr(areas, name) for name in STATIC]
    is_open = any(finding.change == "unknown" for area in static for finding in area.findings)
    return not is_open and all(area.status not in ("unknown", "not-recorded") for area in static)


def listed(differences: Sequence[Difference], most: int = MOST_NAMED) -> str:
    """Differences as a list in a sentence: the first with their values, the others counted by their nouns.

    At most `most` have their values, and of many the first few.
    """
    if len(differences) > MANY:
        most = min(most, NAMED_OF_MANY)
    commits = [difference for difference in differences[most:] if difference.is_commit]
    phrases = [difference.phrase for difference in (*differences[:most], *commits)]
    counts: dict[str, int] = {}
    for difference in differences[most:]:
        if difference.is_commit:
            continue
        counts[difference.noun] = counts.get(difference.noun, 0) + 1
    return join_names([*phrases, *(plural(count, f"more {noun}") for noun, count in counts.items())])


def are_several(differences: Sequence[Difference]) -> bool:
    """Whether a list of differences is the subject of a verb in the plural."""
    return len(differences) > 1 or any(each.is_counted and not each.name.startswith("1 ") for each in differences)


def _environment_factors(section: str) -> tuple[str, ...]:
    """The factors that may hold a difference of the environment: several where the report does not say which."""
    if section == "packages":
        return ("environment", "environment.packages")
    if section == "variables":
        return ("variables", "environment", "environment.system")
    return ("environment", "environment.packages", "environment.system")


def parameter_name(path: Sequence[str]) -> str:
    """A parameter's name; that of a long path keeps its end, which tells it from its neighbours."""
    name = show(".".join(("parameters", *path)), 1000)
    for first in range(1, len(path)):
        if len(name) <= LONGEST_NAME:
            break
        name = show(".".join(("parameters.…", *path[first:])), 1000)
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…"


def _environment_name(path: Sequence[str]) -> str:
    section, rest = path[0], show(" ".join(path[1:]), LONGEST_NAME)
    if section == "interpreter":
        return INTERPRETER.get(rest, f"the interpreter's {rest}") if rest else "the interpreter"
    if section == "image":
        return f"the image's {rest}" if rest else "the image"
    if section == "files":
        return "files of the image"
    kind = {"variables": "the variable ", "system packages": "the system package "}.get(section, "")
    return f"{kind}{rest or show(section, LONGEST_NAME)}"


def _code_name(finding: Finding) -> str:
    """The commits between the two sides, counted; or a file."""
    if finding.path != COMMIT:
        return show(" ".join(finding.path), LONGEST_NAME) or "the code"
    commits = len(finding.children)
    return plural(commits, "commit") if commits else "the commit"


def _values(finding: Finding) -> str:
    if finding.change == "added":
        return "(only in B)"
    if finding.change == "removed":
        return "(only in A)"
    return value_pair(finding.a, finding.b)


def value_pair(a: object, b: object, arrow: str = " → ") -> str:
    """Two values in a sentence, long ones around their first difference; "" where they are hashes, hidden or absent."""
    if a is None or b is None:
        return ""
    left, right = show(a, LONGEST_SEARCHED), show(b, LONGEST_SEARCHED)
    if left == right:
        left, right = (f"'{text}'" if isinstance(value, str) else text for value, text in ((a, left), (b, right)))
    if left == right or any(without_hashes(text) != text or text.startswith("hidden:") for text in (left, right)):
        return ""
    return arrow.join(_around_difference(left, right))


def _around_difference(left: str, right: str) -> tuple[str, str]:
    """Both texts, cut to LONGEST_VALUE characters around the first one in which they differ."""
    if max(len(left), len(right)) <= LONGEST_VALUE:
        return left, right
    first = first_difference(left, right)
    start = max(0, first - BEFORE) if first >= LONGEST_VALUE - BEFORE else 0
    return excerpt(left, start, LONGEST_VALUE), excerpt(right, start, LONGEST_VALUE)


def held_by(difference: Difference, factors: Collection[str]) -> list[str]:
    """The factors of a search that may hold a difference."""
    return [name for name in difference.factors if name in factors]
