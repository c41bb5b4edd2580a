"""Pulls images by the engine, and says why a pull failed: the reason is the engine's own, the remedy fits it."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from repro_tui.clients.docker_engine import check_reference, error_text, reference_parts
from repro_tui.clients.docker_inspected import InspectedImage
from repro_tui.clients.docker_stream import engine_events
from repro_tui.model.errors import Inconclusive
from repro_tui.support.context import Context
from repro_tui.support.text import show

if TYPE_CHECKING:
    from docker import DockerClient

PROGRESS_S = 1.0
# The engine works on what has arrived, and says so only once: this is not silence of the registry.
_AT_WORK, _WORK_S = ("Verifying Checksum", "Download complete", "Extracting", "Pull complete"), 1800
_REGISTRY = "check that its registry is reachable from this machine, and run the audit again"
# What the engine says of a failed pull, and what to do about it; {host} is the registry.
_REMEDIES = (
    (
        r"verification failed|digest mismatch|unexpected (commit )?digest|failed size validation|not match .*digest",
        "the registry {host} serves content that does not match its digest: find out why (a broken mirror or proxy, or "
        "tampering), and pull the image from another registry",
    ),
    (
        r"error parsing HTTP|media ?type|invalid character|unexpected end of JSON|unsupported|malformed",
        "{host} does not answer like a registry: correct the image's name, or look for a proxy in between",
    ),
    (
        r"no matching manifest|no match for platform|does not match the (specified|detected) platform",
        "push the image for this machine's platform too, or run the audit on a machine for which it was built",
    ),
    (
        r"toomanyrequests|rate limit|\b429\b",
        "wait until the rate limit of {host} resets, or log in for a higher one: docker login {host}",
    ),
    (
        r"unauthorized|authentication required|access denied|no basic auth|requested access|forbidden|\b40[13]\b",
        "run docker login {host} as a user who may pull the image, or correct its name",
    ),
    (
        r"x509|certificate|HTTP response to HTTPS",
        "make the Docker engine trust the certificate of {host}, or correct the image's name",
    ),
    (r"no space left", "free some space where the engine keeps its images (docker system df), and run the audit again"),
    (
        r"manifest unknown|not found|name unknown|no such image",
        "{host} answers, but does not have the image: correct its name or digest, or push the image again",
    ),
)


def pull_image(
    client: DockerClient, reference: str, context: Context, progress: Callable[[str], None] | None = None
) -> InspectedImage:
    """Pulls an image from its registry and returns its description; `progress` takes how far it is, in words.

    Raises Inconclusive if the registry does not answer or does not have the image, or if nothing of it arrives for
    `limits.stall_time` seconds; Refused for an invalid name, and Cancelled.
    """
    from docker.errors import DockerException

    check_reference(reference)
    repository, tag = reference_parts(reference)
    pull = _Pull(reference, context, progress or (lambda text: None))
    try:
        for event in engine_events(
            client.api, lambda: client.api.pull(repository, tag=tag, stream=True, decode=True), pull.check
        ):
            pull.add_event(event)
        details: InspectedImage = client.api.inspect_image(reference)
    except DockerException as error:
        raise not_pulled(reference, error_text(error)) from error
    return details


@dataclass(slots=True)
class _Pull:
    """A pull under way: when its last event arrived, and the bytes of each layer, of how many (0: not known)."""

    reference: str
    context: Context
    progress: Callable[[str], None]
    latest: float = field(default_factory=time.monotonic)
    shown: float = 0.0
    patience: float = 0.0
    layers: dict[str, tuple[int, int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.patience = self.context.settings.limits.stall_time

    def check(self) -> None:
        """Raises Inconclusive where nothing arrives any more, and Cancelled."""
        self.context.cancel.check()
        if time.monotonic() - self.latest > self.patience:
            name = show(self.reference, 300)
            reason = f"the pull of {name} was stopped, because nothing arrived for {self.patience:g} s"
            raise Inconclusive(reason, f"{_REGISTRY}, or raise limits.stall_time in config.toml")

    def add_event(self, event: dict[str, object]) -> None:
        """Adds an event of the engine. Raises Inconclusive if it is the end of a pull that failed."""
        if "error" in event:
            raise not_pulled(self.reference, str(event["error"]))
        self.latest = time.monotonic()
        status, detail = str(event.get("status", "")), event.get("progressDetail")
        self.patience = _WORK_S if status in _AT_WORK else self.context.settings.limits.stall_time
        if status == "Downloading" and isinstance(detail, dict):
            self.layers[str(event.get("id"))] = (_number(detail, "current"), _number(detail, "total"))
        if self.layers and self.latest - self.shown > PROGRESS_S:
            self.shown = self.latest
            self.progress(self._progress())

    def _progress(self) -> str:
        done, known = (sum(sizes) / (1 << 20) for sizes in zip(*self.layers.values(), strict=True))
        total = f" of {known:,.0f}" if known >= done else ""
        return f"pulling {show(self.reference, 200)}: {done:,.0f}{total} MiB"


def _number(detail: dict[str, object], name: str) -> int:
    value = detail.get(name)
    return value if isinstance(value, int) else 0


def not_pulled(reference: str, reason: str) -> Inconclusive:
    """The error of a pull that failed, with the engine's reason and a remedy for it."""
    host = reference_parts(reference)[0].partition("/")[0]
    host = show(host if "." in host or ":" in host or host == "localhost" else "docker.io", 200)
    text = f"the image {show(reference, 300)} is not on this machine and cannot be pulled: {show(reason, 400)}"
    remedy = next((remedy for pattern, remedy in _REMEDIES if re.search(f"(?i){pattern}", reason)), _REGISTRY)
    return Inconclusive(text, remedy.format(host=host))
