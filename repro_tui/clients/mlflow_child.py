"""Asks MLflow in a process of its own: `python -m repro_tui.clients.mlflow_child describe REFERENCE FOLDER` or
`… fetch URI FOLDER`.

The client keeps global state, reads many variables and may leave files where it stands: here it can do all that. What
it says is one line of JSON; a model is never loaded, its files are only copied.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
from pathlib import Path
from typing import Any

SMALL = (
    *("MLmodel", "requirements.txt", "python_env.yaml", "conda.yaml"),
    *("input_example.json", "serving_input_example.json"),
)
LARGEST = 16 << 20


def main() -> int:
    """Answers one question."""
    what, subject, folder = sys.argv[1:4]
    try:
        answer = describe(subject, Path(folder)) if what == "describe" else fetch(subject, Path(folder))
    except ImportError as error:
        answer = {"error": f"{error.name} is not installed", "do": "pip install 'repro-tui[mlflow]'"}
    except Exception as error:  # noqa: BLE001 - the client raises whatever its back ends do
        answer = _told(error)
    print(json.dumps(answer, default=str))
    return 1 if "error" in answer else 0


def _told(error: Exception) -> dict[str, str]:
    words = " ".join(str(error).split())[:500] or type(error).__name__
    if "readonly database" in words:
        what = "the database is not one of MLflow's, or not whole: it was opened read-only, and nothing was written"
        return {"error": what, "do": "correct MLFLOW_TRACKING_URI"}
    return {"error": words}


def describe(reference: str, folder: Path) -> dict[str, Any]:
    """What MLflow knows of a run or a model; the model's small files are copied into `folder`."""
    from mlflow import MlflowClient

    client = MlflowClient()
    told: dict[str, Any] = {"model": "", "registered": {}}
    run_id = _resolve(client, reference, told)
    if run_id:
        told["run"] = _run(client, run_id)
    told["model"] = told["model"] or _model_of(client, told.get("run"), reference)
    told["location"] = _location(client, told["model"]) if told["model"] else ""
    told["files"] = _small_files(told["location"], folder) if told["model"] else []
    return told


def _resolve(client: Any, reference: str, told: dict[str, Any]) -> str:
    """The run of a reference; its model goes to `told`."""
    kind, _, rest = reference.partition(":/")
    rest = rest.lstrip("/")
    if kind == "runs":
        run_id, _, path = rest.partition("/")
        told["model"] = f"runs:/{run_id}/{path}" if path else ""
        return run_id
    if rest.startswith("m-") and "/" not in rest:
        told["model"] = f"models:/{rest}"
        return str(client.get_logged_model(rest).source_run_id or "")
    name, at, alias = rest.partition("@")
    if at:
        version = client.get_model_version_by_alias(name, alias)
    else:
        name, _, number = rest.rpartition("/")
        version = client.get_model_version(name, number)
    told["registered"] = {"name": version.name, "version": str(version.version), "aliases": list(version.aliases)}
    logged = str(version.source).startswith("models:/m-")
    told["model"] = str(version.source) if logged else f"models:/{version.name}/{version.version}"
    return str(version.run_id or "")


def _run(client: Any, run_id: str) -> dict[str, Any]:
    run = client.get_run(run_id)
    datasets = []
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


def _model_of(client: Any, run: dict[str, Any] | None, reference: str) -> str:
    """The one model of a run: of MLflow 3 a logged model, before it an artifact folder that the run names."""
    if run is None:
        return ""
    found = [f"models:/{model}" for model in run["models"]]
    if not found:
        history = json.loads(run["tags"].get("mlflow.log-model.history", "[]"))
        found = [f"runs:/{run['id']}/{entry['artifact_path']}" for entry in history]
    if len(set(found)) > 1:
        raise ValueError(f"the run has {len(set(found))} models: name one of {', '.join(sorted(set(found)))}")
    return found[0] if found else ""


def _location(client: Any, model: str) -> str:
    """Where the model's files lie: a model's own URI cannot name one of them."""
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


def _copy_file(place: Path, target: Path) -> None:
    """Copies a plain file: a link among the artifacts could lead to any file of this machine."""
    if place.is_symlink() or not place.is_file():
        raise ValueError(f"{place.name} is a link or a special file")
    shutil.copyfile(place, target)


def fetch(uri: str, folder: Path) -> dict[str, Any]:
    """Copies an artifact, a file or a folder, to `folder`/content."""
    from mlflow.artifacts import download_artifacts

    if not re.match(r"(runs|models|mlflow-artifacts):/", uri):
        raise ValueError(f"{uri[:100]} is not an artifact of MLflow")
    place = Path(download_artifacts(artifact_uri=uri))
    target = folder / "content"
    if place.is_dir() and not place.is_symlink():
        shutil.copytree(place, target, symlinks=True)  # links are kept as links, and refused by who asked
    else:
        _copy_file(place, target)
    return {"content": str(target)}


if __name__ == "__main__":
    sys.exit(main())
