"""Predict steps of code inside an image: its working folder is written to, and its output is taken from there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from repro_tui.model.inventory import Inventory
from repro_tui.model.record import Predict
from repro_tui.model.run import Run
from repro_tui.model.workspace import BuiltEnvironment, BuiltParameters, Workspace
from repro_tui.support.context import Context
from repro_tui.support.plain import dumps
from tests.contract.conftest import collected  # noqa: F401 - a fixture
from tests.contract.runner_case import RunnerCase
from tests.engines import Images, base_image, docker
from tests.systems.docker.conftest import Build

pytestmark = [
    pytest.mark.docker,
    pytest.mark.filterwarnings(
        r"ignore:Exception ignored in. <socket.socket .*docker.sock:pytest.PytestUnraisableExceptionWarning"
    ),
]
STEP = """
import os
os.makedirs("mlruns")
open("metrics.txt", "w").write("accuracy 0.9")
os.makedirs("results", exist_ok=True)
open("results/preds.csv", "w").write(open("data/test.csv").read())
"""
OWNED = 'RUN ["chown", "-R", "65534:65534", "/app"]'
Step = Callable[..., Run]


@pytest.fixture
def step(context: Context, tmp_path: Path) -> Step:
    dumps({})  # its imports are done before a socket that docker-py leaves open can be collected in the middle of one

    def run(image: str, predict: Predict, folder: str = "/app") -> Run:
        inputs = tmp_path / "inputs.csv"
        inputs.write_text("id,x\n1,2\n")
        inputs.chmod(0o644)
        environment = BuiltEnvironment("image", "k", Inventory(), image_id=image, working_dir=folder)
        workspace = Workspace("k", "a", predict.command, 240, environment, BuiltParameters({}), predict=predict)
        return RunnerCase("docker", environment, context).execute(workspace, inputs)

    return run


def test_the_images_own_folder_is_a_copy_that_may_be_written(built: Build, step: Step) -> None:
    image = built(2.0, OWNED, files={"step.py": STEP, "results/preds.csv": "id,x\n9,9\n", "data/test.csv": "old\n"})
    before = docker("volume", "ls", "--quiet")
    run = step(image, Predict(("python3", "step.py"), inputs="data/test.csv", output="results/preds.csv"))
    assert run.status == "succeeded", (run, Path(run.log).read_text())
    assert pq.read_table(run.predictions).to_pydict() == {"id": [1], "x": [2]}
    assert docker("volume", "ls", "--quiet") == before
    silent = step(image, Predict(("python3", "-c", "pass"), output="results/preds.csv"))
    assert silent.status == "no-output", silent


def test_what_cannot_be_written_is_told(built: Build, step: Step, session_images: Images) -> None:
    writes = Predict(("python3", "-c", "open('metrics.txt', 'w')"), writable=False)
    run = step(built(2.0, OWNED), writes)
    assert (run.status, "predict.writable" in run.do) == ("failed", True)
    root = step(base_image(), Predict(("python3", "-c", "open('/metrics.txt', 'w')")), folder="/")
    assert "working folder / " in root.do, root
