"""What W&B says of a run, whether its folder or its server says it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class ArtifactDescription:
    """An artifact of the run: `source` is what a data item names it by, `digest` the md5 of its manifest.

    `md5` is False where its digests are made in another way, which cannot be checked.
    """

    name: str
    type: str
    source: str
    digest: str
    md5: bool = True


@dataclass(slots=True)
class RunDescription:
    """A run as it was told; what was not told is empty.

    `where` is said as provenance. `started` is in seconds since 1970. `incomplete` says why the last values may not be
    the run's last ("" where they are). `code` has the files that W&B saved, by their path in the project.
    """

    where: str
    path: str
    name: str = ""
    config: dict[str, Any] = field(default_factory=dict)
    summary: dict[str, Any] = field(default_factory=dict)
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
