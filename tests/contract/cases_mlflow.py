"""A registered model in a database, whose run has a secret among its parameters."""

from __future__ import annotations

import contextlib
import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.contract.case import CANARY, SourceCase
from tests.systems.mlflow.stores import own_database
from tests.templates import Templates

SECRET = """\
INSERT INTO params (key, value, run_uuid)
SELECT 'api_key', ?, run_id FROM model_versions WHERE name = 'house' AND version = 1
"""


def build_case(folder: Path, templates: Templates) -> Iterator[SourceCase]:
    store = own_database(templates, folder / "mlflow")
    with contextlib.closing(sqlite3.connect(store.folder / "mlflow.db")) as connection, connection:
        assert connection.execute(SECRET, (CANARY,)).rowcount == 1
    yield SourceCase(
        "models:/house/1",
        store.folder,
        ("models:/house/99", "models:/nobody@x", "runs:/" + "0" * 32, "runs:/../x", "models:/-x"),
        {"MLFLOW_TRACKING_URI": store.uri},
        frozenset({Path(sys.executable).name}),
    )
