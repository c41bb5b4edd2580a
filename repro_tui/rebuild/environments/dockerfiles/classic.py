"""Builds with the classic builder, by the engine's own API."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

from repro_tui.clients.docker_stream import engine_events
from repro_tui.model.errors import Inconclusive
from repro_tui.rebuild.environments.dockerfiles.job import REPEAT, BuildJob
from repro_tui.support.text import show


def build_classic(job: BuildJob) -> str:
    """Builds a job; returns the id of the image. Raises Inconclusive where the build fails, and Cancelled."""
    image_id = ""
    api = job.client.api
    with _parent(job):
        for event in engine_events(api, lambda: api.build(**_options(job)), job.check):
            if "error" in event:
                raise job.failed(str(event["error"]))
            image_id = (event.get("aux") or {}).get("ID", image_id)
            for line in str(event.get("stream", "")).splitlines():
                job.line(line)
    if not image_id:
        raise Inconclusive(f"the build of {show(job.dockerfile, 120)} did not produce an image{job.last()}", REPEAT)
    return image_id


@contextmanager
def _parent(job: BuildJob) -> Iterator[None]:
    """Puts the containers of builds into the job's control group; docker-py has no option for it."""
    parameters = cast(dict[str, str], job.client.api.params)
    if job.group.folders:
        parameters["cgroupparent"] = job.group.name
    try:
        yield
    finally:
        parameters.pop("cgroupparent", None)


def _options(job: BuildJob) -> dict[str, Any]:
    memory = job.context.settings.limits.memory
    return {
        "fileobj": job.archive,
        "custom_context": True,
        "dockerfile": job.dockerfile,
        "buildargs": job.arguments,
        "target": job.target,
        "network_mode": job.network,
        "container_limits": {} if job.group.folders else {"memory": memory, "memswap": memory},
        "labels": job.labels,
        "rm": True,
        "forcerm": True,
        "decode": True,
        "use_config_proxy": False,
    }
