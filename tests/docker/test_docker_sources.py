"""Real containers and images as sources: what is deployed, read without changing it, and audited end to end."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from repro_tui.audit.folder import AuditFolder
from repro_tui.model.errors import Refused
from repro_tui.sources.resolve import load_record
from repro_tui.support.context import Context
from tests.audit.project import Project
from tests.conftest import GitRepository
from tests.engines import base_image, docker

pytestmark = pytest.mark.docker
PREDICT = """\
import csv, json, os, sys
weight = json.load(open("model/weights.json"))["weight"] * float(os.environ.get("SCALE", "1"))
with open(sys.argv[2], "w", newline="") as target:
    out = csv.writer(target)
    out.writerow(["id", "score"])
    for row in csv.DictReader(open(sys.argv[1])):
        out.writerow([row["id"], weight * float(row["x"])])
"""
COMMAND = ["python3", "predict.py", "{inputs}", "{output}"]


@pytest.fixture
def built(tmp_path: Path) -> Iterator[Any]:
    """Builds images with the code inside; all of them are removed."""
    made: list[str] = []

    def build(weight: float, **labels: str) -> str:
        context = tmp_path / f"context-{len(made)}"
        (context / "model").mkdir(parents=True)
        (context / "predict.py").write_text(PREDICT)
        (context / "model" / "weights.json").write_text(json.dumps({"weight": weight}))
        lines = "".join(f"LABEL {name.replace('_', '.')}={json.dumps(value)}\n" for name, value in labels.items())
        (context / "Dockerfile").write_text(
            f"FROM {base_image()}\nWORKDIR /app\nENV SCALE=1 KEPT=yes\nCOPY . .\n{lines}"
        )
        made.append(docker("build", "--quiet", str(context)))
        return made[-1]

    yield build
    for image in dict.fromkeys(made):
        docker("rmi", "--force", image, check=False)


@pytest.fixture
def running() -> Iterator[Any]:
    made: list[str] = []

    def run(image: str, *options: str) -> str:
        made.append(docker("run", "--detach", *options, image, "sleep", "600"))
        return made[-1]

    yield run
    for container in made:
        docker("rm", "--force", container, check=False)


def state(container: str) -> str:
    return docker("inspect", "--format", "{{json .State}} {{.RestartCount}} {{.Image}}", container)


def scores(audit: AuditFolder, side: str) -> dict[str, float]:
    table = pq.read_table(audit.path / side / "run-1.parquet").to_pydict()
    return dict(zip(map(str, table["id"]), map(float, table["score"]), strict=True))


def inputs_of(project: Project) -> list[dict[str, str]]:
    with (project.folder / "inputs.csv").open() as stream:
        return list(csv.DictReader(stream))


def test_a_container_is_audited_against_an_image_and_left_alone(
    tmp_path: Path, built: Any, running: Any, git_repository: Any
) -> None:
    repository: GitRepository = git_repository("code")
    first = repository.commit({"predict.py": PREDICT})
    second = repository.commit({"predict.py": PREDICT + "# more\n"})
    told = {"org_opencontainers_image_source": str(repository.folder), "repro-tui_predict": json.dumps(COMMAND)}
    image = built(2.0, org_opencontainers_image_revision=first, **told)
    other = built(2.0, org_opencontainers_image_revision=second, **told)
    container = running(image, "--env", "SCALE=3", "--env", "API_TOKEN=hunter2canary")
    before = state(container)
    project = Project(tmp_path / "project")
    result = project.run("docker:" + container, "image:" + other, "--report", "--inputs", "inputs.csv", "--key", "id")
    assert result.status == 1, result.stderr
    assert state(container) == before
    assert "hunter2canary" not in result.stdout + result.stderr
    report = result.report
    assert report["verdict"] == "drift"
    assert any("predict.py" in finding["path"] for finding in report["areas"]["code"]["findings"])
    assert report["sides"]["a"]["record"]["code"]["in_image"] is True
    audit = AuditFolder(project.audits()[-1])
    rows = inputs_of(project)
    assert scores(audit, "a") == pytest.approx({row["id"]: 6.0 * float(row["x"]) for row in rows})
    assert scores(audit, "b") == pytest.approx({row["id"]: 2.0 * float(row["x"]) for row in rows})
    environment = json.dumps(report["areas"]["environment"]["findings"])
    assert "SCALE" in environment
    assert "API_TOKEN" in environment


def test_what_an_image_does_not_say_is_missing(built: Any, context: Context) -> None:
    record = load_record("image:" + built(1.0), context)
    assert record.code is None
    assert record.predict is None
    assert {item.field for item in record.missing} == {"code.commit", "predict", "validation.inputs"}
    assert all(item.why and item.do for item in record.missing)
    assert "only this machine has it" in " ".join(record.warnings)


def test_a_repository_that_cannot_be_had_does_not_lose_the_side(tmp_path: Path, built: Any) -> None:
    image = built(
        1.0,
        org_opencontainers_image_revision="1" * 40,
        org_opencontainers_image_source="/nowhere/at/all",
        **{"repro-tui_predict": json.dumps(COMMAND)},
    )
    project = Project(tmp_path / "project")
    result = project.run("image:" + image, "image:" + image, "--report", "--inputs", "inputs.csv", "--key", "id")
    assert (result.status, result.report["verdict"]) == (0, "identical"), result.stderr
    assert result.report["areas"]["code"]["status"] == "unknown"
    assert "1" * 12 in " ".join(result.report["warnings"])


def test_mounts_are_data_and_the_machines_own_are_not_read(
    tmp_path: Path, built: Any, running: Any, context: Context
) -> None:
    weights = tmp_path / "deployed"
    weights.mkdir()
    (weights / "weights.json").write_text('{"weight": 7.0}')
    container = running(
        built(2.0, **{"repro-tui_predict": json.dumps(COMMAND)}),
        *("--volume", f"{weights}:/app/model:ro"),
        *("--volume", "/var/run/docker.sock:/app/docker.sock"),
        *("--volume", f"{weights}:/elsewhere"),
    )
    record = load_record("docker:" + container, context)
    assert [(item.path, item.source) for item in record.data] == [("model", f"file://{weights}")]
    assert "docker.sock" in " ".join(record.warnings)
    assert any("/elsewhere" in item.why for item in record.missing)
    project = Project(tmp_path / "project")
    result = project.run("docker:" + container, "docker:" + container, "--report", "--inputs", "inputs.csv")
    assert result.status == 0, result.stdout
    rows = inputs_of(project)
    audit = AuditFolder(project.audits()[-1])
    assert scores(audit, "a") == pytest.approx({row["id"]: 7.0 * float(row["x"]) for row in rows})


@pytest.mark.parametrize(
    ("reference", "words"),
    [
        ("docker:../images/x", "is not the name"),
        ("docker:--privileged", "is not the name"),
        ("docker:", "is not the name"),
        ("image:../containers/x", "is not an image reference"),
        ("image:--privileged", "is not an image reference"),
        ("docker:no-such-container-here", "no such container"),
        ("image:no/such-image:here", "does not have that image"),
    ],
)
def test_bad_references_are_refused_in_one_line(reference: str, words: str, context: Context) -> None:
    base_image()
    with pytest.raises(Refused, match=words):
        load_record(reference, context)


def test_no_engine_is_one_line(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nonexistent/docker.sock")
    with pytest.raises(Refused, match="no Docker engine answers"):
        load_record("docker:prod", context)


def test_a_label_that_is_no_command_is_refused(built: Any, context: Context) -> None:
    with pytest.raises(Refused, match="not a JSON list"):
        load_record("image:" + built(1.0, **{"repro-tui_predict": "python predict.py"}), context)
