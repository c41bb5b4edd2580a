"""Finds the MLflow stores that are meant, and opens them without changing them."""

from __future__ import annotations

import os
import re
from pathlib import Path
from urllib.parse import quote, unquote

from repro_tui.model.errors import Inconclusive
from repro_tui.support.context import Context
from repro_tui.support.regular import open_regular
from repro_tui.support.text import show

_SQLITE = re.compile(r"sqlite:///([^?]+)")
_OPENED = re.compile(r"sqlite:///file:([^?]+)\?mode=ro&uri=true")


def tracking_uri(context: Context) -> str:
    """MLFLOW_TRACKING_URI, else the store in the current folder, with an absolute path.

    Raises Inconclusive if there is none: MLflow itself would create an empty one.
    """
    given = os.environ.get("MLFLOW_TRACKING_URI", "")
    here = context.here.absolute()
    if given:
        return _absolute(given, here, "MLFLOW_TRACKING_URI")
    for name, uri in (("mlflow.db", f"sqlite:///{here}/mlflow.db"), ("mlruns", str(here / "mlruns"))):
        if (here / name).exists():
            return uri
    raise Inconclusive(
        f"MLFLOW_TRACKING_URI is not set, and {here} has neither mlflow.db nor mlruns", "set MLFLOW_TRACKING_URI"
    )


def registry_uri(context: Context) -> str:
    """MLFLOW_REGISTRY_URI with an absolute path; "" if models are registered in the tracking store."""
    given = os.environ.get("MLFLOW_REGISTRY_URI", "")
    return _absolute(given, context.here.absolute(), "MLFLOW_REGISTRY_URI") if given else ""


def _absolute(given: str, here: Path, variable: str) -> str:
    if match := _SQLITE.fullmatch(given):
        return f"sqlite:///{_existing(here / match[1], variable)}"
    return given if "://" in given else str(_existing(here / given.removeprefix("file:"), variable))


def _existing(path: Path, variable: str) -> Path:
    if not path.exists():
        raise Inconclusive(f"{variable} names {show(str(path), 200)}, which does not exist", f"correct {variable}")
    return path


def opened(uri: str) -> str:
    """The URI for the client: a SQLite file is opened read-only, since the client creates missing tables.

    A database in write-ahead mode is not: it cannot be read without its side files.
    """
    match = _SQLITE.fullmatch(uri)
    if not match or _writes_ahead(Path(match[1])):
        return uri
    return f"sqlite:///file:{quote(match[1])}?mode=ro&uri=true"


def database_of(uri: str) -> Path | None:
    """The file of a SQLite store, by its URI or by what `opened` made of it; None for another store."""
    if match := _OPENED.fullmatch(uri):
        return Path(unquote(match[1]))
    match = _SQLITE.fullmatch(uri)
    return Path(match[1]) if match else None


def _writes_ahead(database: Path) -> bool:
    with open_regular(database) as stream:
        return stream.read(20)[18:20] == b"\x02\x02"
