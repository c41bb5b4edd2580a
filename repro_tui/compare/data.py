"""Compares two sides' data by digest: added, removed, changed and renamed files."""

from __future__ import annotations

from collections.abc import Sequence

from repro_tui.compare.data_tree import data_tree
from repro_tui.compare.ignore import without_ignored
from repro_tui.model.finding import Area, Change, Finding, Severity, area_of, not_recorded
from repro_tui.model.workspace import FetchedData, FetchedFile
from repro_tui.support.context import Context
from repro_tui.support.text import plural, show

Files = dict[str, FetchedFile]
MOST_CHILDREN = 2_000


def compare_data(a: Sequence[FetchedData], b: Sequence[FetchedData], context: Context) -> Area:
    """The data's area: one finding for each item, with a folder's files as its children.

    Files are compared by the digests that were taken when they were fetched.
    """
    if not a and not b:
        return not_recorded()
    items_a = {item.path: item for item in a}
    items_b = {item.path: item for item in b}
    findings: list[Finding] = []
    same: list[Finding] = []
    for path in sorted({*items_a, *items_b}):
        finding = _item(path, items_a.get(path), items_b.get(path))
        (same if finding.change == "same" else findings).append(finding)
    findings = _with_renamed_items(findings, items_a, items_b)
    ignore = context.settings.ignore
    if context.settings.all_findings:
        return area_of(without_ignored((*findings, *same), "data", ignore), 0)
    return area_of(without_ignored(tuple(findings), "data", ignore), len(same))


def _item(path: str, a: FetchedData | None, b: FetchedData | None) -> Finding:
    name = (show(path, 300),)
    if a is None or b is None:
        change: Change = "added" if a is None else "removed"
        return Finding(name, change, a and _content_summary(a), b and _content_summary(b), "important", _hashes(a, b))
    summaries = _content_summary(a), _content_summary(b)
    children, renamed = _files(name, a.files, b.files)
    if not children:
        return Finding(name, "same", *summaries, "info", _hashes(a, b))
    if "" in a.files and "" in b.files:
        return Finding(name, "changed", *summaries, "important", _hashes(a, b))
    note = f"{plural(len(children), 'file')} {'differs' if len(children) == 1 else 'differ'}"
    note += f", {renamed:,} of them only by name" if renamed else ""
    tree = data_tree(name, children[:MOST_CHILDREN], (a.files, b.files))
    return Finding(name, "changed", *summaries, "important", note, tree)


def _files(name: tuple[str, ...], a: Files, b: Files) -> tuple[list[Finding], int]:
    """The findings of the files that differ between two items, and how many of these files were only renamed."""
    findings = []
    removed, added = _names_by_digest(a, b), _names_by_digest(b, a)
    old_names = {new: removed[digest] for digest, new in added.items() if digest in removed}
    renamed = set(old_names.values())
    for file in sorted({*a, *b}):
        file_a, file_b = a.get(file), b.get(file)
        path = (*name, show(file, 300)) if file else name
        if file_a and file_b:
            if file_a.sha256 != file_b.sha256:
                findings.append(Finding(path, "changed", _size(file_a), _size(file_b), "important"))
        elif file in old_names:
            findings.append(_renamed(path, old_names[file], "notice"))
        elif file not in renamed:
            change: Change = "added" if file_b else "removed"
            findings.append(Finding(path, change, file_a and _size(file_a), file_b and _size(file_b), "important"))
    return findings, len(old_names)


def _names_by_digest(files: Files, elsewhere: Files) -> dict[str, str]:
    """Digest to name, of the files whose name the other side does not have."""
    return {file.sha256: name for name, file in files.items() if name not in elsewhere}


def _renamed(path: tuple[str, ...], old: str, severity: Severity) -> Finding:
    return Finding(path, "changed", show(old, 300), path[-1], severity, "renamed, same content")


def _with_renamed_items(findings: list[Finding], a: dict[str, FetchedData], b: dict[str, FetchedData]) -> list[Finding]:
    """The findings, where a removed and an added item of the same content are one renamed item."""
    removed = {_content(a[path]): path for path in a if path not in b}
    old_paths = {}
    for path in sorted(b):
        if path not in a and (old := removed.pop(_content(b[path]), None)) is not None:
            old_paths[path] = old
    renamed = [_renamed((show(new, 300),), old, "important") for new, old in old_paths.items()]
    replaced = {show(path, 300) for path in (*old_paths, *old_paths.values())}
    return [finding for finding in findings if finding.path[0] not in replaced] + renamed


def _content(item: FetchedData) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((name, file.sha256) for name, file in item.files.items()))


def _content_summary(item: FetchedData) -> str:
    if "" in item.files:
        return _size(item.files[""])
    return f"{plural(len(item.files), 'file')}, {sum(file.size for file in item.files.values()):,} bytes"


def _size(file: FetchedFile) -> str:
    return f"sha256:{file.sha256} ({file.size:,} bytes)"


def _hashes(a: FetchedData | None, b: FetchedData | None) -> str:
    """Whether each side's hash was recorded. It matches then: otherwise the side would not have been rebuilt."""
    notes = [
        f"{side}: {'as recorded' if item.recorded else 'no hash was recorded'}"
        for side, item in (("A", a), ("B", b))
        if item
    ]
    return ", ".join(notes)
