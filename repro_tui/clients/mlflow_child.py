"""Queries MLflow in a child process: `python -m repro_tui.clients.mlflow_child describe REFERENCE FOLDER` or
`… fetch URI FOLDER`.

The client keeps global state, reads many variables and may leave files in its working directory, which is harmless in
a child process. The answer is one line of JSON. A model is never loaded: its files are only copied.

Where a model's files are is worked out here and not by the client, whose own way of resolving `runs:/` needs a server
of MLflow 3.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from repro_tui.clients.child_answer import answer_command, plain_error
from repro_tui.clients.mlflow_library import MlflowLibrary, MlflowReader
from repro_tui.clients.mlflow_stores import database_of
from repro_tui.clients.mlflow_tables import MlflowTables
from repro_tui.support.regular import copy_regular
from repro_tui.support.urls import split_url
from repro_tui.support.walks import walk

if TYPE_CHECKING:
    from repro_tui.clients.answers import DescribedRun, MlflowAnswer, ModelVersion

SMALL = (
    *("MLmodel", "requirements.txt", "python_env.yaml", "conda.yaml"),
    *("input_example.json", "serving_input_example.json"),
)
LARGEST = 16 << 20
STAGES = ("None", "Staging", "Production", "Archived")
LATEST = "latest"
NOT_ALLOWED = (
    "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD (or MLFLOW_TRACKING_TOKEN) of a user with access"
)


def main() -> int:
    """Runs one command and prints its answer."""
    return answer_command(describe, fetch, _error_answer)


def _error_answer(error: Exception) -> dict[str, str]:
    answer = plain_error(error)
    if re.search(r"error code 40[13]\b|\b40[13] Client Error", answer["error"]):
        return answer | {"do": NOT_ALLOWED}
    if isinstance(error, ValueError):  # one of ours, whose message names what the store has
        return answer | {"do": "correct the reference, or MLFLOW_TRACKING_URI where another store is meant"}
    return answer


class MlflowPlaces:
    """The tracking store and the model registry, and the models in them. `notes` collects what is worth knowing."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.tracking_uri = os.environ["MLFLOW_TRACKING_URI"]
        registry_uri = os.environ.get("MLFLOW_REGISTRY_URI") or self.tracking_uri
        self.tracking = self._opened(self.tracking_uri)
        self.registry = self.tracking if registry_uri == self.tracking_uri else self._opened(registry_uri)

    def _opened(self, uri: str) -> MlflowReader:
        database = database_of(uri)
        if database is None:
            return MlflowLibrary(uri)
        tables = MlflowTables(database)
        if not tables.revision:
            raise ValueError("the database has no MLflow tables: it was opened read-only and not changed")
        age = _age(tables.revision)
        if not age:
            return MlflowLibrary(uri)
        self.notes.append(
            f"the database is of {age} version of MLflow than the one that is installed: its tables were read as they "
            "are, and nothing was migrated or written"
        )
        return tables

    def location(self, model: str) -> str:
        """Where the files of a model are, as a URL or an absolute path.

        `model` is `runs:/ID/PATH`, `models:/m-ID`, `models:/NAME/VERSION` or a location itself.
        """
        kind, _, rest = model.partition(":/")
        name, _, last = rest.lstrip("/").rpartition("/")
        if kind == "runs":
            run_id, _, path = rest.lstrip("/").partition("/")
            location = self._of_run(self.tracking.run(run_id), path)
        elif kind != "models":
            location = model
        elif name:
            location = self.of_version(self.registry.version(name, last))
        else:
            location = self.tracking.logged_model(last)["location"]
        return self._checked(location)

    def of_version(self, version: ModelVersion) -> str:
        """Where the files of a registered version are: the store's own copy, or else its source."""
        source = version["source"]
        return self.location(source) if source.startswith(("models:/", "runs:/")) else version["location"]

    def _of_run(self, run: DescribedRun, path: str) -> str:
        """Where a run has what it logged at `path`: a logged model of that name (MLflow 3), or else an artifact."""
        models = [self.tracking.logged_model(model) for model in run["models"]] if path else []
        named = [model for model in models if model["name"] == path]
        return named[-1]["location"] if named else f"{run['artifacts'].rstrip('/')}/{path}".rstrip("/")

    def _checked(self, location: str) -> str:
        scheme = split_url(location).scheme
        if scheme == "mlflow-artifacts" and not self.tracking_uri.startswith("http"):
            raise ValueError(
                f"the files are behind the artifact proxy of a server ({location[:200]}), which the store does not "
                "name: set MLFLOW_TRACKING_URI to that server"
            )
        if not scheme and not location.startswith("/"):
            raise ValueError(f"{location[:200]} is relative to the folder of the server, and cannot be read from here")
        return location


def _age(revision: str) -> str:
    """How old the tables of a database are: "an older" or "a newer"; "" if they are those of the installed MLflow."""
    from alembic.script import ScriptDirectory
    from alembic.util import CommandError

    library = find_spec("mlflow")
    if library is None or library.origin is None:
        raise ModuleNotFoundError("mlflow is not installed", name="mlflow")
    script = ScriptDirectory(str(Path(library.origin).parent / "store" / "db_migrations"))
    if revision in script.get_heads():
        return ""
    try:
        return "an older" if script.get_revision(revision) else "a newer"
    except CommandError:
        return "a newer"


def describe(reference: str, folder: Path) -> MlflowAnswer:
    """What MLflow records about a run or a model; the model's small files are copied into `folder`."""
    places = MlflowPlaces()
    description: MlflowAnswer = {"model": "", "registered": {}, "notes": places.notes}
    run_id = _resolve(places, reference, description)
    if run_id:
        description["run"] = places.tracking.run(run_id)
    description["model"] = description["model"] or _model_of(description.get("run"))
    description["location"] = places.location(description["model"]) if description["model"] else ""
    description["files"] = _small_files(description["location"], folder) if description["model"] else []
    return description


def _resolve(places: MlflowPlaces, reference: str, description: MlflowAnswer) -> str:
    """The id of the run that a reference names ("" for none); its model is added to `description`."""
    kind, _, rest = reference.partition(":/")
    rest = rest.lstrip("/")
    if kind == "runs":
        run_id, _, path = rest.partition("/")
        description["model"] = f"runs:/{run_id}/{path}" if path else ""
        return run_id
    if rest.startswith("m-") and "/" not in rest:
        description["model"] = f"models:/{rest}"
        model = places.tracking.logged_model(rest)
        if model["deleted"]:
            places.notes.append("the logged model was deleted in MLflow: its files remain only until mlflow gc")
        return model["run"]
    version = _version_named(places, rest, description)
    description["registered"] |= {
        "name": version["name"],
        "version": version["version"],
        "aliases": version["aliases"],
    }
    logged = version["source"].startswith("models:/m-")
    description["model"] = version["source"] if logged else f"models:/{version['name']}/{version['version']}"
    return version["run"]


def _version_named(places: MlflowPlaces, rest: str, description: MlflowAnswer) -> ModelVersion:
    """The version that NAME@ALIAS, NAME/VERSION, NAME/STAGE or NAME/latest names now."""
    name, at, alias = rest.partition("@")
    if at:
        return places.registry.aliased(name, alias)
    name, _, last = rest.rpartition("/")
    if last.isdigit():
        return places.registry.version(name, last)
    description["registered"]["by"] = last
    return _newest_in(places.registry.newest(name), name, last)


def _newest_in(newest: list[ModelVersion], name: str, stage: str) -> ModelVersion:
    """The newest version in a stage, or of all stages (`latest`). Raises ValueError, which names the stages in use."""
    if stage.lower() == LATEST and newest:
        return max(newest, key=lambda version: int(version["version"]))
    if stage.lower() not in (known.lower() for known in STAGES):
        raise ValueError(
            f"{stage} is neither a version, nor {LATEST}, nor a stage ({', '.join(STAGES)}): "
            f"an alias is written models:/{name}@{stage}"
        )
    version = next((version for version in newest if version["stage"].lower() == stage.lower()), None)
    if version is None:
        used = ", ".join(f"version {version['version']} in {version['stage']}" for version in newest)
        raise ValueError(f"{name} has no version in the stage {stage} (it has {used or 'none at all'})")
    return version


def _model_of(run: DescribedRun | None) -> str:
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


def _small_files(location: str, folder: Path) -> list[str]:
    """Copies the model's small files into `folder`; returns their names."""
    sizes = _sizes(location)
    kept = [name for name in SMALL if sizes.get(name, LARGEST + 1) <= LARGEST]
    for name in kept:
        _copy_file(_downloaded(f"{location.rstrip('/')}/{name}"), folder / name)
    return kept


def _sizes(location: str) -> dict[str, int]:
    """The sizes in bytes of the files that lie directly at a location (0: unknown)."""
    if place := _local(location):
        paths = place.iterdir() if place.is_dir() else ()
        return {path.name: path.lstat().st_size for path in paths if not path.is_dir()}
    from mlflow.artifacts import list_artifacts

    entries = list_artifacts(artifact_uri=location) or []
    return {entry.path.rpartition("/")[2]: entry.file_size or 0 for entry in entries if not entry.is_dir}


def _downloaded(location: str) -> Path:
    """A file or folder, where it is on this machine or in a temporary copy."""
    if place := _local(location):
        if not place.exists():
            raise ValueError(f"{location[:200]} does not exist (any more)")
        return place
    from mlflow.artifacts import download_artifacts

    return Path(download_artifacts(artifact_uri=location))


def _local(location: str) -> Path | None:
    """The path of a location on this machine; None for another. No client is needed to read it."""
    if location.startswith("file:///"):
        return Path(unquote(split_url(location).path))
    return Path(location) if location.startswith("/") else None


def _copy_file(path: Path, target: Path) -> None:
    """Copies a regular file: a link among the artifacts could point to any file on this machine."""
    if path.is_symlink() or not path.is_file():
        raise ValueError(f"{path.name} is a link or a special file")
    shutil.copyfile(path, target)


def _copy_folder(source: Path, target: Path) -> None:
    """Copies a folder; links are kept as links, and refused by the caller."""
    target.mkdir()
    for name, entry in walk(source):
        copy = target / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        if entry.is_symlink():
            copy.symlink_to(Path(entry.path).readlink())
        else:
            copy_regular(entry.path, copy)


def fetch(uri: str, folder: Path) -> MlflowAnswer:
    """Copies an artifact, a file or a folder, to `folder`/content."""
    if not re.match(r"(runs|models|mlflow-artifacts):/", uri):
        raise ValueError(f"{uri[:100]} is not the URI of an MLflow artifact")
    downloaded = _downloaded(MlflowPlaces().location(uri))
    target = folder / "content"
    if downloaded.is_dir() and not downloaded.is_symlink():
        _copy_folder(downloaded, target)
    else:
        _copy_file(downloaded, target)
    return {"content": str(target)}


if __name__ == "__main__":
    sys.exit(main())
