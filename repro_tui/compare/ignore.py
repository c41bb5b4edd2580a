"""Leaves out the findings that the user ignores, by patterns over `area.path.joined.by.dots`."""

from __future__ import annotations

from dataclasses import replace
from fnmatch import fnmatchcase

from repro_tui.model.finding import AreaName, Finding


def without_ignored(findings: tuple[Finding, ...], area: AreaName, patterns: tuple[str, ...]) -> tuple[Finding, ...]:
    """The findings that no pattern matches. Patterns are, for example, `environment.packages.pip` or `code.docs/*`.

    A finding whose children are all left out is left out too.
    """
    if not patterns:
        return findings
    remaining = []
    for finding in findings:
        name = ".".join((area, *finding.path))
        if any(fnmatchcase(name, pattern) for pattern in patterns):
            continue
        children = without_ignored(finding.children, area, patterns)
        if children or not finding.children:
            remaining.append(replace(finding, children=children))
    return tuple(remaining)
