"""Rebuilds the code: the files of a commit, each checked against its blob, and cached by the commit's id."""

from __future__ import annotations

from pathlib import Path
from typing import TypedDict

from repro_tui.clients.git import Repository, clone_folder, show_location
from repro_tui.model.errors import Inconclusive, Refused
from repro_tui.model.record import Code, Record
from repro_tui.model.workspace import CodeTree, Part, TreeFile
from repro_tui.support.context import Context, Step
from repro_tui.support.paths import is_inside
from repro_tui.support.text import plural, show


class _Note(TypedDict):
    """What is kept of a commit besides its files: of each file its mode, blob and size."""

    files: dict[str, tuple[str, str, int]]
    attributes: tuple[str, ...]
    warnings: tuple[str, ...]


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
        raise Refused(f"code.subdirectory {show(code.subdirectory, 200)!r} leaves the code tree")
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
    def build(folder: Path) -> None:
        if known := context.unreachable.get((code.repository, code.commit)):
            raise Inconclusive(known.what, known.do)
        repository = Repository.open(code.repository, context)
        warnings = repository.write_out(code.commit, folder, context.cancel)
        context.cache.write_note("code", code.commit, _note(repository, code.commit, warnings))

    folder, step.cached = context.cache.folder("code", code.commit, build, context.cancel)
    note: _Note | None = context.cache.read_note("code", code.commit)
    if not isinstance(note, dict):
        note = _note(Repository.open(code.repository, context), code.commit, ())
        context.cache.write_note("code", code.commit, note)
    for warning in note["warnings"]:
        step.warn(warning)
    _check_subdirectory(code, folder)
    files = {path: TreeFile(*described) for path, described in note["files"].items()}
    git_dir = str(_history(code, context, step))
    return CodeTree(str(folder), git_dir, code.commit, code.subdirectory, files, tuple(note["attributes"]))


def kept_code(commit: str, context: Context) -> tuple[str, dict[str, TreeFile]] | None:
    """The folder and the files of a commit that was rebuilt before; None where it is not in the cache."""
    folder = context.cache.root / "folders" / "code" / commit
    note: _Note | None = context.cache.read_note("code", commit)
    if not isinstance(note, dict) or not folder.is_dir():
        return None
    return str(folder), {path: TreeFile(*described) for path, described in note["files"].items()}


def _note(repository: Repository, commit: str, warnings: tuple[str, ...]) -> _Note:
    files = {path: (file.mode, file.blob, file.size) for path, file in repository.files(commit).items()}
    return {"files": files, "attributes": repository.attributes(commit), "warnings": warnings}


def _check_subdirectory(code: Code, folder: Path) -> None:
    subfolder = (folder / code.subdirectory).resolve()
    if not subfolder.is_dir() or not subfolder.is_relative_to(folder.resolve()):
        raise Inconclusive(
            f"the subdirectory {show(code.subdirectory, 200)} is not in commit {code.commit[:12]}",
            "correct code.subdirectory in the record",
        )


def _history(code: Code, context: Context, step: Step) -> Path:
    """The clone, created again if it was removed. A failure is only a warning, because the files are cached."""
    git_dir = clone_folder(code.repository, context)
    if not (git_dir / "HEAD").is_file():
        try:
            Repository.open(code.repository, context)
        except Inconclusive as error:
            step.warn(f"the code is from the cache, and its history is not available: {error.what}")
    return git_dir


def _warn(code: Code, tree: CodeTree, step: Step) -> None:
    if code.dirty:
        step.warn("the recorded tree had uncommitted changes, which are not in the commit and are not rebuilt")
    if tree.attributes:
        step.warn(f"a checkout would convert files ({tree.attributes[0]}): the committed bytes are used instead")
