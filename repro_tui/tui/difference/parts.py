"""The parts of a finding: its children, or the elements in which two lists or documents differ.

A parameter may be a list of 2,000 numbers or a document of a megabyte. Its two values differ in a few places, and those
are what a reader looks for: `[1500]: 1500 → -1`, not two texts that begin alike. Lists of one length are compared by
position; of others, what was inserted or left out is found, so that one new element at the front is one
difference. Cost: linear in the values, and quadratic only in the elements of lists of different lengths.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import islice, zip_longest

from repro_tui.compare.typed import identical
from repro_tui.formats.documents import no_duplicates
from repro_tui.model.finding import Finding
from repro_tui.support.text import plural
from repro_tui.tui.difference.lines import changed_blocks

MOST_PARTS = 2_000
MOST_ALIGNED = 3_000  # elements of lists of different lengths that are aligned; longer ones are compared by position
LONGEST_DOCUMENT = 8 << 20  # characters of a text that is read as a document
Pair = tuple[tuple[str, ...], object, object]  # the path below the finding, and both values (_ABSENT: there is none)
_ABSENT = object()
SINGLE = (str, int, float, bool, type(None))


def parts_of(finding: Finding) -> tuple[Finding, ...]:
    """The findings below a finding: its children, else the differing elements of its values, MOST_PARTS at most."""
    if finding.children or finding.change != "changed":
        return finding.children
    a, b = _structured(finding.a), _structured(finding.b)
    if a is None or b is None:
        return ()
    return tuple(_part(finding, *pair) for pair in islice(_differing((), a, b), MOST_PARTS))


def extent(finding: Finding) -> str:
    """How much of two lists or documents differs, such as "1 of 2,000 elements differs"; "" for other values."""
    if finding.children:
        return ""
    a, b = _structured(finding.a), _structured(finding.b)
    parts = len(parts_of(finding))
    if a is None or b is None or not parts:
        return ""
    count = f"more than {parts:,}" if parts >= MOST_PARTS else f"{parts:,}"
    verb = "differs" if parts == 1 else "differ"
    if isinstance(a, list) and isinstance(b, list) and len(a) != len(b):
        return f"{count} {verb}; {plural(len(a), 'element')} in A, {len(b):,} in B"
    if isinstance(a, list):
        return f"{count} of {plural(len(a), 'element')} {verb}"
    return f"{count} of its values {verb}"


def first_part(finding: Finding) -> Finding | None:
    """The first differing element of two lists or documents; None for other values."""
    if finding.children or not (_is_structured(finding.a) and _is_structured(finding.b)):
        return None
    parts = islice(_differing((), _structured(finding.a), _structured(finding.b)), 1)
    return next((_part(finding, *pair) for pair in parts), None)


def _part(finding: Finding, path: tuple[str, ...], a: object, b: object) -> Finding:
    name = (*finding.path, *path)
    if a is _ABSENT:
        return Finding(name, "added", None, b, finding.severity)
    if b is _ABSENT:
        return Finding(name, "removed", a, None, finding.severity)
    return Finding(name, "changed", a, b, finding.severity)


def _is_structured(value: object) -> bool:
    return isinstance(value, dict | list | tuple)


def _structured(value: object) -> object:
    """A list or document, or what a text holds as JSON; None for anything else."""
    if isinstance(value, tuple):
        return list(value)
    if isinstance(value, dict | list):
        return value
    if not isinstance(value, str) or value[:1] not in ("{", "[") or len(value) > LONGEST_DOCUMENT:
        return None
    try:
        document = json.loads(value, object_pairs_hook=no_duplicates, parse_float=_float)
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict | list) else None


def _float(text: str) -> float | Decimal:
    """A number with a fraction; one whose digits no float has keeps them."""
    number = float(text)
    return number if Decimal(repr(number)) == Decimal(text) else Decimal(text)


def _differing(path: tuple[str, ...], a: object, b: object) -> Iterator[Pair]:
    """The paths at which two values differ, in the order of A's; a loop, as documents may be deep."""
    waiting: list[Iterator[Pair]] = [iter([(path, a, b)])]
    while waiting:
        pair = next(waiting[-1], None)
        if pair is None:
            waiting.pop()
            continue
        below, left, right = pair
        if isinstance(left, dict) and isinstance(right, dict):
            waiting.append(_members(below, left, right))
        elif isinstance(left, list | tuple) and isinstance(right, list | tuple):
            waiting.append(_elements(below, left, right))
        elif left is _ABSENT or right is _ABSENT or not _alike(left, right):
            yield pair


def _members(path: tuple[str, ...], a: Mapping[object, object], b: Mapping[object, object]) -> Iterator[Pair]:
    for name in {**dict.fromkeys(a), **dict.fromkeys(b)}:
        yield (*path, str(name)), a.get(name, _ABSENT), b.get(name, _ABSENT)


def _elements(path: tuple[str, ...], a: Sequence[object], b: Sequence[object]) -> Iterator[Pair]:
    if len(a) == len(b) or max(len(a), len(b)) > MOST_ALIGNED:
        for index, (left, right) in enumerate(zip_longest(a, b, fillvalue=_ABSENT)):
            # most elements of a long list are alike, which the first look mostly says
            if isinstance(left, SINGLE) and type(left) is type(right) and left == right and left:
                continue
            if not isinstance(left, SINGLE) or not _alike(left, right):
                yield (*path, f"[{index}]"), left, right
        return
    for a_from, a_to, b_from, b_to in changed_blocks(*([repr(element) for element in side] for side in (a, b))):
        for index_a, index_b in zip_longest(range(a_from, a_to), range(b_from, b_to)):
            index = index_b if index_a is None else index_a
            left = _ABSENT if index_a is None else a[index_a]
            yield (*path, f"[{index}]"), left, _ABSENT if index_b is None else b[index_b]


def _alike(a: object, b: object) -> bool:
    """Whether two plain values are the same, of the same type; NaN is like NaN."""
    return identical(a, b)
