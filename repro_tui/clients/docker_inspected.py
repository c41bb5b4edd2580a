"""What the Docker engine reports when an image or a container is inspected, as far as it is used here."""

from __future__ import annotations

from typing import TypedDict


class Configuration(TypedDict, total=False):
    """The configuration of an image or a container."""

    Image: str
    Env: list[str] | None
    Entrypoint: list[str] | None
    Cmd: list[str] | None
    Labels: dict[str, str] | None
    ExposedPorts: dict[str, object] | None
    Volumes: dict[str, object] | None
    User: str
    WorkingDir: str


class RootFileSystem(TypedDict, total=False):
    """The file system of an image."""

    Layers: list[str] | None


class InspectedImage(TypedDict, total=False):
    """An image."""

    Id: str
    Created: str
    Architecture: str
    Os: str
    RepoDigests: list[str] | None
    Config: Configuration | None
    RootFS: RootFileSystem | None


class MountPoint(TypedDict, total=False):
    """A mount of a container: `Source` is its path on this machine, `Destination` that in the container."""

    Type: str
    Source: str
    Destination: str
    RW: bool


class PortBinding(TypedDict, total=False):
    """An address of this machine at which a port of a container is published."""

    HostIp: str
    HostPort: str


class HostPart(TypedDict, total=False):
    """The part of a container's configuration that belongs to this machine."""

    PortBindings: dict[str, list[PortBinding] | None] | None


class ContainerState(TypedDict, total=False):
    """The state of a container."""

    Running: bool
    OOMKilled: bool
    ExitCode: int
    Error: str
    StartedAt: str


class InspectedContainer(TypedDict, total=False):
    """A container; `Image` is the id of its image."""

    Id: str
    Name: str
    Image: str
    Created: str
    Config: Configuration | None
    HostConfig: HostPart | None
    Mounts: list[MountPoint] | None
    State: ContainerState | None


def variables_of(inspected: InspectedImage | InspectedContainer) -> dict[str, str]:
    """The environment variables of an image or a container, by name."""
    pairs = (inspected.get("Config") or {}).get("Env") or []
    return {name: value for name, _, value in (pair.partition("=") for pair in pairs)}
