"""MLflow runs and models: `runs:/ID`, `models:/NAME/VERSION`, `models:/NAME@ALIAS`, `models:/m-ID`.

A stage (`models:/NAME/Production`) and `models:/NAME/latest` are read as the version that they name now.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from importlib.resources import files
from pathlib import Path

from repro_tui.clients.answers import DescribedRun, MlflowAnswer
from repro_tui.clients.mlflow import ask_mlflow, remember_artifact, where
from repro_tui.formats.documents import parse_document
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
from repro_tui.sources.mlflow.environment import PYTHON_FILES, python_named, recorded_packages
from repro_tui.sources.mlflow.inputs import EXAMPLE, ROWS_OF_A_DIGEST, example_lines, validation_dataset
from repro_tui.sources.mlflow.signature import Signature, read_signature
from repro_tui.sources.overlay import INPUTS_ARE
from repro_tui.sources.recorded_repository import absence, local_repository, usable_remote
from repro_tui.support import grammar
from repro_tui.support.context import Context
from repro_tui.support.hashes import digest_text
from repro_tui.support.regular import read_regular
from repro_tui.support.text import show

_REFERENCE = re.compile(
    r"runs:/[0-9a-fA-F]{8,64}(/[^\s@?#]+)?|models:/m-[0-9a-fA-F]{8,64}|models:/[^/@\s][^/@]{0,249}(/[0-9]{1,9}|/[A-Za-z][\w-]{0,63}|@[\w.-]{1,255})"
)
NAME_PYTHON = "log the model with a recent MLflow, which writes python_env.yaml"
REQUIREMENTS = "requirements.txt"
HELPER, MODEL, NOTE = "predict_pyfunc.py", "model", "mlflow.json"
COMMIT, REPOSITORY = "mlflow.source.git.commit", "mlflow.source.git.repoURL"
PROGRAM = "mlflow.source.name"


class MlflowRun:
    """Reads a run, or a model and the run that logged it, from the tracking store."""

    def load(self, reference: str, context: Context) -> Record:
        """Returns the record of a run or a model. Raises Refused; nothing is executed."""
        if not _REFERENCE.fullmatch(reference):
            message = (
                "is not a run or a model: expected runs:/ID, models:/NAME/VERSION, "
                "models:/NAME/STAGE or models:/NAME@ALIAS"
            )
            raise Refused(Mistake(show(reference, 200), message))
        try:
            bundle = _bundle(reference, context)
            return _MlflowReader(
                reference, bundle, json.loads((bundle / NOTE).read_text("utf-8")), where(context)
            ).record()
        except Inconclusive as error:
            raise Refused(Mistake(show(reference, 200), str(error))) from error


def _bundle(reference: str, context: Context) -> Path:
    """A folder of the cache, addressed by its content, with MLflow's answer and the model's small files.

    Files that the record names, such as requirements.txt, have to lie in a folder that does not change.
    """
    incoming = context.cache.temporary()
    incoming.mkdir(parents=True)
    answer = ask_mlflow("describe", reference, incoming, context)
    contents = {path.name: read_regular(path) for path in sorted(incoming.iterdir())}
    if freeze := recorded_packages(contents):
        contents[REQUIREMENTS] = freeze.content
        answer["notes"] = [*answer.get("notes", ()), *freeze.warnings()]
        answer["unlisted"] = freeze.gap
    contents[NOTE] = json.dumps(answer, sort_keys=True, default=str).encode()
    contents[HELPER] = files("repro_tui.sources.mlflow").joinpath(HELPER).read_bytes()
    if example := example_lines(contents.get("input_example.json", b"")):
        contents[EXAMPLE] = example
    remember_artifact(answer["model"], answer["location"], context)
    key = digest_text(*(part for name, raw in contents.items() for part in (name, raw.hex())))

    def build(folder: Path) -> None:
        for name, raw in contents.items():
            (folder / name).write_bytes(raw)

    return context.cache.folder("mlflow", key, build, context.cancel)[0]


@dataclass
class _MlflowReader:
    """Builds the record from `bundle` (see _bundle); `answer` is what MLflow returned, `store` the tracking URI."""

    reference: str
    bundle: Path
    answer: MlflowAnswer
    store: str
    missing: list[Missing] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    provenance: dict[str, str] = field(default_factory=dict)

    @cached_property
    def signature(self) -> Signature:
        file = self.bundle / "MLmodel"
        return read_signature(read_regular(file)) if file.is_file() else Signature()

    @property
    def run(self) -> DescribedRun:
        return self.answer.get("run") or {}

    @property
    def _where(self) -> str:
        return f"mlflow at {self.store}: run {self.run.get('id', '(none)')}"

    def record(self) -> Record:
        model = self._model()
        self._datasets()
        self._note_state()
        self.provenance["description"] = self._where
        return Record(
            name=self._name(),
            reference=self.reference,
            base=str(self.bundle),
            description=f"run {show(str(self.run.get('name', '')), 100)}",
            code=self._code(),
            environment=self._environment() if model else Environment(),
            parameters=self._parameters(),
            data=self._data(model) if model else (),
            predict=self._predict() if model else None,
            validation=self._validation(),
            expected=Expected(metrics=self._metrics()),
            provenance=self.provenance,
            missing=tuple(self.missing),
            warnings=(*map(_shown, self.answer.get("notes", ())), *self.warnings),
        )

    def _note_missing(self, field: str, why: str, do: str) -> None:
        self.missing.append(Missing(field, why, do))

    def _note_state(self) -> None:
        """Warnings about a run that was deleted or has not finished, and about a stage, which can move."""
        if self.run.get("deleted"):
            self.warnings.append("the run was deleted in MLflow: it and its files remain only until mlflow gc")
        if (status := str(self.run.get("status", "FINISHED"))) != "FINISHED":
            self.warnings.append(f"the run's status is {show(status, 40)}: what it records may not be complete")
        registered = self.answer.get("registered") or {}
        if by := registered.get("by"):
            version = f"{show(registered['name'], 80)} version {show(registered['version'], 20)}"
            self.warnings.append(f"{show(by, 60)} is {version} now, but can move: name the version to pin it")

    def _name(self) -> str:
        registered = self.answer.get("registered") or {}
        if registered:
            return show(f"{registered['name']} {registered['version']}", 80)
        return show(str(self.run.get("name") or self.reference), 80)

    # -- code ---------------------------------------------------------------------------------------------------

    def _code(self) -> Code | None:
        tags = self.run.get("tags") or {}
        commit = str(tags.get(COMMIT, ""))
        if grammar.commit(commit):
            why = f"the run has no tag {COMMIT} with a full commit id"
            self._note_missing(
                "code.commit", why, "train in a git repository that has a commit: MLflow then sets the tag"
            )
            return None
        repository = self._repository(tags)
        if not repository:
            why = f"the run has the commit {commit}, but no usable tag {REPOSITORY}"
            self._note_missing(
                "code.repository", why, f"call mlflow.set_tag({REPOSITORY!r}, URL), or add a git remote before training"
            )
            return None
        self.provenance["code.commit"] = f"{self._where}, tag {COMMIT}"
        return Code(repository, commit, in_image=True)

    def _repository(self, tags: Mapping[str, object]) -> str:
        """The git remote, which MLflow records since 3; else the repository on this machine that the program is in."""
        if remote := usable_remote(str(tags.get(REPOSITORY, ""))):
            self.provenance["code.repository"] = f"tag {REPOSITORY}"
            self.warnings += filter(None, [absence(remote)])
            return remote
        local = local_repository(str(tags.get(PROGRAM, "")))
        if local is None:
            return ""
        self.provenance["code.repository"] = f"{self._where}, tag {PROGRAM}"
        self.warnings.append(f"MLflow recorded no git remote: the repository of the run's program, {local}, is used")
        return str(local)

    # -- model, environment and predict step --------------------------------------------------------------------

    def _model(self) -> str:
        model = str(self.answer.get("model") or "")
        if not model or "MLmodel" not in self.answer.get("files", []):
            why = "the run has no logged model" if not model else f"{show(model, 100)} has no MLmodel"
            self._note_missing("predict", why, "log the model, with mlflow.sklearn.log_model for example")
            return ""
        return model

    def _environment(self) -> Environment:
        if not (self.bundle / REQUIREMENTS).is_file():
            why = "the model has neither requirements.txt nor conda.yaml"
            self._note_missing("environment", why, "log it with pip_requirements")
            return Environment()
        file = next(name for name in (REQUIREMENTS, "conda.yaml") if name in self.answer.get("files", ()))
        self.provenance["environment.requirements"] = f"{self._where}, the model's {file}"
        if gap := self.answer.get("unlisted"):
            self._note_missing("environment.requirements", gap, "publish the package, or log it with code_paths")
        why = "MLflow records the packages that the model names, but not their dependencies"
        do = "log the model with pip_requirements from a complete pip freeze"
        self._note_missing("environment.packages", why, do)
        return Environment(requirements=f"file:{REQUIREMENTS}", python=self._python(), as_of=self._as_of())

    def _python(self) -> str | None:
        for name in PYTHON_FILES:
            file = self.bundle / name
            text = python_named(parse_document(read_regular(file), ".yaml", name)) if file.is_file() else ""
            if text:
                self.provenance["environment.python"] = f"{self._where}, the model's {name} ({show(text, 20)})"
                return ".".join(text.split(".")[:2])
        self._note_missing(
            "environment.python", "neither python_env.yaml nor conda.yaml names the version", NAME_PYTHON
        )
        return None

    def _as_of(self) -> str | None:
        moment = self.run.get("end") or self.run.get("start")
        if not isinstance(moment, int):
            return None
        self.provenance["environment.as_of"] = f"{self._where}, its end time"
        return f"{datetime.fromtimestamp(moment / 1000 + 1, UTC):%Y-%m-%dT%H:%M:%SZ}"

    def _data(self, model: str) -> tuple[DataItem, ...]:
        self.provenance |= {"data.0": f"{self._where}, its model", "data.1": "a helper of repro-tui"}
        self._note_missing(
            "data.0.sha256",
            "MLflow records no hash of the model's files",
            "write a record with repro-tui record, which hashes them",
        )
        helper = hashlib.sha256((self.bundle / HELPER).read_bytes()).hexdigest()
        return DataItem(MODEL, f"mlflow:{model}"), DataItem(HELPER, f"file:{HELPER}", sha256=helper)

    def _predict(self) -> Predict:
        self.provenance["predict.command"] = "MLflow's pyfunc flavor, which every model has"
        return Predict(("python", HELPER, "{inputs}", "{output}", MODEL))

    # -- parameters, metrics, data ------------------------------------------------------------------------------

    def _parameters(self) -> Parameters:
        params = {str(name): str(value) for name, value in (self.run.get("params") or {}).items()}
        if params:
            values, typing = self.signature.typed(params)
            self.provenance["parameters.values"] = f"{self._where}, its parameters: {typing}"
            return Parameters(values=values)
        return Parameters()

    def _metrics(self) -> dict[str, float]:
        metrics = {str(name): float(value) for name, value in (self.run.get("metrics") or {}).items()}
        finite = {name: value for name, value in metrics.items() if math.isfinite(value)}
        if finite:
            self.provenance["expected.metrics"] = f"{self._where}, the last values of its metrics"
        for name in metrics.keys() - finite.keys():
            why = f"the metric {show(name, 80)} was recorded as {metrics[name]}, which no value equals"
            self._note_missing("expected.metrics of the run", why, "log a finite number")
        return finite

    def _datasets(self) -> None:
        for dataset in self.run.get("datasets") or []:
            name, context = str(dataset.get("name")), str(dataset.get("context") or "no context")
            label = f"dataset {show(name, 80)} ({show(context, 40)})"
            why = (
                f"the digest of {label}, {show(str(dataset.get('digest')), 40)}, is not a hash of the data: it covers "
                f"only the first {ROWS_OF_A_DIGEST:,} rows"
            )
            self._note_missing("data.datasets", why, "record the file with its sha256, or track it with DVC")

    def _validation(self) -> Validation:
        is_server = self.store.startswith("http")  # its "local" files may be on another machine
        datasets = [] if is_server else self.run.get("datasets") or []
        if dataset := validation_dataset(datasets, self.signature):
            name = show(dataset.name, 80)
            self.provenance["validation.inputs"] = f"{self._where}, the file of its validation dataset {name}"
            self.warnings.append(
                f"{INPUTS_ARE} the current file of the logged dataset {name}: its recorded digest covers only the "
                f"first {ROWS_OF_A_DIGEST:,} rows, and is not checked"
            )
            return Validation(inputs=str(dataset.file))
        if (self.bundle / EXAMPLE).is_file():
            self.provenance["validation.inputs"] = f"{self._where}, the model's input example"
            self.warnings.append(
                f"{INPUTS_ARE} the model's input example, which may have few rows: pass --inputs FILE for more"
            )
            return Validation(inputs=str(self.bundle / EXAMPLE))
        why = "the model has no tabular input example, and the run has no validation dataset in a local file"
        self._note_missing("validation.inputs", why, "pass --inputs FILE, or log the model with input_example=FRAME")
        return Validation()


def _shown(note: object) -> str:
    return show(str(note), 1000)
