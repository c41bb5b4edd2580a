"""The commits between two sides as a sequence that can be bisected: each of its points is a tree of the code.

Where A's commit is an ancestor of B's, the sequence is the history between them, by first parents. Otherwise it leads
back from A to the commit where the two histories parted, and from there forward to B: first commits are undone, then
others are made. A commit whose tree is A's is A without a run, so the sequence begins at the last of these.

Example: A and B parted at P. The points are A, A's parent, P, B's parent, B. The step from A to its parent undoes A's
commit, and so that commit is the guilty one; the step from P to B's parent makes the commit of B's parent.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from repro_tui.clients.git import Commit, Repository
from repro_tui.model.errors import Inconclusive
from repro_tui.model.record import Code, Record
from repro_tui.model.workspace import CodeTree
from repro_tui.rebuild.code import rebuild_code
from repro_tui.rebuild.hybrid import Parts
from repro_tui.support.context import Context

SHORT = 12


@dataclass(frozen=True, slots=True)
class CommitPath:
    """The commits from A's to B's, both included. The first `back` steps undo commits, the others make them.

    `record` is B's: its repository and folder are those of every point. `shortened`: commits before the first point
    were made and undone again, and left out.
    """

    record: Record
    commits: tuple[Commit, ...]
    back: int
    shortened: bool = False

    def since_a(self) -> CommitPath:
        """The path from the last commit whose tree is A's: what was made and undone before it has no part in B."""
        tree = self.commits[0].tree
        last = max(index for index, commit in enumerate(self.commits[:-1]) if commit.tree == tree)
        return replace(self, commits=self.commits[last:], back=max(0, self.back - last), shortened=last > 0)

    @property
    def names(self) -> list[str]:
        """The short ids of the commits."""
        return [commit.id[:SHORT] for commit in self.commits]

    def guilty(self, after: int) -> Commit:
        """The commit that the step to the point with this index makes or undoes."""
        return self.commits[after - 1] if after <= self.back else self.commits[after]

    def tree(self, index: int, context: Context) -> CodeTree:
        """The code at one of the commits. Raises Inconclusive where it cannot be checked out."""
        assert self.record.code is not None
        code = replace(self.record.code, commit=self.commits[index].id)
        tree, _ = rebuild_code(replace(self.record, code=code), context)
        assert tree is not None
        return tree

    def parts(self, base: Parts, index: int, context: Context) -> Parts:
        """The parts of the hybrid with the code of that commit."""
        return replace(base, tree=self.tree(index, context))


def commits_between(a: Record, b: Record, context: Context) -> CommitPath | None:
    """The path from A's commit to B's; None where they are of two repositories or share no history."""
    if a.code is None or b.code is None or not _is_same_place(a.code, b.code):
        return None
    try:
        commits, back = Repository.open(a.code.repository, context).way(a.code.commit, b.code.commit)
    except Inconclusive:
        return None
    return CommitPath(b, commits, back).since_a() if len(commits) > 1 else None


def _is_same_place(a: Code, b: Code) -> bool:
    return (a.repository, a.subdirectory) == (b.repository, b.subdirectory)
