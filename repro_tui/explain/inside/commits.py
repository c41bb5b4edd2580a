"""The commits between two sides as a way that can be walked: at each of them the code is what it was there."""

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
class Way:
    """The commits from A's to B's, ends with them; the first `back` steps undo commits, the others make them.

    `shortened`: it begins after commits that were made and undone.
    """

    record: Record
    commits: tuple[Commit, ...]
    back: int
    shortened: bool = False

    def since_a(self) -> Way:
        """The way from the last commit whose tree is A's: what was made and undone before it has no part in B."""
        last = max(at for at, commit in enumerate(self.commits[:-1]) if commit.tree == self.commits[0].tree)
        return replace(self, commits=self.commits[last:], back=max(0, self.back - last), shortened=last > 0)

    @property
    def names(self) -> list[str]:
        """The commits by their short ids."""
        return [commit.id[:SHORT] for commit in self.commits]

    def guilty(self, after: int) -> Commit:
        """The commit that the step to this point makes or undoes."""
        return self.commits[after - 1] if after <= self.back else self.commits[after]

    def tree(self, at: int, context: Context) -> CodeTree:
        """The code at one of the commits. Raises Inconclusive where it cannot be had."""
        assert self.record.code is not None
        code = replace(self.record.code, commit=self.commits[at].id)
        tree, _ = rebuild_code(replace(self.record, code=code), context)
        assert tree is not None
        return tree

    def parts(self, base: Parts, at: int, context: Context) -> Parts:
        """The hybrid with the code of that commit."""
        return replace(base, tree=self.tree(at, context))


def way_between(a: Record, b: Record, context: Context) -> Way | None:
    """The way from A's commit to B's; None where they are of two repositories or share no history."""
    if a.code is None or b.code is None or not _same_place(a.code, b.code):
        return None
    try:
        commits, back = Repository.open(a.code.repository, context).way(a.code.commit, b.code.commit)
    except Inconclusive:
        return None
    return Way(b, commits, back).since_a() if len(commits) > 1 else None


def _same_place(a: Code, b: Code) -> bool:
    return (a.repository, a.subdirectory) == (b.repository, b.subdirectory)
