"""A W&B run as read from its folder or from its server: the common input of the record."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import PurePosixPath

from repro_tui.formats.documents import parse_document
from repro_tui.model.errors import Refused


def parsed_file(raw: bytes | None, name: str) -> dict[str, object]:
    """A JSON or YAML file of a run, by the suffix of its name; empty where it is absent or cannot be parsed."""
    try:
        return parse_document(raw, PurePosixPath(name).suffix, name) if raw else {}
    except Refused:
        return {}


@dataclass(frozen=True, slots=True)
class ArtifactDescription:
    """An artifact of the run.

    `source` is the source of its data item ("wandb:…"), `digest` the md5 of its manifest. `md5` is False where the
    artifact uses another kind of digest, which cannot be checked.
    """

    name: str
    type: str
    source: str
    digest: str
    md5: bool = True


@dataclass(slots=True)
class RunDescription:
    """What W&B recorded of a run; what it did not record is empty.

    `where` is the provenance of every field. `started` is in seconds since 1970. `incomplete` is why the last values
    read may not be the last of the run ("" where they are). `code` has the files that W&B saved, by their path in the
    project.
    """

    where: str
    path: str
    name: str = ""
    config: dict[str, object] = field(default_factory=dict)
    summary: dict[str, object] = field(default_factory=dict)
    commit: str = ""
    remote: str = ""
    root: str = ""
    python: str = ""
    docker: str = ""
    program: str = ""
    started: float | None = None
    requirements: bytes | None = None
    patch: bytes | None = None
    code: dict[str, bytes] = field(default_factory=dict)
    artifacts: list[ArtifactDescription] = field(default_factory=list)
    incomplete: str = ""
    warnings: list[str] = field(default_factory=list)
