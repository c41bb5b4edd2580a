"""The helper that runs a notebook, with a real kernel in a real sandbox."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from repro_tui.model.inventory import Inventory
from repro_tui.model.record import Predict
from repro_tui.model.run import Run
from repro_tui.model.workspace import BuiltEnvironment
from repro_tui.rebuild.environments.pythons.interpreters import uv_binary
from repro_tui.support.context import Context
from tests.conftest import need
from tests.contract.conftest import case_of
from tests.contract.runner_case import RunnerCase
from tests.templates import Templates

pytestmark = pytest.mark.network


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> BuiltEnvironment:
    folder = tmp_path_factory.mktemp("kernel") / "venv"
    for arguments in (
        ["venv", "--quiet", "--python", sys.executable, str(folder)],
        ["pip", "install", "--quiet", "--python", str(folder / "bin/python"), "nbclient", "ipykernel"],
    ):
        done = subprocess.run([uv_binary(), *arguments], capture_output=True, text=True, check=False)
        need("network", done.returncode == 0, done.stderr)
    root = str(Path(sys.base_prefix).resolve())
    return BuiltEnvironment("venv", "k", Inventory(), str(folder), f"{folder}/bin/python", root)


@pytest.fixture(params=["local", "local namespace"])
def notebook(request: pytest.FixtureRequest, templates: Templates, context: Context) -> RunnerCase:
    return case_of(request.param, templates, context)


def document(*cells: tuple[str, list[str]], language: str = "python") -> str:
    made = [
        {"cell_type": "code", "metadata": {"tags": tags}, "source": source, "outputs": [], "execution_count": None}
        for source, tags in cells
    ]
    metadata = {"kernelspec": {"name": "gone", "display_name": "Gone", "language": language}}
    return json.dumps({"cells": made, "metadata": metadata, "nbformat": 4, "nbformat_minor": 4})


def run(case: RunnerCase, environment: BuiltEnvironment, *cells: tuple[str, list[str]], **fields: str) -> Run:
    predict = Predict(notebook="evaluate.ipynb", **fields)  # type: ignore[arg-type]
    values = {"weight": 2.5, "ratio": float("inf"), "not a name": 1}
    return case.step(
        {"evaluate.ipynb": document(*cells), "data/keep": ""},
        predict,
        inputs="id,x\n1,2\n",
        values=values,
        environment=environment,
    )


def test_it_runs_with_the_recorded_parameters(notebook: RunnerCase, environment: BuiltEnvironment) -> None:
    done = run(
        notebook,
        environment,
        ("weight = 1.0", ["parameters"]),
        ("import csv\nrows = list(csv.DictReader(open(inputs)))\nprint('read', len(rows), ratio)", []),
        ("open(output, 'w').write('id,v\\n1,' + repr(weight * float(rows[0]['x'])) + '\\n')", []),
    )
    assert done.status == "succeeded", (done, Path(done.log).read_text())
    assert pq.read_table(done.predictions).to_pydict() == {"id": [1], "v": [5.0]}
    assert "read 1 inf" in Path(done.log).read_text()
    assert "the parameter 'not a name' is not a valid variable name" in Path(done.log).read_text()


def test_it_has_the_parameters_of_several_files(
    environment: BuiltEnvironment, templates: Templates, context: Context
) -> None:
    """What two files have with different values is no variable: which of them the notebook means is not known."""
    case = case_of("local", templates, context)
    values = {
        "params.yaml": {"weight": 2.5, "seed": 1, "depth": 3},
        "conf/model.yaml": {"rate": 0.5, "seed": 2, "depth": 3},
        "conf/more.yaml": {"seed": 2},
        "list.json": [1, 2],
    }
    write = "open(output, 'w').write(f'id,v\\n1,{weight * rate * depth}\\n')\nprint('seed' in globals())"
    done = case.step(
        {"evaluate.ipynb": document((write, [])), "data/keep": ""},
        Predict(notebook="evaluate.ipynb"),
        values=values,
        environment=environment,
        per_file=True,
    )
    log = Path(done.log).read_text()
    assert done.status == "succeeded", log
    assert pq.read_table(done.predictions).to_pydict() == {"id": [1], "v": [3.75]}
    assert "False" in log
    assert "the parameter 'seed' has one value in params.yaml and another in conf/model.yaml: it was not passed" in log


def test_it_writes_a_fixed_file(environment: BuiltEnvironment, templates: Templates, context: Context) -> None:
    case = case_of("local", templates, context)
    source = "open('results/preds.csv', 'w').write(open('data/test.csv').read())"
    done = run(case, environment, (source, []), inputs="data/test.csv", output="results/preds.csv")
    assert done.status == "succeeded", (done, Path(done.log).read_text())
    assert done.rows == 1


def test_a_cell_that_fails_is_named(environment: BuiltEnvironment, templates: Templates, context: Context) -> None:
    case = case_of("local", templates, context)
    done = run(case, environment, ("print('before')", []), ("1 / 0", []))
    assert done.status == "failed"
    assert done.tail[-1] == "notebook: a cell of evaluate.ipynb failed: ZeroDivisionError: division by zero"
    assert "before" in Path(done.log).read_text()


def test_what_cannot_run_is_one_line(environment: BuiltEnvironment, templates: Templates, context: Context) -> None:
    case = case_of("local", templates, context)
    case.environment = environment
    predict = Predict(notebook="evaluate.ipynb")
    foreign = case.step({"evaluate.ipynb": document(language="R")}, predict)
    assert foreign.tail[-1] == "notebook: evaluate.ipynb is written in R: only Python notebooks can be run"
    broken = case.step({"evaluate.ipynb": "{"}, predict)
    assert broken.tail[-1].startswith("notebook: evaluate.ipynb is not a notebook: ")
    absent = case.step({"a": ""}, Predict(notebook="no.ipynb"))
    assert absent.tail[-1] == "notebook: no.ipynb cannot be read: No such file or directory"
