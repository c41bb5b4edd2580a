"""The schema of the user's configuration file."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from repro_tui.formats.wire.mistakes import Table
from repro_tui.support.sizes import size_of


def _size(text: str) -> str:
    size_of(text)
    return text


Size = Annotated[str, AfterValidator(_size)]


class LimitsFields(Table):
    """What one run may use."""

    memory: Size | None = Field(None, description="Memory, such as 4GiB; at least 64MiB.")
    cpus: Annotated[int, Field(ge=0, le=4096)] | None = Field(None, description="Cores; 0: all of them.")
    processes: Annotated[int, Field(ge=1, le=1_000_000)] | None = Field(None, description="Processes and threads.")
    output: Size | None = Field(None, description="Bytes that the predict step may write.")
    log: Size | None = Field(None, description="Bytes of its log that are kept.")
    build_processes: Annotated[int, Field(ge=1, le=1_000_000)] | None = Field(
        None, description="Processes and threads that the build of an image may have."
    )
    build_time: Annotated[int, Field(ge=1, le=604_800)] | None = Field(
        None, description="Seconds that the build of an image may take."
    )
    build_disk: Size | None = Field(None, description="Disk that the build of an image may fill.")
    stall_time: Annotated[int, Field(ge=1, le=86_400)] | None = Field(
        None, description="Seconds that a registry may be silent during a pull."
    )
    plugin_time: Annotated[int, Field(ge=1, le=604_800)] | None = Field(
        None, description="Seconds that one call of a plug-in may take."
    )


class GitFields(Table):
    """How git reads private repositories."""

    credential_helper: str = Field("", description="The git credential helper that may be asked, such as store.")


class ConfigFields(Table):
    """Everything that can be set."""

    theme: str = Field("auto", description="auto, or the name of a theme.")
    mouse: bool = Field(True, description="false leaves the mouse to the terminal.")
    keys: dict[str, str | list[str]] = Field({}, description="The keys of an action, by its name.")
    limits: LimitsFields = Field(default_factory=LimitsFields, description="Limits of every run.")
    git: GitFields = Field(default_factory=GitFields, description="How git reads private repositories.")
