"""Compares the code of two sides: the commits between them, and the changed files with their line diffs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from repro_tui.clients.git import Commit, Repository
from repro_tui.compare.changed_files import REGULAR, ChangedFiles
from repro_tui.compare.ignore import without_ignored
from repro_tui.compare.outside import grouped
from repro_tui.model.declared import CommitTree, DeclaredCode
from repro_tui.model.errors import Inconclusive
from repro_tui.model.finding import Area, Change, Finding, Severity, area_of, not_recorded
from repro_tui.model.workspace import TreeFile
from repro_tui.support.context import Context
from repro_tui.support.text import plural, show

MOST_DIFFED = 10_000


def compare_code(a: DeclaredCode, b: DeclaredCode, context: Context, folder: Path | None = None) -> Area:
    """The code's area: a finding about the commits, and one for each file that differs.

    `folder` is the audit's, where line diffs are kept that are too long for its report.

    Of deployments in a folder of the repository, the files outside that they do not use are below one finding.
    Nothing has to be rebuilt for it: files are compared by their ids, and their bytes are read from our clone. Files
    that another area compares (parameters, data) are left to that area, and the finding about the commits names them.
    A side whose files are not known makes the area unknown; uncommitted changes are an unknown finding.
    """
    if not a.recorded and not b.recorded:
        return not_recorded()
    if a.tree is None or b.tree is None:
        return area_of(without_ignored(_unknown(a, b), "code", context.settings.ignore), 0, unknown_reason=True)
    files = _Files(a.tree, b.tree, _elsewhere(a, b), context, folder)
    changed = grouped(files.findings(), a, b, context)
    findings = (*_dirty(a, b), *changed)
    if a.tree.commit != b.tree.commit or a.tree.subdirectory != b.tree.subdirectory:
        findings = (_commits(a.tree, b.tree, files, bool(changed), context), *findings)
    if context.settings.all_findings:
        same = tuple(Finding((show(name, 300),), "same", severity="info") for name in files.same)
        return area_of(without_ignored((*findings, *same), "code", context.settings.ignore), 0)
    return area_of(without_ignored(findings, "code", context.settings.ignore), len(files.same))


def _elsewhere(a: DeclaredCode, b: DeclaredCode) -> frozenset[str]:
    """The files that another area compares; one that is code to a side that has it stays code, so as not to be lost."""
    files = [side.tree.files if side.tree else {} for side in (a, b)]
    both = a.elsewhere & b.elsewhere
    return both | {n for n in a.elsewhere if n not in files[1]} | {n for n in b.elsewhere if n not in files[0]}


def _unknown(a: DeclaredCode, b: DeclaredCode) -> tuple[Finding, ...]:
    sides = (("A", a), ("B", b))
    findings = [Finding((), "unknown", note=f"{side}: {code.unknown}") for side, code in sides if code.tree is None]
    if a.commit and b.commit:
        findings.insert(0, _recorded_commits(a, b))
    return tuple(findings)


def _dirty(a: DeclaredCode, b: DeclaredCode) -> tuple[Finding, ...]:
    """An unknown finding for each side that ran uncommitted changes: these were not recorded, so they may differ."""
    note = "the recorded tree had uncommitted changes, which its commit does not contain"
    dirty = [side for side, code in (("A", a), ("B", b)) if code.dirty]
    return tuple(Finding(("uncommitted changes",), "unknown", note=f"{side}: {note}") for side in dirty)


def _recorded_commits(a: DeclaredCode, b: DeclaredCode) -> Finding:
    """The commits that the records name, where the code of a side is not available: shown, but not compared."""
    commits = "the same commit" if a.commit == b.commit else "two commits"
    note = f"the records name {commits}, but the files could not be compared"
    return Finding(("commit",), "unknown", a.commit, b.commit, "notice", note)


def _commits(a: CommitTree, b: CommitTree, files: _Files, differ: bool, context: Context) -> Finding:
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


def _log(a: CommitTree, b: CommitTree, context: Context) -> tuple[tuple[Finding, ...], str]:
    try:
        log = Repository.cloned(Path(a.git_dir), context).log(a.commit, b.commit)
    except Inconclusive as error:
        if a.git_dir != b.git_dir:
            return (), "the two commits are from different repositories"
        return (), f"which commits are between the two is not known: {error.what}"
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

    def __init__(
        self, a: CommitTree, b: CommitTree, elsewhere: frozenset[str], context: Context, folder: Path | None
    ) -> None:
        self.a, self.b, self.context, self.folder = a, b, context, folder
        differing = {name for name in {*a.files, *b.files} if not _equal(a.files.get(name), b.files.get(name))}
        self.left_out = differing & elsewhere
        self.differing = sorted(differing - elsewhere)
        self.same = sorted({*a.files, *b.files} - differing)

    def findings(self) -> tuple[Finding, ...]:
        """One finding for each file; a renamed file is one, not two."""
        old_names = self._old_names()
        renamed = set(old_names.values())
        findings = [_renamed(old_names[name], name) for name in self.differing if name in old_names]
        names = [name for name in self.differing if name not in old_names and name not in renamed]
        findings += self._compared(names[:MOST_DIFFED])
        findings += [self._file(name, "not compared by line: too many files differ") for name in names[MOST_DIFFED:]]
        return tuple(sorted(findings, key=lambda finding: finding.path))

    def _compared(self, names: Sequence[str]) -> Iterator[Finding]:
        diffed = [name for name in names if not self._why_not_diffed(name)]
        opened = ChangedFiles(self.a, self.b, self.folder, self.context).opened(diffed)
        for name in names:
            if name in opened:
                yield self._file(name, opened[name].note, opened[name].children)
            else:
                yield self._file(name, self._why_not_diffed(name))

    def _why_not_diffed(self, name: str) -> str:
        """Why there is no line diff of a file that both sides have; "" if there can be one."""
        a, b = self.a.files.get(name), self.b.files.get(name)
        if a is None or b is None or a.blob == b.blob:
            return "on one side only, or the same content"
        links = a.mode not in REGULAR or b.mode not in REGULAR
        return "a symbolic link or submodule: not compared by line" if links else ""

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

    def _file(self, name: str, note: str, children: tuple[Finding, ...] = ()) -> Finding:
        a, b = self.a.files.get(name), self.b.files.get(name)
        path = (show(name, 300),)
        if a is None or b is None:
            change: Change = "added" if a is None else "removed"
            return Finding(path, change, _blob(a), _blob(b), _severity(name), change)
        if a.blob == b.blob:
            return Finding(path, "changed", a.mode, b.mode, "notice", "only the mode differs")
        return Finding(path, "changed", _blob(a), _blob(b), _severity(name), note, children)


def _equal(a: TreeFile | None, b: TreeFile | None) -> bool:
    return a is not None and b is not None and (a.mode, a.blob) == (b.mode, b.blob)


def _renamed(old: str, new: str) -> Finding:
    return Finding((show(new, 300),), "changed", show(old, 300), show(new, 300), "notice", "renamed, same content")


def _blob(file: TreeFile | None) -> str | None:
    return f"blob {file.blob} ({file.size:,} bytes)" if file else None


def _severity(name: str) -> Severity:
    return "important" if name.endswith((".py", ".pyx", ".r", ".R", ".jl", ".sql", ".sh", ".ipynb")) else "notice"
