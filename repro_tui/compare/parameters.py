"""Compares two sides' parameters by path, types included: 1, 1.0, "1" and true all differ; NaN equals NaN."""

from __future__ import annotations

import datetime
from collections.abc import Iterator

from repro_tui.compare.aligned import Key, ListIndex, Nested, ParameterPath, differing, leaves
from repro_tui.compare.ignore import without_ignored
from repro_tui.compare.typed import same_value, type_name
from repro_tui.model.finding import Area, Change, Finding, area_of, not_recorded
from repro_tui.model.workspace import BuiltParameters, in_one_form
from repro_tui.support.context import Context
from repro_tui.support.redact import is_secret_name
from repro_tui.support.text import show

MOST_FOR_DEEPDIFF = 1_000
LONGEST_VALUE = 10_000
UNSEEN = "the values differ in what is not shown: it is hidden, or beyond what is shown of a long text"
ParameterChange = tuple[ParameterPath, Change, object, object]  # where, how, and the values of A and B


def compare_parameters(a: BuiltParameters, b: BuiltParameters, context: Context) -> Area:
    """The parameters' area: one finding for each path whose value differs. Secrets are hidden, but still compared.

    They are what the code reads, whether anything was rebuilt or not. Where a side has them in several files, every
    path begins with the name of its file. A side whose values are not known makes the area unknown.
    """
    unknown = _unknown(a, b)
    if unknown:
        return area_of(without_ignored(unknown, "parameters", context.settings.ignore), 0, unknown_reason=True)
    if not a.values and not b.values:
        return not_recorded()
    a, b = in_one_form(a, b)
    pruned_a, pruned_b, same = differing(a.values, b.values)
    findings = tuple(_finding(change, context) for change in _changes(pruned_a, pruned_b))
    if context.settings.all_findings:
        findings += tuple(_same(path, value, context) for path, value in same)
        return area_of(without_ignored(findings, "parameters", context.settings.ignore), 0)
    return area_of(without_ignored(findings, "parameters", context.settings.ignore), len(same))


def _unknown(a: BuiltParameters, b: BuiltParameters) -> tuple[Finding, ...]:
    findings = []
    for side, built in (("A", a), ("B", b)):
        if built.unknown:
            findings.append(Finding((), "unknown", note=f"{side}: {built.unknown}"))
    return tuple(findings)


def _changes(a: Nested[Key], b: Nested[Key]) -> list[ParameterChange]:
    if not a and not b:
        return []
    if len(leaves(a)) + len(leaves(b)) > MOST_FOR_DEEPDIFF:
        return list(_by_key(a, b, ()))
    changes = _by_deepdiff(a, b) if _has_list(a) or _has_list(b) else []
    covered = {path[:end] for path, *_ in changes for end in range(1, len(path) + 1)}
    # The rest differs by its content, even where DeepDiff considers it equal.
    changes += [change for change in _by_key(a, b, ()) if change[0] not in covered]
    return sorted(changes, key=lambda change: [str(part) for part in change[0]])


def _has_list(value: object) -> bool:
    """Whether what is left of a side contains a list, or a table that a list was aligned to."""
    if isinstance(value, dict):
        return any(isinstance(key, ListIndex) or _has_list(item) for key, item in value.items())
    return isinstance(value, list | tuple)


def _by_key(a: Nested[Key], b: Nested[Key], path: ParameterPath) -> Iterator[ParameterChange]:
    """Compares tables key by key: where there are no lists, as importing DeepDiff takes longer than the rest of a small
    comparison, and where there are too many values for DeepDiff."""
    for key in dict.fromkeys((*a, *b)):
        here = (*path, key)
        if key not in b:
            yield here, "removed", a[key], None
        elif key not in a:
            yield here, "added", None, b[key]
        elif isinstance(inner_a := a[key], dict) and isinstance(inner_b := b[key], dict):
            yield from _by_key(inner_a, inner_b, here)
        else:
            yield here, "changed", a[key], b[key]


def _by_deepdiff(a: Nested[Key], b: Nested[Key]) -> list[ParameterChange]:
    from deepdiff import DeepDiff

    kinds: dict[str, Change] = {"dictionary_item_added": "added", "dictionary_item_removed": "removed"}
    tree = DeepDiff(
        a,
        b,
        view="tree",
        ignore_nan_inequality=True,
        ignore_private_variables=False,  # names that begin with two underscores are parameters too
        threshold_to_diff_deeper=0,
        verbose_level=2,
    )
    changes: list[ParameterChange] = []
    for category, levels in tree.items():
        for level in levels:
            kind = kinds.get(category, "changed")
            path = tuple(level.path(output_format="list"))
            old, new = None if kind == "added" else level.t1, None if kind == "removed" else level.t2
            changes.append((path, kind, old, new))
    return changes


def _finding(change: ParameterChange, context: Context) -> Finding:
    path, kind, a, b = change
    names = tuple(map(_name, path))
    shown_a, shown_b = _shown(names, a, context), _shown(names, b, context)
    if kind != "changed" or type(a) is type(b):
        is_unseen = kind == "changed" and repr(shown_a) == repr(shown_b)
        return Finding(names, kind, shown_a, shown_b, "important", UNSEEN if is_unseen else "")
    types = f"{type_name(a)} became {type_name(b)}"
    if same_value(a, b):
        return Finding(names, kind, shown_a, shown_b, "notice", f"same value, other type: {types}")
    return Finding(names, kind, shown_a, shown_b, "important", f"other type: {types}")


def _same(path: ParameterPath, value: object, context: Context) -> Finding:
    names = tuple(map(_name, path))
    shown = _shown(names, value, context)
    return Finding(names, "same", shown, shown, "info")


def _name(part: object) -> str:
    return str(part.index) if isinstance(part, ListIndex) else show(str(part), 200)


def _shown(path: tuple[str, ...], value: object, context: Context) -> object:
    """The value as plain JSON; hidden where a name in its path is that of a secret."""
    secret = next((name for name in path if is_secret_name(name)), path[-1] if path else "")
    return context.redactor.value(secret, _plain(value))


def _plain(value: object) -> object:
    if isinstance(value, dict):
        return {_name(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, str) and len(value) > LONGEST_VALUE:
        return f"{value[:LONGEST_VALUE]}… ({len(value) - LONGEST_VALUE:,} more)"
    return value if isinstance(value, str | int | float | None) else show(str(value), LONGEST_VALUE)
