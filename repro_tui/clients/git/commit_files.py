"""Reads files of a recorded commit, whether its tree was written out or not."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from repro_tui.clients.git.repository import Repository
from repro_tui.model.declared import CommitTree
from repro_tui.model.errors import Inconclusive
from repro_tui.support.context import Context
from repro_tui.support.regular import copy_regular, read_regular
from repro_tui.support.system_errors import system_reason, system_remedy


def read_files(tree: CommitTree, names: Iterable[str], context: Context) -> dict[str, bytes]:
    """The bytes of regular files of a commit by their paths.

    They come from our clone, or where that was removed or is damaged, from the tree that was written out. Raises
    Inconclusive.
    """
    try:
        repository = Repository.cloned(Path(tree.git_dir), context)
        return repository.read_files(tree.commit, {name: tree.files[name] for name in names})
    except Inconclusive:
        if not tree.folder:
            raise
    try:
        return {name: read_regular(Path(tree.folder, name)) for name in names}
    except OSError as error:
        problem = f"a file of commit {tree.commit[:12]} cannot be read: {system_reason(error)}"
        raise Inconclusive(problem, system_remedy(error)) from error


def write_file(tree: CommitTree, name: str, target: Path, context: Context) -> None:
    """Writes one regular file of a commit to the new file `target`, whatever its size. Raises Inconclusive."""
    try:
        Repository.cloned(Path(tree.git_dir), context).write_file(tree.commit, tree.files[name], target)
        return
    except Inconclusive:
        if not tree.folder:
            raise
    try:
        target.unlink(missing_ok=True)
        copy_regular(Path(tree.folder, name), target)
    except OSError as error:
        problem = f"a file of commit {tree.commit[:12]} cannot be read: {system_reason(error)}"
        raise Inconclusive(problem, system_remedy(error)) from error
