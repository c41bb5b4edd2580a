"""Compares what two sides declare of their environments and data: without a build, and never as more than that."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from repro_tui.compare.environment import InventoryPair, environment_area
from repro_tui.compare.ignore import without_ignored
from repro_tui.model.declared import Declared, DeclaredData, DeclaredEnvironment
from repro_tui.model.finding import Area, AreaName, Change, Finding, area_of, not_recorded
from repro_tui.model.record import LOCAL_KINDS
from repro_tui.support.context import Context
from repro_tui.support.text import join_names, plural, show

ALGORITHMS = ("sha256", "md5", "git")
MOST_NAMED = 10


def compare_declared_environment(a: Declared, b: Declared, context: Context) -> Area:
    """The environment's area as declared: what the environments are built from, and the packages that are listed.

    A package of which no version is pinned on a side is never the same: only a build shows what it gets.
    """
    live = _of_live(a, b, "environment", ("environment",), context)
    if live:
        return live
    sides = (("A", a.environment), ("B", b.environment))
    if not any(side.recorded for _, side in sides):
        return not_recorded()
    absent = [letter for letter, side in sides if not side.recorded]
    if absent:
        note = f"{absent[0]}: the record does not name an environment"
        findings = without_ignored(
            (Finding(("environment",), "unknown", note=note),), "environment", context.settings.ignore
        )
        return replace(area_of(findings, 0, unknown_reason=True), basis="declared")
    pair = InventoryPair(a.environment.inventory, b.environment.inventory, context)
    area = environment_area(_findings(a.environment, b.environment, pair), pair, context)
    return replace(area, basis="declared")


def _findings(a: DeclaredEnvironment, b: DeclaredEnvironment, pair: InventoryPair) -> Iterator[Finding]:
    yield from pair.facts("declared", a.facts, b.facts)
    yield from pair.facts("interpreter", pair.a.interpreter, pair.b.interpreter)
    if _list_packages(a) and _list_packages(b):
        yield from _packages(a.unpinned | b.unpinned, pair)
    elif _list_packages(a) or _list_packages(b):
        letter = "B" if _list_packages(a) else "A"
        yield Finding(("packages",), "unknown", note=f"{letter} does not list its packages: only a build shows them")
    yield from pair.facts("image", pair.a.image, pair.b.image)
    yield from pair.variables()
    yield from pair.unknown()


def _list_packages(side: DeclaredEnvironment) -> bool:
    readable = side.inventory.python_packages or "packages" not in side.inventory.unknown
    return side.facts.get("kind") in LOCAL_KINDS and bool(readable)


def _packages(unpinned: frozenset[str], pair: InventoryPair) -> Iterator[Finding]:
    """The packages that differ, and in one finding those that are declared alike but without a version."""
    open_ended = []
    for finding in pair.packages():
        if finding.change == "same" and finding.path[-1] in unpinned:
            pair.same -= 1
            open_ended.append(finding.path[-1])
        else:
            yield finding
    if open_ended:
        names = join_names([show(name, 80) for name in open_ended], most=MOST_NAMED)
        count = plural(len(open_ended), "package")
        note = f"{count} declared alike, but not pinned, so that only a build shows the version: {names}"
        yield Finding(("packages",), "unknown", note=note)


# -- data -----------------------------------------------------------------------------------------------------------


def compare_declared_data(a: Declared, b: Declared, context: Context) -> Area:
    """The data's area as declared: one finding for each item whose recorded hashes differ, or cannot be compared."""
    live = _of_live(a, b, "data", (), context)
    if live:
        return live
    if not a.data and not b.data:
        return not_recorded()
    items_a, items_b = ({item.path: item for item in side.data} for side in (a, b))
    findings = [_item(path, items_a.get(path), items_b.get(path)) for path in sorted({*items_a, *items_b})]
    same = [finding for finding in findings if finding.change == "same"]
    listed = [finding for finding in findings if finding.change != "same" or context.settings.all_findings]
    kept = without_ignored(tuple(listed), "data", context.settings.ignore)
    return replace(area_of(kept, 0 if context.settings.all_findings else len(same)), basis="declared")


def _item(path: str, a: DeclaredData | None, b: DeclaredData | None) -> Finding:
    name = (show(path, 300),)
    if a is None or b is None:
        change: Change = "added" if a is None else "removed"
        return Finding(name, change, a and _shown(a), b and _shown(b), "important", "recorded on one side only")
    common = next((kind for kind in ALGORITHMS if kind in a.digests and kind in b.digests), None)
    if common is None:
        return Finding(name, "unknown", _shown(a), _shown(b), "notice", _why_unknown(a, b))
    value_a, value_b = (f"{common}:{show(side.digests[common], 200)}" for side in (a, b))
    if value_a == value_b:
        return Finding(name, "same", value_a, value_b, "info", "as recorded")
    return Finding(name, "changed", value_a, value_b, "important", "as recorded")


def _shown(item: DeclaredData) -> str:
    """An item by its first hash, else by its source."""
    hashes = [f"{kind}:{show(item.digests[kind], 200)}" for kind in ALGORITHMS if kind in item.digests]
    return hashes[0] if hashes else show(item.source, 200)


def _why_unknown(a: DeclaredData, b: DeclaredData) -> str:
    reasons = [f"{letter}: {side.unknown}" for letter, side in (("A", a), ("B", b)) if side.unknown]
    return "; ".join(reasons) or "the hashes were recorded by two algorithms"


def _of_live(a: Declared, b: Declared, name: AreaName, path: tuple[str, ...], context: Context) -> Area | None:
    """The area where a side is a live endpoint, of which only the answers are known; None where none is."""
    notes = [f"{letter}: {side.live}" for letter, side in (("A", a), ("B", b)) if side.live]
    if not notes:
        return None
    findings = tuple(Finding(path, "unknown", note=note) for note in notes)
    kept = without_ignored(findings, name, context.settings.ignore)
    return replace(area_of(kept, 0, unknown_reason=True), basis="declared")
