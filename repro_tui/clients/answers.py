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
    """An MLflow run; its moments are in milliseconds since 1970."""

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


class RegisteredVersion(TypedDict, total=False):
    """A version of a registered MLflow model."""

    name: str
    version: str
    aliases: list[str]


class MlflowAnswer(TypedDict, total=False):
    """The answer about an MLflow run or model, or to a fetch, which only has `content`, the path of the copy."""

    model: str
    location: str
    files: list[str]
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
