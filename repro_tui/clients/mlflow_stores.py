"""Which of MLflow's stores is meant, and how to open it without changing it."""

from __future__ import annotations

import os
import re
from pathlib import Path
from urllib.parse import quote

from repro_tui.model.errors import Inconclusive
from repro_tui.support.context import Context
from repro_tui.support.text import show

_SQLITE = re.compile(r"sqlite:///([^?]+)")


def tracking_uri(context: Context) -> str:
    """MLFLOW_TRACKING_URI, or the store beside the user, with its path made absolute.

    Raises Inconclusive where there is none: MLflow itself would make an empty one.
    """
    given = os.environ.get("MLFLOW_TRACKING_URI", "")
    here = context.here.absolute()
    if given:
        return _absolute(given, here, "MLFLOW_TRACKING_URI")
    for name, uri in (("mlflow.db", f"sqlite:///{here}/mlflow.db"), ("mlruns", str(here / "mlruns"))):
        if (here / name).exists():
            return uri
    raise Inconclusive(f"MLFLOW_TRACKING_URI is not set, and {here} has no mlflow.db and no mlruns", "set it")


def registry_uri(context: Context) -> str:
    """MLFLOW_REGISTRY_URI with its path made absolute; "" where models are registered in the tracking store."""
    given = os.environ.get("MLFLOW_REGISTRY_URI", "")
    return _absolute(given, context.here.absolute(), "MLFLOW_REGISTRY_URI") if given else ""


def _absolute(given: str, here: Path, variable: str) -> str:
    if found := _SQLITE.fullmatch(given):
        return f"sqlite:///{_there(here / found[1], variable)}"
    return given if "://" in given else str(_there(here / given.removeprefix("file:"), variable))


def _there(path: Path, variable: str) -> Path:
    if not path.exists():
        raise Inconclusive(f"{variable} names {show(str(path), 200)}, which does not exist", "correct it")
    return path


def opened(uri: str) -> str:
    """The URI as the client gets it: a database file read-only, since the client makes tables where it finds none.

    One in write-ahead mode is left as it is: that cannot be read without its side files.
    """
    found = _SQLITE.fullmatch(uri)
    if not found or _writes_ahead(Path(found[1])):
        return uri
    return f"sqlite:///file:{quote(found[1])}?mode=ro&uri=true"


def _writes_ahead(database: Path) -> bool:
    with database.open("rb") as stream:
        return stream.read(20)[18:20] == b"\x02\x02"
