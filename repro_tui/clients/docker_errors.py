"""The only place where what fails between this program and the Docker engine becomes an Inconclusive.

A call of the engine's API can fail in its request, in its answer, or long after, in the middle of a stream; docker-py,
requests, urllib3, http.client and the socket each have errors of their own for that. `EngineCalls` stands before the
client's API, and turns all of them into one error that says what was lost and what to do. What the engine itself
answers, such as that an image does not exist, is not touched here: its callers know what that means.
"""

from __future__ import annotations

import functools
import http.client
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from repro_tui.model.errors import Inconclusive
from repro_tui.support.text import show

# What a call was doing, for messages; the others are requests about an image or a container.
_DURING = {
    "attach": "while the output of a container was read",
    "build": "during the build",
    "create_container": "while a container was created",
    "exec_start": "while the server was queried",
    "export": "while the files of the image were read",
    "get_archive": "while files of a container were read",
    "info": "while the engine's version was read",
    "inspect_container": "while the state of a container was read",
    "inspect_distribution": "while the digest of an image was requested",
    "inspect_image": "while an image was inspected",
    "pull": "during the pull",
    "remove_container": "while a container was removed",
    "start": "while a container was started",
    "stop": "while a container was stopped",
    "version": "while the engine's version was read",
    "wait": "while waiting for a container to end",
}
# Calls in which the engine may copy or remove many gigabytes before it answers: it may be silent for so much longer.
_LONG_CALLS, _LONGER = frozenset({"create_container", "remove_container", "diff"}), 15
ENDING_S = 0.5
CONTINUE = "run the audit again: it continues from the cache"
CUT = f"check that the Docker engine is running, and {CONTINUE}"
STOPPED = f"start the Docker engine again (its log says why it ended: journalctl -u docker), and {CONTINUE}"
SILENT = f"find out what the engine is busy with or waiting for (docker info; journalctl -u docker), and {CONTINUE}"
UNREADABLE = "check that DOCKER_HOST is the socket of a Docker engine, and that its version is still supported"


def lost_connection(address: str, during: str) -> Inconclusive:
    """The error of a connection that ended by itself; it says whether the engine still answers."""
    if _answers(address):
        return Inconclusive(f"the connection to the Docker engine was lost {during}", CUT)
    reason = (
        f"the connection to the Docker engine was lost {during}, and nothing answers at {show(address, 100)} any more"
    )
    return Inconclusive(reason, STOPPED)


def _answers(address: str) -> bool:
    """Whether the engine takes connections; one that is ending does so for a moment more."""
    for wait_s in (0, ENDING_S):
        time.sleep(wait_s)
        try:
            with socket.socket(socket.AF_UNIX) as probe:
                probe.settimeout(1)
                probe.connect(address.removeprefix("unix://"))
        except OSError:
            return False
    return True


@contextmanager
def engine_errors(address: str, during: str) -> Iterator[None]:
    """Turns every error of the connection inside the block into Inconclusive; `during` says what was done.

    It holds nothing but calls of the engine, since an OSError in it counts as one of the connection. What the engine
    answered (docker.errors.DockerException) passes.
    """
    import requests
    import urllib3
    from docker.errors import APIError, DockerException, StreamParseError
    from docker.utils.socket import SocketError

    try:
        yield
    except DockerException as error:
        if isinstance(error.__cause__, requests.ConnectionError | OSError) and not isinstance(error, APIError):
            raise _lost(error, address, during) from error
        raise
    except (requests.Timeout, urllib3.exceptions.TimeoutError, TimeoutError) as error:
        raise Inconclusive(f"the Docker engine was silent for too long {during}", SILENT) from error
    except (requests.ConnectionError, requests.exceptions.ChunkedEncodingError, urllib3.exceptions.HTTPError) as error:
        raise _lost(error, address, during) from error
    except (http.client.HTTPException, SocketError, OSError) as error:
        if isinstance(error, requests.RequestException):  # such as an answer that is not JSON, which is an OSError too
            raise Inconclusive(f"the Docker engine's answer could not be read {during}", UNREADABLE) from error
        raise _lost(error, address, during) from error
    except (StreamParseError, ValueError) as error:
        raise Inconclusive(f"the Docker engine's answer could not be read {during}", UNREADABLE) from error


def _lost(error: Exception, address: str, during: str) -> Inconclusive:
    if "timed out" in str(error).lower():
        return Inconclusive(f"the Docker engine was silent for too long {during}", SILENT)
    return lost_connection(address, during)


class EngineCalls:
    """The engine's API, whose calls and streams raise Inconclusive where the connection fails."""

    def __init__(self, api: Any, address: str) -> None:
        self._api, self._address = api, address

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._api, name)
        return functools.partial(self._called, name, value) if callable(value) else value

    def _called(self, name: str, call: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        during = _DURING.get(name, "during a request")
        with engine_errors(self._address, during), self._patient(name):
            answer = call(*arguments, **options)
        if isinstance(answer, tuple):  # of get_archive: a stream, and what it holds
            return tuple(self._followed(item, during) for item in answer)
        return self._followed(answer, during)

    def _followed(self, answer: Any, during: str) -> Any:
        return EngineStream(answer, self._address, during) if isinstance(answer, Iterator) else answer

    @contextmanager
    def _patient(self, name: str) -> Iterator[None]:
        """Lets a call take longer that has much to do before it answers."""
        if name not in _LONG_CALLS:
            yield
            return
        usual = self._api.timeout
        self._api.timeout = usual * _LONGER
        try:
            yield
        finally:
            self._api.timeout = usual


class EngineStream:
    """What a call of the engine streams; see EngineCalls."""

    def __init__(self, stream: Iterator[Any], address: str, during: str) -> None:
        self._stream, self._address, self._during = stream, address, during

    def __iter__(self) -> EngineStream:
        return self

    def __next__(self) -> Any:
        with engine_errors(self._address, self._during):
            try:
                return next(self._stream)
            except StopIteration:
                pass
        raise StopIteration

    def close(self) -> None:
        """Ends the stream, if it can be ended."""
        if close := getattr(self._stream, "close", None):
            close()
