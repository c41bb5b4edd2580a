"""The answers of the child processes that query MLflow and W&B; the child and the program that asked it share them."""

from __future__ import annotations

from typing import TypedDict


class LoggedDataset(TypedDict):
    """A dataset that an MLflow run logged."""

    name: str
    digest: str
    type: str
    source: str
    schema: str
    context: str


class DescribedRun(TypedDict, total=False):
    """An MLflow run; its moments are in milliseconds since 1970. `models` are the ids of its logged models, and
    `artifacts` is where its other artifacts are."""

    id: str
    name: str
    status: str
    start: int | None
    end: int | None
    params: dict[str, str]
    metrics: dict[str, float]
    tags: dict[str, str]
    datasets: list[LoggedDataset]
    models: list[str]
    artifacts: str
    deleted: bool


class LoggedModel(TypedDict):
    """A logged model of MLflow 3: where its files are, and the run that logged it."""

    id: str
    name: str
    location: str
    run: str
    deleted: bool


class ModelVersion(TypedDict):
    """A version of a registered MLflow model: its `source` as it was registered, and where its files are."""

    name: str
    version: str
    aliases: list[str]
    stage: str
    source: str
    location: str
    run: str


class RegisteredVersion(TypedDict, total=False):
    """The version of a registered MLflow model that a reference names; `by` is the stage or `latest` in it, if any."""

    name: str
    version: str
    aliases: list[str]
    by: str


class MlflowAnswer(TypedDict, total=False):
    """The answer about an MLflow run or model, or to a fetch, which only has `content`, the path of the copy.

    `notes` say what the reader of the record has to know of the store; `unlisted` (which the source adds) says which
    requirements were left out.
    """

    model: str
    location: str
    files: list[str]
    notes: list[str]
    unlisted: str
    registered: RegisteredVersion
    run: DescribedRun
    content: str


class WandbAnswer(TypedDict, total=False):
    """The answer about a W&B run, or to a fetch, which only has `digest`, `algorithm` and `entries` (path, digest)."""

    id: str
    entity: str
    project: str
    name: str | None
    state: str
    created: str
    commit: str | None
    config: dict[str, object]
    summary: dict[str, object]
    artifacts: list[dict[str, str]]
    digest: str
    algorithm: str
    entries: dict[str, str]
