"""Which change a finding is: what has to be the same in a later audit for it to be this change and no other.

The idea: two values tell a change apart if they are whole and not the same, as 1.26.4 → 2.1.3 of a package or two
hashes do; then they are what is recorded, so that a person can read it. Where they do not (a list of files below one
name, one version from two sources, a long text), the digest of the whole finding does, with all that stands below it.
Where not even that is whole (a secret, of which each audit has a digest of its own; a text or a list that the report
cuts), the finding cannot be told from another one, and so it cannot be accepted.

Invariant: a change is never taken for another one. A finding that is not `exact` matches nothing.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Iterator
from fnmatch import fnmatchcase

from repro_tui.model.errors import Mistake, Refused
from repro_tui.model.finding import AreaName, Finding
from repro_tui.model.gate import AcceptedChange
from repro_tui.support.plain import to_plain
from repro_tui.support.text import show

MOST_BELOW = 1_000  # findings below one; comparisons list no more of some kinds, and only count the others
LONGEST_VALUE = 200  # characters of a value that is written into a policy file as it is
_CONTENT = re.compile(r"(?:^|[^0-9a-f])[0-9a-f]{32,128}(?:[^0-9a-f]|$)")  # a hash of content, or a commit
_CUT = re.compile(r"…(?:$|\"| \([\d,]+ (?:more|marks left out)\))")  # at the end of a text, or of one in JSON
RENAMED = "renamed, same content"


def accepted_change(area: AreaName, finding: Finding, reason: str, until: str) -> AcceptedChange:
    """The entry of a policy file that accepts exactly this finding. Raises Refused where nothing would."""
    path = name_of(area, finding)
    if mistake := why_not(area, finding):
        raise Refused(Mistake(show(path, 200), mistake))
    values = (finding.a, finding.b) if all(map(_is_short, (finding.a, finding.b))) else (None, None)
    digest = "" if _is_plain(area, finding) and values == (finding.a, finding.b) else digest_of(area, finding)
    return AcceptedChange(
        pattern_of(path), reason, until, change=finding.change, a=values[0], b=values[1], digest=digest
    )


def why_not(area: AreaName, finding: Finding) -> str:
    """Why a finding cannot be accepted; "" where it can."""
    if finding.change == "same":
        return "is the same on both sides: there is nothing to accept"
    if finding.change == "unknown":
        return "is unknown, and what is not known cannot be accepted: correct what its note names"
    if is_exact(area, finding):
        return ""
    if "hidden:" in _text(finding):
        why = "has a value that is hidden, of which every audit has a digest of its own"
    else:
        why = "is not listed whole in the report"
    return (
        f"{why}, so a later audit could not tell this change from another one: leave it out with --ignore, or revert it"
    )


def matches(entry: AcceptedChange, area: AreaName, finding: Finding) -> bool:
    """Whether a finding is the change that an entry accepts."""
    return is_at(entry, area, finding) and is_this_change(entry, area, finding)


def is_at(entry: AcceptedChange, area: AreaName, finding: Finding) -> bool:
    """Whether a finding stands where an entry accepts a change, whatever its values are."""
    return fnmatchcase(name_of(area, finding), entry.path)


def is_this_change(entry: AcceptedChange, area: AreaName, finding: Finding) -> bool:
    """Whether a finding has all that an entry says of it, and the entry says enough."""
    if finding.change != entry.change or not is_exact(area, finding):
        return False
    if entry.digest:
        given = [(entry.a, finding.a), (entry.b, finding.b)]
        agree = all(value is None or _canonical(value) == _canonical(actual) for value, actual in given)
        return agree and entry.digest == digest_of(area, finding)
    same = _canonical([entry.a, entry.b]) == _canonical([finding.a, finding.b])
    return same and _is_plain(area, finding)


def same_change(area: AreaName, left: Finding, right: Finding) -> bool:
    """Whether two findings of two audits are one change."""
    exact = is_exact(area, left) and is_exact(area, right)
    return exact and left.path == right.path and identity_of(area, left) == identity_of(area, right)


def identity_of(area: AreaName, finding: Finding) -> str:
    """A text that two findings of one path share where they are the same change. Only exact findings have one."""
    if _is_plain(area, finding):
        return _canonical([finding.change, finding.a, finding.b])
    return digest_of(area, finding)


def digest_of(area: AreaName, finding: Finding) -> str:
    """The digest of a whole finding: its path, change, values and note, and all below it."""
    return "sha256:" + hashlib.sha256(_canonical([area, *_whole(finding)]).encode("ascii")).hexdigest()


def name_of(area: AreaName, finding: Finding) -> str:
    """A finding as patterns name it: its area and path, joined by dots."""
    return ".".join((area, *finding.path))


def pattern_of(name: str) -> str:
    """The pattern that matches this name alone."""
    return re.sub(r"([*?\[])", r"[\1]", name)


def is_exact(area: AreaName, finding: Finding) -> bool:
    """Whether a finding is listed so that it cannot be taken for another one."""
    if _pins_content(finding):
        return True
    if len(list(_below(finding))) >= MOST_BELOW or (area == "data" and not _pins_all_content(finding)):
        return False
    text = _text(finding)
    return "hidden:" not in text and not _CUT.search(text)


def _is_plain(area: AreaName, finding: Finding) -> bool:
    """Whether the two values of a finding tell it from every other one at its path."""
    if _pins_content(finding):
        return True
    if finding.children or _canonical(finding.a) == _canonical(finding.b):
        return False
    if area == "parameters" and finding.note:  # it says which types changed, as of a date and a text
        return False
    return not any("." in part for part in finding.path)  # joined by dots, another path might read the same


def _pins_all_content(finding: Finding) -> bool:
    """Whether each file of a finding has its hashes: a folder's number of files and bytes does not tell it apart."""
    if _pins_content(finding) or finding.note.startswith(RENAMED):
        return True
    return bool(finding.children) and all(map(_pins_all_content, finding.children))


def _pins_content(finding: Finding) -> bool:
    """Whether the values are two hashes, or one on one side: then what stands below follows from them."""
    if finding.a == finding.b:
        return False
    values = [value for value in (finding.a, finding.b) if value is not None]
    hashes = all(isinstance(value, str) and _CONTENT.search(value) and not _CUT.search(value) for value in values)
    return bool(values) and hashes and not any("hidden:" in value for value in values)


def _is_short(value: object) -> bool:
    """Whether a value can be written into a policy file, and be read there."""
    if isinstance(value, str):
        return len(value) <= LONGEST_VALUE and value.isprintable()
    if isinstance(value, float):
        return math.isfinite(value)
    return value is None or isinstance(value, bool | int)


def _below(finding: Finding) -> Iterator[Finding]:
    waiting = [finding]
    while waiting:
        for child in waiting.pop().children:
            yield child
            waiting.append(child)


def _whole(finding: Finding) -> list[object]:
    """What tells a finding apart, with what is below it, as plain values."""
    children = [_whole(child) for child in finding.children]
    return [list(finding.path), finding.change, finding.a, finding.b, finding.note, children]


def _text(finding: Finding) -> str:
    return json.dumps(to_plain(_whole(finding)), ensure_ascii=False)


def _canonical(value: object) -> str:
    """A value as text: equal for equal values of one type only, as 1, 1.0, true and "1" differ."""
    return json.dumps(to_plain(value), ensure_ascii=True, sort_keys=True)
