"""The kinds of environments by what they are rebuilt from."""

from __future__ import annotations

from typing import Literal

EnvironmentKind = Literal["image", "dockerfile", "lock", "requirements", "conda", "project", "sif", "unrecorded"]
# The fields of an environment that it can be rebuilt from, and those of them that are rebuilt on this machine.
ENVIRONMENT_KINDS: tuple[EnvironmentKind, ...] = (
    "dockerfile",
    "image",
    "lock",
    "requirements",
    "conda",
    "project",
    "sif",
)
LOCAL_KINDS: tuple[EnvironmentKind, ...] = ("lock", "requirements", "conda", "project")
