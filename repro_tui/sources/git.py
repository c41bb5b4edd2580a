"""`git:REV`: the record at a revision of the current repository, with `code.commit` set to that revision.

The record is the repro.toml that is nearest to the current folder, in that revision; `git:REV:PATH` names another one.
A revision without a record is described by its files (sources/detect).
"""

from __future__ import annotations

import posixpath
from dataclasses import dataclass, field, replace
from pathlib import Path

from repro_tui.clients.git import Repository
from repro_tui.clients.git.checkout import check_out
from repro_tui.model.errors import Inconclusive, Mistake, Refused
from repro_tui.model.record import Code, Record
from repro_tui.model.workspace import TreeFile
from repro_tui.sources.detect.environments import kind_of
from repro_tui.sources.detect.project import detect, detected_parts
from repro_tui.sources.recordfile import ENDINGS, FILE_NAME, read_record
from repro_tui.support.context import Context
from repro_tui.support.paths import is_inside, real_path
from repro_tui.support.text import quote, show


class GitRevision:
    """Reads the record that is committed in the current repository, or what a revision's files describe."""

    def load(self, reference: str, context: Context) -> Record:
        """Returns the record of `git:REV`, `git:REV:PATH` or `git:REV#NAME`. Raises Refused."""
        named = parse_revision(reference, "git:")
        revision = revision_of(reference, named.revision, context)
        file = record_file(reference, named, revision, context)
        if file is None:
            record = _detected(reference, named, revision, context)
        else:
            record = record_at(reference, named.name, revision, context, file)
        return replace(record, name=show(reference.removeprefix("git:"), 80))


@dataclass(frozen=True, slots=True)
class RevisionName:
    """The parts of `git:REV:PATH#NAME`: `path` is a record file or a folder in the commit, `name` a deployment."""

    revision: str
    path: str = ""
    name: str = ""


def parse_revision(reference: str, prefix: str) -> RevisionName:
    """The parts of a reference to a revision. Raises Refused for a path that leaves the commit's tree."""
    text, _, name = reference.removeprefix(prefix).partition("#")
    revision, mark, path = text.partition(":")
    if mark and not is_inside(path):
        message = f"{quote(path)} is not a path in the commit: expected {prefix}REV:FOLDER/{FILE_NAME}"
        raise Refused(Mistake(show(reference, 200), message))
    return RevisionName(revision, posixpath.normpath(path) if path else "", name)


@dataclass(slots=True)
class Revision:
    """A commit of the repository at `root`."""

    root: Path
    commit: str
    repository: Repository
    reference: str = ""
    _tree: Path | None = None
    _files: dict[str, TreeFile] = field(default_factory=dict)

    @property
    def files(self) -> dict[str, TreeFile]:
        """Every file of the commit, by its path in the repository. Raises Refused where they cannot be read."""
        if not self._files:
            try:
                self._files = self.repository.files(self.commit)
            except Inconclusive as error:
                raise self._refused(error) from error
        return self._files

    @property
    def tree(self) -> Path:
        """The commit's files, written out to the cache. Raises Refused where they cannot be."""
        if self._tree is None:
            context = self.repository.context
            try:
                self._tree = check_out(lambda: self.repository, self.commit, context).folder
            except Inconclusive as error:
                raise self._refused(error) from error
        return self._tree

    def _refused(self, error: Inconclusive) -> Refused:
        return Refused(Mistake(show(self.reference, 200), str(error)))


def revision_of(reference: str, revision_name: str, context: Context, *, experiments: bool = False) -> Revision:
    """The revision that a reference names.

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
        repository.need(commit)
    except Inconclusive as error:
        raise Refused(Mistake(show(reference, 200), str(error))) from error
    return Revision(root, commit, repository, reference)


# -- the record in a commit -----------------------------------------------------------------------------------------


def record_file(reference: str, named: RevisionName, revision: Revision, context: Context) -> str | None:
    """The path of the record in the commit: the one that is named, else the nearest one to the current folder.

    None where the commit has none. Raises Refused where one is named that the commit does not have.
    """
    if named.path.endswith(ENDINGS):
        if named.path not in revision.files:
            message = f"the commit {revision.commit} has no file {show(named.path, 200)}: correct the path"
            raise Refused(Mistake(show(reference, 200), message))
        return named.path
    start = named.path or folder_in(revision, context)
    if named.path and not any(path.startswith(f"{named.path}/") for path in revision.files):
        message = f"the commit {revision.commit} has no folder {show(named.path, 200)}: correct the path"
        raise Refused(Mistake(show(reference, 200), message))
    return next((file for folder in upwards(start) if (file := _joined(folder, FILE_NAME)) in revision.files), None)


def folder_in(revision: Revision, context: Context) -> str:
    """The current folder, relative to the root of the repository."""
    return context.here.absolute().relative_to(revision.root).as_posix()


def upwards(folder: str) -> list[str]:
    """A folder of a tree and all folders above it, up to the root "."."""
    folders = [folder]
    while folders[-1] != ".":
        folders.append(posixpath.dirname(folders[-1]) or ".")
    return folders


def _joined(folder: str, name: str) -> str:
    return posixpath.normpath(posixpath.join(folder, name))


def record_at(reference: str, name: str, revision: Revision, context: Context, file: str = FILE_NAME) -> Record:
    """The record in a file of a revision; `name` selects a deployment in it.

    Its paths are relative to its own folder in the commit. Raises Refused.
    """
    base = revision.tree / posixpath.dirname(file)
    record = read_record(revision.tree / file, name, reference, context, base=base)
    where = f"{file} at {revision.commit}"
    label = f"{posixpath.basename(file)}:"
    provenance = {field: source.replace(label, f"{where}:", 1) for field, source in record.provenance.items()}
    provenance |= {
        "code.repository": f"the current repository, {revision.root}",
        "code.commit": show(reference, 200),
    }
    missing = tuple(item for item in record.missing if item.field != "code")
    code = Code(str(revision.root), revision.commit, _subdirectory(record, posixpath.dirname(file) or ".", revision))
    return replace(record, code=code, provenance=provenance, missing=missing)


def _subdirectory(record: Record, folder: str, revision: Revision) -> str:
    """The project's folder in the commit: where the record's own repository and subdirectory lead, from its folder."""
    if record.code is None:
        return folder
    top = real_path(revision.tree)
    repository = Path(record.code.repository)
    if not (repository.is_absolute() and repository.is_relative_to(top) and repository.is_dir()):
        return record.code.subdirectory
    return _joined(repository.relative_to(top).as_posix(), record.code.subdirectory)


# -- a commit without a record --------------------------------------------------------------------------------------


def _detected(reference: str, named: RevisionName, revision: Revision, context: Context) -> Record:
    """What the files of a commit describe: its environment, parameters and data. The predict step is never guessed."""
    if named.name:
        message = f"the commit {revision.commit} has no {FILE_NAME}: leave out #{show(named.name, 80)}, or commit one"
        raise Refused(Mistake(show(reference, 200), message))
    start = named.path or folder_in(revision, context)
    folder = project_folder(revision, start)
    try:
        project = detect(revision.repository, revision.commit, folder, posixpath.relpath(start, folder))
        parts = detected_parts(project)
    except Inconclusive as error:
        raise Refused(Mistake(show(reference, 200), str(error))) from error
    origin = {
        "code.repository": f"the current repository, {revision.root}",
        "code.commit": show(reference, 200),
    }
    return Record(
        name=show(reference, 80),
        reference=reference,
        base=str(revision.root / folder),
        code=Code(str(revision.root), revision.commit, folder),
        environment=parts.environment,
        parameters=parts.parameters,
        data=parts.data,
        provenance=origin | parts.provenance,
        missing=tuple(parts.missing),
        warnings=tuple(parts.warnings),
    )


def project_folder(revision: Revision, start: str) -> str:
    """The nearest folder at or above `start` with a file that describes an environment; else the root "."."""
    described = {posixpath.dirname(path) or "." for path in revision.files if kind_of(path)[0]}
    return next((folder for folder in upwards(start) if folder in described), ".")


def find_repository(here: Path) -> Path | None:
    """The root of the repository that contains `here`; None outside one. git is not run."""
    folders = (here.absolute(), *here.absolute().parents)
    return next((folder for folder in folders if (folder / ".git").exists()), None)


def _bare_repository(folder: Path) -> Path | None:
    parts = ((folder / "HEAD").is_file(), (folder / "objects").is_dir(), (folder / "refs").is_dir())
    return folder.absolute() if all(parts) else None
