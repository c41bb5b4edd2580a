"""Compares the code of two sides: the commits between them, and the changed files with their line diffs."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from repro_tui.clients.git import Commit, Repository
from repro_tui.compare.ignore import without_ignored
from repro_tui.compare.lines import hunks
from repro_tui.compare.live import is_live
from repro_tui.model.errors import Inconclusive
from repro_tui.model.finding import Area, Change, Finding, Severity, area_of
from repro_tui.model.workspace import CodeTree, TreeFile, Workspace
from repro_tui.support.context import Context
from repro_tui.support.text import plural, show

MOST_DIFFED = 500


def compare_code(a: Workspace | None, b: Workspace | None, context: Context) -> Area:
    """The code's area: a finding about the commits, and one for each file that differs.

    Files that another area compares (parameters, data) are left to that area, and the finding about the commits names
    them. A side without code makes the area unknown; uncommitted changes are an unknown finding.
    """
    unknown = _unknown(a, b)
    if unknown or a is None or b is None or a.code is None or b.code is None:
        return area_of(without_ignored(unknown, "code", context.settings.ignore), 0, unknown_reason=True)
    elsewhere = _elsewhere(a) | _elsewhere(b)
    files = _Files(a.code, b.code, elsewhere, context)
    changed = files.findings()
    findings = (*_dirty(a, b), *changed)
    if a.code.commit != b.code.commit or a.code.subdirectory != b.code.subdirectory:
        findings = (_commits(a.code, b.code, files, bool(changed), context), *findings)
    if context.settings.all_findings:
        same = tuple(Finding((show(name, 300),), "same", severity="info") for name in files.same)
        return area_of(without_ignored((*findings, *same), "code", context.settings.ignore), 0)
    return area_of(without_ignored(findings, "code", context.settings.ignore), len(files.same))


def _unknown(a: Workspace | None, b: Workspace | None) -> tuple[Finding, ...]:
    findings = []
    for side, workspace in (("A", a), ("B", b)):
        if workspace is None:
            findings.append(Finding((), "unknown", note=f"{side} was not rebuilt"))
        elif workspace.code is None:
            findings.append(Finding((), "unknown", note=f"{side}: {_why_unknown(workspace)}"))
    if findings and a and b and a.code_commit and b.code_commit:
        findings.insert(0, _recorded_commits(a, b))
    return tuple(findings)


def _dirty(a: Workspace, b: Workspace) -> tuple[Finding, ...]:
    """An unknown finding for each side that ran uncommitted changes: these were not recorded, so they may differ."""
    note = "the recorded tree had uncommitted changes, which its commit does not contain"
    dirty = [side for side, workspace in (("A", a), ("B", b)) if workspace.code_dirty]
    return tuple(Finding(("uncommitted changes",), "unknown", note=f"{side}: {note}") for side in dirty)


def _why_unknown(workspace: Workspace) -> str:
    if is_live(workspace):
        return workspace.environment.inventory.unknown["environment"]
    if workspace.code_unknown:
        return workspace.code_unknown
    inside = workspace.environment.kind in ("image", "sif")
    return "the code is inside the image" if inside else "no commit that can be fetched was recorded"


def _recorded_commits(a: Workspace, b: Workspace) -> Finding:
    """The commits that the records name, where the code of a side is not available: shown, but not compared."""
    commits = "the same commit" if a.code_commit == b.code_commit else "two commits"
    note = f"the records name {commits}, but the files could not be compared"
    return Finding(("commit",), "unknown", a.code_commit, b.code_commit, "notice", note)


def _elsewhere(workspace: Workspace) -> set[str]:
    """The files of the tree that are compared as parameters or data."""
    assert workspace.code is not None
    root = PurePosixPath(workspace.code.subdirectory)
    paths = {str(root / item.path / name) for item in workspace.data for name in item.files}
    file = Path(workspace.parameters.file)
    if workspace.parameters.overlay:
        paths.add(workspace.parameters.overlay)
    elif workspace.parameters.file and file.is_relative_to(workspace.code.folder):
        paths.add(str(file.relative_to(workspace.code.folder)))
    return paths


def _commits(a: CodeTree, b: CodeTree, files: _Files, differ: bool, context: Context) -> Finding:
    """The commits between the two; `same` where no file of the code differs."""
    children, note = _log(a, b, context)
    if files.left_out:
        note += f"; compared in another area: {', '.join(show(name, 100) for name in sorted(files.left_out)[:10])}"
    if a.subdirectory != b.subdirectory:
        note += f"; A runs in {show(a.subdirectory, 100)}, B in {show(b.subdirectory, 100)}"
        differ = True
    if not differ:
        note += "; no file of the code differs"
    return Finding(("commit",), "changed" if differ else "same", a.commit, b.commit, "info", note, children)


def _log(a: CodeTree, b: CodeTree, context: Context) -> tuple[tuple[Finding, ...], str]:
    try:
        log = Repository.cloned(Path(a.git_dir), context).log(a.commit, b.commit) if Path(a.git_dir).is_dir() else None
    except Inconclusive:
        log = None
    if log is None:
        return (), "the two commits have no history in common"
    children = [_commit(commit, "removed") for commit in log.only_a] + [
        _commit(commit, "added") for commit in log.only_b
    ]
    return tuple(children), f"{plural(log.count_b, 'commit')} only in B, {log.count_a:,} only in A"


def _commit(commit: Commit, change: str) -> Finding:
    summary = f"{commit.date} {commit.author}: {commit.subject}"
    path = ("commit", commit.id)
    if change == "added":
        return Finding(path, "added", None, summary, "info")
    return Finding(path, "removed", summary, None, "info")


class _Files:
    """The files of two trees, compared by blob."""

    def __init__(self, a: CodeTree, b: CodeTree, elsewhere: set[str], context: Context) -> None:
        self.a, self.b, self.context = a, b, context
        differing = {name for name in {*a.files, *b.files} if not _equal(a.files.get(name), b.files.get(name))}
        self.left_out = differing & elsewhere
        self.differing = sorted(differing - elsewhere)
        self.same = sorted({*a.files, *b.files} - differing)

    def findings(self) -> tuple[Finding, ...]:
        """One finding for each file; a renamed file is one, not two."""
        old_names = self._old_names()
        renamed = set(old_names.values())
        findings = []
        for number, name in enumerate(self.differing):
            self.context.cancel.check()
            if name in old_names:
                findings.append(_renamed(old_names[name], name))
            elif name not in renamed:
                findings.append(self._file(name, diffed=number < MOST_DIFFED))
        return tuple(findings)

    def _old_names(self) -> dict[str, str]:
        """New name to old name of renamed files, by equal blob; an empty file never counts as renamed."""
        removed = {
            file.blob: name
            for name in self.differing
            if (file := self.a.files.get(name)) and file.size and name not in self.b.files
        }
        old_names: dict[str, str] = {}
        for name in self.differing:
            if name not in self.a.files and (old := removed.pop(self.b.files[name].blob, None)):
                old_names[name] = old
        return old_names

    def _file(self, name: str, diffed: bool) -> Finding:
        a, b = self.a.files.get(name), self.b.files.get(name)
        path = (show(name, 300),)
        if a is None or b is None:
            change: Change = "added" if a is None else "removed"
            return Finding(path, change, _blob(a), _blob(b), _severity(name), change)
        if a.blob == b.blob:
            return Finding(path, "changed", a.mode, b.mode, "notice", "only the mode differs")
        note, children = hunks(path, Path(self.a.folder) / name, Path(self.b.folder) / name, diffed)
        return Finding(path, "changed", _blob(a), _blob(b), _severity(name), note, children)


def _equal(a: TreeFile | None, b: TreeFile | None) -> bool:
    return a is not None and b is not None and (a.mode, a.blob) == (b.mode, b.blob)


def _renamed(old: str, new: str) -> Finding:
    return Finding((show(new, 300),), "changed", show(old, 300), show(new, 300), "notice", "renamed, same content")


def _blob(file: TreeFile | None) -> str | None:
    return f"blob {file.blob} ({file.size:,} bytes)" if file else None


def _severity(name: str) -> Severity:
    return "important" if name.endswith((".py", ".pyx", ".r", ".R", ".jl", ".sql", ".sh", ".ipynb")) else "notice"
