"""Rebuilds the code: the files of a commit, each checked against its blob, and cached by the commit's id."""

from __future__ import annotations

from pathlib import Path

from repro_tui.clients.git import Repository, clone_folder, show_location
from repro_tui.clients.git.attributes import NOT_APPLIED
from repro_tui.clients.git.checkout import check_out
from repro_tui.clients.git.reasons import UNSHALLOW
from repro_tui.model.errors import Inconclusive, Refused
from repro_tui.model.record import Code, Record
from repro_tui.model.workspace import CodeTree, Part
from repro_tui.support.context import Context, Step
from repro_tui.support.paths import is_inside, real_path
from repro_tui.support.text import plural, quote, show

MOST_LISTED = 5


def rebuild_code(record: Record, context: Context) -> tuple[CodeTree | None, Part | None]:
    """The code tree of a record, and how it was obtained.

    Both are None where the record has no code. Where the code is part of an image and the commit cannot be obtained,
    the tree is None and the part has a warning: the copy inside the image runs all the same. Otherwise raises
    Inconclusive where the commit cannot be obtained, and Refused for a subdirectory outside the tree.
    """
    code = record.code
    if code is None:
        return None, None
    if not is_inside(code.subdirectory):
        raise Refused(f"code.subdirectory {quote(code.subdirectory)} leaves the code tree")
    with context.step("code", f"commit {code.commit[:12]} of {show(show_location(code.repository), 200)}") as step:
        try:
            tree = _tree(code, context, step)
        except Inconclusive as error:
            if not code.in_image:
                raise
            step.warn(f"code was not rebuilt: {show(error.what, 400)}")
            step.how = f"commit {code.commit[:12]}, as recorded; its files are not available"
            return None, step.part()
        step.key, step.matches = code.commit, "matches"
        step.how = f"commit {code.commit[:12]}: {plural(len(tree.files), 'file')}, each checked against its blob"
        if code.in_image:
            step.matches = "unknown"
            step.how += "; the copy inside the image is what runs"
        _warn(code, tree, step)
    return tree, step.part()


def _tree(code: Code, context: Context, step: Step) -> CodeTree:
    checkout = check_out(lambda: _opened(code, context), code.commit, context)
    step.cached, written = checkout.cached, checkout.written
    for warning in written.warnings:
        step.warn(warning)
    if written.done:
        step.log(f"as a checkout has it: {', '.join(written.done)}")
    _check_subdirectory(code, checkout.folder)
    git_dir = str(_history(code, context, step))
    return CodeTree(
        str(checkout.folder), git_dir, code.commit, code.subdirectory, written.files, tuple(written.attributes)
    )


def _opened(code: Code, context: Context) -> Repository:
    """The repository, unless it was found in this audit that it, or the commit, cannot be read."""
    if known := context.unreachable.get((code.repository, code.commit)):
        raise Inconclusive(known.what, known.do)
    return Repository.open(code.repository, context)


def _check_subdirectory(code: Code, folder: Path) -> None:
    subfolder = real_path(folder / code.subdirectory)
    if not subfolder.is_dir() or not subfolder.is_relative_to(real_path(folder)):
        raise Inconclusive(
            f"the subdirectory {show(code.subdirectory, 200)} is not in commit {code.commit[:12]}",
            "correct code.subdirectory in the record",
        )


def _history(code: Code, context: Context, step: Step) -> Path:
    """The clone, created again if it was removed. What is wrong with it is a warning: the files are in the cache."""
    git_dir = clone_folder(code.repository, context)
    try:
        repository = _opened(code, context)
        # Hybrids that look for a cause belong to no side: their commits were asked about before.
        if step.cached and context.side and not repository.still_has(code.commit):
            step.warn(
                f"the code is from the cache: no branch or tag of {repository.name} leads to commit "
                f"{code.commit[:12]} any more; tag it, or record the repository that has it"
            )
        if repository.shallow:
            step.warn(f"{repository.name} is a shallow clone, whose history is cut: {UNSHALLOW}")
    except Inconclusive as error:
        step.warn(f"the code is from the cache, and its history is not available: {error.what}")
    return git_dir


def _warn(code: Code, tree: CodeTree, step: Step) -> None:
    if code.dirty:
        step.warn("the recorded tree had uncommitted changes, which are not in the commit and are not rebuilt")
    if tree.attributes:
        step.log(f"attributes: {'; '.join(tree.attributes)}")
        left_out = [line for line in tree.attributes if NOT_APPLIED.search(line)]
        if left_out:
            step.warn(
                f"attributes that are not applied, because they need a program or an archive: {_listed(left_out)}"
            )


def _listed(lines: list[str]) -> str:
    more = f" and {len(lines) - MOST_LISTED:,} more" if len(lines) > MOST_LISTED else ""
    return "; ".join(lines[:MOST_LISTED]) + more
