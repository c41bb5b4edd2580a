"""Reads an MLflow server or file store by MLflow's own client, in the child process. Servers of 2.x answer it too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from repro_tui.clients.answers import DescribedRun, LoggedDataset, LoggedModel, ModelVersion

if TYPE_CHECKING:
    from mlflow.entities import Run
    from mlflow.entities.model_registry import ModelVersion as LibraryVersion


class MlflowReader(Protocol):
    """What is read of a tracking store or a model registry. Each method raises an error for what is not there."""

    def run(self, run_id: str) -> DescribedRun:
        """A run, also one that was deleted and not yet purged."""
        ...

    def logged_model(self, model_id: str) -> LoggedModel:
        """A logged model of MLflow 3."""
        ...

    def version(self, name: str, number: str) -> ModelVersion:
        """One version of a registered model."""
        ...

    def aliased(self, name: str, alias: str) -> ModelVersion:
        """The version of a registered model that has this alias."""
        ...

    def newest(self, name: str) -> list[ModelVersion]:
        """The newest version of each stage of a registered model."""
        ...


class MlflowLibrary:
    """A store that MLflow's client reads, by its URI."""

    def __init__(self, uri: str) -> None:
        from mlflow import MlflowClient

        self._client = MlflowClient(tracking_uri=uri, registry_uri=uri)

    def run(self, run_id: str) -> DescribedRun:
        """A run, also one that was deleted and not yet purged."""
        run = self._client.get_run(run_id)
        outputs = getattr(getattr(run, "outputs", None), "model_outputs", None) or []
        return {
            "id": run.info.run_id,
            "name": run.info.run_name or "",
            "status": run.info.status,
            "start": run.info.start_time,
            "end": run.info.end_time,
            "params": dict(run.data.params),
            "metrics": dict(run.data.metrics),
            "tags": dict(run.data.tags),
            "datasets": _datasets(run),
            "models": [output.model_id for output in outputs],
            "artifacts": str(run.info.artifact_uri or ""),
            "deleted": run.info.lifecycle_stage == "deleted",
        }

    def logged_model(self, model_id: str) -> LoggedModel:
        """A logged model of MLflow 3. One that was deleted is not found."""
        model = self._client.get_logged_model(model_id)
        return {
            "id": model_id,
            "name": model.name,
            "location": str(model.artifact_location),
            "run": str(model.source_run_id or ""),
            "deleted": False,
        }

    def version(self, name: str, number: str) -> ModelVersion:
        """One version of a registered model."""
        return self._version(self._client.get_model_version(name, number))

    def aliased(self, name: str, alias: str) -> ModelVersion:
        """The version of a registered model that has this alias."""
        return self._version(self._client.get_model_version_by_alias(name, alias))

    def newest(self, name: str) -> list[ModelVersion]:
        """The newest version of each stage of a registered model."""
        return [self._version(version) for version in self._client.get_latest_versions(name)]

    def _version(self, version: LibraryVersion) -> ModelVersion:
        source = str(version.source or "")
        logged = source.startswith("models:/m-")
        return {
            "name": version.name,
            "version": str(version.version),
            "aliases": list(getattr(version, "aliases", None) or []),
            "stage": str(version.current_stage or "None"),
            "source": source,
            "location": ""
            if logged
            else str(self._client.get_model_version_download_uri(version.name, str(version.version))),
            "run": str(version.run_id or ""),
        }


def _datasets(run: Run) -> list[LoggedDataset]:
    datasets: list[LoggedDataset] = []
    for entry in getattr(run.inputs, "dataset_inputs", None) or []:
        context = next((tag.value for tag in entry.tags if tag.key == "mlflow.data.context"), "")
        data = entry.dataset
        datasets.append(
            {
                "name": data.name,
                "digest": data.digest,
                "type": data.source_type,
                "source": data.source,
                "schema": data.schema,
                "context": context,
            }
        )
    return datasets
