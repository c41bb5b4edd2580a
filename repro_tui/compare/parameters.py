"""Compares two sides' parameters by path, types included: 1, 1.0, "1" and true all differ; NaN equals NaN."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from typing import Any

from repro_tui.compare.aligned import At, differing, leaves
from repro_tui.compare.ignore import kept
from repro_tui.model.finding import Area, Change, Finding, area_of, not_recorded
from repro_tui.model.workspace import BuiltParameters
from repro_tui.support.context import Context
from repro_tui.support.redact import is_secret_name
from repro_tui.support.text import show

MOST_FOR_DEEPDIFF = 1_000
LONGEST_VALUE = 10_000
Pair = tuple[tuple[Any, ...], Change, Any, Any]


def compare_parameters(a: BuiltParameters | None, b: BuiltParameters | None, context: Context) -> Area:
    """The parameters' area. A side that was not rebuilt, or whose values are not known, makes it unknown."""
    unknown = _unknown(a, b)
    if unknown or a is None or b is None:
        return area_of(kept(unknown, "parameters", context.settings.ignore), 0, unknown_reason=True)
    if not a.values and not b.values:
        return not_recorded()
    pruned_a, pruned_b, same = differing(a.values, b.values)
    findings = tuple(_finding(pair, context) for pair in _pairs(pruned_a, pruned_b))
    if context.settings.all_findings:
        findings += tuple(_same(path, value, context) for path, value in same)
        return area_of(kept(findings, "parameters", context.settings.ignore), 0)
    return area_of(kept(findings, "parameters", context.settings.ignore), len(same))


def _unknown(a: BuiltParameters | None, b: BuiltParameters | None) -> tuple[Finding, ...]:
    found = []
    for side, built in (("A", a), ("B", b)):
        reason = f"{side} was not rebuilt" if built is None else built.unknown
        if reason:
            found.append(Finding((), "unknown", note=f"{side}: {reason}" if built else reason))
    return tuple(found)


def _pairs(a: dict[Any, Any], b: dict[Any, Any]) -> list[Pair]:
    if not a and not b:
        return []
    if len(leaves(a)) + len(leaves(b)) > MOST_FOR_DEEPDIFF:
        return list(_by_key(a, b, ()))
    found = _by_deepdiff(a, b) if _has_list(a) or _has_list(b) else []
    told = {path[:end] for path, *_ in found for end in range(1, len(path) + 1)}
    # What is left differs by its content, whatever DeepDiff takes for the same.
    found += [pair for pair in _by_key(a, b, ()) if pair[0] not in told]
    return sorted(found, key=_place)


def _has_list(value: Any) -> bool:
    """Whether there is a list in what is left of a side: as it is, or as the table that it was aligned to."""
    if isinstance(value, dict):
        return any(isinstance(key, At) or _has_list(item) for key, item in value.items())
    return isinstance(value, list | tuple)


def _place(pair: Pair) -> list[str]:
    return [str(part) for part in pair[0]]


def _by_key(a: dict[Any, Any], b: dict[Any, Any], path: tuple[Any, ...]) -> Iterator[Pair]:
    """Tables of tables are compared by key, as importing DeepDiff takes longer than the rest of a small comparison; and
    so is what DeepDiff would take minutes for."""
    for key in dict.fromkeys((*a, *b)):
        here = (*path, key)
        if key not in b:
            yield here, "removed", a[key], None
        elif key not in a:
            yield here, "added", None, b[key]
        elif isinstance(a[key], dict) and isinstance(b[key], dict):
            yield from _by_key(a[key], b[key], here)
        else:
            yield here, "changed", a[key], b[key]


def _by_deepdiff(a: dict[Any, Any], b: dict[Any, Any]) -> list[Pair]:
    from deepdiff import DeepDiff

    changes: dict[str, Change] = {"dictionary_item_added": "added", "dictionary_item_removed": "removed"}
    tree = DeepDiff(
        a,
        b,
        view="tree",
        ignore_nan_inequality=True,
        ignore_private_variables=False,  # else names that begin with two underscores are left out without a word
        threshold_to_diff_deeper=0,
        verbose_level=2,
    )
    pairs: list[Pair] = []
    for kind, levels in tree.items():
        for level in levels:
            change = changes.get(kind, "changed")
            path = tuple(level.path(output_format="list"))
            pairs.append(
                (path, change, None if change == "added" else level.t1, None if change == "removed" else level.t2)
            )
    return pairs


def _finding(pair: Pair, context: Context) -> Finding:
    path, change, a, b = pair
    names = tuple(map(_name, path))
    note = ""
    if change == "changed" and type(a) is not type(b):
        equal = _same_value(a, b)
        types = f"{_type(a)} became {_type(b)}"
        note = f"same value, other type: {types}" if equal else f"other type: {types}"
    shown_a, shown_b = _shown(names, a, context), _shown(names, b, context)
    return Finding(names, change, shown_a, shown_b, "notice" if note.startswith("same") else "important", note)


def _same(path: tuple[Any, ...], value: Any, context: Context) -> Finding:
    names = tuple(map(_name, path))
    shown = _shown(names, value, context)
    return Finding(names, "same", shown, shown, "info")


def _name(part: Any) -> str:
    return str(part.index) if isinstance(part, At) else show(str(part), 200)


def _same_value(a: Any, b: Any) -> bool:
    if isinstance(a, bool) or isinstance(b, bool):
        return str(a).lower() == str(b).lower() or (not isinstance(a, str) and not isinstance(b, str) and bool(a == b))
    try:
        return bool(a == b) or float(a) == float(b)
    except (TypeError, ValueError, OverflowError):
        return str(a) == str(b)


def _type(value: Any) -> str:
    names = {"NoneType": "null", "str": "text", "int": "integer", "bool": "boolean", "dict": "table"}
    return names.get(type(value).__name__, type(value).__name__)


def _shown(path: tuple[str, ...], value: Any, context: Context) -> Any:
    """A plain JSON value; hidden where any name of its path speaks of a secret."""
    secret = next((name for name in path if is_secret_name(name)), path[-1] if path else "")
    return context.redactor.value(secret, _plain(value))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {_name(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, str) and len(value) > LONGEST_VALUE:
        return f"{value[:LONGEST_VALUE]}… ({len(value) - LONGEST_VALUE:,} more)"
    return value if isinstance(value, str | int | float | None) else show(str(value), LONGEST_VALUE)
