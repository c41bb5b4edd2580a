"""What is known of a deployment: the record. A missing field is missing, never guessed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

Kind = Literal["label", "probability", "value", "ranking", "text", "embedding", "json"]
EnvironmentKind = Literal["image", "dockerfile", "lock", "requirements", "sif", "unrecorded"]
Protocol = Literal["mlflow", "open-inference"]


@dataclass(frozen=True, slots=True)
class Missing:
    """A field that the record does not have, and how to have it recorded next time."""

    field: str
    why: str
    do: str = ""


@dataclass(frozen=True, slots=True)
class Code:
    """Where the code was recorded. `repository` is an absolute path or a URL; `commit` 40 or 64 hex digits.

    `in_image`: the image has its own copy, which is what runs; the commit is compared, and never laid over it.
    """

    repository: str
    commit: str
    subdirectory: str = "."
    dirty: bool | None = None
    in_image: bool = False


@dataclass(frozen=True, slots=True)
class Environment:
    """What the code ran in: at most one of the five ways (`image` beside `dockerfile` is what was recorded).

    `lock` and `requirements` are paths in the commit's tree, or `file:PATH` below the record's folder. `as_of` is the
    moment (RFC 3339) that packages which were not recorded are resolved as of; None: now. `command` is what the
    container's server was started with, where that is not its image's own entrypoint and command.
    """

    image: str | None = None
    dockerfile: str | None = None
    lock: str | None = None
    requirements: str | None = None
    sif: str | None = None
    python: str | None = None
    as_of: str | None = None
    command: tuple[str, ...] = ()
    variables: dict[str, str] = field(default_factory=dict)

    @property
    def kind(self) -> EnvironmentKind:
        """The way in which this environment is rebuilt."""
        for kind in ("dockerfile", "image", "lock", "requirements", "sif"):
            if getattr(self, kind) is not None:
                return kind
        return "unrecorded"


@dataclass(frozen=True, slots=True)
class Parameters:
    """`file` in the commit's tree, with the recorded `values` laid over it."""

    file: str | None = None
    values: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DataItem:
    """One file or folder of data: where the code expects it (`path`), where it comes from, and its hash.

    `source` is `git`, `file`, `dvc`, `file:PATH` (below the record's folder), `mlflow:URI` (an artifact, such as
    `mlflow:runs:/ID/model`), `wandb:PATH` (`entity/project/name:version`) or an fsspec URL.
    """

    path: str
    source: str
    sha256: str | None = None
    md5: str | None = None


@dataclass(frozen=True, slots=True)
class Predict:
    """The predict step: a command with placeholders, or the protocol of a server to ask.

    `url` is a live endpoint, which is not rebuilt, only asked; without it the image's own server is started and asked.
    `port` is where that server listens (0: it is found), `model` the name that the protocol asks for. Beside a
    protocol, `command` is what starts the image's server (none: its own entrypoint and command). `columns` of the
    inputs are sent (none: those that the model declares, else all but the key and the truth), and a column of the
    answer is called what `names` says of it.
    """

    command: tuple[str, ...] = ()
    protocol: Protocol | None = None
    timeout_s: float = 600.0
    url: str = ""
    port: int = 0
    model: str = ""
    columns: tuple[str, ...] = ()
    names: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ColumnRule:
    """What the record declares of one output column; `None` means inferred or the default.

    `vector` is the name of the vector of probabilities that the column is one number of, beside others of that name.
    `ignore`: it is left out, such as a clock or the id of a run.
    """

    kind: Kind | None = None
    atol: float | None = None
    rtol: float | None = None
    compute_type: str | None = None
    reduction: bool = False
    threshold: float | None = None
    vector: str | None = None
    ignore: bool = False


@dataclass(frozen=True, slots=True)
class Validation:
    """The inputs that both sides are run on. `inputs` is an absolute path; `key` names a row, else by position.

    `truth` is the column that holds what is true of a row, of the inputs or else of the outputs.
    """

    inputs: str | None = None
    key: tuple[str, ...] = ()
    sha256: str | None = None
    columns: dict[str, ColumnRule] = field(default_factory=dict)
    truth: str | None = None


@dataclass(frozen=True, slots=True)
class Expected:
    """What was recorded of the deployment's outputs. `predictions` is an absolute path.

    `digits` has the metrics as they were written, as far as that is known: 0.910 says more than 0.91.
    """

    predictions: str | None = None
    metrics: dict[str, float] = field(default_factory=dict)
    digits: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Record:
    """What is known of one deployment.

    `reference` is what the user typed; `base` the absolute folder that the record's relative paths resolve below
    (empty where there is none); `provenance` maps a field's dotted path to where it was read, for example
    `code.commit` to `repro.toml, deployments.prod.code.commit`.
    """

    name: str
    reference: str
    base: str = ""
    description: str = ""
    code: Code | None = None
    environment: Environment = field(default_factory=Environment)
    parameters: Parameters = field(default_factory=Parameters)
    data: tuple[DataItem, ...] = ()
    predict: Predict | None = None
    validation: Validation = field(default_factory=Validation)
    expected: Expected = field(default_factory=Expected)
    provenance: dict[str, str] = field(default_factory=dict)
    missing: tuple[Missing, ...] = ()
    warnings: tuple[str, ...] = ()
