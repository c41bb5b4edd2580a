"""Compares two sides' data by digest: added, removed, changed and renamed files."""

from __future__ import annotations

from repro_tui.compare.data_tree import data_tree
from repro_tui.compare.ignore import kept
from repro_tui.compare.live import of_live
from repro_tui.model.finding import Area, Change, Finding, area_of, not_recorded
from repro_tui.model.workspace import FetchedData, FetchedFile, Workspace
from repro_tui.support.context import Context
from repro_tui.support.text import show

Files = dict[str, FetchedFile]
MOST_CHILDREN = 2_000


def compare_data(a: Workspace | None, b: Workspace | None, context: Context) -> Area:
    """The data's area: one finding an item, with a folder's files as its children. A lost side makes it unknown."""
    lost = [side for side, workspace in (("A", a), ("B", b)) if workspace is None]
    if a is None or b is None:
        return area_of(tuple(Finding((), "unknown", note=f"{side} was not rebuilt") for side in lost), 0)
    live = of_live(a, b)
    if live:
        return area_of(kept(live, "data", context.settings.ignore), 0, unknown_reason=True)
    if not a.data and not b.data:
        return not_recorded()
    items_a = {item.path: item for item in a.data}
    items_b = {item.path: item for item in b.data}
    findings: list[Finding] = []
    same: list[Finding] = []
    for path in sorted({*items_a, *items_b}):
        finding = _item(path, items_a.get(path), items_b.get(path))
        (same if finding.change == "same" else findings).append(finding)
    findings = _renamed(findings, items_a, items_b)
    ignore = context.settings.ignore
    if context.settings.all_findings:
        return area_of(kept((*findings, *same), "data", ignore), 0)
    return area_of(kept(tuple(findings), "data", ignore), len(same))


def _item(path: str, a: FetchedData | None, b: FetchedData | None) -> Finding:
    name = (show(path, 300),)
    if a is None or b is None:
        change: Change = "added" if a is None else "removed"
        return Finding(name, change, a and _told(a), b and _told(b), "important", _hashes(a, b))
    children, renamed = _files(name, a.files, b.files)
    if not children:
        return Finding(name, "same", _told(a), _told(b), "info", _hashes(a, b))
    if "" in a.files and "" in b.files:
        return Finding(name, "changed", _told(a), _told(b), "important", _hashes(a, b))
    note = f"{len(children):,} files differ" + (f", {renamed:,} of them only by name" if renamed else "")
    tree = data_tree(name, children[:MOST_CHILDREN], (a.files, b.files))
    return Finding(name, "changed", _told(a), _told(b), "important", note, tree)


def _files(name: tuple[str, ...], a: Files, b: Files) -> tuple[list[Finding], int]:
    """What differs between two items' files, and how many of them were only renamed."""
    findings = []
    gone, new = _by_digest(a, b), _by_digest(b, a)
    moved = {file: gone[digest] for digest, file in new.items() if digest in gone}
    left = set(moved.values())
    for file in sorted({*a, *b}):
        one, two = a.get(file), b.get(file)
        path = (*name, show(file, 300)) if file else name
        if one and two:
            if one.sha256 != two.sha256:
                findings.append(Finding(path, "changed", _size(one), _size(two), "important"))
        elif file in moved:
            findings.append(
                Finding(path, "changed", show(moved[file], 300), path[-1], "notice", "renamed, same content")
            )
        elif file not in left:
            change: Change = "added" if two else "removed"
            findings.append(Finding(path, change, one and _size(one), two and _size(two), "important"))
    return findings, len(moved)


def _by_digest(files: Files, other: Files) -> dict[str, str]:
    """Digest to name of the files that the other side has not under that name."""
    return {file.sha256: name for name, file in files.items() if name not in other}


def _renamed(findings: list[Finding], a: dict[str, FetchedData], b: dict[str, FetchedData]) -> list[Finding]:
    """A removed and an added item of one content are one item at another path."""
    gone = {_content(a[path]): path for path in a if path not in b}
    new = {}
    for path in sorted(b):
        if path not in a and (source := gone.pop(_content(b[path]), None)) is not None:
            new[path] = source
    old = {show(path, 300) for path in new.values()}
    moved = [
        Finding((show(to, 300),), "changed", show(at, 300), show(to, 300), "important", "renamed, same content")
        for to, at in new.items()
    ]
    drop = old | {show(path, 300) for path in new}
    return [finding for finding in findings if finding.path[0] not in drop] + moved


def _content(item: FetchedData) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((name, file.sha256) for name, file in item.files.items()))


def _told(item: FetchedData) -> str:
    if "" in item.files:
        return _size(item.files[""])
    return f"{len(item.files):,} files, {sum(file.size for file in item.files.values()):,} bytes"


def _size(file: FetchedFile) -> str:
    return f"sha256:{file.sha256} ({file.size:,} bytes)"


def _hashes(a: FetchedData | None, b: FetchedData | None) -> str:
    """What each record says of its hash: what was fetched matches it, else the side would have been lost."""
    told = [
        f"{side}: {'as recorded' if item.recorded else 'no hash was recorded'}"
        for side, item in (("A", a), ("B", b))
        if item
    ]
    return ", ".join(told)
