"""A stage of a revision's dvc.lock as a deployment.

The stage's own command is the predict step. It runs on a writable copy of the commit's tree, in the stage's `wdir`:

- the only table among its dependencies is the validation inputs, which may be tracked by DVC; the inputs of the audit
  replace it in the copy;
- the only table among its outputs is the output of the predict step, unless the reference names another
  (`dvc:REV#STAGE:PATH`);
- dependencies that git does not have are data items, identified by the md5 in dvc.lock.

A stage with no command, or with several output tables of which none is named, is refused. For example, of a stage with
`cmd: python score.py`, `deps: [score.py, inputs.csv, model.json]` and `outs: [scores.csv]`, the predict step copies the
tree to `$HOME/stage`, replaces `inputs.csv` by `$REPRO_INPUTS`, runs `python score.py`, and copies `scores.csv` to
`$REPRO_OUTPUT`.
"""

from __future__ import annotations

import posixpath
import shlex
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from repro_tui.clients.dvc.configuration import DvcPlace
from repro_tui.clients.dvc.imports import fetch_imported
from repro_tui.clients.dvc.objects import DvcObjects
from repro_tui.formats.documents import load_document
from repro_tui.formats.dvc_files import LockedStage, Tracked, defined_stage, find_tracked
from repro_tui.formats.parameter_files import FORMATS
from repro_tui.model.errors import Inconclusive, Mistake, Refused
from repro_tui.model.record import (
    Code,
    DataItem,
    Environment,
    Expected,
    Missing,
    Parameters,
    Predict,
    Record,
    Validation,
)
from repro_tui.sources.detect.data import PARAMETERS
from repro_tui.sources.detect.environments import NO_ENVIRONMENT
from repro_tui.sources.detect.project import DetectedProject, detect, environment_of
from repro_tui.sources.git import Revision
from repro_tui.support.context import Context
from repro_tui.support.hashes import digest_file, digest_text
from repro_tui.support.paths import is_inside
from repro_tui.support.text import join_names, plural, show

TABLES = (".csv", ".parquet", ".jsonl", ".arrow", ".npy")
COPY = 'mkdir "$HOME/stage" && cp -R . "$HOME/stage/" && chmod -R u+w "$HOME/stage" && cd "$HOME/stage"'
ABSENT = object()


def parameters_file(folder: Path) -> str | None:
    """The first conventional parameters file (params.yaml, params.toml, …) in a folder; None where there is none."""
    return next((name for name in PARAMETERS if (folder / name).is_file()), None)


@dataclass(slots=True)
class StageReader:
    """Builds the record of one stage. Its paths are relative to the DVC project's folder, `project` in the commit.

    `stage` is the stage's entry in dvc.lock, and where that is; `folder` is the stage's working folder.
    """

    reference: str
    revision: Revision
    stage: LockedStage
    context: Context
    folder: str = "."
    missing: list[Missing] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    provenance: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The stage's name in dvc.lock."""
        return self.stage.name

    @property
    def lock_entry(self) -> Mapping[str, object]:
        """The stage's entry in dvc.lock."""
        return self.stage.entry

    @property
    def tree(self) -> Path:
        """The DVC project's folder in the commit's tree."""
        return self.revision.tree / self.stage.project

    @property
    def _where(self) -> str:
        lock = posixpath.normpath(f"{self.stage.project}/{self.stage.folder}/dvc.lock")
        return f"{show(lock, 200)} at {self.revision.commit}, stage {show(self.name, 80)}"

    def record(self) -> Record:
        """The record of the stage. Raises Refused where it has no command, or does not write exactly one table."""
        defined = defined_stage(self.tree / self.stage.folder, self.name)
        self.folder = self._folder(defined)
        self.provenance |= {"code.commit": show(self.reference, 200), "predict.command": self._where}
        self.provenance |= {
            "code.repository": f"the current repository, {self.revision.root}",
            "description": self._where,
        }
        self._warn_if_stale()
        return Record(
            name=show(self.reference.removeprefix("dvc:"), 80),
            reference=self.reference,
            base=str(self.tree),
            description=f"stage {show(self.name, 80)}",
            code=Code(str(self.revision.root), self.revision.commit, self.stage.project),
            environment=self._environment(),
            parameters=self._parameters(),
            data=tuple(self._data()),
            predict=Predict(("sh", "-c", self._script())),
            validation=self._validation(),
            expected=Expected(metrics=self._metrics(defined)),
            provenance=self.provenance,
            missing=tuple(self.missing),
            warnings=tuple(self.warnings),
        )

    def _refused(self, message: str) -> Refused:
        return Refused(Mistake(show(self.reference, 200), f"stage {show(self.name, 80)} {message}"))

    def _folder(self, defined: Mapping[str, object]) -> str:
        """The folder that the stage runs in, and that its paths are relative to."""
        wdir = posixpath.normpath(posixpath.join(self.stage.folder, str(defined.get("wdir") or ".")))
        if "${" in wdir or not is_inside(wdir):
            raise self._refused(f"runs in {show(wdir, 100)}, which is not a folder of the commit")
        return wdir

    def _path(self, name: str) -> str:
        """A path of the stage, relative to the root of the commit's tree."""
        path = posixpath.normpath(posixpath.join(self.folder, name))
        if not is_inside(path):
            raise self._refused(f"names {show(name, 200)}, which is outside the repository")
        return path

    def _items(self, kind: str) -> list[tuple[str, Mapping[str, object]]]:
        """The stage's dependencies ("deps") or outputs ("outs"), each with its path in the tree."""
        entries = self.lock_entry.get(kind)
        entries = entries if isinstance(entries, list) else []
        items = [item for item in entries if isinstance(item, dict) and item.get("path")]
        return [(self._path(str(item["path"])), item) for item in items]

    def _file(self, path: str) -> Path | None:
        """A regular file of the commit; None where it does not exist or is a link."""
        file = self.tree / path
        return file if file.is_file() and not file.is_symlink() else None

    # -- environment, parameters and data -----------------------------------------------------------------------

    def _environment(self) -> Environment:
        revision = self.revision
        project = detect(revision.repository, revision.commit, self.stage.project, self.folder)
        if not project.environments:
            self.missing.append(Missing("environment", NO_ENVIRONMENT, "commit one of them"))
            return Environment()
        first = project.environments[0]
        self.provenance[f"environment.{first.kind}"] = f"{show(first.path, 120)} at {revision.commit}"
        return environment_of(first, None if first.kind == "dockerfile" else self._python(project))

    def _python(self, project: DetectedProject) -> str | None:
        """The version of Python that the commit names exactly."""
        named = next((item for item in project.pythons if item.version), None)
        if named is None:
            do = "write .python-version (3.11, for example) and commit it, or pass --python VERSION"
            self.missing.append(Missing("environment.python", "no file of the commit names one version", do))
            return None
        self.provenance["environment.python"] = f"{show(named.path, 120)} at {self.revision.commit}"
        return named.version

    def _parameters(self) -> Parameters:
        """The parameters files that the stage depends on, else the project's own."""
        committed = [path for path in self._lock_parameters() if self._file(path)]
        named = [path for path in committed if PurePosixPath(path).suffix in FORMATS]
        if unread := [show(path, 120) for path in committed if path not in named]:
            self.warnings.append(
                f"stage {show(self.name, 80)} has parameters in {join_names(unread)}, neither YAML, JSON nor TOML: "
                "compared as code"
            )
        own = parameters_file(self.tree)
        parameters = Parameters.of_files(named or ([own] if own else []))
        if parameters.names:
            names = join_names([show(name, 120) for name in parameters.names])
            field = "parameters.files" if parameters.files else "parameters.file"
            self.provenance[field] = f"{names} at {self.revision.commit}"
        return parameters

    def _lock_parameters(self) -> dict[str, Mapping[str, object]]:
        params = self.lock_entry.get("params")
        files = params.items() if isinstance(params, dict) else ()
        return {self._path(str(name)): values for name, values in files if isinstance(values, dict)}

    def _data(self) -> Iterator[DataItem]:
        """The dependencies that git does not have."""
        count = 0
        for path, dep in self._items("deps"):
            if dep.get("md5") and not (self.tree / path).exists():
                self.provenance[f"data.{count}"] = self._where
                count += 1
                yield DataItem(path, "dvc", md5=str(dep["md5"]).lower() if dep.get("hash") == "md5" else None)

    # -- inputs, command and output -----------------------------------------------------------------------------

    def _tables(self, kind: str) -> list[str]:
        return [path for path, _ in self._items(kind) if path.endswith(TABLES)]

    def _validation(self) -> Validation:
        tables = self._tables("deps")
        inputs, reason = None, "the stage does not depend on a table"
        if len(tables) == 1:
            inputs, reason = self._inputs(tables[0])
        elif tables:
            reason = f"the stage depends on {len(tables)} tables: {', '.join(show(table, 120) for table in tables)}"
        if inputs is None:
            self.missing.append(Missing("validation.inputs", reason, "pass --inputs FILE"))
            return Validation()
        self.provenance["validation.inputs"] = f"{self._where}, its dependency {show(tables[0], 200)}"
        return Validation(inputs=str(inputs))

    def _inputs(self, table: str) -> tuple[Path | None, str]:
        """The stage's table of inputs, from git or from DVC's stores; or None and the reason."""
        if file := self._file(table):
            return file, ""
        entry = next(item for path, item in self._items("deps") if path == table)
        try:
            return self._fetched(table, str(entry.get("md5")).lower(), entry.get("hash") != "md5"), ""
        except Inconclusive as error:
            return None, f"the stage's table of inputs {show(table, 120)} is not in git, and {error.what}"

    def _fetched(self, table: str, md5: str, legacy: bool) -> Path:
        root = self.revision.root
        place = DvcPlace(self.tree, root / self.stage.project, str(root))
        objects = DvcObjects(place, self.context, self.warnings.append)
        stored, _ = fetch_imported(objects, self._tracked(table, Tracked(md5, legacy=legacy)))[""]
        name = PurePosixPath(table).name

        def build(folder: Path) -> None:
            shutil.copyfile(stored.path, folder / name)

        key = digest_text(stored.sha256, name)
        return self.context.cache.folder("inputs", key, build, self.context.cancel)[0] / name

    def _tracked(self, table: str, locked: Tracked) -> Tracked:
        """The entry of dvc.lock, or that of the `.dvc` file of the same data, which says where it was imported from."""
        try:
            tracked = find_tracked(self.tree, table)
        except Inconclusive:
            return locked
        return tracked if tracked.md5 == locked.md5 and not tracked.inside else locked

    def _script(self) -> str:
        """The shell script that runs the stage's command on a writable copy of the tree, with the inputs replaced."""
        command = self.lock_entry.get("cmd")
        lines = [str(line) for line in (command if isinstance(command, list) else [command]) if line]
        if not lines:
            raise self._refused("has no command: choose a stage with a cmd")
        inputs = self._tables("deps")
        steps = [COPY]
        if len(inputs) == 1:
            target = shlex.quote(inputs[0])
            steps.append(f'rm -f {target} && mkdir -p "$(dirname {target})" && cp "$REPRO_INPUTS" {target}')
        steps.append(f"cd {shlex.quote(self.folder)}")
        steps += [f"{{ {line}\n}}" for line in lines]
        steps.append(f'cp "$HOME/stage/"{shlex.quote(self._output())} "$REPRO_OUTPUT"')
        return " && ".join(steps).replace("{", "{{").replace("}", "}}")

    def _output(self) -> str:
        """The output that is the predictions: what the reference names, else the only table, else the only file."""
        outputs = dict(self._items("outs"))
        if self.stage.output:
            return self._named_output(self._path(self.stage.output), outputs)
        files = [path for path, item in outputs.items() if not str(item.get("md5")).endswith(".dir")]
        tables = self._tables("outs") or files
        if len(tables) == 1:
            return tables[0]
        names = ", ".join(show(path, 120) for path in tables or outputs) or "none"
        example = next(iter(tables), "PATH") if tables else f"{next(iter(outputs), 'FOLDER')}/PATH"
        raise self._refused(
            f"writes {plural(len(tables), 'table')} (its outputs: {names}): name the predictions, as in "
            f"{show(self.reference, 200)}:{show(example, 120)}"
        )

    def _named_output(self, named: str, outputs: Mapping[str, object]) -> str:
        if any(named == path or named.startswith(f"{path}/") for path in outputs):
            return named
        names = ", ".join(show(path, 120) for path in outputs) or "none"
        raise self._refused(f"does not write {show(named, 200)}: its outputs are {names}")

    # -- metrics, and what changed since the stage was run ------------------------------------------------------

    def _metrics(self, defined: Mapping[str, object]) -> dict[str, float]:
        """The numbers in those of the stage's metrics files that are in git."""
        metrics: dict[str, float] = {}
        files = defined.get("metrics")
        for item in files if isinstance(files, list) else []:
            name = str(next(iter(item), "") if isinstance(item, dict) else item)
            if name and "${" not in name and (file := self._file(self._path(name))):
                metrics |= dict(_numbers(self._load(file)))
                self.provenance["expected.metrics"] = f"{show(name, 200)} at {self.revision.commit}"
        return metrics

    def _load(self, file: Path) -> Mapping[str, object]:
        try:
            return load_document(file)
        except Refused as error:
            self.warnings.append(f"{error}; its values are unknown")
            return {}

    def _warn_if_stale(self) -> None:
        """Warns where the commit's files or parameters differ from those that the stage was last run with."""
        changed = [*self._changed_files(), *self._changed_parameters()]
        if changed:
            names = ", ".join(show(name, 120) for name in changed[:5])
            self.warnings.append(
                f"dvc.lock is out of date: {names} changed since stage {show(self.name, 80)} was last run; "
                "run dvc repro, and commit dvc.lock"
            )

    def _changed_files(self) -> Iterator[str]:
        for path, dep in self._items("deps"):
            file = self._file(path) if dep.get("hash") == "md5" else None
            if file and digest_file(file, md5=True).md5 != str(dep.get("md5")).lower():
                yield path

    def _changed_parameters(self) -> Iterator[str]:
        for path, values in self._lock_parameters().items():
            file = self._file(path)
            if file and file.suffix in FORMATS:
                loaded = self._load(file)
                yield from (f"{path}: {key}" for key, value in values.items() if _value_at(loaded, str(key)) != value)


def _value_at(node: object, key: str) -> object:
    """The value at a dotted key, which is how DVC names parameters; ABSENT where there is none."""
    for part in key.split("."):
        node = node.get(part, ABSENT) if isinstance(node, dict) else ABSENT
    return node


def _numbers(values: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, float]]:
    for name, value in values.items():
        if isinstance(value, dict):
            yield from _numbers(value, f"{prefix}{name}.")
        elif isinstance(value, int | float) and not isinstance(value, bool):
            yield f"{prefix}{name}", float(value)
