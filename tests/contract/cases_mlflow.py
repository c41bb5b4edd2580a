"""A registered model in a database, whose run has a secret among its parameters."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.contract.case import CANARY, Case
from tests.mlflow_store.test_mlflow import made_store
from tests.templates import Templates

SECRET = f"""\
import mlflow
client = mlflow.MlflowClient()
client.log_param(client.get_model_version("house", "1").run_id, "api_key", "{CANARY}")
"""


def make(folder: Path, templates: Templates) -> Iterator[Case]:
    store = made_store(f"sqlite:///{folder}/mlflow.db", folder)
    words = [sys.executable, "-W", "ignore", "-c", SECRET]
    subprocess.run(words, check=True, cwd=folder, env=os.environ | {"MLFLOW_TRACKING_URI": store.uri})
    yield Case(
        "models:/house/1",
        folder,
        ("models:/house/99", "models:/nobody@x", "runs:/" + "0" * 32, "runs:/../x", "models:/-x"),
        {"MLFLOW_TRACKING_URI": store.uri},
        frozenset({Path(sys.executable).name}),
    )
