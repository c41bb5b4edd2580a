"""Record files: FILE, FILE#NAME, and NAME in the nearest repro.toml."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from repro_tui.formats.documents import load_document
from repro_tui.model.errors import Inconclusive, Mistake, Refused
from repro_tui.model.record import (
    ENVIRONMENT_KINDS,
    Code,
    ColumnRule,
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
from repro_tui.support.paths import real_path, resolve_inside
from repro_tui.support.regular import is_regular
from repro_tui.support.text import quote, show

if TYPE_CHECKING:
    from repro_tui.formats.wire.record import (
        DataFields,
        DeploymentFields,
        PredictFields,
        RecordFields,
        ValidationFields,
    )
    from repro_tui.support.context import Context
    from repro_tui.support.hash_index import HashIndex

FILE_NAME = "repro.toml"
DEFAULT = "default"
RECORD_STEP = "record predict.command, predict.call or predict.notebook, or pass --predict STEP"
ENDINGS = (".toml", ".yaml", ".yml", ".json")


class RecordFile:
    """Reads a record from a file on this machine."""

    def load(self, reference: str, context: Context) -> Record:
        """Returns the record that NAME, FILE or FILE#NAME refers to. Raises Refused with all of its mistakes."""
        path, name = locate(reference, context.here)
        return read_record(path, name, reference, context)


@dataclass(frozen=True, slots=True)
class Deployment:
    """A deployment in a record file."""

    name: str
    description: str
    file: Path


def nearest_file(here: Path) -> Path | None:
    """The nearest repro.toml: in this folder, or else in the nearest folder above it that has one."""
    folders = (here.absolute(), *here.absolute().parents)
    return next((folder / FILE_NAME for folder in folders if os.path.lexists(folder / FILE_NAME)), None)


def nearest_deployments(here: Path) -> list[Deployment]:
    """The deployments of the nearest repro.toml; empty where there is no such file, or it cannot be read."""
    file = nearest_file(here)
    try:
        return deployments_of(file) if file is not None else []
    except Refused:
        return []


def deployments_of(file: Path) -> list[Deployment]:
    """The deployments in a file; empty where it is not a record file. Raises Refused where it cannot be parsed."""
    tables = load_document(file).get("deployments", {})
    if not isinstance(tables, dict):
        return []
    descriptions = {
        name: table.get("description", "") if isinstance(table, dict) else "" for name, table in tables.items()
    }
    return [Deployment(name, str(description), file) for name, description in descriptions.items()]


def locate(reference: str, here: Path) -> tuple[Path, str]:
    """The file that a reference names, and the deployment in it ("" where it names none).

    Raises Refused where the reference is neither a file nor, for want of a repro.toml, the name of a deployment.
    """
    whole = here / reference
    if Path(reference).suffix in ENDINGS and (is_regular(whole) or "#" not in reference):
        return whole, ""
    file, mark, name = reference.rpartition("#")
    if mark and Path(file).suffix in ENDINGS:
        return here / file, name
    nearest = nearest_file(here)
    if nearest is None:
        raise Refused(
            Mistake(
                show(reference, 200),
                f"is not a file, and there is no {FILE_NAME} in or above {here}: name a record file, or write one",
            )
        )
    return nearest, reference


def read_record(path: Path, name: str, reference: str, context: Context, *, base: Path | None = None) -> Record:
    """The record of one deployment in a file.

    `name` is the deployment ("" for the only one, or `default`), `base` the folder that paths are relative to (unless
    given, that of the file). Raises Refused with every mistake at once.
    """
    from repro_tui.formats.wire.record import check_record

    if not os.path.lexists(path):
        raise Refused(Mistake(show(reference, 200), f"the file {show(str(path), 300)} does not exist"))
    document = load_document(path)
    label = path.name
    base = real_path(base or path.parent)
    mistakes = _commit_mistakes(document, label, base, context)
    try:
        fields = check_record(document, label)
    except Refused as error:
        raise Refused.all([*error.mistakes, *mistakes]) from error
    name = _choose(list(fields.deployments), name, label, reference)
    reader = _DeploymentReader(fields, name, label, base, context.cache.hashes, mistakes)
    reader.digits = _digits(path, name) if fields.deployments[name].expected.metrics else {}
    record = reader.record(reference)
    if mistakes:
        raise Refused.all(mistakes)
    return record


def _digits(path: Path, name: str) -> dict[str, str]:
    """The recorded metrics of a deployment with their digits as written: 0.910 is more precise than 0.91."""
    deployments = load_document(path, floats=str)["deployments"]
    assert isinstance(deployments, dict)
    metrics = deployments[name]["expected"]["metrics"]
    return {metric: text for metric, text in metrics.items() if isinstance(text, str)}


def check_reference(reference: str, here: Path) -> None:
    """Checks that NAME, FILE or FILE#NAME names a deployment, without reading its record. Raises Refused."""
    path, name = locate(reference, here)
    if not os.path.lexists(path):
        raise Refused(Mistake(show(reference, 200), f"the file {show(str(path), 300)} does not exist"))
    _choose([deployment.name for deployment in deployments_of(path)], name, path.name, reference)


def _choose(names: list[str], name: str, label: str, reference: str) -> str:
    if not names:
        raise Refused(Mistake(show(reference, 200), f"{label} has no deployments: it is not a record file"))
    if name in names:
        return name
    known_names = ", ".join(show(known, 80) for known in names)
    if name:
        raise Refused(
            Mistake(show(reference, 200), f"{label} has no deployment {quote(name, 80)}: it has {known_names}")
        )
    if len(names) == 1:
        return names[0]
    if DEFAULT in names:
        return DEFAULT
    raise Refused(Mistake(show(reference, 200), f"{label} has several deployments: add # and one of {known_names}"))


def _commit_mistakes(document: Mapping[str, object], label: str, base: Path, context: Context) -> list[Mistake]:
    """The commits that are not full ids; for a branch, a tag or a short id, with the id that it now refers to."""
    deployments = document.get("deployments")
    mistakes = []
    for name, deployment in deployments.items() if isinstance(deployments, dict) else ():
        code = deployment.get("code") if isinstance(deployment, dict) else None
        if isinstance(code, dict) and isinstance(commit := code.get("commit"), str) and grammar.commit(commit):
            problem = _commit_problem(str(code.get("repository", "")), commit, base, context)
            mistakes.append(
                Mistake(f"{label}: deployments.{show(name, 80)}.code.commit", f"{quote(commit, 80)} {problem}")
            )
    return mistakes


def _commit_problem(repository: str, commit: str, base: Path, context: Context) -> str:
    mistake = grammar.commit(commit) or ""
    if commit.startswith("-") or not repository or grammar.repository(repository):
        return mistake
    from repro_tui.clients.git import Repository

    try:
        full_id = Repository.open(repository_location(repository, base), context).resolve(commit)
    except (Inconclusive, Refused):
        full_id = None
    return f"{mistake}; it now refers to {full_id}" if full_id else mistake


def repository_location(repository: str, base: Path) -> str:
    """A repository as the rebuild needs it: a URL unchanged, a path resolved against the record's folder."""
    return repository if grammar.is_remote(repository) else str(real_path(base / repository))


def _predict_of(fields: PredictFields) -> Predict:
    return Predict(**fields.model_dump() | {"command": tuple(fields.command), "columns": tuple(fields.columns)})


class _DeploymentReader:
    """Builds the Record of one deployment with its provenance, and collects its mistakes in `mistakes`."""

    def __init__(
        self, fields: RecordFields, name: str, label: str, base: Path, hashes: HashIndex, mistakes: list[Mistake]
    ) -> None:
        self.fields, self.name, self.label, self.base = fields, name, label, base
        self.hashes, self.mistakes = hashes, mistakes
        self.deployment = fields.deployments[name]
        self.digits: dict[str, str] = {}

    def record(self, reference: str) -> Record:
        deployment = self.deployment
        environment = deployment.environment
        return Record(
            name=self.name,
            reference=reference,
            base=str(self.base),
            description=deployment.description,
            code=self._code(),
            environment=Environment(
                **environment.model_dump()
                | {
                    "command": tuple(environment.command),
                    "groups": tuple(environment.groups),
                    "show_variables": tuple(environment.show_variables),
                }
            ),
            parameters=Parameters(
                deployment.parameters.file, deployment.parameters.values, tuple(deployment.parameters.files or ())
            ),
            data=tuple(self._data(number, item) for number, item in enumerate(deployment.data)),
            predict=self._predict(),
            validation=self._validation(self.fields.validation),
            expected=Expected(
                self._file("expected.predictions", deployment.expected.predictions),
                deployment.expected.metrics,
                self.digits,
            ),
            provenance=self._provenance(),
            missing=_missing(deployment),
            warnings=tuple(_warnings(deployment)),
        )

    def _code(self) -> Code | None:
        code = self.deployment.code
        if code is None:
            return None
        location = repository_location(code.repository, self.base)
        return Code(location, code.commit, code.subdirectory, code.dirty, code.in_image)

    def _predict(self) -> Predict | None:
        predict = self.deployment.predict
        return _predict_of(predict) if predict else None

    def _place(self, field: str) -> str:
        return f"{self.label}: deployments.{self.name}.{field}"

    def _file(self, field: str, relative: str | None) -> str | None:
        if relative is None:
            return None
        place = f"{self.label}: {field}" if field.startswith("validation.") else self._place(field)
        try:
            path = resolve_inside(self.base, relative)
        except ValueError as error:
            self.mistakes.append(Mistake(place, str(error)))
            return None
        if not path.exists():
            self.mistakes.append(Mistake(place, f"the file {show(relative, 200)} does not exist in {self.base}"))
            return None
        if not os.access(path, os.R_OK):
            self.mistakes.append(Mistake(place, f"{show(relative, 200)} cannot be read: check its permissions"))
            return None
        return str(path)

    def _validation(self, fields: ValidationFields) -> Validation:
        inputs = self._file("validation.inputs", fields.inputs)
        if inputs and fields.sha256:
            actual = self.hashes.reread(Path(inputs)).sha256
            if actual != fields.sha256:
                place = f"{self.label}: validation.sha256"
                self.mistakes.append(
                    Mistake(
                        place,
                        f"records {fields.sha256}, but {fields.inputs} has {actual}: restore it, or record its hash",
                    )
                )
        rules = {name: ColumnRule(**column.model_dump()) for name, column in fields.columns.items()}
        return Validation(inputs, tuple(fields.key), fields.sha256, rules, fields.truth)

    def _data(self, number: int, item: DataFields) -> DataItem:
        place = f"data.{number}.source"
        scheme, mark, rest = item.source.partition(":")
        if mark and scheme in ("file", "local"):
            rest = rest.removeprefix("//")
            if rest.startswith("/"):
                self._check_inside(place, item.source, Path(rest))
            else:
                self._file(place, rest)
        elif item.source == "file":
            self._file(f"data.{number}.path", item.path)
        elif "://" not in item.source and item.source not in ("dvc", "git") and scheme not in ("mlflow", "wandb"):
            message = "is not a data source: expected dvc, file, git, file:PATH, mlflow:URI, wandb:PATH or a URL"
            self.mistakes.append(Mistake(self._place(place), f"{quote(item.source, 80)} {message}"))
        return DataItem(item.path, item.source, item.sha256, item.md5)

    def _check_inside(self, field: str, source: str, path: Path) -> None:
        if not real_path(path).is_relative_to(self.base):
            self.mistakes.append(
                Mistake(self._place(field), f"{show(source, 200)} leaves the record's folder {self.base}")
            )

    def _provenance(self) -> dict[str, str]:
        places: dict[str, str] = {}
        for section, value in self.deployment:
            if section not in self.deployment.model_fields_set:
                continue
            keys = getattr(value, "model_fields_set", None)
            names = [f"{section}.{key}" for key in sorted(keys)] if keys else [section]
            places |= {field: self._place(field) for field in names}
        for key in sorted(self.fields.validation.model_fields_set):
            places[f"validation.{key}"] = f"{self.label}: validation.{key}"
        return places


def _missing(deployment: DeploymentFields) -> tuple[Missing, ...]:
    if deployment.predict and deployment.predict.url:
        from repro_tui.sources.endpoint import live_gaps

        return live_gaps()
    missing = []
    if deployment.code is None and not deployment.environment.image:
        missing.append(Missing("code", "the record does not name a commit", "record code.repository and code.commit"))
    if not any(getattr(deployment.environment, kind) for kind in ENVIRONMENT_KINDS):
        do = "record environment.image (by digest), dockerfile, lock, requirements, conda, project or sif"
        missing.append(Missing("environment", "the record does not name an environment", do))
    if deployment.predict is None or not _predict_of(deployment.predict).is_recorded:
        missing.append(Missing("predict", "the record does not name a predict step", RECORD_STEP))
    for number, item in enumerate(deployment.data):
        if not (item.sha256 or item.md5) and item.source not in ("dvc", "git"):
            why = f"{show(item.path, 200)} has no recorded hash, so it is unknown whether it is what was deployed"
            missing.append(Missing(f"data.{number}.sha256", why, "record its sha256"))
    return tuple(missing)


def _warnings(deployment: DeploymentFields) -> list[str]:
    warnings = []
    image = deployment.environment.image
    if image and not grammar.has_digest(image):
        warnings.append(
            f"the image {show(image, 200)} is named by a tag, which can move: the report has the digest that was used"
        )
    predict = deployment.predict
    if predict and not predict.protocol and not predict.output:
        warnings += _no_output(predict)
    return warnings


def _no_output(predict: PredictFields) -> list[str]:
    """What can be seen of where the step writes its output, where the record does not say it."""
    if predict.command and not grammar.names_output(predict.command):
        remedy = "it must write to $REPRO_OUTPUT, or record predict.output, the file that it writes (- if it prints)"
        return [f"the command does not contain {{output}}: {remedy}"]
    if predict.notebook:
        remedy = "it must write to the file that the variable `output` names, or record predict.output"
        return [f"the notebook {show(predict.notebook, 200)} has no recorded output: {remedy}"]
    return []
