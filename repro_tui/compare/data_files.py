"""Changed files among the data, models above all: each finding gets what differs inside its file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from repro_tui.compare.opened import FileOpener, FilePair, OpenedFile
from repro_tui.model.finding import Area, Finding
from repro_tui.model.workspace import FetchedData
from repro_tui.support.context import Context
from repro_tui.support.text import show

FindingPath = tuple[str, ...]
Items = Sequence[FetchedData]


def with_files(area: Area, a: Items, b: Items, folder: Path, context: Context) -> Area:
    """The data's area, with the difference inside each file that changed and is not compared by its rows already.

    No status changes: a file has changed by its hash, whatever is seen in it. `folder` is the audit's.
    """
    unopened = {finding.path for finding in _leaves(area.findings)}
    pairs = [pair for pair in _changed(a, b) if pair.path in unopened]
    opened = FileOpener("data", folder, context).open_pairs(pairs)
    return replace(area, findings=tuple(_with_inside(finding, opened) for finding in area.findings)) if opened else area


def _leaves(findings: Iterable[Finding]) -> Iterator[Finding]:
    """The findings of changed files that nothing is known of but their hashes."""
    for finding in findings:
        if finding.change == "changed" and all(child.change == "unknown" for child in finding.children):
            yield finding
        yield from _leaves(finding.children)


def _changed(a: Items, b: Items) -> Iterator[FilePair]:
    """The files that both sides have with different contents."""
    items_b = {item.path: item for item in b}
    for item_a in a:
        item_b = items_b.get(item_a.path)
        for name, file_a in item_a.files.items() if item_b else ():
            file_b = item_b.files.get(name) if item_b else None
            if file_b and file_b.sha256 != file_a.sha256:
                path = (show(item_a.path, 300), *([show(name, 300)] if name else []))
                yield FilePair(path, PurePosixPath(name or item_a.path).name, Path(file_a.file), Path(file_b.file))


def _with_inside(finding: Finding, opened: Mapping[FindingPath, OpenedFile]) -> Finding:
    children = tuple(_with_inside(child, opened) for child in finding.children)
    inside = opened.get(finding.path)
    if inside is None:
        return replace(finding, children=children)
    note = "; ".join(filter(None, (finding.note, inside.note)))
    return replace(finding, note=note, children=(*children, *inside.children))
