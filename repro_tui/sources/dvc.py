"""`dvc:REV`: the record at a revision or experiment of the current repository, with the data that DVC tracks there.

Where the revision has no repro.toml, `dvc:REV#STAGE` reads a stage of its dvc.lock (dvc_stage.py).
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

from repro_tui.formats.dvc_files import Tracked, all_tracked, find_tracked, stages_of
from repro_tui.model.errors import Inconclusive, Mistake, Refused
from repro_tui.model.record import DataItem, Record
from repro_tui.sources.dvc_stage import StageReader, parameters_file
from repro_tui.sources.git import Revision, record_at, revision_of
from repro_tui.sources.recordfile import FILE_NAME
from repro_tui.support.context import Context
from repro_tui.support.text import show


class DvcRevision:
    """Reads a revision's record, and its data from DVC's own files; DVC is not run, and need not be installed."""

    def load(self, reference: str, context: Context) -> Record:
        """The record of `dvc:REV`, `dvc:REV#NAME` or `dvc:REV#STAGE`; REV may be an experiment. Raises Refused."""
        revision, _, name = reference.removeprefix("dvc:").partition("#")
        found = revision_of(reference, revision, context, experiments=True)
        try:
            if (found.tree / FILE_NAME).is_file():
                record = record_at(reference, name, found, context)
                return _with_data(replace(record, name=show(reference.removeprefix("dvc:"), 80)), found)
            return StageReader(reference, found, *_stage(reference, name, found)).record()
        except Inconclusive as error:
            raise Refused(Mistake(show(reference, 200), str(error))) from error


# -- a record with DVC's data -------------------------------------------------------------------------------------


def _with_data(record: Record, found: Revision) -> Record:
    """The record with every item that DVC tracks at that revision; those that it names itself keep their place."""
    subdirectory = record.code.subdirectory if record.code else "."
    provenance = dict(record.provenance)
    items: list[DataItem] = []
    warnings = list(record.warnings)
    for item in record.data:
        tracked = _tracked(found.tree, str(PurePosixPath(subdirectory) / item.path)) if item.source == "dvc" else None
        if tracked is not None:
            warnings += _overruled(item, tracked)
            provenance[f"data.{len(items)}.md5"] = f"DVC's files at {found.commit}"
            item = replace(item, sha256=None, md5=tracked.md5 if not (tracked.inside or tracked.legacy) else None)
        items.append(item)
    if not items:
        items = list(_everything(found, subdirectory))
        provenance |= {f"data.{n}": f"DVC's files at {found.commit}" for n in range(len(items))}
    parameters = record.parameters
    if not parameters.file and (file := parameters_file(found.tree / subdirectory)):
        parameters = replace(parameters, file=file)
        provenance["parameters.file"] = f"{file} at {found.commit}"
    return replace(
        record,
        data=tuple(items),
        parameters=parameters,
        provenance=provenance,
        warnings=tuple(warnings),
    )


def _overruled(item: DataItem, tracked: Tracked) -> list[str]:
    """What the record says of an item otherwise than DVC's files, which are taken."""
    told = show(item.path, 200)
    if item.md5 and item.md5.lower() != tracked.md5 and not tracked.inside:
        return [f"data {told}: {FILE_NAME} has md5 {item.md5}, and DVC's files {tracked.md5}, which is taken"]
    return [f"data {told}: the sha256 of {FILE_NAME} is not used: DVC's files say which it is"] if item.sha256 else []


def _tracked(tree: Path, path: str) -> Tracked | None:
    try:
        return find_tracked(tree, path)
    except Inconclusive:
        return None


def _everything(found: Revision, subdirectory: str) -> list[DataItem]:
    """All that DVC tracks below the project's folder."""
    root = PurePosixPath(subdirectory)
    return [
        DataItem(str(PurePosixPath(path).relative_to(root)), "dvc", md5=None if tracked.legacy else tracked.md5)
        for path, tracked in all_tracked(found.tree).items()
        if PurePosixPath(path).is_relative_to(root)
    ]


# -- a stage ------------------------------------------------------------------------------------------------------


def _stage(reference: str, name: str, found: Revision) -> tuple[str, dict[str, Any]]:
    stages = stages_of(found.tree)
    if not stages:
        words = f"the commit {found.commit} has neither a {FILE_NAME} nor a dvc.lock"
        raise Refused(Mistake(show(reference, 200), words))
    if name in stages:
        return name, stages[name]
    told = ", ".join(show(known, 80) for known in stages)
    words = (
        f"there is no {FILE_NAME} in the commit {found.commit}: name a stage of its dvc.lock after a #, one of {told}"
    )
    raise Refused(Mistake(show(reference, 200), words))
