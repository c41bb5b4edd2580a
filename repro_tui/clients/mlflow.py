"""MLflow's client in a child process, with the user's own variables and a time limit."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from configparser import ConfigParser
from configparser import Error as ConfigParserError
from pathlib import Path
from typing import cast
from urllib.parse import unquote

from repro_tui.clients.answers import MlflowAnswer
from repro_tui.clients.client_child import ClientChild, must_answer, standing_folder
from repro_tui.clients.mlflow_stores import opened, registry_uri, tracking_uri
from repro_tui.support.context import Context
from repro_tui.support.hashes import digest_text
from repro_tui.support.paths import import_root
from repro_tui.support.redact import is_secret_name, strip_url
from repro_tui.support.text import show
from repro_tui.support.urls import split_url

# Downloading a large model may take hours; a server that hangs is detected sooner.
TIMEOUT_S = {"describe": 120.0, "fetch": 6 * 3600.0}
SECRETS = ("MLFLOW_TRACKING_USERNAME",)
STORES_OF_SECRETS = ("MLFLOW_", "AWS_", "AZURE_", "GOOGLE_")
DO = "check the address in MLFLOW_TRACKING_URI, that its server is running, and that it has this run or model"


def ask_mlflow(command: str, subject: str, folder: Path, context: Context) -> MlflowAnswer:
    """The answer of clients.mlflow_child to a command (`describe` or `fetch`).

    Raises Inconclusive if MLflow does not answer or reports an error.
    """
    _learn_secrets(context)
    client = ClientChild(f"MLflow at {where(context)}", DO, TIMEOUT_S[command])
    must_answer(tracking_uri(context), "MLFLOW_TRACKING_URI", client)
    with standing_folder(context) as standing:
        arguments = ("repro_tui.clients.mlflow_child", command, subject, str(folder))
        return cast(MlflowAnswer, client.answer(arguments, _environment(context, standing), standing, context))


def _learn_secrets(context: Context) -> None:
    """Registers what must be hidden: tokens and passwords in the stores' variables and inside their URIs."""
    for name, value in os.environ.items():
        if name in SECRETS or (name.startswith(STORES_OF_SECRETS) and is_secret_name(name)):
            context.redactor.learn(value)
    for value in _credentials_file():
        context.redactor.learn(value)
    for uri in filter(None, (tracking_uri(context), registry_uri(context))):
        if "@" in uri:
            context.redactor.learn(unquote(split_url(uri).password or ""))


def _credentials_file() -> Iterator[str]:
    """The user and the password of ~/.mlflow/credentials, which MLflow's client reads by itself."""
    parser = ConfigParser(interpolation=None)
    with contextlib.suppress(OSError, ConfigParserError, UnicodeDecodeError, RuntimeError):
        parser.read(Path("~/.mlflow/credentials").expanduser(), "utf-8")
    for section in parser.sections():
        yield from parser[section].values()


def where(context: Context) -> str:
    """The tracking store, safe to show."""
    uri = tracking_uri(context)
    return show(strip_url(uri) if "@" in uri or uri.startswith("http") else uri, 200)


def remember_artifact(uri: str, location: str, context: Context) -> None:
    """Remembers where a model's files are, which MLflow never moves.

    A local path that a server claims is not remembered: it would be a path on the server's machine.
    """
    if location.startswith(("/", "file:///")) and not tracking_uri(context).startswith("http"):
        context.cache.write_note("mlflow", _artifact_key(uri, context), {"location": location})


def local_artifact(uri: str, context: Context) -> Path | None:
    """The local path of an artifact, where it is known, so that no client is needed to read it; else None."""
    note = context.cache.read_note("mlflow", _artifact_key(uri, context))
    if not isinstance(note, dict):
        return None
    location = str(note["location"])
    path = Path(unquote(location.removeprefix("file://")) if location.startswith("file://") else location)
    return path if path.exists() else None


def _artifact_key(uri: str, context: Context) -> str:
    return digest_text(tracking_uri(context), registry_uri(context), uri)


def _environment(context: Context, standing: Path) -> dict[str, str]:
    """The user's own variables, which the client may need for its stores, plus settings for little output and short
    timeouts."""
    registry = registry_uri(context)
    return (
        os.environ
        | ({"MLFLOW_REGISTRY_URI": opened(registry)} if registry else {})
        | {
            "MLFLOW_TRACKING_URI": opened(tracking_uri(context)),
            "MLFLOW_ALLOW_FILE_STORE": "true",
            "MLFLOW_HTTP_REQUEST_TIMEOUT": os.environ.get("MLFLOW_HTTP_REQUEST_TIMEOUT", "20"),
            "MLFLOW_HTTP_REQUEST_MAX_RETRIES": os.environ.get("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1"),
            "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "DO_NOT_TRACK": "1",
            "GIT_PYTHON_REFRESH": "quiet",
            "TMPDIR": str(standing),
            "PYTHONPATH": str(import_root()),
            "PYTHONWARNINGS": "ignore",
        }
    )
