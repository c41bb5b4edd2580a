"""The record of a deployment. A missing field stays missing: it is never guessed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from repro_tui.model.environment_kind import ENVIRONMENT_KINDS as ENVIRONMENT_KINDS
from repro_tui.model.environment_kind import LOCAL_KINDS as LOCAL_KINDS
from repro_tui.model.environment_kind import EnvironmentKind as EnvironmentKind
from repro_tui.model.missing import Missing as Missing

Kind = Literal["label", "probability", "value", "ranking", "text", "embedding", "json"]
Protocol = Literal["mlflow", "open-inference"]


@dataclass(frozen=True, slots=True)
class Code:
    """Where the code was recorded. `repository` is an absolute path or a URL; `commit` 40 or 64 hex digits.

    `in_image`: the image has its own copy, which is what runs; the commit is only compared, never put into the image.
    """

    repository: str
    commit: str
    subdirectory: str = "."
    dirty: bool | None = None
    in_image: bool = False


@dataclass(frozen=True, slots=True)
class Environment:
    """The environment that the code ran in: at most one of seven kinds (with `dockerfile`, `image` is only compared).

    `lock` (uv.lock, pylock.toml, poetry.lock, Pipfile.lock, pdm.lock, conda-lock.yml, pixi.lock or an explicit list of
    conda packages), `requirements`, `conda` (an environment.yml) and `project` (a pyproject.toml, setup.cfg or setup.py
    without a lock) are paths in the commit's tree, or `file:PATH` below the record's folder. `groups` are the
    dependency groups and extras that are installed besides the main dependencies. Packages that were not recorded are
    resolved as of `as_of` (RFC 3339; None: the commit's date, without a commit now). `command` is the command that the
    container's server was started with, if it is not the image's own entrypoint and command. `show_variables` are the
    names of variables, with * and ?, whose values are shown though they are neither known to be harmless nor plain.

    Of a Dockerfile: `build_args` are its build arguments, `build_target` is the stage that is built ("": the last), and
    `base_images` maps the images that it is built from, as they are written in it, to what they were: NAME@sha256:….
    """

    image: str | None = None
    dockerfile: str | None = None
    lock: str | None = None
    requirements: str | None = None
    conda: str | None = None
    project: str | None = None
    sif: str | None = None
    groups: tuple[str, ...] = ()
    python: str | None = None
    as_of: str | None = None
    command: tuple[str, ...] = ()
    variables: dict[str, str] = field(default_factory=dict)
    show_variables: tuple[str, ...] = ()
    build_args: dict[str, str] = field(default_factory=dict)
    build_target: str = ""
    base_images: dict[str, str] = field(default_factory=dict)

    @property
    def kind(self) -> EnvironmentKind:
        """The field that this environment is rebuilt from."""
        for kind in ENVIRONMENT_KINDS:
            if getattr(self, kind) is not None:
                return kind
        return "unrecorded"


@dataclass(frozen=True, slots=True)
class Parameters:
    """`file` in the commit's tree, or several `files`, overridden by the recorded `values`.

    Of several files, the top level of `values` has the names of files.
    """

    file: str | None = None
    values: dict[str, Any] = field(default_factory=dict)
    files: tuple[str, ...] = ()

    @classmethod
    def of_files(cls, names: Sequence[str]) -> Parameters:
        """The parameters in no, one or several files."""
        return cls(files=tuple(names)) if len(names) > 1 else cls(next(iter(names), None))

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the files; empty where there are only values."""
        return (self.file,) if self.file else self.files


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
    """The predict step: a command with placeholders, or the protocol of a server to query.

    `url` is a live endpoint, which is only queried, not rebuilt; without it the image's own server is started.
    `port` is the port that this server listens on (0: it is found), `model` the name of the model in the protocol. With
    a protocol, `command` starts the image's server (none: its own entrypoint and command). `columns` are the columns of
    the inputs to send (none: those that the model declares, else all but the key and the truth); `names` maps columns
    of the response to new names.

    Without a protocol, the step is one of `command`, `call` (`package.module:function`, which gets the inputs as a
    table and returns the predictions) and `notebook` (a path in the commit's tree). `inputs` is where it reads the
    validation inputs, `output` the file that it writes (`-`: standard output), both relative to its working folder;
    `columns` are then the names of the columns of an output without a header line. The working folder is a copy of the
    tree that it may write to and that is thrown away, unless `writable` is False.
    """

    command: tuple[str, ...] = ()
    call: str = ""
    notebook: str = ""
    inputs: str = ""
    output: str = ""
    writable: bool = True
    protocol: Protocol | None = None
    timeout_s: float = 600.0
    url: str = ""
    port: int = 0
    model: str = ""
    columns: tuple[str, ...] = ()
    names: dict[str, str] = field(default_factory=dict)

    @property
    def is_recorded(self) -> bool:
        """Whether there is anything to run or to query."""
        return bool(self.command or self.call or self.notebook or self.protocol)

    @property
    def place(self) -> str:
        """The field of the record that says what runs, such as `predict.call`."""
        kind = next((name for name in ("command", "call", "notebook") if getattr(self, name)), "protocol")
        return f"predict.{kind}"

    @property
    def output_in_tree(self) -> str:
        """The path of the output that the step writes in its working folder; "" if it writes elsewhere."""
        return "" if self.output == "-" else self.output


@dataclass(frozen=True, slots=True)
class ColumnRule:
    """The rule that the record declares for one output column; `None` means inferred or the default.

    `vector` is the name of the vector of probabilities that this column and others of the same name form.
    `ignore`: the column is left out of the comparison, such as a timestamp or a run id.
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

    `truth` is the column with the true value of each row, in the inputs or else in the outputs.
    """

    inputs: str | None = None
    key: tuple[str, ...] = ()
    sha256: str | None = None
    columns: dict[str, ColumnRule] = field(default_factory=dict)
    truth: str | None = None


@dataclass(frozen=True, slots=True)
class Expected:
    """The recorded outputs of the deployment. `predictions` is an absolute path.

    `digits` has the metrics as they were written, if known: 0.910 is more precise than 0.91.
    """

    predictions: str | None = None
    metrics: dict[str, float] = field(default_factory=dict)
    digits: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Record:
    """Everything that is known about one deployment.

    `reference` is what the user typed; `base` is the absolute folder that the record's relative paths are relative to
    ("" if there is none); `provenance` maps a field's dotted path to where it was read, for example
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
