"""The record file, schema 1: its shape, and all of its mistakes at once, each with its place."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from repro_tui.model.errors import Mistake, Refused
from repro_tui.support import grammar


def _follows(check: Callable[[str], str | None]) -> AfterValidator:
    def validate(text: str) -> str:
        mistake = check(text)
        if mistake:
            raise ValueError(mistake)
        return text

    return AfterValidator(validate)


Inside = Annotated[str, _follows(grammar.relative_path)]
Sha256 = Annotated[str, _follows(lambda text: grammar.hex_digest(text, 64))]
Md5 = Annotated[str, _follows(lambda text: grammar.hex_digest(text.removesuffix(".dir"), 32))]
Positive = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class ColumnFields(_Table):
    """How one output column is compared."""

    kind: Literal["label", "probability", "value", "ranking", "text", "embedding", "json"] | None = Field(
        None, description="What the column is; absent: inferred."
    )
    atol: Positive | None = Field(None, description="Absolute tolerance.")
    rtol: Positive | None = Field(None, description="Relative tolerance.")
    compute_type: Literal["float16", "bfloat16", "float32", "float64", "fp8"] | None = Field(
        None, description="The type it was computed in, which chooses the default tolerance; absent: the stored type."
    )
    reduction: bool = Field(False, description="It is a sum over many terms: 32 units of rounding instead of 4.")
    threshold: float | None = Field(None, description="A probability that decides (default 0.5).")


class ValidationFields(_Table):
    """The inputs that both sides are run on."""

    inputs: Inside | None = Field(
        None, description="CSV, Parquet, JSON Lines, Arrow or .npy, below this file's folder."
    )
    key: list[str] = Field([], description="Columns that name a row; absent: by position.")
    sha256: Sha256 | None = Field(None, description="Refused where the file differs.")
    columns: dict[str, ColumnFields] = Field({}, description="Per output column.")


class CodeFields(_Table):
    """Where the code was recorded."""

    repository: Annotated[str, _follows(grammar.repository)] = Field(description="A path or URL.")
    commit: str = Field(description="40 or 64 hex digits: a record holds no moving name.")
    subdirectory: Annotated[str, _follows(grammar.relative_path)] = Field(".", description="Where the project begins.")


class EnvironmentFields(_Table):
    """What the code ran in: one of image, dockerfile, lock, requirements, sif."""

    image: Annotated[str, _follows(grammar.image)] | None = Field(None, description="NAME@sha256:DIGEST")
    dockerfile: Inside | None = Field(None, description="Built from the commit's tree; an image beside it is compared.")
    lock: Inside | None = Field(None, description="uv.lock or pylock.toml in the commit's tree.")
    requirements: Inside | None = Field(None, description="A requirements file in the commit's tree, pinned.")
    sif: Inside | None = Field(None, description="An Apptainer image, below this file's folder.")
    python: Annotated[str, Field(pattern=r"^3(\.[0-9]+){1,2}$")] | None = Field(None, description='Such as "3.11".')
    variables: dict[Annotated[str, _follows(grammar.variable)], str] = Field({}, description="Environment variables.")

    @model_validator(mode="after")
    def _one(self) -> EnvironmentFields:
        named = [name for name in ("image", "dockerfile", "lock", "requirements", "sif") if getattr(self, name)]
        if len(named) > 1 and named != ["image", "dockerfile"]:
            raise ValueError(f"names {' and '.join(named)}: expected one of image, dockerfile, lock, requirements, sif")
        return self


class ParametersFields(_Table):
    """The parameters as recorded."""

    file: Inside | None = Field(None, description="In the commit's tree; the code reads it there.")
    values: dict[str, Any] = Field({}, description="Recorded values, laid over the file, or written to {params}.")


class DataFields(_Table):
    """One file or folder of data."""

    path: Inside = Field(description="Where the code expects it.")
    source: str = Field(
        description="dvc, file, git, mlflow, wandb, file:PATH below this file's folder, or an fsspec URL."
    )
    sha256: Sha256 | None = Field(None, description="What is fetched must match.")
    md5: Md5 | None = Field(None, description="DVC's; what is fetched must match.")


class PredictFields(_Table):
    """The predict step."""

    command: list[str] = Field([], description="With {inputs}, {output}, {params}, {data}, {seed}.")
    protocol: Literal["mlflow", "open-inference"] | None = Field(None, description="Ask the image's server instead.")
    timeout_s: Annotated[float, Field(gt=0, le=604_800)] = Field(600.0, description="Limit of one run in seconds.")

    @model_validator(mode="after")
    def _known(self) -> PredictFields:
        unknown = [name for word in self.command for name in grammar.placeholders(word)]
        if unknown:
            known = ", ".join(f"{{{name}}}" for name in grammar.PLACEHOLDERS)
            raise ValueError(f"the command has {', '.join(unknown)}: the placeholders are {known}")
        if self.command and self.protocol:
            raise ValueError("names a command and a protocol: expected one of them")
        return self


class ExpectedFields(_Table):
    """What was recorded of the outputs."""

    predictions: Inside | None = Field(None, description="A table below this file's folder.")
    metrics: dict[str, float] = Field({}, description="Recorded metrics.")


class DeploymentFields(_Table):
    """One deployment."""

    description: str = ""
    code: CodeFields | None = None
    environment: EnvironmentFields = EnvironmentFields()
    parameters: ParametersFields = ParametersFields()
    data: list[DataFields] = []
    predict: PredictFields | None = None
    expected: ExpectedFields = ExpectedFields()


class RecordFields(_Table):
    """A record file of repro-tui, schema 1."""

    schema_: Literal[1] = Field(alias="schema", description="The version of this format.")
    validation: ValidationFields = ValidationFields()
    deployments: dict[str, DeploymentFields] = Field(min_length=1, description="By name.")


def check_record(document: dict[str, Any], file: str) -> RecordFields:
    """The record in a document. Raises Refused with every mistake, each with its place in `file`."""
    try:
        return RecordFields.model_validate(document)
    except ValidationError as error:
        raise Refused.all([_mistake(file, dict(detail)) for detail in error.errors(include_url=False)]) from error


def _mistake(file: str, detail: dict[str, Any]) -> Mistake:
    place = ".".join(str(part) for part in detail["loc"] if part != "[key]")
    return Mistake(f"{file}: {place}" if place else file, _words(detail))


def _words(detail: dict[str, Any]) -> str:
    kind, context = detail["type"], detail.get("ctx", {})
    if kind == "extra_forbidden":
        return "is not a known key" + _nearest(detail["loc"])
    if kind == "missing":
        return "is missing"
    if kind == "value_error":
        return str(context["error"])
    if kind == "literal_error":
        return f"is not one of the known words: expected {context['expected']}"
    if kind.endswith("_type"):
        expected = {"model_type": "a table", "dict_type": "a table", "list_type": "a list", "string_type": "text"}
        return f"is of the wrong type: expected {expected.get(kind, kind.removesuffix('_type').replace('_', ' '))}"
    return str(detail["msg"])[:200]


def _nearest(place: Sequence[str | int]) -> str:
    """The known key that was probably meant."""
    model: Any = RecordFields
    for part in place[:-1]:
        model = _inner(model, part)
    known = [field.alias or name for name, field in model.model_fields.items()] if model else []
    near = difflib.get_close_matches(str(place[-1]), known, 1)
    if near:
        return f": did you mean {near[0]}?"
    return f": expected one of {', '.join(known)}" if known else ""


def _inner(model: Any, part: str | int) -> Any:
    """The table that stands below `part` of a table, or None."""
    if get_origin(model) in (dict, list):
        return get_args(model)[-1]
    field = getattr(model, "model_fields", {}).get(str(part))
    if field is None:
        return None
    kinds = [kind for kind in (field.annotation, *get_args(field.annotation)) if _is_table(kind)]
    return kinds[0] if kinds else None


def _is_table(kind: Any) -> bool:
    return get_origin(kind) in (dict, list) or (isinstance(kind, type) and issubclass(kind, _Table))
