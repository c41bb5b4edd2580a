"""MLflow's runs and models: `runs:/ID`, `models:/NAME/VERSION`, `models:/NAME@ALIAS`, `models:/m-ID`."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import Any

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
from repro_tui.sources.mlflow.inputs import EXAMPLE, ROWS_OF_A_DIGEST, example_lines, validation_dataset
from repro_tui.sources.mlflow.signature import Signature, read_signature
from repro_tui.sources.overlay import INPUTS_ARE
from repro_tui.support import grammar
from repro_tui.support.context import Context
from repro_tui.support.hashes import digest_text
from repro_tui.support.text import show

_REFERENCE = re.compile(
    r"runs:/[0-9a-fA-F]{8,64}(/[^\s@?#]+)?|models:/m-[0-9a-fA-F]{8,64}|models:/[^/@\s][^/@]{0,249}(/[0-9]{1,9}|@[\w.-]{1,255})"
)
HELPER, MODEL, NOTE = "predict_pyfunc.py", "model", "mlflow.json"
COMMIT, REPOSITORY = "mlflow.source.git.commit", "mlflow.source.git.repoURL"


class MlflowRun:
    """Reads a run, or a model with the run that logged it, from the tracking store."""

    def load(self, reference: str, context: Context) -> Record:
        """The record of a run or a model. Raises Refused; nothing is executed."""
        if not _REFERENCE.fullmatch(reference):
            words = "is not a run or a model: expected runs:/ID, models:/NAME/VERSION or models:/NAME@ALIAS"
            raise Refused(Mistake(show(reference, 200), words))
        try:
            bundle = _bundle(reference, context)
            return _MlflowReader(
                reference, bundle, json.loads((bundle / NOTE).read_text("utf-8")), where(context)
            ).record()
        except Inconclusive as error:
            raise Refused(Mistake(show(reference, 200), str(error))) from error


def _bundle(reference: str, context: Context) -> Path:
    """A folder of the cache with what MLflow said and the model's small files, by their content."""
    incoming = context.cache.temporary()
    incoming.mkdir(parents=True)
    told = ask_mlflow("describe", reference, incoming, context)
    contents = {path.name: path.read_bytes() for path in sorted(incoming.iterdir())}
    contents[NOTE] = json.dumps(told, sort_keys=True, default=str).encode()
    contents[HELPER] = files("repro_tui.sources.mlflow").joinpath(HELPER).read_bytes()
    if example := example_lines(contents.get("input_example.json", b"")):
        contents[EXAMPLE] = example
    remember_artifact(told["model"], told["location"], context)
    key = digest_text(*(part for name, raw in contents.items() for part in (name, raw.hex())))

    def build(folder: Path) -> None:
        for name, raw in contents.items():
            (folder / name).write_bytes(raw)

    return context.cache.folder("mlflow", key, build, context.cancel)[0]


@dataclass
class _MlflowReader:
    reference: str
    bundle: Path
    told: dict[str, Any]
    store: str
    missing: list[Missing] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    provenance: dict[str, str] = field(default_factory=dict)

    @cached_property
    def signature(self) -> Signature:
        file = self.bundle / "MLmodel"
        return read_signature(file.read_bytes()) if file.is_file() else Signature()

    @property
    def run(self) -> dict[str, Any]:
        found: dict[str, Any] = self.told.get("run") or {}
        return found

    @property
    def _where(self) -> str:
        return f"mlflow at {self.store}: run {self.run.get('id', '(none)')}"

    def record(self) -> Record:
        model = self._model()
        self._datasets()
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
            warnings=tuple(self.warnings),
        )

    def _lacks(self, field: str, why: str, do: str) -> None:
        self.missing.append(Missing(field, why, do))

    def _name(self) -> str:
        registered = self.told.get("registered") or {}
        if registered:
            return show(f"{registered['name']} {registered['version']}", 80)
        return show(str(self.run.get("name") or self.reference), 80)

    # -- code ---------------------------------------------------------------------------------------------------

    def _code(self) -> Code | None:
        tags = self.run.get("tags") or {}
        commit, repository = str(tags.get(COMMIT, "")), str(tags.get(REPOSITORY, ""))
        if grammar.commit(commit):
            why = f"the run has no tag {COMMIT}"
            self._lacks("code.commit", why, "train in a git repository with a commit: MLflow then tags it")
            return None
        if not repository or grammar.repository(repository):
            why = f"the run is of commit {commit}, and has no usable tag {REPOSITORY}"
            self._lacks("code.repository", why, f"mlflow.set_tag({REPOSITORY!r}, URL), or add a git remote")
            return None
        self.provenance |= {"code.commit": f"{self._where}, tag {COMMIT}", "code.repository": f"tag {REPOSITORY}"}
        return Code(repository, commit, in_image=True)

    # -- model, environment and predict step --------------------------------------------------------------------

    def _model(self) -> str:
        model = str(self.told.get("model") or "")
        if not model or "MLmodel" not in self.told.get("files", []):
            why = "the run has no logged model" if not model else f"{show(model, 100)} has no MLmodel"
            self._lacks("predict", why, "log it: mlflow.sklearn.log_model(model, name='model')")
            return ""
        return model

    def _environment(self) -> Environment:
        if not (self.bundle / "requirements.txt").is_file():
            self._lacks("environment", "the model has no requirements.txt", "log the model again")
            return Environment()
        self.provenance["environment.requirements"] = f"{self._where}, the model's requirements.txt"
        why = "MLflow records the packages that the model names, and not what those need in turn"
        do = "log it with pip_requirements from a complete freeze"
        self._lacks("environment.packages", why, do)
        return Environment(requirements="file:requirements.txt", python=self._python(), as_of=self._as_of())

    def _python(self) -> str | None:
        for name in ("python_env.yaml", "conda.yaml"):
            file = self.bundle / name
            text = python_named(parse_document(file.read_bytes(), ".yaml", name)) if file.is_file() else ""
            if text:
                self.provenance["environment.python"] = f"{self._where}, the model's {name} ({show(text, 20)})"
                return ".".join(text.split(".")[:2])
        self._lacks("environment.python", "neither python_env.yaml nor conda.yaml names it", "log the model again")
        return None

    def _as_of(self) -> str | None:
        moment = self.run.get("end") or self.run.get("start")
        if not isinstance(moment, int):
            return None
        self.provenance["environment.as_of"] = f"{self._where}, its end"
        return f"{datetime.fromtimestamp(moment / 1000 + 1, UTC):%Y-%m-%dT%H:%M:%SZ}"

    def _data(self, model: str) -> tuple[DataItem, ...]:
        self.provenance |= {"data.0": f"{self._where}, its model", "data.1": "repro-tui's own helper"}
        self._lacks(
            "data.0.sha256", "MLflow records no hash of a model's files", "record it: repro-tui record hashes it"
        )
        helper = digest_of_bytes((self.bundle / HELPER).read_bytes())
        return DataItem(MODEL, f"mlflow:{model}"), DataItem(HELPER, f"file:{HELPER}", sha256=helper)

    def _predict(self) -> Predict:
        self.provenance["predict.command"] = "MLflow's pyfunc, which every model has"
        return Predict(("python", HELPER, "{inputs}", "{output}", MODEL))

    # -- parameters, metrics, data ------------------------------------------------------------------------------

    def _parameters(self) -> Parameters:
        params = {str(name): str(value) for name, value in (self.run.get("params") or {}).items()}
        if params:
            values, told = self.signature.typed(params)
            self.provenance["parameters.values"] = f"{self._where}, its parameters: {told}"
            return Parameters(values=values)
        return Parameters()

    def _metrics(self) -> dict[str, Any]:
        metrics = {str(name): float(value) for name, value in (self.run.get("metrics") or {}).items()}
        finite = {name: value for name, value in metrics.items() if math.isfinite(value)}
        if finite:
            self.provenance["expected.metrics"] = f"{self._where}, the last values of its metrics"
        for name in metrics.keys() - finite.keys():
            why = f"the metric {show(name, 80)} was recorded as {metrics[name]}, which nothing can match"
            self._lacks("expected.metrics of the run", why, "log a number")
        return finite

    def _datasets(self) -> None:
        for dataset in self.run.get("datasets") or []:
            name, context = str(dataset.get("name")), str(dataset.get("context") or "no context")
            told = f"dataset {show(name, 80)} ({show(context, 40)})"
            why = (
                f"{told} is known by the digest {show(str(dataset.get('digest')), 40)}, which covers its first "
                f"{ROWS_OF_A_DIGEST:,} rows only: it is not a hash of the data"
            )
            self._lacks("data.datasets", why, "record the file with its sha256, or with DVC")

    def _validation(self) -> Validation:
        of_a_server = self.store.startswith("http")  # its "local" files may lie on another machine
        datasets = [] if of_a_server else self.run.get("datasets") or []
        if dataset := validation_dataset(datasets, self.signature):
            name = show(dataset.name, 80)
            self.provenance["validation.inputs"] = f"{self._where}, the file of its validation dataset {name}"
            self.warnings.append(
                f"{INPUTS_ARE} the file of the logged dataset {name} as it is now: its recorded digest covers the "
                f"first {ROWS_OF_A_DIGEST:,} rows only, and is not compared"
            )
            return Validation(inputs=str(dataset.file))
        if (self.bundle / EXAMPLE).is_file():
            self.provenance["validation.inputs"] = f"{self._where}, the model's input example"
            self.warnings.append(f"{INPUTS_ARE} the model's input example: give more with --inputs")
            return Validation(inputs=str(self.bundle / EXAMPLE))
        why = "the model has no input example that is a table, and the run no validation dataset in a file at hand"
        self._lacks("validation.inputs", why, "give --inputs FILE, or log the model with input_example=FRAME")
        return Validation()


def python_named(document: dict[str, Any]) -> str:
    """The Python that a python_env.yaml or a conda.yaml names, such as 3.11.7; "" where it names none."""
    named = [str(document.get("python", ""))]
    dependencies = document.get("dependencies")
    named += [str(item) for item in dependencies] if isinstance(dependencies, list) else []
    for text in named:
        if found := re.fullmatch(r"(?:python *=+ *)?(3\.[0-9]+(?:\.[0-9]+)?)", text):
            return found[1]
    return ""


def digest_of_bytes(raw: bytes) -> str:
    """The sha256 of bytes that are at hand."""
    import hashlib

    return hashlib.sha256(raw).hexdigest()
