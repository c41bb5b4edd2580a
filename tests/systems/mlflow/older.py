"""Stores and servers of older MLflow versions, made by those versions themselves, each once per test run.

2.22 is tried before every landing, 1.30 and 2.9 at night.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from repro_tui.rebuild.environments.pythons.interpreters import uv_binary
from tests.conftest import NIGHTLY
from tests.systems.endpoint.servers import process
from tests.systems.wandb.runs import lean_python
from tests.templates import Templates

# What each version needs to be installed today, and the Python that it runs on.
PACKAGES = {
    "1.30.1": ("3.10", "scikit-learn<1.6", "setuptools<66", "numpy<2"),
    "2.9.2": ("3.10", "setuptools<80"),
    "2.22.0": (sys.executable, "sqlalchemy<2.1", "Flask-WTF<2"),
}
VERSIONS = tuple(PACKAGES) if NIGHTLY else ("2.22.0",)
MAKE = """\
import json, sys
import mlflow, pandas as pd
from sklearn.linear_model import Ridge
rows = pd.DataFrame({"a": [i / 10 for i in range(30)], "b": [float(i % 3) for i in range(30)]})
target = rows["a"] * 2 + rows["b"]
mlflow.set_tracking_uri("sqlite:///mlflow.db")
client, made = mlflow.tracking.MlflowClient(), []
pins = ["mlflow==" + mlflow.__version__, "scikit-learn"]
for alpha in (0.1, 5.0):
    with mlflow.start_run() as run:
        model = Ridge(alpha=alpha).fit(rows, target)
        mlflow.log_params({"alpha": alpha, "depth": 3})
        for step, value in enumerate((0.5, model.score(rows, target), float("nan"))[: 2 if alpha < 1 else 3]):
            mlflow.log_metric("r2", value, step=step)
        signature = mlflow.models.infer_signature(rows, model.predict(rows)) if alpha < 1 else None
        mlflow.sklearn.log_model(
            model, "model", input_example=rows.head(12), signature=signature, registered_model_name="house",
            pip_requirements=pins,
        )
    made.append({"run": run.info.run_id, "r2": model.score(rows, target)})
client.transition_model_version_stage("house", "1", "Production")
with mlflow.start_run() as run:
    mlflow.log_param("x", 1)
client.delete_run(run.info.run_id)
made.append({"run": run.info.run_id})
with open("made.json", "w") as file:
    json.dump(made, file)
"""


@dataclass(frozen=True)
class OlderStore:
    """A database of an older version: two runs with a model, versions 1 (Production) and 2, and a deleted run."""

    folder: Path
    made: list[dict[str, Any]]

    @property
    def database(self) -> Path:
        return self.folder / "mlflow.db"

    @property
    def uri(self) -> str:
        return f"sqlite:///{self.database}"

    def model(self, number: int) -> Path:
        """The folder of a run's model."""
        return next(self.folder.glob(f"mlruns/*/{self.made[number]['run']}/artifacts/model"))


def older_store(version: str, templates: Templates) -> OlderStore:
    """A store that this version made; it is only read."""
    program = _installed(version, templates)
    folder = templates.folder(f"mlflow-{version}-store", lambda made: _fill(made, program / "python"))
    return OlderStore(folder, json.loads((folder / "made.json").read_text()))


def moved_store(store: OlderStore, folder: Path, root: str) -> OlderStore:
    """A copy whose runs and models have their artifacts at `root`/0/RUN/artifacts, as a server gives them."""
    shutil.copytree(store.folder, folder, ignore=shutil.ignore_patterns("mlruns"))
    with contextlib.closing(sqlite3.connect(folder / "mlflow.db")) as connection, connection:
        connection.execute("UPDATE runs SET artifact_uri = ? || '/0/' || run_uuid || '/artifacts'", (root,))
        for column in ("source", "storage_location"):
            change = f"UPDATE model_versions SET {column} = ? || '/0/' || run_id || '/artifacts/model'"
            connection.execute(change, (root,))
    return OlderStore(folder, store.made)


@contextlib.contextmanager
def older_server(version: str, store: OlderStore, templates: Templates, password: str) -> Iterator[str]:
    """A real server of this version on the copy of a store: it asks for a password, and serves artifacts itself."""
    program = _installed(version, templates)
    settings = store.folder / "auth.ini"
    settings.write_text(
        f"[mlflow]\ndefault_permission = READ\ndatabase_uri = sqlite:///{store.folder}/auth.db\n"
        f"admin_username = admin\nadmin_password = {password}\n"
        "authorization_function = mlflow.server.auth:authenticate_request_basic_auth\n"
    )
    command = [
        *(str(program / "mlflow"), "server", "--host", "127.0.0.1", "--port", "0", "--workers", "1"),
        *("--app-name", "basic-auth", "--backend-store-uri", store.uri),
        *("--artifacts-destination", str(store.folder / "artifacts")),
    ]
    variables = {"MLFLOW_AUTH_CONFIG_PATH": str(settings), "MLFLOW_FLASK_SERVER_SECRET_KEY": "of a test"}
    path = {"PATH": f"{program}:{os.environ['PATH']}", "PYTHONWARNINGS": "ignore"}
    with process(command, store.folder, "/health", os.environ | variables | path) as url:
        yield url


@contextlib.contextmanager
def object_store(templates: Templates, folder: Path) -> Iterator[str]:
    """An S3 server on this machine, without any object."""
    program = lean_python(templates, "moto[server]==5.1.4")
    command = [str(Path(program).parent / "moto_server"), "--host", "127.0.0.1", "--port", "0"]
    with process(command, folder, "/moto-api/", dict(os.environ)) as url:
        yield url


def _installed(version: str, templates: Templates) -> Path:
    """The programs of an environment with this version of MLflow."""
    return templates.folder(f"mlflow-{version}", lambda folder: _install(version, folder)) / "bin"


def _install(version: str, folder: Path) -> None:
    python, *pins = PACKAGES[version]
    install = ["pip", "install", "--quiet", "--python", str(folder / "bin" / "python"), f"mlflow=={version}", *pins]
    for arguments in (["venv", "--quiet", "--allow-existing", "--python", _interpreter(python), str(folder)], install):
        done = subprocess.run([uv_binary(), *arguments], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


def _interpreter(python: str) -> str:
    """A Python of this version, also one of pyenv's, whose shims do not find them all."""
    if python == sys.executable:
        return python
    known = sorted(Path("~/.pyenv/versions").expanduser().glob(f"{python}.*/bin/python"))
    path = str(known[-1]) if known else shutil.which(f"python{python}")
    if path is None:
        pytest.skip(f"Python {python} is not on this machine")
    return path


def _fill(folder: Path, python: Path) -> None:
    done = subprocess.run([python, "-W", "ignore", "-c", MAKE], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
