"""Long calls of the engine's API whose events can be waited for, and which can be stopped while they are silent."""

from __future__ import annotations

import contextlib
import queue
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from repro_tui.model.errors import Inconclusive

if TYPE_CHECKING:
    from docker.api.client import APIClient

POLL_S = 0.2
LOST = "check that the Docker engine is running, and run the audit again"


def engine_events(
    api: APIClient, call: Callable[[], Iterable[Any]], check: Callable[[], None], during: str
) -> Iterator[dict[str, Any]]:
    """The events of a call, such as a build; `during` names it in the error of a lost connection.

    `check` is called several times a second; where it raises an error, the connection is closed, and the engine stops
    what it was asked for. Raises Inconclusive where the connection is lost.
    """
    reader = _EventReader(api, call, during)
    reader.start()
    try:
        while True:
            check()
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


class _EventReader(threading.Thread):
    def __init__(self, api: APIClient, call: Callable[[], Iterable[Any]], during: str) -> None:
        super().__init__(daemon=True, name="engine-events")
        self.error: Exception | None = None
        self.events: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self._api, self._call, self._during = api, call, during
        self._responses: list[Any] = []

    def run(self) -> None:
        """Reads until the call or the connection ends; None is the last event."""
        import requests
        import urllib3
        from docker.errors import DockerException

        self._api.hooks["response"].append(self._keep)
        try:
            for event in self._call():
                self.events.put(event)
        except (requests.ConnectionError, requests.exceptions.ChunkedEncodingError, urllib3.exceptions.HTTPError):
            self.error = Inconclusive(f"the connection to the Docker engine was lost during {self._during}", LOST)
        except (DockerException, requests.RequestException, OSError, ValueError) as error:
            self.error = error
        finally:
            self._api.hooks["response"].remove(self._keep)
            self.events.put(None)

    def _keep(self, response: Any, *_: object, **__: object) -> None:
        self._responses.append(response)

    def stop(self) -> None:
        """Closes the connection of a call that is still running."""
        for response in self._responses if self.is_alive() else ():
            with contextlib.suppress(OSError, AttributeError):
                response.raw.connection.sock.shutdown(socket.SHUT_RDWR)
        self.join(5)
