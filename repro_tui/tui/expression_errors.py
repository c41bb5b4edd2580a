"""Why a filter is not a condition yet, in a sentence: what the database says, without what only concerns its query."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence

from repro_tui.support.text import join_names, show

KIND = re.compile(r"^(?:[A-Z][\w ]*? )?Error: ")
QUERY = re.compile(r"\s*\nLINE \d+:.*", re.DOTALL)  # the line of our query, and the mark below it
CANDIDATES = re.compile(r"\s*(?:Candidate \w+|Did you mean)\b.*", re.DOTALL)
MISSING = re.compile(r'Referenced column "(?P<name>.+?)" not found|column named "?(?P<bare>\w+)"?', re.DOTALL)
NEAR_END = re.compile(r"syntax error at or near \"(ORDER|\))\"|syntax error at end of input", re.IGNORECASE)
LONGEST = 600
NAMED = 3


def expression_problem(error: str, columns: Sequence[str]) -> str:
    """A database's error about a condition as a sentence; for an unknown column with those of a similar name."""
    text = CANDIDATES.sub("", QUERY.sub("", error))
    missing = MISSING.search(text)
    if missing:
        name = missing["name"] or missing["bare"]
        return f"there is no column {show(name, 80)}{_similar(name, columns)}"
    if NEAR_END.search(text):
        return "it is incomplete, or has one parenthesis too many"  # what comes next is our own query
    return show(" ".join(KIND.sub("", text).split()).rstrip("!"), LONGEST)


def _similar(name: str, columns: Sequence[str]) -> str:
    by_case = {column.lower(): column for column in columns}
    near = [by_case[match] for match in difflib.get_close_matches(name.lower(), by_case, NAMED)]
    if near:
        return f": did you mean {join_names([show(column, 60) for column in near], 'or')}?"
    return f": the columns are {join_names([show(column, 60) for column in columns], most=12)}" if columns else ""
