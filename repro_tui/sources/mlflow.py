"""MLflow's runs and models: `runs:/ID`, `models:/NAME/VERSION`, `models:/NAME@ALIAS`, `models:/m-ID`."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

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
from repro_tui.support import grammar
from repro_tui.support.context import Context
from repro_tui.support.documents import parse_document
from repro_tui.support.hashes import digest_text
from repro_tui.support.mlflow import ask_mlflow, where
from repro_tui.support.text import show

_REFERENCE = re.compile(
    r"runs:/[0-9a-fA-F]{8,64}(/[^\s@?#]+)?|models:/m-[0-9a-fA-F]{8,64}|models:/[^/@\s][^/@]{0,249}(/[0-9]{1,9}|@[\w.-]{1,255})"
)
HELPER, MODEL, EXAMPLE, NOTE = "predict_pyfunc.py", "model", "input_example.jsonl", "mlflow.json"
COMMIT, REPOSITORY = "mlflow.source.git.commit", "mlflow.source.git.repoURL"
ROWS_OF_A_DIGEST = 10_000


class MlflowRun:
    """Reads a run, or a model with the run that logged it, from the tracking store."""

    def load(self, reference: str, context: Context) -> Record:
        """The record of a run or a model. Raises Refused; nothing is executed."""
        if not _REFERENCE.fullmatch(reference):
            words = "is not a run or a model: expected runs:/ID, models:/NAME/VERSION or models:/NAME@ALIAS"
            raise Refused(Mistake(show(reference, 200), words))
        try:
            bundle = _bundle(reference, context)
            return _Reader(reference, bundle, json.loads((bundle / NOTE).read_text("utf-8")), where(context)).record()
        except Inconclusive as error:
            raise Refused(Mistake(show(reference, 200), str(error))) from error


def _bundle(reference: str, context: Context) -> Path:
    """A folder of the cache with what MLflow said and the model's small files, by their content."""
    incoming = context.cache.temporary()
    incoming.mkdir(parents=True)
    told = ask_mlflow("describe", reference, incoming, context)
    contents = {path.name: path.read_bytes() for path in sorted(incoming.iterdir())}
    contents[NOTE] = json.dumps(told, sort_keys=True, default=str).encode()
    contents[HELPER] = files("repro_tui.sources").joinpath(HELPER).read_bytes()
    if example := _example(contents):
        contents[EXAMPLE] = example
    key = digest_text(*(part for name, raw in contents.items() for part in (name, raw.hex())))

    def build(folder: Path) -> None:
        for name, raw in contents.items():
            (folder / name).write_bytes(raw)

    return context.cache.folder("mlflow", key, build, context.cancel)[0]


def _example(contents: dict[str, bytes]) -> bytes | None:
    """The logged input example as JSON Lines; None where there is none that is a table."""
    try:
        example = json.loads(contents.get("input_example.json", b"null"))
        columns, rows = example["columns"], example["data"]
        lines = [json.dumps(dict(zip(map(str, columns), row, strict=True)), allow_nan=False) for row in rows]
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return ("\n".join(lines) + "\n").encode() if lines else None


@dataclass(slots=True)
class _Reader:
    reference: str
    bundle: Path
    told: dict[str, Any]
    store: str
    missing: list[Missing] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    provenance: dict[str, str] = field(default_factory=dict)

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
        file = self.bundle / "python_env.yaml"
        text = ""
        if file.is_file():
            text = str(parse_document(file.read_bytes(), ".yaml", file.name).get("python", ""))
        numbers = text.split(".")
        if len(numbers) < 2 or numbers[0] != "3" or not all(number.isdecimal() for number in numbers[:2]):
            self._lacks("environment.python", "the model has no python_env.yaml", "log the model again")
            return None
        self.provenance["environment.python"] = f"{self._where}, the model's python_env.yaml ({show(text, 20)})"
        return ".".join(numbers[:2])

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
        params = self.run.get("params") or {}
        if params:
            self.provenance["parameters.values"] = f"{self._where}, its parameters (MLflow keeps them as text)"
        return Parameters(values={str(name): str(value) for name, value in params.items()})

    def _metrics(self) -> dict[str, Any]:
        metrics = {str(name): float(value) for name, value in (self.run.get("metrics") or {}).items()}
        if metrics:
            self.provenance["expected.metrics"] = f"{self._where}, the last values of its metrics"
        return metrics

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
        if (self.bundle / EXAMPLE).is_file():
            self.provenance["validation.inputs"] = f"{self._where}, the model's input example"
            self.warnings.append("the validation inputs are the model's input example: give more with --inputs")
            return Validation(inputs=str(self.bundle / EXAMPLE))
        why = "the model has no input example that is a table"
        self._lacks("validation.inputs", why, "give --inputs FILE, or log it with input_example=FRAME")
        return Validation()


def digest_of_bytes(raw: bytes) -> str:
    """The sha256 of bytes that are at hand."""
    import hashlib

    return hashlib.sha256(raw).hexdigest()
