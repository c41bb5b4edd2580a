"""`git:REV`: the repro.toml at a revision of the current repository, with `code.commit` set to it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from repro_tui.clients.git import Repository
from repro_tui.model.errors import Inconclusive, Mistake, Refused
from repro_tui.model.record import Code, Record
from repro_tui.sources.recordfile import FILE_NAME, read_record
from repro_tui.support.context import Context
from repro_tui.support.text import show


class GitRevision:
    """Reads the record that is committed in the repository the user stands in."""

    def load(self, reference: str, context: Context) -> Record:
        """The record of `git:REV` or `git:REV#NAME`. Raises Refused."""
        revision, _, name = reference.removeprefix("git:").partition("#")
        record = record_at(reference, name, revision_of(reference, revision, context), context)
        return replace(record, name=show(reference.removeprefix("git:"), 80))


@dataclass(frozen=True, slots=True)
class Revision:
    """A commit of the repository at `root`, its files written out to `tree` in the cache."""

    root: Path
    commit: str
    tree: Path


def revision_of(reference: str, revision: str, context: Context, *, experiments: bool = False) -> Revision:
    """The revision that a reference names; with `experiments`, also one of DVC's by its name. Raises Refused."""
    root = find_repository(context.here)
    if root is None:
        raise Refused(Mistake(show(reference, 200), f"there is no git repository at or above {context.here}"))
    if not revision or revision.startswith("-"):
        raise Refused(Mistake(show(reference, 200), "is not a revision"))
    try:
        repository = Repository.open(str(root), context)
        commit = repository.resolve(revision) or (repository.resolve_experiment(revision) if experiments else None)
        if commit is None:
            raise Refused(Mistake(show(reference, 200), f"there is no such revision in {root}"))
        tree, _ = context.cache.folder(
            "code", commit, lambda folder: _write(repository, commit, folder, context), context.cancel
        )
    except Inconclusive as error:
        raise Refused(Mistake(show(reference, 200), str(error))) from error
    return Revision(root, commit, tree)


def _write(repository: Repository, commit: str, folder: Path, context: Context) -> None:
    repository.write_out(commit, folder, context.cancel)


def record_at(reference: str, name: str, found: Revision, context: Context) -> Record:
    """The record in the repro.toml of a revision. Raises Refused."""
    file = found.tree / FILE_NAME
    if not file.is_file():
        what = f"there is no {FILE_NAME} in the commit {found.commit}"
        advice = f"commit one, or say  {reference.removeprefix('git:')}  to take the one of your working tree"
        raise Refused(Mistake(show(reference, 200), f"{what}: {advice}"))
    record = read_record(file, name, reference, context, base=found.tree)
    subdirectory = record.code.subdirectory if record.code else "."
    where = f"{FILE_NAME} at {found.commit}"
    provenance = {field: place.replace(f"{FILE_NAME}:", f"{where}:", 1) for field, place in record.provenance.items()}
    provenance |= {
        "code.repository": f"the current repository, {found.root}",
        "code.commit": show(reference, 200),
    }
    missing = tuple(item for item in record.missing if item.field != "code")
    code = Code(str(found.root), found.commit, subdirectory)
    return replace(record, code=code, provenance=provenance, missing=missing)


def find_repository(here: Path) -> Path | None:
    """The repository that `here` stands in, found without running git in it."""
    folders = (here.absolute(), *here.absolute().parents)
    return next((folder for folder in folders if (folder / ".git").exists()), None)
