"""Builds with the classic builder, by the engine's own API."""

from __future__ import annotations

import contextlib
import queue
import socket
import threading
from collections.abc import Iterator
from typing import Any

from repro_tui.clients.docker_engine import CUT
from repro_tui.model.errors import Inconclusive
from repro_tui.rebuild.environments.dockerfiles.job import REPEAT, BuildJob
from repro_tui.support.text import show

POLL_S = 0.2


def build_classic(job: BuildJob) -> str:
    """Builds a job; returns the id of the image. Raises Inconclusive where the build fails, and Cancelled."""
    image_id = ""
    for event in _events(job):
        if "error" in event:
            raise job.failed(str(event["error"]))
        image_id = (event.get("aux") or {}).get("ID", image_id)
        for line in str(event.get("stream", "")).splitlines():
            job.line(line)
    if not image_id:
        raise Inconclusive(f"the build of {show(job.dockerfile, 120)} did not produce an image{job.last()}", REPEAT)
    return image_id


def _events(job: BuildJob) -> Iterator[dict[str, Any]]:
    """The events of the build. A thread waits for them, so that a silent build can be stopped at any time."""
    reader = _Reader(job)
    reader.start()
    try:
        while True:
            job.check()
            try:
                event = reader.events.get(timeout=POLL_S)
            except queue.Empty:
                continue
            if event is None:
                break
            yield event
    finally:
        reader.stop()
    if reader.error is not None:
        raise reader.error


class _Reader(threading.Thread):
    """Reads the events of a build; the engine stops the build when the connection is closed."""

    def __init__(self, job: BuildJob) -> None:
        super().__init__(daemon=True, name="build-events")
        self.job = job
        self.error: Exception | None = None
        self.events: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self._responses: list[Any] = []

    def run(self) -> None:
        """Reads until the build or the connection ends; None is the last event."""
        import requests
        import urllib3
        from docker.errors import DockerException

        api = self.job.client.api
        api.hooks["response"].append(self._keep)
        try:
            for event in api.build(**self._options()):
                self.events.put(event)
        except (requests.ConnectionError, requests.exceptions.ChunkedEncodingError, urllib3.exceptions.HTTPError):
            self.error = Inconclusive("the connection to the Docker engine was lost during the build", CUT)
        except (DockerException, requests.RequestException, OSError, ValueError) as error:
            self.error = error
        finally:
            api.hooks["response"].remove(self._keep)
            self.events.put(None)

    def _options(self) -> dict[str, Any]:
        job = self.job
        memory = job.context.settings.limits.memory
        return {
            "fileobj": job.archive,
            "custom_context": True,
            "dockerfile": job.dockerfile,
            "buildargs": job.arguments,
            "target": job.target,
            "network_mode": job.network,
            "container_limits": {"memory": memory, "memswap": memory},
            "labels": job.labels,
            "rm": True,
            "forcerm": True,
            "decode": True,
            "use_config_proxy": False,
        }

    def _keep(self, response: Any, *_: object, **__: object) -> None:
        self._responses.append(response)

    def stop(self) -> None:
        """Closes the connection of a build that is still running."""
        for response in self._responses if self.is_alive() else ():
            with contextlib.suppress(OSError, AttributeError):
                response.raw.connection.sock.shutdown(socket.SHUT_RDWR)
        self.join(5)
