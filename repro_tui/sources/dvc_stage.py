"""A stage of a revision's dvc.lock as a deployment: its own command is the predict step, run on a copy of the tree.

The one table among what it depends on is the validation inputs, and whatever inputs the audit is given are laid in its
place; the one table that it writes is the output.
"""

from __future__ import annotations

import posixpath
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from repro_tui.formats.documents import load_document
from repro_tui.formats.dvc_files import defined_stage
from repro_tui.model.errors import Mistake, Refused
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
from repro_tui.sources.git import Revision
from repro_tui.sources.worktree import PARAMETERS, environments, exact_version
from repro_tui.support.hashes import digest_file
from repro_tui.support.paths import is_inside, read_text
from repro_tui.support.text import show

TABLES = (".csv", ".parquet", ".jsonl", ".arrow", ".npy")
COPY = 'mkdir "$HOME/stage" && cp -R . "$HOME/stage/" && chmod -R u+w "$HOME/stage" && cd "$HOME/stage"'
ABSENT = object()


def parameters_file(folder: Path) -> str | None:
    """The file of parameters that a project has by convention."""
    return next((name for name in PARAMETERS if (folder / name).is_file()), None)


@dataclass(slots=True)
class StageReader:
    """Makes the record of one stage: `told` is what dvc.lock says of it."""

    reference: str
    found: Revision
    name: str
    told: dict[str, Any]
    folder: str = "."
    missing: list[Missing] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    provenance: dict[str, str] = field(default_factory=dict)

    @property
    def _where(self) -> str:
        return f"dvc.lock at {self.found.commit}, stage {show(self.name, 80)}"

    def record(self) -> Record:
        """The record. Raises Refused where the stage has no command, or not one table to compare."""
        defined = defined_stage(self.found.tree, self.name)
        self.folder = self._folder(defined)
        self.provenance |= {"code.commit": show(self.reference, 200), "predict.command": self._where}
        self.provenance |= {"code.repository": f"the current repository, {self.found.root}", "description": self._where}
        self._stale()
        return Record(
            name=show(self.reference.removeprefix("dvc:"), 80),
            reference=self.reference,
            base=str(self.found.tree),
            description=f"stage {show(self.name, 80)}",
            code=Code(str(self.found.root), self.found.commit),
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

    def _refused(self, words: str) -> Refused:
        return Refused(Mistake(show(self.reference, 200), f"stage {show(self.name, 80)} {words}"))

    def _folder(self, defined: dict[str, Any]) -> str:
        """Where the stage runs, which its paths are relative to."""
        wdir = posixpath.normpath(str(defined.get("wdir") or "."))
        if "${" in wdir or not is_inside(wdir):
            raise self._refused(f"runs in {show(wdir, 100)}, which is no folder of the commit's")
        return wdir

    def _path(self, name: str) -> str:
        """A path of the stage's as one of the commit's tree."""
        path = posixpath.normpath(posixpath.join(self.folder, name))
        if not is_inside(path):
            raise self._refused(f"names {show(name, 200)}, which is outside of the repository")
        return path

    def _named(self, kind: str) -> list[tuple[str, dict[str, Any]]]:
        """What the stage depends on or writes, by its path in the tree."""
        items = [item for item in self.told.get(kind) or [] if isinstance(item, dict) and item.get("path")]
        return [(self._path(str(item["path"])), item) for item in items]

    def _file(self, path: str) -> Path | None:
        """A plain file of the commit."""
        file = self.found.tree / path
        return file if file.is_file() and not file.is_symlink() else None

    # -- environment, parameters and data -----------------------------------------------------------------------

    def _environment(self) -> Environment:
        kinds = environments({path.name for path in self.found.tree.iterdir() if path.is_file()})
        if not kinds:
            why = "the commit has no uv.lock, pylock.toml, requirements.txt or Dockerfile"
            self.missing.append(Missing("environment", why, "commit one of them"))
            return Environment()
        kind, name = kinds[0]
        self.provenance[f"environment.{kind}"] = f"{name} at {self.found.commit}"
        choice: dict[str, Any] = {kind: name}
        return Environment(**choice, python=None if kind == "dockerfile" else self._python())

    def _python(self) -> str | None:
        words = read_text(self.found.tree / ".python-version").split()
        version = exact_version(words[0]) if words else None
        if version:
            self.provenance["environment.python"] = f".python-version at {self.found.commit}"
        else:
            do = "write .python-version (3.11, for example) and commit it"
            self.missing.append(Missing("environment.python", "the commit has no .python-version", do))
        return version

    def _parameters(self) -> Parameters:
        """The one file whose values the stage depends on, else the project's."""
        named = [path for path in self._lock_parameters() if self._file(path)]
        file = named[0] if len(named) == 1 else parameters_file(self.found.tree)
        if file:
            self.provenance["parameters.file"] = f"{file} at {self.found.commit}"
        return Parameters(file)

    def _lock_parameters(self) -> dict[str, dict[str, Any]]:
        told = self.told.get("params")
        files = told.items() if isinstance(told, dict) else ()
        return {self._path(str(name)): values for name, values in files if isinstance(values, dict)}

    def _data(self) -> Iterator[DataItem]:
        """What the stage depends on and git does not have."""
        count = 0
        for path, dep in self._named("deps"):
            if dep.get("md5") and not (self.found.tree / path).exists():
                self.provenance[f"data.{count}"] = self._where
                count += 1
                yield DataItem(path, "dvc", md5=str(dep["md5"]).lower() if dep.get("hash") == "md5" else None)

    # -- inputs, command and output -----------------------------------------------------------------------------

    def _tables(self, kind: str) -> list[str]:
        return [path for path, _ in self._named(kind) if path.endswith(TABLES)]

    def _validation(self) -> Validation:
        tables = self._tables("deps")
        if len(tables) == 1 and (file := self._file(tables[0])):
            self.provenance["validation.inputs"] = f"{self._where}, its dependency {show(tables[0], 200)}"
            return Validation(inputs=str(file))
        why = "git does not have the stage's one table" if tables else "the stage depends on no table"
        why = f"the stage depends on {len(tables)} tables" if len(tables) > 1 else why
        self.missing.append(Missing("validation.inputs", why, "give --inputs FILE"))
        return Validation()

    def _script(self) -> str:
        """The stage's command on a copy that it can write to, with the inputs laid in their place."""
        command = self.told.get("cmd")
        lines = [str(line) for line in (command if isinstance(command, list) else [command]) if line]
        if not lines:
            raise self._refused("has no command")
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
        tables = self._tables("outs") or [path for path, _ in self._named("outs")]
        if len(tables) != 1:
            raise self._refused(f"writes {len(tables)} tables: its predictions have to be one")
        return tables[0]

    # -- metrics, and what moved since the stage was run --------------------------------------------------------

    def _metrics(self, defined: dict[str, Any]) -> dict[str, float]:
        """The numbers of the stage's metrics files that git has."""
        found: dict[str, float] = {}
        for item in defined.get("metrics") or []:
            name = str(next(iter(item), "") if isinstance(item, dict) else item)
            if name and "${" not in name and (file := self._file(self._path(name))):
                found |= dict(_numbers(self._loaded(file)))
                self.provenance["expected.metrics"] = f"{show(name, 200)} at {self.found.commit}"
        return found

    def _loaded(self, file: Path) -> dict[str, Any]:
        try:
            return load_document(file)
        except Refused as error:
            self.warnings.append(f"{error}: its values are not known")
            return {}

    def _stale(self) -> None:
        """Warns of what the stage was last run with, where the commit has it otherwise."""
        moved = [*self._moved_files(), *self._moved_parameters()]
        if moved:
            told = ", ".join(show(name, 120) for name in moved[:5])
            self.warnings.append(
                f"dvc.lock is older than the commit: stage {show(self.name, 80)} was last run with another {told}; "
                "run dvc repro and commit"
            )

    def _moved_files(self) -> Iterator[str]:
        for path, dep in self._named("deps"):
            file = self._file(path) if dep.get("hash") == "md5" else None
            if file and digest_file(file, md5=True).md5 != str(dep.get("md5")).lower():
                yield path

    def _moved_parameters(self) -> Iterator[str]:
        for path, values in self._lock_parameters().items():
            file = self._file(path)
            if file and file.suffix in (".yaml", ".yml", ".json", ".toml"):
                loaded = self._loaded(file)
                yield from (f"{path}: {key}" for key, value in values.items() if _at(loaded, str(key)) != value)


def _at(values: Any, key: str) -> Any:
    """The value at a dotted key, as DVC names parameters."""
    for part in key.split("."):
        values = values.get(part, ABSENT) if isinstance(values, dict) else ABSENT
    return values


def _numbers(values: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, float]]:
    for name, value in values.items():
        if isinstance(value, dict):
            yield from _numbers(value, f"{prefix}{name}.")
        elif isinstance(value, int | float) and not isinstance(value, bool):
            yield f"{prefix}{name}", float(value)
