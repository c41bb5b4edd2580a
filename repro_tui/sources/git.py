"""`git:REV`: the repro.toml at a revision of the current repository, with `code.commit` set to it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from repro_tui.model.errors import Inconclusive, Mistake, Refused
from repro_tui.model.record import Code, Record
from repro_tui.sources.recordfile import FILE_NAME, read_record
from repro_tui.support.context import Context
from repro_tui.support.git import Repository
from repro_tui.support.text import show


class GitRevision:
    """Reads the record that is committed in the repository the user stands in."""

    def load(self, reference: str, context: Context) -> Record:
        """The record of `git:REV` or `git:REV#NAME`. Raises Refused."""
        revision, _, name = reference.removeprefix("git:").partition("#")
        root = find_repository(context.here)
        if root is None:
            raise Refused(Mistake(show(reference, 200), f"there is no git repository at or above {context.here}"))
        if not revision or revision.startswith("-"):
            raise Refused(Mistake(show(reference, 200), "is not a revision"))
        try:
            repository = Repository.of(str(root), context)
            commit = repository.resolve(revision)
            if commit is None:
                raise Refused(Mistake(show(reference, 200), f"there is no such revision in {root}"))
            tree, _ = context.cache.folder(
                "code", commit, lambda folder: _write(repository, commit, folder, context), context.cancel
            )
        except Inconclusive as error:
            raise Refused(Mistake(show(reference, 200), str(error))) from error
        return _record(reference, name, commit, root, tree, context)


def _write(repository: Repository, commit: str, folder: Path, context: Context) -> None:
    repository.write_out(commit, folder, context.cancel)


def _record(reference: str, name: str, commit: str, root: Path, tree: Path, context: Context) -> Record:
    file = tree / FILE_NAME
    if not file.is_file():
        raise Refused(Mistake(show(reference, 200), f"there is no {FILE_NAME} in the commit {commit}"))
    record = read_record(file, name, reference, context, base=tree)
    subdirectory = record.code.subdirectory if record.code else "."
    where = f"{FILE_NAME} at {commit}"
    provenance = {field: place.replace(f"{FILE_NAME}:", f"{where}:", 1) for field, place in record.provenance.items()}
    provenance |= {"code.repository": f"the current repository, {root}", "code.commit": show(reference, 200)}
    label = show(reference.removeprefix("git:"), 80)
    missing = tuple(item for item in record.missing if item.field != "code")
    code = Code(str(root), commit, subdirectory)
    return replace(record, name=label, code=code, provenance=provenance, missing=missing)


def find_repository(here: Path) -> Path | None:
    """The repository that `here` stands in, found without running git in it."""
    folders = (here.absolute(), *here.absolute().parents)
    return next((folder for folder in folders if (folder / ".git").exists()), None)
