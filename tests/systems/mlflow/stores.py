"""Real MLflow stores for tests: a database, the older file store, and models to serve, built once per test run.

One process of the real client makes them all, since it takes longer to import it than to use it.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from repro_tui.model.record import Record
from repro_tui.sources.resolve import load_record
from repro_tui.support.cache import Cache
from repro_tui.support.context import Context
from tests.audit.project import sandbox_works
from tests.conftest import need
from tests.templates import Templates
from tests.warm import share_downloads

MAKE = """\
import json, os, sys
import mlflow, pandas as pd
from sklearn.linear_model import Ridge
rows = pd.DataFrame({"a": [i / 10 for i in range(30)], "b": [float(i % 3) for i in range(30)]})
target = rows["a"] * 2 + rows["b"]
class Codes(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        scores = model_input["n"] * 2 + model_input["ok"] * params["threshold"]
        return pd.DataFrame({"code": ["<" + code + ">" for code in model_input["code"]], "score": scores})
class Triple(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        return model_input["x"] * 3
pins = None  # what the first model needs is found out by importing it in a process of its own
def houses():
    global pins
    for alpha in (0.1, 5.0):
        with mlflow.start_run(run_name=f"ridge {alpha}") as run:
            model = Ridge(alpha=alpha).fit(rows, target)
            mlflow.log_params({"alpha": alpha, "note": "[/red]"})
            mlflow.log_metric("r2", model.score(rows, target))
            mlflow.log_input(mlflow.data.from_pandas(rows, name="houses"), context="validation")
            if alpha == 0.1:
                mlflow.set_tag("mlflow.source.git.commit", "1" * 40)
                mlflow.set_tag("mlflow.source.git.repoURL", "/nowhere/repository")
            info = mlflow.sklearn.log_model(
                model, name="model", input_example=rows.head(12), registered_model_name="house", pip_requirements=pins
            )
            if pins is None:
                place = mlflow.get_logged_model(info.model_id).artifact_location.removeprefix("file://")
                with open(place + "/requirements.txt") as file:
                    pins = file.read().split()
            predictions = list(model.predict(rows.head(12)))
            yield {"run": run.info.run_id, "model": info.model_uri, "predictions": predictions}
    with mlflow.start_run() as run:
        yield {"run": run.info.run_id}
def codes():
    codes = pd.DataFrame({"code": ["007", "", "NA", "1e5"], "n": [0.1, 2.0, 3.0, 4.0], "ok": [True, False] * 2})
    codes["big"] = [2**53 + 1, 1, 2, 3]
    codes.assign(other="x").to_csv("codes.csv", index=False)
    signature = mlflow.models.infer_signature(codes, codes[["code"]], params={"threshold": 0.5})
    with mlflow.start_run() as run:
        source = os.path.abspath("codes.csv")
        mlflow.log_input(mlflow.data.from_pandas(codes, source=source, name="codes"), context="validation")
        mlflow.log_params(
            {"threshold": 1, "depth": 3, "on": True, "layers": [1, 2], "version": "1.10", "api_key": 123456}
        )
        mlflow.log_metrics({"good": 0.5, "bad": float("nan")})
        own = [f"mlflow=={mlflow.__version__}"]
        info = mlflow.pyfunc.log_model(
            name="codes", python_model=Codes(), signature=signature, input_example=codes.head(2), pip_requirements=own
        )
        yield {"run": run.info.run_id, "model": info.model_uri, "inputs": source}
def store(folder, uri, *parts):
    os.makedirs(folder)
    os.chdir(folder)
    mlflow.set_tracking_uri(uri)
    made = [entry for part in parts for entry in part()]
    mlflow.MlflowClient().set_registered_model_alias("house", "prod", "1")
    with open("made.json", "w") as file:
        json.dump(made, file)
def served(folder):
    os.makedirs(folder)
    os.chdir(folder)
    rows = pd.DataFrame({"x": [i / 7 for i in range(1_250)], "y": [float(i % 3) for i in range(1_250)]})
    model = Ridge(alpha=0.1).fit(rows, rows["x"] * 2 + rows["y"])
    predictions = model.predict(rows)
    signature = mlflow.models.infer_signature(rows, predictions)
    mlflow.sklearn.save_model(model, "model", signature=signature, pip_requirements=pins)
    example = pd.DataFrame({"x": [1.0]})
    mlflow.pyfunc.save_model("triple", python_model=Triple(), input_example=example, pip_requirements=pins)
    rows.insert(0, "id", [f"r{i:04}" for i in range(len(rows))])
    rows.to_csv("inputs.csv", index=False)
    weights = {"x": model.coef_[0], "y": model.coef_[1], "intercept": model.intercept_}
    with open("known.json", "w") as file:
        json.dump({"weights": weights, "predictions": list(predictions)}, file)
root = os.getcwd()
store(f"{root}/database", f"sqlite:///{root}/database/mlflow.db", houses, codes)
store(f"{root}/files", f"{root}/files/mlruns", houses)
served(f"{root}/served")
"""


@dataclass(frozen=True)
class MlflowStore:
    """A tracking store with two versions of a model, and a run without one."""

    uri: str
    folder: Path
    made: list[dict[str, Any]]

    def load(self, reference: str, here: Path) -> Record:
        return load_record(reference, Context(cache=Cache(here / "cache"), here=here))


def database(templates: Templates) -> MlflowStore:
    """A store in a database, with an additional model with custom code; it is only read."""
    return _in_database(_all(templates) / "database")


def file_store(templates: Templates) -> MlflowStore:
    """An older file store, which is only read."""
    folder = _all(templates) / "files"
    return MlflowStore(str(folder / "mlruns"), folder, json.loads((folder / "made.json").read_text()))


def served_models(templates: Templates) -> Path:
    """A folder with the models `model` and `triple`, inputs.csv, and known.json with known values of the first."""
    return _all(templates) / "served"


def own_database(templates: Templates, folder: Path) -> MlflowStore:
    """A copy of the database store that a test may change; MLflow's absolute paths are those of the copy."""
    source = database(templates).folder
    shutil.copytree(source, folder)
    old, new = str(source), str(folder)
    (folder / "made.json").write_text((folder / "made.json").read_text().replace(old, new))
    with contextlib.closing(sqlite3.connect(folder / "mlflow.db")) as connection, connection:
        connection.execute("PRAGMA foreign_keys = OFF")
        for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            for _, column, kind, *_ in connection.execute(f"PRAGMA table_info({table})").fetchall():
                if kind.upper().startswith(("VARCHAR", "TEXT", "CLOB")):
                    change = f"UPDATE {table} SET {column} = replace({column}, ?, ?) WHERE instr({column}, ?)"
                    connection.execute(change, (old, new, old))
    return _in_database(folder)


def _in_database(folder: Path) -> MlflowStore:
    return MlflowStore(f"sqlite:///{folder}/mlflow.db", folder, json.loads((folder / "made.json").read_text()))


def _all(templates: Templates) -> Path:
    need("mlflow", importlib.util.find_spec("sklearn") is not None, "scikit-learn is not installed")
    need("mlflow", importlib.util.find_spec("mlflow") is not None, "mlflow is not installed")
    return templates.folder("mlflow", _make)


def _make(folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", MAKE],
        cwd=folder,
        env=os.environ | {"MLFLOW_ALLOW_FILE_STORE": "true", "DO_NOT_TRACK": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]


# -- audits -------------------------------------------------------------------------------------------------------


def audit(store: MlflowStore, here: Path, *arguments: str) -> tuple[int, dict[str, Any], str]:
    options = () if sandbox_works() else ("--isolation", "none")
    return program(store, here, *arguments, *options, "--report")


def program(store: MlflowStore, here: Path, *arguments: str, **variables: str) -> tuple[int, dict[str, Any], str]:
    done = subprocess.run(
        [sys.executable, "-m", "repro_tui", *arguments],
        cwd=here,
        env=os.environ | {"MLFLOW_TRACKING_URI": store.uri} | variables,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, json.loads(done.stdout) if done.stdout else {}, done.stderr


@dataclass(frozen=True)
class MlflowAudit:
    """An audit and its results: it was started in `here`, with an empty `cache`."""

    status: int
    report: dict[str, Any]
    words: str
    here: Path
    audits: Path
    cache: Path


def first_audit(templates: Templates) -> MlflowAudit:
    """Both versions of the house model, audited with an empty cache. Done once, since it builds an environment with
    MLflow, which later audits start with."""
    store = database(templates)
    folder = templates.folder("mlflow-audit", lambda made: _first_audit(made, store))
    outcome = json.loads((folder / "outcome.json").read_text())
    return MlflowAudit(**outcome, here=folder / "here", audits=folder / "audits", cache=folder / "cache")


def _first_audit(folder: Path, store: MlflowStore) -> None:
    (folder / "here").mkdir()
    share_downloads(folder / "cache")
    places = {f"REPRO_TUI_{name.upper()}": str(folder / name) for name in ("cache", "audits")}
    options = ("--repeat", "3", "--report", *(() if sandbox_works() else ("--isolation", "none")))
    references = ("models:/house@prod", "models:/house/2")
    status, report, stderr = program(store, folder / "here", *references, *options, **places)
    (folder / "outcome.json").write_text(json.dumps({"status": status, "report": report, "words": stderr}))
