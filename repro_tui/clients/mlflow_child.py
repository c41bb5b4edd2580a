"""Queries MLflow in a child process: `python -m repro_tui.clients.mlflow_child describe REFERENCE FOLDER` or
`… fetch URI FOLDER`.

The client keeps global state, reads many variables and may leave files in its working directory, which is harmless in
a child process. The answer is one line of JSON. A model is never loaded: its files are only copied.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from repro_tui.clients.child_answer import answer_command, plain_error

if TYPE_CHECKING:
    from mlflow import MlflowClient

    from repro_tui.clients.answers import DescribedRun, LoggedDataset, MlflowAnswer

SMALL = (
    *("MLmodel", "requirements.txt", "python_env.yaml", "conda.yaml"),
    *("input_example.json", "serving_input_example.json"),
)
LARGEST = 16 << 20


def main() -> int:
    """Runs one command and prints its answer."""
    return answer_command("mlflow", describe, fetch, _error_answer)


def _error_answer(error: Exception) -> dict[str, str]:
    answer = plain_error(error)
    if "readonly database" in answer["error"]:
        reason = (
            "the database has no MLflow tables, or those of an older version: it was opened read-only and not changed"
        )
        do = "if it is an older MLflow database, run  mlflow db upgrade  on it; else correct MLFLOW_TRACKING_URI"
        return {"error": reason, "do": do}
    return answer


def describe(reference: str, folder: Path) -> MlflowAnswer:
    """What MLflow records about a run or a model; the model's small files are copied into `folder`."""
    from mlflow import MlflowClient

    client = MlflowClient()
    description: MlflowAnswer = {"model": "", "registered": {}}
    run_id = _resolve(client, reference, description)
    if run_id:
        description["run"] = _run(client, run_id)
    description["model"] = description["model"] or _model_of(client, description.get("run"), reference)
    description["location"] = _location(client, description["model"]) if description["model"] else ""
    description["files"] = _small_files(description["location"], folder) if description["model"] else []
    return description


def _resolve(client: MlflowClient, reference: str, description: MlflowAnswer) -> str:
    """The id of the run that a reference names ("" for none); its model is added to `description`."""
    kind, _, rest = reference.partition(":/")
    rest = rest.lstrip("/")
    if kind == "runs":
        run_id, _, path = rest.partition("/")
        description["model"] = f"runs:/{run_id}/{path}" if path else ""
        return run_id
    if rest.startswith("m-") and "/" not in rest:
        description["model"] = f"models:/{rest}"
        return str(client.get_logged_model(rest).source_run_id or "")
    name, at, alias = rest.partition("@")
    if at:
        version = client.get_model_version_by_alias(name, alias)
    else:
        name, _, number = rest.rpartition("/")
        version = client.get_model_version(name, number)
    description["registered"] = {
        "name": version.name,
        "version": str(version.version),
        "aliases": list(version.aliases),
    }
    logged = str(version.source).startswith("models:/m-")
    description["model"] = str(version.source) if logged else f"models:/{version.name}/{version.version}"
    return str(version.run_id or "")


def _run(client: MlflowClient, run_id: str) -> DescribedRun:
    run = client.get_run(run_id)
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
        "datasets": datasets,
        "models": [output.model_id for output in outputs],
    }


def _model_of(client: MlflowClient, run: DescribedRun | None, reference: str) -> str:
    """The one model of a run: a logged model (MLflow 3), else an artifact folder that the run names (MLflow 2)."""
    if run is None:
        return ""
    models = [f"models:/{model}" for model in run["models"]]
    if not models:
        history = json.loads(run["tags"].get("mlflow.log-model.history", "[]"))
        models = [f"runs:/{run['id']}/{entry['artifact_path']}" for entry in history]
    if len(set(models)) > 1:
        raise ValueError(f"the run has {len(set(models))} models: name one of {', '.join(sorted(set(models)))}")
    return models[0] if models else ""


def _location(client: MlflowClient, model: str) -> str:
    """Where the model's files are: a model's own URI cannot name a single file."""
    rest = model.removeprefix("models:/")
    if rest == model:
        return model
    if "/" not in rest:
        return str(client.get_logged_model(rest).artifact_location)
    return str(client.get_model_version_download_uri(*rest.rsplit("/", 1)))


def _small_files(model: str, folder: Path) -> list[str]:
    from mlflow.artifacts import download_artifacts, list_artifacts

    entries = list_artifacts(artifact_uri=model) or []
    names = {entry.path.rpartition("/")[2]: entry for entry in entries if not entry.is_dir}
    kept = [name for name in SMALL if name in names and (names[name].file_size or 0) <= LARGEST]
    for name in kept:
        _copy_file(Path(download_artifacts(artifact_uri=f"{model.rstrip('/')}/{name}")), folder / name)
    return kept


def _copy_file(path: Path, target: Path) -> None:
    """Copies a regular file: a link among the artifacts could point to any file on this machine."""
    if path.is_symlink() or not path.is_file():
        raise ValueError(f"{path.name} is a link or a special file")
    shutil.copyfile(path, target)


def fetch(uri: str, folder: Path) -> MlflowAnswer:
    """Copies an artifact, a file or a folder, to `folder`/content."""
    from mlflow.artifacts import download_artifacts

    if not re.match(r"(runs|models|mlflow-artifacts):/", uri):
        raise ValueError(f"{uri[:100]} is not the URI of an MLflow artifact")
    downloaded = Path(download_artifacts(artifact_uri=uri))
    target = folder / "content"
    if downloaded.is_dir() and not downloaded.is_symlink():
        shutil.copytree(downloaded, target, symlinks=True)  # links are kept as links, and refused by the caller
    else:
        _copy_file(downloaded, target)
    return {"content": str(target)}


if __name__ == "__main__":
    sys.exit(main())
