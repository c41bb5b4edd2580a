"""Reads what one side declares: the commit's files, parameters, hashes of data, and the files of its environment."""

from __future__ import annotations

from dataclasses import replace
from pathlib import PurePosixPath

from repro_tui.clients.git import Repository, clone_folder, show_location
from repro_tui.clients.git.checkout import committed_tree
from repro_tui.model.declared import CommitTree, Declared, DeclaredCode
from repro_tui.model.errors import Inconclusive, Refused
from repro_tui.model.record import Code, Record
from repro_tui.model.workspace import BuiltParameters
from repro_tui.rebuild.declared.data import declared_data, laid_over
from repro_tui.rebuild.declared.environment import declared_environment
from repro_tui.rebuild.declared.files import declared_files
from repro_tui.rebuild.declared.parameters import IN_IMAGE, declared_parameters, parameter_files
from repro_tui.rebuild.live import UNKNOWN
from repro_tui.support.context import Context
from repro_tui.support.text import show


def declare(record: Record, context: Context) -> Declared:
    """What the record declares. Nothing is built, and what cannot be read is unknown, with the reason.

    The repository is cloned into the cache, and the commit fetched, where they are not there yet. Raises Cancelled.
    """
    if record.predict is not None and record.predict.url:
        nothing = BuiltParameters({}, unknown=UNKNOWN)
        return Declared(DeclaredCode(unknown=UNKNOWN), declared_environment(record, None), nothing, live=UNKNOWN)
    code, warnings = _code(record, context)
    files = declared_files(record, code, context)
    parameters = declared_parameters(record, files)
    elsewhere = laid_over(record.data, code.tree) | parameter_files(record, code.tree)
    return Declared(
        code=replace(code, elsewhere=frozenset(elsewhere), placed=_placed(record), texts=_texts(record)),
        environment=declared_environment(record, files),
        parameters=parameters,
        data=tuple(declared_data(item, files) for item in record.data),
        warnings=warnings,
    )


# -- code -----------------------------------------------------------------------------------------------------------


def _code(record: Record, context: Context) -> tuple[DeclaredCode, tuple[str, ...]]:
    """The commit of the record, and a warning where its files cannot be read."""
    code = record.code
    if code is None:
        inside = record.environment.kind in IN_IMAGE
        unknown = "the code is inside the image" if inside else "no commit that can be fetched was recorded"
        return DeclaredCode(unknown=unknown, recorded=inside), ()
    try:
        tree = _tree(code, context)
    except (Inconclusive, Refused, OSError) as error:
        if isinstance(error, Inconclusive):
            context.unreachable[code.repository, code.commit] = error
        reason = error.what if isinstance(error, Inconclusive) else str(error)
        unknown = f"code was not rebuilt: {show(reason, 400)}"
        return DeclaredCode(None, code.commit, unknown, dirty=bool(code.dirty)), (unknown,)
    return DeclaredCode(tree, code.commit, dirty=bool(code.dirty)), ()


def _tree(code: Code, context: Context) -> CommitTree:
    kept = _kept_tree(code, context)
    if kept is not None:
        return kept
    repository = Repository.open(code.repository, context)
    files = repository.files(code.commit)
    return CommitTree(str(repository.git_dir), code.commit, code.subdirectory, files)


def _kept_tree(code: Code, context: Context) -> CommitTree | None:
    """The tree of that commit that an earlier rebuild left in the cache, for which no repository is needed."""
    kept = committed_tree(code.commit, context)
    if kept is None:
        return None
    git_dir = str(clone_folder(code.repository, context))
    return CommitTree(git_dir, code.commit, code.subdirectory, kept.written.files, str(kept.folder))


def described(record: Record) -> str:
    """The commit that is read, for the progress."""
    code = record.code
    return f"commit {code.commit[:12]} of {show(show_location(code.repository), 200)}" if code else "the record"


def _placed(record: Record) -> frozenset[str]:
    """The files of the commit that the environment is built from."""
    environment, root = record.environment, _root(record)
    names = (environment.lock, environment.requirements, environment.conda, environment.project, environment.dockerfile)
    return frozenset(str(root / name) for name in names if name and not name.startswith("file:"))


def _texts(record: Record) -> tuple[str, ...]:
    """The texts of the record that may name files of the commit outside the project's folder."""
    predict = record.predict
    step = (*predict.command, predict.notebook, predict.inputs, predict.output) if predict else ()
    return (*step, *record.environment.variables.values(), *(item.path for item in record.data))


def _root(record: Record) -> PurePosixPath:
    return PurePosixPath(record.code.subdirectory if record.code else ".")
