"""`dvc:REV`: the record at a revision or experiment of the current repository, with the data that DVC tracks there.

Where the revision has no repro.toml, `dvc:REV#STAGE` reads a stage of its dvc.lock: the stage's own command is the
predict step, run on a copy, and what it writes is the output.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from repro_tui.model.errors import Inconclusive, Mistake, Refused
from repro_tui.model.record import Code, DataItem, Environment, Missing, Parameters, Predict, Record
from repro_tui.sources.git import Revision, record_at, revision_of
from repro_tui.sources.recordfile import FILE_NAME
from repro_tui.sources.worktree import PARAMETERS, environments
from repro_tui.support.context import Context
from repro_tui.support.dvc_files import Tracked, all_tracked, find_tracked, stages_of
from repro_tui.support.text import show

TABLES = (".csv", ".parquet", ".jsonl", ".arrow", ".npy")


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
            return _Stage(reference, found, *_stage(reference, name, found)).record()
        except Inconclusive as error:
            raise Refused(Mistake(show(reference, 200), str(error))) from error


# -- a record with DVC's data -------------------------------------------------------------------------------------


def _with_data(record: Record, found: Revision) -> Record:
    """The record with every item that DVC tracks at that revision; those that it names itself keep their place."""
    subdirectory = record.code.subdirectory if record.code else "."
    provenance = dict(record.provenance)
    items: list[DataItem] = []
    for item in record.data:
        tracked = _tracked(found.tree, str(PurePosixPath(subdirectory) / item.path)) if item.source == "dvc" else None
        if tracked is not None:
            provenance[f"data.{len(items)}.md5"] = f"DVC's files at {found.commit}"
            item = replace(item, sha256=None, md5=tracked.md5 if not (tracked.inside or tracked.legacy) else None)
        items.append(item)
    if not items:
        items = list(_everything(found, subdirectory))
        provenance |= {f"data.{n}": f"DVC's files at {found.commit}" for n in range(len(items))}
    parameters = record.parameters
    if not parameters.file and (file := _parameters(found.tree / subdirectory)):
        parameters = replace(parameters, file=file)
        provenance["parameters.file"] = f"{file} at {found.commit}"
    return replace(record, data=tuple(items), parameters=parameters, provenance=provenance)


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


def _parameters(folder: Path) -> str | None:
    return next((name for name in PARAMETERS if (folder / name).is_file()), None)


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


@dataclass(frozen=True, slots=True)
class _Stage:
    reference: str
    found: Revision
    name: str
    told: dict[str, Any]

    def record(self) -> Record:
        where = f"dvc.lock at {self.found.commit}, stage {show(self.name, 80)}"
        kinds = environments({path.name for path in self.found.tree.iterdir() if path.is_file()})
        missing = [Missing("validation.inputs", "a stage names no validation inputs", "give --inputs FILE")]
        environment = Environment()
        provenance = {"code.commit": show(self.reference, 200), "predict.command": where, "data": where}
        if kinds:
            kind, name = kinds[0]
            choice: dict[str, Any] = {kind: name}
            environment = Environment(**choice)
            provenance[f"environment.{kind}"] = f"{name} at {self.found.commit}"
        else:
            why = "the commit has no uv.lock, pylock.toml, requirements.txt or Dockerfile"
            missing.append(Missing("environment", why, "commit one of them"))
        return Record(
            name=show(self.reference.removeprefix("dvc:"), 80),
            reference=self.reference,
            base=str(self.found.tree),
            description=f"stage {show(self.name, 80)}",
            code=Code(str(self.found.root), self.found.commit),
            environment=environment,
            parameters=Parameters(_parameters(self.found.tree)),
            data=tuple(self._data()),
            predict=Predict(("sh", "-c", self._script())),
            provenance=provenance,
            missing=tuple(missing),
        )

    def _data(self) -> list[DataItem]:
        """What the stage depends on and git does not have."""
        deps = [dep for dep in self.told.get("deps") or [] if isinstance(dep, dict) and dep.get("md5")]
        return [
            DataItem(str(dep["path"]), "dvc", md5=str(dep["md5"]).lower() if dep.get("hash") == "md5" else None)
            for dep in deps
            if not (self.found.tree / str(dep.get("path"))).exists()
        ]

    def _script(self) -> str:
        """The stage's command on a copy that it can write to, and its table as the output."""
        command = self.told.get("cmd")
        lines = [str(line) for line in (command if isinstance(command, list) else [command]) if line]
        if not lines:
            raise Refused(Mistake(show(self.reference, 200), f"stage {show(self.name, 80)} has no command"))
        body = " && ".join(f"{{ {line}; }}" for line in lines)
        copy = 'mkdir "$HOME/stage" && cp -R . "$HOME/stage/" && chmod -R u+w "$HOME/stage" && cd "$HOME/stage"'
        script = f'{copy} && {body} && cp {shlex.quote(self._output())} "$REPRO_OUTPUT"'
        return script.replace("{", "{{").replace("}", "}}")

    def _output(self) -> str:
        outs = [str(out.get("path")) for out in self.told.get("outs") or [] if isinstance(out, dict)]
        tables = [out for out in outs if out.endswith(TABLES)] or outs
        if len(tables) != 1:
            words = f"stage {show(self.name, 80)} writes {len(tables)} tables: its predictions have to be one"
            raise Refused(Mistake(show(self.reference, 200), words))
        return tables[0]
