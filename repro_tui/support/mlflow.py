"""MLflow's client behind a process of its own, with the user's own variables and a limit of time."""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path
from typing import Any

from repro_tui.model.errors import Inconclusive
from repro_tui.support import process
from repro_tui.support.cache import remove_tree
from repro_tui.support.context import Context
from repro_tui.support.redact import strip_url, strip_urls
from repro_tui.support.text import show

TIMEOUT_S = 120.0
SECRETS = ("MLFLOW_TRACKING_TOKEN", "MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_USERNAME")
DO = "see that the tracking server of MLFLOW_TRACKING_URI answers and has it"


def ask_mlflow(what: str, subject: str, folder: Path, context: Context) -> dict[str, Any]:
    """The answer of support.mlflow_child. Raises Inconclusive where MLflow does not answer, or says no."""
    for name in SECRETS:
        context.redactor.learn(os.environ.get(name, ""))
    standing = context.cache.temporary()
    standing.mkdir(parents=True)
    try:
        done = process.run(
            [sys.executable, "-m", "repro_tui.support.mlflow_child", what, subject, str(folder)],
            environment=_environment(context, standing),
            cancel=context.cancel,
            folder=standing,
            timeout_s=TIMEOUT_S,
            keep=16 << 20,
        )
    finally:
        remove_tree(standing)
    if done.timed_out:
        raise Inconclusive(f"MLflow at {where(context)} did not answer within {TIMEOUT_S:g} s", DO)
    answer = _answer(done.text)
    if "error" in answer:
        words = show(context.redactor.scrub(strip_urls(str(answer["error"]))), 400)
        raise Inconclusive(f"MLflow at {where(context)}: {words}", str(answer.get("do") or DO))
    return answer


def _answer(text: str) -> dict[str, Any]:
    last = text.strip().rpartition("\n")[2]
    try:
        answer = json.loads(last)
    except ValueError:
        answer = None
    return answer if isinstance(answer, dict) else {"error": f"its client ended with: {last}"}


def where(context: Context) -> str:
    """The tracking store as it may be shown."""
    return show(strip_url(tracking_uri(context)) if "@" in tracking_uri(context) else tracking_uri(context), 200)


def tracking_uri(context: Context) -> str:
    """MLFLOW_TRACKING_URI, or the store beside the user, with its path made absolute.

    Raises Inconclusive where there is none: MLflow itself would make an empty one.
    """
    given = os.environ.get("MLFLOW_TRACKING_URI", "")
    here = context.here.absolute()
    if not given:
        for name, uri in (("mlflow.db", f"sqlite:///{here}/mlflow.db"), ("mlruns", str(here / "mlruns"))):
            if (here / name).exists():
                return uri
        raise Inconclusive(f"MLFLOW_TRACKING_URI is not set, and {here} has no mlflow.db and no mlruns", "set it")
    if found := re.fullmatch(r"sqlite:///(.+)", given):
        return f"sqlite:///{_there(here / found[1])}"
    return given if "://" in given else str(_there(here / given.removeprefix("file:")))


def _there(path: Path) -> Path:
    if not path.exists():
        raise Inconclusive(f"MLFLOW_TRACKING_URI names {show(str(path), 200)}, which does not exist", "correct it")
    return path


def _environment(context: Context, standing: Path) -> dict[str, str]:
    """The user's own, which the client may need for its stores, and what keeps it quiet and quick to give up."""
    import repro_tui

    return os.environ | {
        "MLFLOW_TRACKING_URI": tracking_uri(context),
        "MLFLOW_ALLOW_FILE_STORE": "true",
        "MLFLOW_HTTP_REQUEST_TIMEOUT": os.environ.get("MLFLOW_HTTP_REQUEST_TIMEOUT", "20"),
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": os.environ.get("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1"),
        "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "DO_NOT_TRACK": "1",
        "GIT_PYTHON_REFRESH": "quiet",
        "TMPDIR": str(standing),
        "PYTHONPATH": str(Path(repro_tui.__file__).parent.parent),
        "PYTHONWARNINGS": "ignore",
    }
