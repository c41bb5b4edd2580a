"""The Docker engine of this machine.

Every image reference is checked against the grammar before any call, and resolved to content before it is used.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from repro_tui.clients.docker_inspected import InspectedImage
from repro_tui.clients.docker_stream import LOST, engine_events
from repro_tui.model.errors import Inconclusive, Refused
from repro_tui.support import grammar
from repro_tui.support.context import Context
from repro_tui.support.text import show

if TYPE_CHECKING:
    from docker import DockerClient

TIMEOUT_S = 60
AUDIT_LABEL, CACHE_LABEL, BUILD_LABEL = "repro-tui.audit", "repro-tui.cache", "repro-tui.build"
CUT = LOST
STALL_S = 60
REGISTRY = "check that its registry is reachable and still has it"
DEFAULT_SOCKET = "unix:///var/run/docker.sock"


@contextmanager
def engine() -> Iterator[DockerClient]:
    """A client of the engine; an error of the engine inside the block becomes Inconclusive, on one line.

    Raises Inconclusive if the engine is on another machine or does not answer.
    """
    import docker
    import requests
    import urllib3
    from docker.errors import DockerException

    address = os.environ.get("DOCKER_HOST") or DEFAULT_SOCKET
    if not address.startswith("unix://"):
        raise Inconclusive(
            f"the Docker engine at {show(address, 100)} is not on this machine, so it cannot mount files from it",
            "unset DOCKER_HOST, or run repro-tui on the engine's machine",
        )
    do = "check that Docker Engine is installed and running, and that you may use its socket (group docker)"
    try:
        with socket.socket(socket.AF_UNIX) as probe:  # a client that fails to connect leaves its socket open
            probe.connect(address.removeprefix("unix://"))
        client = docker.DockerClient(base_url=address, timeout=TIMEOUT_S, use_ssh_client=False)
    except (DockerException, requests.RequestException, OSError) as error:
        raise Inconclusive(f"no Docker engine answers at {address}", do) from error
    try:
        client.ping()
        yield client
    except (requests.ConnectionError, requests.exceptions.ChunkedEncodingError, urllib3.exceptions.HTTPError) as error:
        raise Inconclusive(f"the connection to the Docker engine at {address} was lost", CUT) from error
    except (DockerException, requests.RequestException) as error:
        raise Inconclusive(
            f"the Docker engine reported an error: {_error_text(error)}", "check the engine's log"
        ) from error
    finally:
        client.close()


def _error_text(error: Exception) -> str:
    return show(" ".join(str(getattr(error, "explanation", None) or error).split()), 400)


def find_image(client: DockerClient, reference: str) -> InspectedImage | None:
    """The engine's description of a local image, or None if it is absent. Raises Refused for an invalid name."""
    from docker.errors import ImageNotFound, NotFound

    _check(reference)
    try:
        details: InspectedImage = client.api.inspect_image(reference)
    except (ImageNotFound, NotFound):
        return None
    return details


def pull_image(client: DockerClient, reference: str, context: Context) -> InspectedImage:
    """Pulls an image from its registry and returns its description.

    Raises Inconclusive if the registry does not answer or does not have the image, or if nothing of it arrives for
    STALL_S seconds; Refused for an invalid name, and Cancelled.
    """
    from docker.errors import DockerException

    _check(reference)
    repository, tag = _parts(reference)
    latest = time.monotonic()

    def check() -> None:
        context.cancel.check()
        if time.monotonic() - latest > STALL_S:
            raise Inconclusive(
                f"the pull of {show(reference, 300)} was stopped, since nothing arrived for {STALL_S} s", REGISTRY
            )

    try:
        for event in engine_events(
            client.api, lambda: client.api.pull(repository, tag=tag, stream=True, decode=True), check, "the pull"
        ):
            latest = time.monotonic()
            if "error" in event:
                raise _not_pulled(reference, str(event["error"]))
        details: InspectedImage = client.api.inspect_image(reference)
    except DockerException as error:
        raise _not_pulled(reference, _error_text(error)) from error
    return details


def _not_pulled(reference: str, reason: str) -> Inconclusive:
    text = f"the image {show(reference, 300)} is not on this machine and cannot be pulled: {show(reason, 400)}"
    return Inconclusive(text, f"{REGISTRY}, or record another image")


def registry_digest(client: DockerClient, reference: str) -> str:
    """The image that its registry has for a tag, as NAME@sha256:DIGEST; nothing is pulled. Raises Inconclusive."""
    from docker.errors import DockerException

    _check(reference)
    try:
        digest = str(client.api.inspect_distribution(reference)["Descriptor"]["digest"])
    except (DockerException, KeyError, TypeError) as error:
        raise Inconclusive(
            f"the image {show(reference, 300)} is not on this machine, and its registry did not return its digest: "
            f"{_error_text(error)}",
            f"docker pull {show(reference, 300)}, and record again",
        ) from error
    return f"{_parts(reference)[0]}@{digest}"


def _check(reference: str) -> None:
    mistake = grammar.image(reference)
    if mistake:
        raise Refused(f"{show(reference, 200)} {mistake}")


def _parts(reference: str) -> tuple[str, str]:
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


def cache_digest(root: Path) -> str:
    """A digest that distinguishes the containers of one cache from those of another."""
    from repro_tui.support.hashes import digest_text

    return digest_text(str(root.resolve()))[:16]
