"""Images with the code inside, their containers, and helpers for both; all are removed at the end."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from repro_tui.audit.folder import AuditFolder
from tests.audit.project import Project, expected_scores
from tests.engines import Images, base_image, docker

PREDICT = """\
import csv, json, os, sys
path = os.environ.get("MODEL", "model/weights.json")
weight = json.load(open(path))["weight"] * float(os.environ.get("SCALE", "1"))
print(dict(os.environ))
with open(sys.argv[2], "w", newline="") as target:
    out = csv.writer(target)
    out.writerow(["id", "score"])
    for row in csv.DictReader(open(sys.argv[1])):
        out.writerow([row["id"], weight * float(row["x"])])
"""
COMMAND = ["python3", "predict.py", "{inputs}", "{output}"]
STEP = {"repro-tui.predict": json.dumps(COMMAND)}
AS_INPUTS = ("--report", "--inputs", "inputs.csv", "--key", "id")
Build = Callable[..., str]
Start = Callable[..., str]


def deployed(folder: Path, weight: float) -> None:
    """The files of the predict step, with a model of that weight."""
    (folder / "model").mkdir(parents=True)
    (folder / "predict.py").write_text(PREDICT)
    (folder / "model" / "weights.json").write_text(json.dumps({"weight": weight}))


@pytest.fixture(scope="session")
def session_images() -> Iterator[Images]:
    images = Images()
    yield images
    images.remove()


@pytest.fixture
def built(session_images: Images) -> Build:
    """Builds images: `built(weight, *dockerfile_lines, labels=..., files=...)` returns an id.

    Tests that ask for the same share one. `alone=True`: it is this test's own, which may remove it.
    """

    def build(
        weight: float,
        *lines: str,
        labels: dict[str, str] | None = None,
        files: dict[str, str] | None = None,
        alone: bool = False,
    ) -> str:
        def fill(context: Path) -> None:
            deployed(context, weight)
            for name, content in (files or {}).items():
                (context / name).parent.mkdir(parents=True, exist_ok=True)
                (context / name).write_text(content)
            (context / ".dockerignore").write_text("Dockerfile\n.dockerignore\n")  # else each image contains its own
            labelled = [f"LABEL {name}={json.dumps(value)}" for name, value in (labels or {}).items()]
            text = [f"FROM {base_image()}", "WORKDIR /app", "ENV SCALE=1 KEPT=yes", "COPY . .", *labelled, *lines, ""]
            (context / "Dockerfile").write_text("\n".join(text))

        recipe = json.dumps([weight, lines, labels, files, uuid.uuid4().hex if alone else ""])
        return session_images.get(recipe, fill)

    return build


@pytest.fixture
def running() -> Iterator[Start]:
    """Starts containers: `running(image, *options)` returns an id."""
    made: list[str] = []

    def run(image: str, *options: str) -> str:
        made.append(docker("run", "--detach", *options, image, "sleep", "600"))
        return made[-1]

    yield run
    for container in made:
        docker("rm", "--force", "--volumes", container, check=False)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A folder with validation inputs."""
    return Project(tmp_path / "project")


def state(container: str) -> str:
    """The engine's description of a container, and how its files differ from its image's."""
    return docker("inspect", container) + docker("diff", container)


def scores(project: Project, side: str) -> dict[str, float]:
    """The predictions of the last audit's first run, by id."""
    table = pq.read_table(AuditFolder(project.audits()[-1]).path / side / "run-1.parquet").to_pydict()
    return dict(zip(map(str, table["id"]), map(float, table["score"]), strict=True))


def expected(project: Project, weight: float) -> object:
    """The expected score of every row."""
    return expected_scores(project.folder / "inputs.csv", weight)
