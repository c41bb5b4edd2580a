"""`git:REV`: the repro.toml at a revision of the current repository, with `code.commit` set to that revision."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from repro_tui.clients.git import Repository
from repro_tui.clients.git.checkout import check_out
from repro_tui.model.errors import Inconclusive, Mistake, Refused
from repro_tui.model.record import Code, Record
from repro_tui.sources.recordfile import FILE_NAME, read_record
from repro_tui.support.context import Context
from repro_tui.support.text import show


class GitRevision:
    """Reads the record that is committed in the current repository."""

    def load(self, reference: str, context: Context) -> Record:
        """Returns the record of `git:REV` or `git:REV#NAME`. Raises Refused."""
        revision_name, _, name = reference.removeprefix("git:").partition("#")
        record = record_at(reference, name, revision_of(reference, revision_name, context), context)
        return replace(record, name=show(reference.removeprefix("git:"), 80))


@dataclass(frozen=True, slots=True)
class Revision:
    """A commit of the repository at `root`, its files written out to `tree` in the cache."""

    root: Path
    commit: str
    tree: Path


def revision_of(reference: str, revision_name: str, context: Context, *, experiments: bool = False) -> Revision:
    """The revision that a reference names, written out to the cache.

    With `experiments`, the name of a DVC experiment is accepted as well. Raises Refused where there is no repository or
    no such revision.
    """
    root = find_repository(context.here) or _bare_repository(context.here)
    if root is None:
        raise Refused(
            Mistake(
                show(reference, 200), f"there is no git repository at or above {context.here}: run repro-tui inside one"
            )
        )
    if not revision_name or revision_name.startswith("-"):
        raise Refused(Mistake(show(reference, 200), "is not a revision: expected a branch, a tag or a commit"))
    try:
        repository = Repository.open(str(root), context)
        commit = repository.resolve(revision_name) or (
            repository.resolve_experiment(revision_name) if experiments else None
        )
        if commit is None:
            raise Refused(
                Mistake(
                    show(reference, 200),
                    f"there is no revision {show(revision_name, 100)} in {root}: git branch -a and git tag list them",
                )
            )
        tree = check_out(lambda: repository, commit, context).folder
    except Inconclusive as error:
        raise Refused(Mistake(show(reference, 200), str(error))) from error
    return Revision(root, commit, tree)


def record_at(reference: str, name: str, revision: Revision, context: Context) -> Record:
    """The record in the repro.toml of a revision; `name` selects a deployment in it. Raises Refused."""
    file = revision.tree / FILE_NAME
    if not file.is_file():
        problem = f"the commit {revision.commit} has no {FILE_NAME}"
        advice = "commit one, or name a deployment of the working tree's file without the prefix git:"
        raise Refused(Mistake(show(reference, 200), f"{problem}: {advice}"))
    record = read_record(file, name, reference, context, base=revision.tree)
    subdirectory = record.code.subdirectory if record.code else "."
    where = f"{FILE_NAME} at {revision.commit}"
    provenance = {field: source.replace(f"{FILE_NAME}:", f"{where}:", 1) for field, source in record.provenance.items()}
    provenance |= {
        "code.repository": f"the current repository, {revision.root}",
        "code.commit": show(reference, 200),
    }
    missing = tuple(item for item in record.missing if item.field != "code")
    code = Code(str(revision.root), revision.commit, subdirectory)
    return replace(record, code=code, provenance=provenance, missing=missing)


def find_repository(here: Path) -> Path | None:
    """The root of the repository that contains `here`; None outside one. git is not run."""
    folders = (here.absolute(), *here.absolute().parents)
    return next((folder for folder in folders if (folder / ".git").exists()), None)


def _bare_repository(folder: Path) -> Path | None:
    parts = ((folder / "HEAD").is_file(), (folder / "objects").is_dir(), (folder / "refs").is_dir())
    return folder.absolute() if all(parts) else None
