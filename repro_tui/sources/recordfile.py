"""Records in files: FILE, FILE#NAME, and NAME in the nearest repro.toml."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from repro_tui.formats.documents import load_document
from repro_tui.model.errors import Inconclusive, Mistake, Refused
from repro_tui.model.record import (
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
from repro_tui.sources.endpoint import live_gaps
from repro_tui.support import grammar
from repro_tui.support.context import Context
from repro_tui.support.hash_index import HashIndex
from repro_tui.support.paths import resolve_inside
from repro_tui.support.text import show

if TYPE_CHECKING:
    from repro_tui.formats.wire.record import (
        DataFields,
        DeploymentFields,
        PredictFields,
        RecordFields,
        ValidationFields,
    )

FILE_NAME = "repro.toml"
DEFAULT = "default"
ENDINGS = (".toml", ".yaml", ".yml", ".json")


class RecordFile:
    """Reads a record from a file on this machine."""

    def load(self, reference: str, context: Context) -> Record:
        """The record that NAME, FILE or FILE#NAME stands for. Raises Refused with all of its mistakes."""
        path, name = locate(reference, context.here)
        return read_record(path, name, reference, context)


@dataclass(frozen=True, slots=True)
class Deployment:
    """A deployment that a record file offers."""

    name: str
    description: str
    file: Path


def nearest_file(here: Path) -> Path | None:
    """The nearest repro.toml, searched upwards."""
    folders = (here.absolute(), *here.absolute().parents)
    return next((folder / FILE_NAME for folder in folders if (folder / FILE_NAME).is_file()), None)


def nearest_deployments(here: Path) -> list[Deployment]:
    """The deployments of the nearest repro.toml; none where there is no such file, or it cannot be read."""
    file = nearest_file(here)
    try:
        return deployments_of(file) if file is not None else []
    except Refused:
        return []


def deployments_of(file: Path) -> list[Deployment]:
    """The deployments that a record file offers; none where it is no record. Raises Refused where it is unreadable."""
    tables = load_document(file).get("deployments", {})
    if not isinstance(tables, dict):
        return []
    told = {name: table.get("description", "") if isinstance(table, dict) else "" for name, table in tables.items()}
    return [Deployment(name, str(text), file) for name, text in told.items()]


def locate(reference: str, here: Path) -> tuple[Path, str]:
    """The file that a reference names, and the deployment in it ("" where it names none)."""
    whole = here / reference
    if Path(reference).suffix in ENDINGS and (whole.is_file() or "#" not in reference):
        return whole, ""
    file, mark, name = reference.rpartition("#")
    if mark and Path(file).suffix in ENDINGS:
        return here / file, name
    nearest = nearest_file(here)
    if nearest is None:
        raise Refused(Mistake(show(reference, 200), f"is no file, and there is no {FILE_NAME} here or above {here}"))
    return nearest, reference


def read_record(path: Path, name: str, reference: str, context: Context, *, base: Path | None = None) -> Record:
    """One deployment of a record file; `base` is the folder its paths resolve below (default: the file's)."""
    from repro_tui.formats.wire.record import check_record

    if not path.is_file():
        raise Refused(Mistake(show(reference, 200), f"there is no file {show(str(path), 300)}"))
    document = load_document(path)
    label = path.name
    base = (base or path.parent).resolve()
    mistakes = _commit_mistakes(document, label, base, context)
    try:
        fields = check_record(document, label)
    except Refused as error:
        raise Refused.all([*error.mistakes, *mistakes]) from error
    name = _choose(fields, name, label, reference)
    reader = _DeploymentReader(fields, name, label, base, context.cache.hashes, mistakes)
    reader.digits = _digits(path, name) if fields.deployments[name].expected.metrics else {}
    record = reader.record(reference)
    if mistakes:
        raise Refused.all(mistakes)
    return record


def _digits(path: Path, name: str) -> dict[str, str]:
    """A deployment's recorded metrics as they were written: 0.910 says more than 0.91."""
    metrics = load_document(path, floats=str)["deployments"][name]["expected"]["metrics"]
    return {metric: text for metric, text in metrics.items() if isinstance(text, str)}


def _choose(fields: RecordFields, name: str, label: str, reference: str) -> str:
    names = list(fields.deployments)
    if name in fields.deployments:
        return name
    told = ", ".join(show(known, 80) for known in names)
    if name:
        raise Refused(
            Mistake(show(reference, 200), f"there is no deployment {show(name, 80)!r} in {label}: it has {told}")
        )
    if len(names) == 1:
        return names[0]
    if DEFAULT in fields.deployments:
        return DEFAULT
    raise Refused(Mistake(show(reference, 200), f"{label} has several deployments: name one of {told} after a #"))


def _commit_mistakes(document: dict[str, Any], label: str, base: Path, context: Context) -> list[Mistake]:
    """What is wrong with the commits of all deployments; a moving name is told with what it stands for now."""
    deployments = document.get("deployments")
    found = []
    for name, deployment in deployments.items() if isinstance(deployments, dict) else ():
        code = deployment.get("code") if isinstance(deployment, dict) else None
        if isinstance(code, dict) and isinstance(commit := code.get("commit"), str) and grammar.commit(commit):
            meaning = _meaning(str(code.get("repository", "")), commit, base, context)
            found.append(
                Mistake(f"{label}: deployments.{show(name, 80)}.code.commit", f"{show(commit, 80)!r} {meaning}")
            )
    return found


def _meaning(repository: str, commit: str, base: Path, context: Context) -> str:
    mistake = grammar.commit(commit) or ""
    if commit.startswith("-") or not repository or grammar.repository(repository):
        return mistake
    from repro_tui.clients.git import Repository

    try:
        full = Repository.open(repository_location(repository, base), context).resolve(commit)
    except (Inconclusive, Refused):
        full = None
    return f"{mistake}; it now stands for {full}" if full else mistake


def repository_location(repository: str, base: Path) -> str:
    """A repository as the rebuild asks for it: a URL as it is, a path made absolute from the record's folder."""
    return repository if grammar.is_remote(repository) else str((base / repository).resolve())


def _predict_of(fields: PredictFields) -> Predict:
    return Predict(**fields.model_dump() | {"command": tuple(fields.command), "columns": tuple(fields.columns)})


class _DeploymentReader:
    """Makes the Record of one deployment, with provenance, and collects what is wrong on the way."""

    def __init__(
        self, fields: RecordFields, name: str, label: str, base: Path, hashes: HashIndex, mistakes: list[Mistake]
    ) -> None:
        self.fields, self.name, self.label, self.base = fields, name, label, base
        self.hashes, self.mistakes = hashes, mistakes
        self.deployment = fields.deployments[name]
        self.digits: dict[str, str] = {}

    def record(self, reference: str) -> Record:
        d = self.deployment
        environment = d.environment
        return Record(
            name=self.name,
            reference=reference,
            base=str(self.base),
            description=d.description,
            code=self._code(),
            environment=Environment(**environment.model_dump() | {"command": tuple(environment.command)}),
            parameters=Parameters(d.parameters.file, d.parameters.values),
            data=tuple(self._data(number, item) for number, item in enumerate(d.data)),
            predict=self._predict(),
            validation=self._validation(self.fields.validation),
            expected=Expected(
                self._file("expected.predictions", d.expected.predictions), d.expected.metrics, self.digits
            ),
            provenance=self._provenance(),
            missing=_missing(d),
            warnings=tuple(_warnings(d)),
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
            self.mistakes.append(Mistake(place, f"there is no file {show(relative, 200)} in {self.base}"))
            return None
        return str(path)

    def _validation(self, v: ValidationFields) -> Validation:
        inputs = self._file("validation.inputs", v.inputs)
        if inputs and v.sha256:
            actual = self.hashes.digests(Path(inputs)).sha256
            if actual != v.sha256:
                place = f"{self.label}: validation.sha256"
                self.mistakes.append(Mistake(place, f"records {v.sha256}, and {v.inputs} has {actual}"))
        rules = {name: ColumnRule(**column.model_dump()) for name, column in v.columns.items()}
        return Validation(inputs, tuple(v.key), v.sha256, rules, v.truth)

    def _data(self, number: int, item: DataFields) -> DataItem:
        place = f"data.{number}.source"
        scheme, mark, rest = item.source.partition(":")
        if mark and scheme in ("file", "local"):
            rest = rest.removeprefix("//")
            if rest.startswith("/"):
                self._outside(place, item.source, Path(rest))
            else:
                self._file(place, rest)
        elif item.source == "file":
            self._file(f"data.{number}.path", item.path)
        elif "://" not in item.source and item.source not in ("dvc", "git") and scheme not in ("mlflow", "wandb"):
            words = "is no source: expected dvc, file, git, file:PATH, mlflow:URI, wandb:PATH or a URL"
            self.mistakes.append(Mistake(self._place(place), f"{show(item.source, 80)!r} {words}"))
        return DataItem(item.path, item.source, item.sha256, item.md5)

    def _outside(self, field: str, source: str, path: Path) -> None:
        if not path.resolve().is_relative_to(self.base):
            self.mistakes.append(
                Mistake(self._place(field), f"{show(source, 200)} leaves the record's folder {self.base}")
            )

    def _provenance(self) -> dict[str, str]:
        found: dict[str, str] = {}
        for section, value in self.deployment:
            if section not in self.deployment.model_fields_set:
                continue
            keys = getattr(value, "model_fields_set", None)
            names = [f"{section}.{key}" for key in sorted(keys)] if keys else [section]
            found |= {field: self._place(field) for field in names}
        for key in sorted(self.fields.validation.model_fields_set):
            found[f"validation.{key}"] = f"{self.label}: validation.{key}"
        return found


def _missing(d: DeploymentFields) -> tuple[Missing, ...]:
    if d.predict and d.predict.url:
        return live_gaps()
    found = []
    if d.code is None and not d.environment.image:
        found.append(Missing("code", "the record names no commit", "record code.repository and code.commit"))
    if not any(
        (
            d.environment.image,
            d.environment.dockerfile,
            d.environment.lock,
            d.environment.requirements,
            d.environment.sif,
        )
    ):
        do = "record environment.image (by digest), dockerfile, lock or requirements"
        found.append(Missing("environment", "the record names no environment", do))
    if d.predict is None or not (d.predict.command or d.predict.protocol):
        found.append(Missing("predict", "the record names no predict step", "record predict.command"))
    for number, item in enumerate(d.data):
        if not (item.sha256 or item.md5) and item.source not in ("dvc", "git"):
            why = f"{show(item.path, 200)} has no recorded hash: whether it is what was deployed is unknown"
            found.append(Missing(f"data.{number}.sha256", why, "record its sha256"))
    return tuple(found)


def _warnings(d: DeploymentFields) -> list[str]:
    found = []
    image = d.environment.image
    if image and not grammar.has_digest(image):
        found.append(
            f"the image {show(image, 200)} is named by a tag, which can move: the digest found is in the report"
        )
    if d.predict and d.predict.command and not any("{output}" in word for word in d.predict.command):
        found.append("the command does not name {output}: it has to write to $REPRO_OUTPUT")
    return found
