"""What a project's files say of the predict step, by scripts as people write them."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from repro_tui.clients.git import Repository
from repro_tui.formats.python_source import parse_source
from repro_tui.sources.detect.arguments import arguments_of
from repro_tui.sources.detect.candidate import StepCandidate
from repro_tui.sources.detect.steps import find_steps
from repro_tui.sources.detect.tables_used import tables_used
from repro_tui.sources.detect.tree import ProjectTree
from repro_tui.support.context import Context
from tests.conftest import GitRepository

MAIN = "\nif __name__ == '__main__':\n    main()\n"
ARGPARSE = """
import argparse
p = argparse.ArgumentParser()
p.add_argument("-i", "--input-file", required=True)
p.add_argument("--output", default="preds.csv")
p.add_argument("--model", required=True)
p.add_argument("--batch-size", type=int, default=32)
p.add_argument("--verbose", action="store_true")
"""
CLICK = """
import click
@click.command()
@click.argument("data_path", type=click.Path())
@click.option("--out", "-o", required=True)
@click.option("--threshold", type=float, default=0.5)
def main(data_path, out, threshold): ...
"""
TYPER = """
import typer
from typing import Annotated
app = typer.Typer()
@app.command()
def main(input_path: str, output_path: Annotated[str, typer.Option("--out")], limit: int = 3): ...
"""
FIRE = """
import fire
def main(inputs, output_path="x.csv", seed=1): ...
fire.Fire(main)
"""
ARGV = """
import sys
source = sys.argv[1]
destination = open(sys.argv[2], "w")
"""


@pytest.fixture
def steps(
    git_repository: Callable[[str], GitRepository], context: Context
) -> Callable[[dict[str, str | bytes]], list[StepCandidate]]:
    def find(files: dict[str, str | bytes]) -> list[StepCandidate]:
        repository = git_repository("project")
        commit = repository.commit(files)
        return find_steps(ProjectTree.at(Repository.open(str(repository.folder), context), commit))

    return find


@pytest.mark.parametrize(
    ("source", "command"),
    [
        (ARGPARSE, "--input-file {inputs} --output {output} --model models/m.pkl"),
        (CLICK, "{inputs} --out {output}"),
        (TYPER, "{inputs} --out {output}"),
        (FIRE, "--inputs {inputs} --output_path {output}"),
        (ARGV, "{inputs} {output}"),
    ],
    ids=["argparse", "click", "typer", "fire", "argv"],
)
def test_the_arguments_of_a_script_make_its_command(
    steps: Callable[[dict[str, str | bytes]], list[StepCandidate]], source: str, command: str
) -> None:
    (step,) = steps({"src/predict.py": source, "models/m.pkl": b"x"})
    assert step.predict.command == ("python", "src/predict.py", *command.split())
    assert step.complete


def test_what_nobody_can_know_is_named(steps: Callable[[dict[str, str | bytes]], list[StepCandidate]]) -> None:
    (step,) = steps({"predict.py": ARGPARSE})
    assert step.predict.command[-1] == "MODEL"
    assert step.lacks == ("a value for --model",)


def test_fixed_paths_are_read_from_the_source() -> None:
    module = parse_source(
        b"import os, pandas as pd\nfrom pathlib import Path\nHERE = Path(__file__).resolve().parent\n"
        b"OUT = 'results/preds.csv'\na = pd.read_csv(os.path.join(os.path.dirname(__file__), 'test.csv'))\n"
        b"b = pd.read_parquet(HERE / 'more.parquet')\na.to_csv(OUT)\na.to_csv(f'{a}.csv')\nopen('/etc/x.csv')\n"
    )
    assert module
    used = tables_used(module, "src/predict.py")
    assert used.reads == ("src/test.csv", "src/more.parquet")
    assert used.writes == ("results/preds.csv",)


def test_each_kind_of_step_is_a_candidate(steps: Callable[[dict[str, str | bytes]], list[StepCandidate]]) -> None:
    notebook = {
        "cells": [
            {"cell_type": "markdown", "source": "# x"},
            {"cell_type": "code", "source": ["!pip install x\n", "d = pd.read_csv('data/test.csv')\n"]},
            {"cell_type": "code", "source": "d.to_csv('out/preds.csv')"},
        ]
    }
    found_steps = steps(
        {
            "evaluate.ipynb": json.dumps(notebook),
            "pkg/__init__.py": "",
            "pkg/model.py": "def predict(df, threshold=0.5): ...\n",
            "pkg/cli.py": ARGV,
            "dvc.yaml": "stages:\n  score:\n    cmd: python s.py\n    deps: [data/in.csv, s.py]\n    outs: [out.csv]\n",
            "MLproject": "entry_points:\n  score:\n    parameters: {input: path, n: {default: 2}}\n"
            "    command: 'python s.py {input} {n}'\n",
            "s.py": "import sys\nx.to_csv(sys.stdout)\n",
            "pyproject.toml": '[project]\nname = "p"\n[project.scripts]\npredict-it = "pkg.cli:main"\n',
        }
    )
    complete = {
        (step.predict.call or step.predict.notebook or " ".join(step.predict.command)): step.predict
        for step in found_steps
        if step.complete
    }
    assert complete["evaluate.ipynb"].inputs == "data/test.csv"
    assert complete["evaluate.ipynb"].output == "out/preds.csv"
    assert "pkg.model:predict" in complete
    assert (complete["python s.py"].inputs, complete["python s.py"].output) == ("data/in.csv", "out.csv")
    assert complete["python s.py {inputs} 2"].output == "-"
    assert "predict-it {inputs} {output}" in complete


def test_training_scripts_and_endpoints_are_no_step(
    steps: Callable[[dict[str, str | bytes]], list[StepCandidate]],
) -> None:
    found_steps = steps(
        {"train.py": ARGV, "app.py": "@app.post('/')\ndef predict(data): ...\nasync def infer(data): ...\n"}
    )
    assert not [step for step in found_steps if step.complete]


FLASK = """
from flask import Flask, request
app = Flask(__name__)
@app.route("/predict", methods=["POST"])
def answer(): return model.predict(request.get_json())
@app.route("/health")
def health(): ...
"""
FASTAPI = """
import fastapi
def create_app():
    app = fastapi.FastAPI()
    @app.post("/v1/score")
    async def endpoint(item: Item): ...
    return app
"""
BENTO = """
import bentoml
@bentoml.service
class Classifier:
    @bentoml.api
    def classify(self, texts): ...
"""
RESTFUL = """
from flask_restful import Resource
class Prediction(Resource):
    def post(self): ...
"""


@pytest.mark.parametrize(
    ("source", "call", "name"),
    [
        (FLASK, "svc.app:answer", "the Flask route /predict (answer)"),
        (FASTAPI, "svc.app:FUNCTION", "the FastAPI route /v1/score (endpoint)"),
        (BENTO, "svc.app:FUNCTION", "the BentoML route bentoml.api (classify)"),
        (RESTFUL, "svc.app:FUNCTION", "the Flask-RESTful view Prediction.post"),
    ],
    ids=["Flask", "FastAPI", "BentoML", "Flask-RESTful"],
)
def test_a_route_that_predicts_is_named_with_what_it_lacks(
    steps: Callable[[dict[str, str | bytes]], list[StepCandidate]], source: str, call: str, name: str
) -> None:
    plain = source.replace("flask", "x").replace("fastapi", "x").replace("bentoml", "x")
    (route,) = steps({"svc/app.py": source, "plain/app.py": plain})
    assert (route.predict.call, route.why, route.complete) == (call, f"svc/app.py has {name}", False)
    assert route.lacks[0].startswith("a function that takes a table")


METHODS = """
class Model:
    def __init__(self, path: str, *, verbose=False): ...
    def predict(self, payload): ...
class Scorer:
    def score(self, df): ...
class Wrapped(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input): ...
class Estimator:
    def fit(self, x): ...
    def predict(self, x): ...
class Two:
    def __init__(self, path, threshold): ...
    def predict(self, data): ...
def make_prediction(*, input_data): ...
"""


def test_methods_are_called_on_what_their_class_is_made_of(
    steps: Callable[[dict[str, str | bytes]], list[StepCandidate]],
) -> None:
    found_steps = {step.predict.call: step.lacks for step in steps({"app/m.py": METHODS, "models/m.pkl": b"x"})}
    assert found_steps == {
        "app.m:make_prediction": (),
        "app.m:Model('models/m.pkl').predict": (),
        "app.m:Scorer.score": (),
        "app.m:Two(path='PATH', threshold='THRESHOLD').predict": ("a value for path", "a value for threshold"),
    }


def test_an_entry_point_with_a_variable_in_front_runs_in_a_shell(
    steps: Callable[[dict[str, str | bytes]], list[StepCandidate]],
) -> None:
    command = "PYTHONPATH=src python -m app"
    (step,) = steps({"MLproject": f"entry_points:\n  score:\n    command: '{command}'\n"})
    assert step.predict.command == ("sh", "-c", command)


def test_hostile_sources_are_not_parsed() -> None:
    for content in (
        b"(" * 100_000,
        b"-" * 100_000 + b"1",
        b"x" + b".a" * 100_000,
        b"lambda:" * 50_000 + b"1",
        b"x=" + b"[" * 95 + b"]" * 95,
        b"\0",
        b"\xff\xfe\0",
        b"# -*- coding: nonsense -*-\n",
        b"x" * 300_000,
    ):
        assert parse_source(content) is None
    for content in (b"x" + b"()" * 390, b"not " * 390 + b"1", b"1 if 1 else " * 390 + b"1", b'"\\d"'):
        module = parse_source(content)
        assert module is None or arguments_of(module) == []


@pytest.mark.parametrize(
    ("dockerfile", "expected"),
    [
        ('FROM debian\nENTRYPOINT ["python3", "/app/predict.py"]\n', "python3"),
        ("FROM debian\nCMD exec python3 predict.py\n", "python3"),
        ('FROM python:3.12\nCMD ["python", "predict.py"]\n', "python"),
        ('FROM debian AS a\nCMD ["python3", "x"]\nFROM python:3.12\nCMD ["python", "predict.py"]\n', "python"),
        ('FROM x\nCMD ["/opt/python3/bin/start", "predict-python3.py"]\n', "python"),
        (None, "python"),
    ],
)
def test_a_script_is_started_by_the_python_that_the_dockerfile_starts(
    steps: Callable[[dict[str, str | bytes]], list[StepCandidate]], dockerfile: str | None, expected: str
) -> None:
    files: dict[str, str | bytes] = {"predict.py": ARGPARSE.replace("required=True", "default='m'")}
    if dockerfile is not None:
        files["Dockerfile"] = dockerfile
    assert steps(files)[0].predict.command[0] == expected
