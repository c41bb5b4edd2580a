"""`dvc:REV`: the record at a revision or experiment of the current repository, with the data that DVC tracks there.

If the revision has no repro.toml, `dvc:REV#STAGE` reads a stage of its dvc.lock instead (dvc_stage.py).
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path, PurePosixPath

from repro_tui.formats.dvc_files import LockedStage, Tracked, all_tracked, find_tracked, stages_of
from repro_tui.model.errors import Inconclusive, Mistake, Refused
from repro_tui.model.record import DataItem, Record
from repro_tui.sources.dvc_stage import StageReader, parameters_file
from repro_tui.sources.git import Revision, parse_revision, record_at, record_file, revision_of
from repro_tui.sources.recordfile import FILE_NAME
from repro_tui.support.context import Context
from repro_tui.support.paths import is_inside, real_path
from repro_tui.support.text import show


class DvcRevision:
    """Reads the record at a revision, and its data from DVC's own files. DVC is not run and need not be installed."""

    def load(self, reference: str, context: Context) -> Record:
        """Returns the record of `dvc:REV`, `dvc:REV:PATH`, `dvc:REV#NAME` or `dvc:REV#STAGE`; REV may be an experiment.

        Raises Refused.
        """
        named = parse_revision(reference, "dvc:")
        revision = revision_of(reference, named.revision, context, experiments=True)
        file = record_file(reference, named, revision, context)
        try:
            if file is not None:
                record = record_at(reference, named.name, revision, context, file)
                return _with_data(replace(record, name=show(reference.removeprefix("dvc:"), 80)), revision)
            return StageReader(reference, revision, _stage(reference, named.name, revision, context), context).record()
        except Inconclusive as error:
            raise Refused(Mistake(show(reference, 200), str(error))) from error


# -- a record with DVC's data -------------------------------------------------------------------------------------


def _with_data(record: Record, revision: Revision) -> Record:
    """The record with the hashes that DVC recorded at that revision.

    Items of the source `dvc` get the md5 of DVC's files. A record that names no data gets everything that DVC tracks
    below the project's folder.
    """
    subdirectory = record.code.subdirectory if record.code else "."
    provenance = dict(record.provenance)
    items: list[DataItem] = []
    warnings = list(record.warnings)
    for item in record.data:
        tracked = (
            _tracked(revision.tree, str(PurePosixPath(subdirectory) / item.path)) if item.source == "dvc" else None
        )
        if tracked is not None:
            warnings += _override_warnings(item, tracked)
            provenance[f"data.{len(items)}.md5"] = f"DVC's files at {revision.commit}"
            item = replace(item, sha256=None, md5=tracked.md5 if not (tracked.inside or tracked.legacy) else None)
        items.append(item)
    if not items:
        items = list(_all_data(revision, subdirectory))
        provenance |= {f"data.{n}": f"DVC's files at {revision.commit}" for n in range(len(items))}
    parameters = record.parameters
    if not parameters.names and (file := parameters_file(revision.tree / subdirectory)):
        parameters = replace(parameters, file=file)
        provenance["parameters.file"] = f"{file} at {revision.commit}"
    return replace(
        record,
        data=tuple(items),
        parameters=parameters,
        provenance=provenance,
        warnings=tuple(warnings),
    )


def _override_warnings(item: DataItem, tracked: Tracked) -> list[str]:
    """Warns where the record's hash of an item is not the one in DVC's files, which takes precedence."""
    path = show(item.path, 200)
    if item.md5 and item.md5.lower() != tracked.md5 and not tracked.inside:
        return [f"data {path}: {FILE_NAME} has md5 {item.md5}, but DVC's files have {tracked.md5}, which is used"]
    return [f"data {path}: the sha256 in {FILE_NAME} is not used: DVC's md5 identifies it"] if item.sha256 else []


def _tracked(tree: Path, path: str) -> Tracked | None:
    try:
        return find_tracked(tree, path)
    except Inconclusive:
        return None


def _all_data(revision: Revision, subdirectory: str) -> list[DataItem]:
    """Everything that DVC tracks below the project's folder."""
    root = PurePosixPath(subdirectory)
    return [
        DataItem(str(PurePosixPath(path).relative_to(root)), "dvc", md5=None if tracked.legacy else tracked.md5)
        for path, tracked in all_tracked(revision.tree).items()
        if PurePosixPath(path).is_relative_to(root)
    ]


# -- a stage ------------------------------------------------------------------------------------------------------


def _stage(reference: str, name: str, revision: Revision, context: Context) -> LockedStage:
    """The stage that a reference names: `STAGE`, `STAGE:OUTPUT`, `FOLDER/dvc.yaml:STAGE` or all of these.

    Without FOLDER, it is in the dvc.lock of the current folder, or of the nearest one above it that has one.
    """
    file, mark, rest = name.partition("dvc.yaml:")
    folder = file.strip("/") or "." if mark else _nearest(revision, context)
    name, _, output = (rest if mark else name).partition(":")
    stages = stages_of(revision.tree / folder) if is_inside(folder) else {}
    if not stages:
        place = "" if folder == "." else f" in {show(folder, 200)}"
        message = f"the commit {revision.commit} has neither a {FILE_NAME} nor a dvc.lock{place}: commit one of them"
        raise Refused(Mistake(show(reference, 200), message))
    if name in stages:
        project = _project(revision, folder)
        inner = str(PurePosixPath(folder).relative_to(project))
        return LockedStage(name, stages[name], project, inner, output)
    known_stages = ", ".join(show(known, 80) for known in stages)
    message = (
        f"the commit {revision.commit} has no {FILE_NAME}: add # and a stage of its dvc.lock, one of {known_stages}"
    )
    raise Refused(Mistake(show(reference, 200), message))


def _nearest(revision: Revision, context: Context) -> str:
    """The current folder, or the nearest one above it in the repository, whose dvc.lock is in the commit."""
    here, root = real_path(context.here), real_path(revision.root)
    start = PurePosixPath(*here.relative_to(root).parts) if here.is_relative_to(root) else PurePosixPath()
    folders = (folder for folder in (start, *start.parents) if (revision.tree / folder / "dvc.lock").is_file())
    return str(next(folders, "."))


def _project(revision: Revision, folder: str) -> str:
    """The DVC project that a folder of the commit belongs to; the commit's root where no folder above has a `.dvc`."""
    start = PurePosixPath(folder)
    projects = (place for place in (start, *start.parents) if (revision.tree / place / ".dvc").is_dir())
    return str(next(projects, "."))
