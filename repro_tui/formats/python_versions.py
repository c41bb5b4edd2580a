"""The versions of Python: when each was released, and how a commit's files write one."""

from __future__ import annotations

import re
from datetime import date, timedelta

RELEASED = {
    "3.6": date(2016, 12, 23),
    "3.7": date(2018, 6, 27),
    "3.8": date(2019, 10, 14),
    "3.9": date(2020, 10, 5),
    "3.10": date(2021, 10, 4),
    "3.11": date(2022, 10, 24),
    "3.12": date(2023, 10, 2),
    "3.13": date(2024, 10, 7),
    "3.14": date(2025, 10, 7),
}
# Until a release is used: most packages then have wheels for it, also those that were pinned a while before.
MATURES = timedelta(days=365)
MATURES_WORDS = "a year"
MOST_TEXT = 4096
_WORD = re.compile(r"(?:cpython-|python-)?(3(?:\.[0-9]+){1,2})")


def release_of(version: str) -> str:
    """The release of a version: 3.11 of 3.11.7."""
    return ".".join(version.split(".")[:2])


def mature_from(version: str) -> date | None:
    """The day from which a version had been out long enough to be used; None for a release that is not known."""
    day = RELEASED.get(release_of(version))
    return day + MATURES if day else None


def pinned_version(text: str) -> str | None:
    """The version in the text of a `.python-version` or `runtime.txt`, such as 3.11 or 3.11.7; None where it has none.

    pyenv takes the first of several versions; an environment's name and other implementations of Python are skipped.
    """
    lines = (line for line in text[:MOST_TEXT].splitlines() if not line.lstrip().startswith("#"))
    matches = (_WORD.fullmatch(word) for line in lines for word in line.split())
    return next((match.group(1) for match in matches if match), None)
