"""Reads an MLflow database by its tables, whatever version of MLflow made it: 1.30, 2.9, 2.22 or 3.

MLflow's own client reads only databases of its own version, and would migrate others. The tables of runs, parameters,
metrics, tags, models and datasets have kept their names since MLflow 1; those that came later (aliases and datasets
with 2, logged models with 3) are empty where a database lacks them. The database is opened read-only.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from functools import cached_property
from pathlib import Path
from urllib.parse import quote

from repro_tui.clients.answers import DescribedRun, LoggedDataset, LoggedModel, ModelVersion
from repro_tui.support.urls import split_url

BUSY_S = 20.0
_RUN = "SELECT * FROM runs WHERE run_uuid = ?"
_PAIRS = {
    "params": "SELECT key, value FROM params WHERE run_uuid = ?",
    "tags": "SELECT key, value FROM tags WHERE run_uuid = ?",
    "latest_metrics": "SELECT key, CASE WHEN is_nan THEN 'nan' ELSE value END FROM latest_metrics WHERE run_uuid = ?",
}
_DATASETS = """\
SELECT d.*, t.value AS context FROM inputs i JOIN datasets d ON d.dataset_uuid = i.source_id
LEFT JOIN input_tags t ON t.input_uuid = i.input_uuid AND t.name = 'mlflow.data.context'
WHERE i.source_type = 'DATASET' AND i.destination_type = 'RUN' AND i.destination_id = ?
"""
_OUTPUTS = """\
SELECT destination_id FROM inputs
WHERE source_type = 'RUN_OUTPUT' AND source_id = ? AND destination_type = 'MODEL_OUTPUT'
"""


class MlflowTables:
    """An MLflow database in a file. Raises ValueError for what it does not hold, and sqlite3.Error."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self._connection = sqlite3.connect(f"file:{quote(str(file))}?mode=ro", uri=True, timeout=BUSY_S)
        self._connection.row_factory = sqlite3.Row
        self._connection.text_factory = lambda raw: raw.decode("utf-8", "replace")
        self._connection.execute("PRAGMA trusted_schema = OFF")

    @cached_property
    def _columns(self) -> dict[str, list[str]]:
        names = [row[0] for row in self._rows("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {name: [row[0] for row in self._rows("SELECT name FROM pragma_table_info(?)", name)] for name in names}

    @property
    def revision(self) -> str:
        """The version of the tables as MLflow numbers it; "" where the database has no MLflow tables."""
        if not {"runs", "alembic_version"} <= self._columns.keys():
            return ""
        return next((str(row[0]) for row in self._rows("SELECT version_num FROM alembic_version")), "")

    def run(self, run_id: str) -> DescribedRun:
        """A run, also one that was deleted and not yet purged."""
        row = next(self._rows(_RUN, run_id), None)
        if row is None:
            raise ValueError(f"Run with id={run_id} not found")
        tags = self._pairs("tags", run_id)
        name = row["name"] or tags.get("mlflow.runName", "")  # a tag until 1.30
        return {
            "id": run_id,
            "name": str(name),
            "status": str(row["status"]),
            "start": row["start_time"],
            "end": row["end_time"],
            "params": self._pairs("params", run_id),
            "metrics": {key: float(value) for key, value in self._pairs("latest_metrics", run_id).items()},
            "tags": tags,
            "datasets": list(self._datasets(run_id)),
            "models": [str(output[0]) for output in self._rows(_OUTPUTS, run_id)] if self._has("logged_models") else [],
            "artifacts": self._absolute(str(row["artifact_uri"] or "")),
            "deleted": row["lifecycle_stage"] == "deleted",
        }

    def _datasets(self, run_id: str) -> Iterator[LoggedDataset]:
        for row in self._rows(_DATASETS, run_id) if self._has("datasets", "inputs", "input_tags") else ():
            yield {
                "name": str(row["name"]),
                "digest": str(row["digest"]),
                "type": str(row["dataset_source_type"]),
                "source": str(row["dataset_source"]),
                "schema": str(row["dataset_schema"] or ""),
                "context": str(row["context"] or ""),
            }

    def logged_model(self, model_id: str) -> LoggedModel:
        """A logged model of MLflow 3."""
        query = "SELECT * FROM logged_models WHERE model_id = ?"
        row = next(self._rows(query, model_id), None) if self._has("logged_models") else None
        if row is None:
            raise ValueError(f"Logged model with ID '{model_id}' not found")
        return {
            "id": model_id,
            "name": str(row["name"]),
            "location": self._absolute(str(row["artifact_location"])),
            "run": str(row["source_run_id"] or ""),
            "deleted": row["lifecycle_stage"] == "deleted",
        }

    def version(self, name: str, number: str) -> ModelVersion:
        """One version of a registered model."""
        version = next((row for row in self._versions(name) if row["version"] == number), None)
        if version is None:
            raise ValueError(f"Model Version (name={name}, version={number}) not found")
        return version

    def aliased(self, name: str, alias: str) -> ModelVersion:
        """The version of a registered model that has this alias."""
        version = next((row for row in self._versions(name) if alias in row["aliases"]), None)
        if version is None:
            raise ValueError(f"Registered model alias {alias} not found for {name}")
        return version

    def newest(self, name: str) -> list[ModelVersion]:
        """The newest version of each stage of a registered model."""
        stages = {version["stage"]: version for version in self._versions(name)}
        if not stages:
            raise ValueError(f"Registered Model with name={name} not found")
        return list(stages.values())

    def _versions(self, name: str) -> list[ModelVersion]:
        """The versions of a model that were not deleted, the oldest first."""
        where = " AND workspace = 'default'" if "workspace" in self._columns.get("model_versions", ()) else ""
        rows = self._rows(f"SELECT * FROM model_versions WHERE name = ?{where} ORDER BY version", name)  # noqa: S608
        return [self._version(row) for row in rows if row["current_stage"] != "Deleted_Internal"]

    def _version(self, row: sqlite3.Row) -> ModelVersion:
        location = row["storage_location"] if "storage_location" in row.keys() else ""  # noqa: SIM118 - a sqlite row
        return {
            "name": str(row["name"]),
            "version": str(row["version"]),
            "aliases": self._aliases(str(row["name"]), row["version"]),
            "stage": str(row["current_stage"] or "None"),
            "source": str(row["source"] or ""),
            "location": self._absolute(str(location or row["source"] or "")),
            "run": str(row["run_id"] or ""),
        }

    def _aliases(self, name: str, version: int) -> list[str]:
        query = "SELECT alias FROM registered_model_aliases WHERE name = ? AND version = ? ORDER BY alias"
        has = self._has("registered_model_aliases")
        return [str(row[0]) for row in self._rows(query, name, version)] if has else []

    def _absolute(self, location: str) -> str:
        """A location as a URL or an absolute path: MLflow 1 recorded paths relative to the folder that it ran in."""
        if not location or split_url(location).scheme or location.startswith("/"):
            return location
        return str((self.file.parent / location).absolute())

    def _pairs(self, table: str, run_id: str) -> dict[str, str]:
        return {str(row[0]): str(row[1]) for row in self._rows(_PAIRS[table], run_id)}

    def _has(self, *tables: str) -> bool:
        return set(tables) <= self._columns.keys()

    def _rows(self, query: str, *values: object) -> Iterator[sqlite3.Row]:
        with closing(self._connection.execute(query, values)) as cursor:
            yield from cursor
