"""The Docker engine of this machine.

Every image reference is checked against the grammar before any call, and resolved to content before it is used.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, cast
from uuid import uuid4

from repro_tui.clients.docker_errors import EngineCalls, engine_errors
from repro_tui.clients.docker_inspected import InspectedImage
from repro_tui.model.errors import Inconclusive, Refused
from repro_tui.support import grammar
from repro_tui.support.context import Context
from repro_tui.support.file_lock import locked_file
from repro_tui.support.text import show

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.api.client import APIClient

TIMEOUT_S = 60
AUDIT_LABEL, CACHE_LABEL, BUILD_LABEL = "repro-tui.audit", "repro-tui.cache", "repro-tui.build"
_SHARED = ("cgroup", "mnt")
DEFAULT_SOCKET = "unix:///var/run/docker.sock"


@contextmanager
def engine(silence_s: int = TIMEOUT_S) -> Iterator[DockerClient]:
    """A client of the engine, which may be silent for `silence_s` seconds; its errors inside the block become
    Inconclusive, on one line.

    Its calls, and what they stream, raise Inconclusive where the connection fails (see docker_errors). Raises
    Inconclusive if the engine is on another machine or does not answer.
    """
    import requests
    from docker.errors import DockerException

    address = engine_address()
    client = _connected(address, silence_s)
    try:
        yield client
    except (DockerException, requests.RequestException) as error:
        raise Inconclusive(
            f"the Docker engine reported an error: {error_text(error)}", "check the engine's log"
        ) from error
    finally:
        client.close()


def engine_address() -> str:
    """The socket of the engine, as a URL. Raises Inconclusive if the engine is on another machine."""
    address = os.environ.get("DOCKER_HOST") or DEFAULT_SOCKET
    if not address.startswith("unix://"):
        raise Inconclusive(
            f"the Docker engine at {show(address, 100)} is not on this machine, so it cannot mount files from it",
            "unset DOCKER_HOST, or run repro-tui on the engine's machine",
        )
    return address


def sees_our_groups() -> bool:
    """Whether the engine has our control groups under the names that we have for them: it runs in our namespaces."""
    try:
        with socket.socket(socket.AF_UNIX) as peer:
            peer.connect(engine_address().removeprefix("unix://"))
            pid, _, _ = struct.unpack("3i", peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        return all(os.readlink(f"/proc/{pid}/ns/{kind}") == os.readlink(f"/proc/self/ns/{kind}") for kind in _SHARED)  # noqa: PTH115
    except OSError:
        return False


def _connected(address: str, silence_s: int) -> DockerClient:
    """A client of an engine that answers. Raises Inconclusive."""
    import docker
    from docker.errors import DockerException

    do = "check that Docker Engine is installed and running, and that you may use its socket (group docker)"
    try:
        with socket.socket(socket.AF_UNIX) as probe:  # a client that fails to connect leaves its socket open
            probe.connect(address.removeprefix("unix://"))
    except OSError as error:
        raise Inconclusive(f"no Docker engine answers at {address}", do) from error
    try:
        with engine_errors(address, "while the engine's version was read"):
            client = docker.DockerClient(base_url=address, timeout=silence_s, use_ssh_client=False)
    except DockerException as error:
        raise Inconclusive(f"no Docker engine answers at {address}: {error_text(error)}", do) from error
    client.api = cast("APIClient", EngineCalls(client.api, address))
    return client


def error_text(error: Exception) -> str:
    """What the engine says of an error, on one line."""
    return show(" ".join(str(getattr(error, "explanation", None) or error).split()), 400)


def find_image(client: DockerClient, reference: str) -> InspectedImage | None:
    """The engine's description of a local image, or None if it is absent. Raises Refused for an invalid name."""
    from docker.errors import ImageNotFound, NotFound

    check_reference(reference)
    try:
        details: InspectedImage = client.api.inspect_image(reference)
    except (ImageNotFound, NotFound):
        return None
    return details


def registry_digest(client: DockerClient, reference: str) -> str:
    """The image that its registry has for a tag, as NAME@sha256:DIGEST; nothing is pulled. Raises Inconclusive."""
    from docker.errors import DockerException

    check_reference(reference)
    try:
        digest = str(client.api.inspect_distribution(reference)["Descriptor"]["digest"])
    except (DockerException, KeyError, TypeError) as error:
        raise Inconclusive(
            f"the image {show(reference, 300)} is not on this machine, and its registry did not return its digest: "
            f"{error_text(error)}",
            f"docker pull {show(reference, 300)}, and record again",
        ) from error
    return f"{reference_parts(reference)[0]}@{digest}"


def check_reference(reference: str) -> None:
    """Raises Refused for what is not the name of an image."""
    mistake = grammar.image(reference)
    if mistake:
        raise Refused(f"{show(reference, 200)} {mistake}")


def reference_parts(reference: str) -> tuple[str, str]:
    """The repository of an image, and its tag or digest."""
    name, at, digest = reference.partition("@")
    if at:
        return name.rpartition(":")[0] if ":" in name.rpartition("/")[2] else name, digest
    head, colon, tag = reference.rpartition(":")
    return (head, tag) if colon and "/" not in tag else (reference, "latest")


def audit_labels(context: Context) -> dict[str, str]:
    """The labels of this audit's containers.

    The audit's lease is marked first, so that whoever finds the lease dead looks for containers.
    """
    lease = context.cache.root / "leases" / context.audit_id
    if lease.is_file():
        lease.write_text("docker", "ascii")
    return {AUDIT_LABEL: context.audit_id, CACHE_LABEL: cache_digest(context.cache.root)}


@contextmanager
def never_started(client: DockerClient, image_id: str, context: Context) -> Iterator[str]:
    """A container whose files can be read, and which never runs; it is removed with its volumes.

    Outside an audit, it has a lease of its own: the next audit removes what a killed program leaves.
    """
    with _labels(context) as labels:
        created = client.api.create_container(
            image_id, command=["/never-started"], network_disabled=True, labels=labels, use_config_proxy=False
        )
        try:
            yield str(created["Id"])
        finally:
            client.api.remove_container(created["Id"], force=True, v=True)


@contextmanager
def _labels(context: Context) -> Iterator[dict[str, str]]:
    if context.audit_id:
        yield audit_labels(context)
        return
    lease = context.cache.root / "leases" / f"reading-{uuid4().hex[:12]}"
    lease.parent.mkdir(parents=True, exist_ok=True)
    with locked_file(lease, "docker"):
        yield {AUDIT_LABEL: lease.name, CACHE_LABEL: cache_digest(context.cache.root)}
        lease.unlink()  # only where the container was removed


def cache_digest(root: Path) -> str:
    """A digest that distinguishes the containers of one cache from those of another."""
    from repro_tui.support.hashes import digest_text

    return digest_text(str(root.resolve()))[:16]
