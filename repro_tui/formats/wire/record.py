"""The record file, schema 1."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from repro_tui.formats.wire.gate import AcceptedFields, GateFields
from repro_tui.formats.wire.mistakes import Table, check
from repro_tui.model.record import ENVIRONMENT_KINDS
from repro_tui.support import grammar


def _follows(check: Callable[[str], str | None]) -> AfterValidator:
    def validate(text: str) -> str:
        mistake = check(text)
        if mistake:
            raise ValueError(mistake)
        return text

    return AfterValidator(validate)


Located = Annotated[str, _follows(lambda text: grammar.relative_path(text.removeprefix("file:")))]
Inside = Annotated[str, _follows(grammar.relative_path)]
MaybeInside = Annotated[str, _follows(lambda text: grammar.relative_path(text) if text else None)]
MaybeOutput = Annotated[str, _follows(lambda text: None if text in ("", "-") else grammar.relative_path(text))]
Placed = Annotated[str, _follows(grammar.data_path)]
Sha256 = Annotated[str, _follows(lambda text: grammar.hex_digest(text, 64))]
Md5 = Annotated[str, _follows(lambda text: grammar.hex_digest(text.removesuffix(".dir"), 32))]
Positive = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class ColumnFields(Table):
    """How one output column is compared."""

    kind: Literal["label", "probability", "value", "ranking", "text", "embedding", "json"] | None = Field(
        None, description="What the column is; absent: inferred."
    )
    atol: Positive | None = Field(None, description="Absolute tolerance.")
    rtol: Positive | None = Field(None, description="Relative tolerance.")
    compute_type: Literal["float16", "bfloat16", "float32", "float64", "fp8"] | None = Field(
        None, description="The type it was computed in, which chooses the default tolerance; absent: the stored type."
    )
    reduction: bool = Field(
        False, description="It is a sum over many terms: its tolerance is 32 units of rounding instead of 4."
    )
    ignore: bool = Field(False, description="Left out of the comparison, such as a timestamp or a run id.")
    threshold: float | None = Field(None, description="The probability from which a row is positive (default 0.5).")
    vector: str | None = Field(
        None,
        description="Columns with the same name here form one vector of probabilities; the most likely class decides.",
    )


class ValidationFields(Table):
    """The inputs that both sides are run on."""

    inputs: Inside | None = Field(
        None, description="CSV, Parquet, JSON Lines, Arrow or .npy, below this file's folder."
    )
    key: list[str] = Field([], description="Columns that identify a row; absent: by position.")
    sha256: Sha256 | None = Field(None, description="The audit is refused if the file differs.")
    columns: dict[str, ColumnFields] = Field({}, description="Per output column.")
    truth: str | None = Field(
        None, description="The column of the inputs (or outputs) with the true values, for the metrics."
    )

    @model_validator(mode="after")
    def _vectors(self) -> ValidationFields:
        mistakes = grammar.vectors(self.columns, {*self.columns, *self.key, self.truth})
        if mistakes:
            raise ValueError("; ".join(mistakes))
        return self


class CodeFields(Table):
    """Where the code was recorded."""

    repository: Annotated[str, _follows(grammar.repository)] = Field(description="A path or URL.")
    commit: str = Field(description="40 or 64 hex digits: a record does not name branches or tags.")
    subdirectory: Annotated[str, _follows(grammar.relative_path)] = Field(
        ".", description="The folder of the project in the repository."
    )
    in_image: bool = Field(
        False, description="The image has its own copy of the code, which runs: the commit is only compared."
    )
    dirty: bool | None = Field(None, description="Whether the recorded tree had uncommitted changes.")


class EnvironmentFields(Table):
    """The environment that the code ran in: one of image, dockerfile, lock, requirements, conda, project, sif."""

    image: Annotated[str, _follows(grammar.image)] | None = Field(None, description="NAME@sha256:DIGEST")
    dockerfile: Inside | None = Field(
        None, description="Built from the commit's tree; an image recorded with it is only compared."
    )
    lock: Located | None = Field(
        None,
        description="A lock file in the commit's tree, or file:PATH below this file's folder: uv.lock, pylock.toml, "
        "poetry.lock, Pipfile.lock, pdm.lock, conda-lock.yml, pixi.lock, or an explicit list of conda packages.",
    )
    requirements: Located | None = Field(
        None, description="A requirements file in the commit's tree, or file:PATH below this file's folder."
    )
    conda: Located | None = Field(
        None, description="An environment.yml in the commit's tree, or file:PATH below this file's folder."
    )
    project: Located | None = Field(
        None, description="The pyproject.toml, setup.cfg or setup.py of a project without a lock file."
    )
    groups: list[str] = Field([], description="Dependency groups and extras to install besides the main dependencies.")
    sif: Inside | None = Field(None, description="An Apptainer image, below this file's folder.")
    python: Annotated[str, Field(pattern=r"^3(\.[0-9]+){1,2}$")] | None = Field(None, description='Such as "3.11".')
    as_of: Annotated[str, _follows(grammar.moment)] | None = Field(
        None, description="Packages that were not recorded are resolved as of this time, such as 2026-03-01T00:00:00Z."
    )
    command: list[str] = Field([], description="The command that the server was started with; absent: the image's own.")
    variables: dict[Annotated[str, _follows(grammar.variable)], str] = Field({}, description="Environment variables.")
    show_variables: list[Annotated[str, Field(pattern=r"^[A-Za-z_*?][A-Za-z0-9_*?]*$", max_length=200)]] = Field(
        [], description="Variables, such as MODEL_*, whose values may be shown where both records of an audit say so."
    )
    build_args: dict[Annotated[str, _follows(grammar.variable)], str] = Field(
        {}, description="Build arguments of the Dockerfile."
    )
    build_target: Annotated[str, Field(pattern=r"^([A-Za-z0-9][A-Za-z0-9_.-]*)?$")] = Field(
        "", description="The stage of the Dockerfile to build; absent: the last one."
    )
    base_images: dict[Annotated[str, _follows(grammar.image)], Annotated[str, _follows(grammar.image_by_content)]] = (
        Field(
            {},
            description="The recorded images that the Dockerfile is built from: NAME@sha256:DIGEST by name.",
        )
    )

    @model_validator(mode="after")
    def _one(self) -> EnvironmentFields:
        named = [name for name in ENVIRONMENT_KINDS if getattr(self, name)]
        if len(named) > 1 and named != ["dockerfile", "image"]:
            raise ValueError(f"has {' and '.join(named)}: expected only one of {', '.join(sorted(ENVIRONMENT_KINDS))}")
        return self


class ParametersFields(Table):
    """The parameters as recorded."""

    file: Inside | None = Field(None, description="In the commit's tree; the code reads it there.")
    files: Annotated[list[Inside], Field(min_length=2)] | None = Field(
        None, description="Instead of file, where there are several: {params} is then a folder that has all of them."
    )
    values: dict[str, Any] = Field(
        {},
        description="Recorded values: they override the file, or are written to {params}. "
        "Of several files: by the name of the file.",
    )

    @model_validator(mode="after")
    def _fit_together(self) -> ParametersFields:
        mistakes = grammar.parameter_files(self.file, self.files or (), self.values)
        if mistakes:
            raise ValueError("; ".join(mistakes))
        return self


class DataFields(Table):
    """One file or folder of data."""

    path: Placed = Field(description="Where the code expects it; inside an image it may be absolute.")
    source: str = Field(
        description="dvc, file, git, file:PATH below this file's folder, mlflow:URI, wandb:PATH, or an fsspec URL."
    )
    sha256: Sha256 | None = Field(None, description="What is fetched must match.")
    md5: Md5 | None = Field(None, description="As recorded by DVC; what is fetched must match.")


class PredictFields(Table):
    """The predict step."""

    command: list[str] = Field([], description="With {inputs}, {output}, {params}, {data}, {seed}, {batch_size}.")
    call: Annotated[str, _follows(grammar.callable_reference)] = Field(
        "",
        description='package.module:function, or package.module:Class("literal").method: gets the inputs as a table, '
        "or row by row where it is declared for one, and returns the predictions.",
    )
    notebook: MaybeInside = Field("", description="A notebook in the folder of the code, run from top to bottom.")
    inputs: MaybeInside = Field(
        "", description="Where the step reads the validation inputs, in the folder of the code."
    )
    output: MaybeOutput = Field(
        "", description="The file that the step writes in the folder of the code; - is its standard output."
    )
    writable: bool = Field(
        True, description="The step may write to its copy of the tree, which is thrown away after the run."
    )
    protocol: Literal["mlflow", "open-inference"] | None = Field(
        None, description="Query a server that speaks this protocol, instead of running a command."
    )
    url: Annotated[str, _follows(grammar.endpoint)] = Field("", description="A live endpoint, which is only queried.")
    port: Annotated[int, Field(ge=0, le=65_535)] = Field(0, description="The port that the image's server listens on.")
    model: str = Field("", description="The model to query with open-inference.")
    columns: list[str] = Field(
        [],
        description="Columns of the inputs that are sent to a server; absent: those that it declares. For other steps: "
        "the names of the columns of a CSV output without a header line (an empty name: by position, as column_2).",
    )
    names: dict[str, str] = Field({}, description="New names for columns of a server's response.")
    timeout_s: Annotated[float, Field(gt=0, le=604_800)] = Field(600.0, description="Limit of one run in seconds.")

    @model_validator(mode="after")
    def _fits_together(self) -> PredictFields:
        mistakes = [*self._placeholder_mistakes(), *self._server_mistakes(), *self._step_mistakes()]
        if mistakes:
            raise ValueError("; ".join(mistakes))
        return self

    def _placeholder_mistakes(self) -> Iterator[str]:
        unknown = [name for word in self.command for name in grammar.placeholders(word)]
        if unknown:
            known = ", ".join(f"{{{name}}}" for name in grammar.PLACEHOLDERS)
            yield f"the command has the unknown placeholders {', '.join(unknown)}: expected some of {known}"

    def _server_mistakes(self) -> Iterator[str]:
        if self.command and self.protocol and grammar.names_output(self.command):
            yield "has a protocol and a command that writes {output}: expected only one of them"
        if self.command and self.url:
            yield "has a command and a url: expected only one of them, since a live endpoint is only queried"
        if self.url and not self.protocol:
            yield "has a url but no protocol: expected mlflow or open-inference"
        for name in ("call", "notebook", "inputs", "output"):
            if self.protocol and getattr(self, name):
                yield f"has a protocol and {name}: a server is queried, so {name} is only for steps without a protocol"

    def _step_mistakes(self) -> Iterator[str]:
        steps = [name for name in ("command", "call", "notebook") if getattr(self, name)]
        if len(steps) > 1 and not self.protocol:
            yield f"has {' and '.join(steps)}: expected only one of them"
        if self.call and self.output:
            yield "has call and output: the output of a function is what it returns"
        if self.notebook and self.output == "-":
            yield 'has a notebook and the output "-": expected the file that it writes'
        if self.output == "-" and grammar.names_output(self.command):
            yield 'has the output "-" (standard output) and a command that writes {output}: expected only one of them'
        if self.output not in ("", "-") and not self.writable:
            yield "has an output in the tree, but writable is false: expected writable = true, or a step with {output}"
        if self.output and self.output == self.inputs:
            yield "has the same file as inputs and output: expected two"
        named = [name for name in self.columns if name]
        if len(set(named)) != len(named):
            yield "has two columns of the same name: expected different names"


class ExpectedFields(Table):
    """The recorded outputs."""

    predictions: Inside | None = Field(None, description="A table below this file's folder.")
    metrics: dict[str, float] = Field({}, description="Recorded metrics.")


class DeploymentFields(Table):
    """One deployment."""

    description: str = ""
    code: CodeFields | None = None
    environment: EnvironmentFields = EnvironmentFields()
    parameters: ParametersFields = ParametersFields()
    data: list[DataFields] = []
    predict: PredictFields | None = None
    expected: ExpectedFields = ExpectedFields()

    @model_validator(mode="after")
    def _absolute_in_images_only(self) -> DeploymentFields:
        absolute = [item.path for item in self.data if item.path.startswith("/")]
        if absolute and not (self.environment.image or self.environment.dockerfile or self.environment.sif):
            raise ValueError(f"expects the data {absolute[0]} at an absolute path, which is only possible in an image")
        return self


class RecordFields(Table):
    """A record file of repro-tui, schema 1."""

    schema_: Literal[1] = Field(alias="schema", description="The version of this format.")
    validation: ValidationFields = ValidationFields()
    deployments: dict[str, DeploymentFields] = Field(min_length=1, description="By name.")
    gate: GateFields = Field(GateFields(), description="Settings of every audit of this project.")
    accepted: list[AcceptedFields] = Field([], description="Changes that were accepted.")


def check_record(document: Mapping[str, object], file: str) -> RecordFields:
    """The record in a document. Raises Refused with every mistake, each with its place in `file`."""
    return check(RecordFields, document, file)


def check_validation(document: Mapping[str, object], label: str) -> ValidationFields:
    """The validation table of a document without a record. Raises Refused with every mistake, each with its place."""
    return check(ValidationFields, document, label)
