"""Images that serve: the server is started in its container, queried from inside, and removed."""

from __future__ import annotations

import csv
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from repro_tui.clients.docker_engine import AUDIT_LABEL
from repro_tui.execute.choose import check_server
from repro_tui.model.record import Predict
from tests.audit.project import Project, Result
from tests.engines import base_image, docker
from tests.systems.mlflow.stores import served_models
from tests.templates import Templates

pytestmark = pytest.mark.docker
ROWS = 1_100
Build = Callable[..., str]


@pytest.fixture
def build(tmp_path: Path) -> Iterator[Build]:
    """Builds an image whose server is tests/systems/endpoint/serve.py; all are removed afterwards."""
    made: list[str] = []

    def built(*arguments: str, lines: str = "", entry: str = "") -> str:
        context = tmp_path / f"image-{len(made)}"
        context.mkdir()
        shutil.copyfile(Path(__file__).parent / "serve.py", context / "serve.py")
        command = ", ".join(f'"{word}"' for word in arguments)
        entry = entry or f'ENTRYPOINT ["python3", "serve.py"]\nCMD [{command}]'
        (context / "Dockerfile").write_text(f"FROM {base_image()}\nWORKDIR /app\nCOPY serve.py .\n{lines}\n{entry}\n")
        made.append(docker("build", "--quiet", str(context)).splitlines()[-1])
        return made[-1]

    yield built
    for image in made:
        docker("rmi", "--force", image, check=False)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    prepared = Project(tmp_path / "project", {})
    with (prepared.folder / "rows.csv").open("w", newline="") as stream:
        out = csv.writer(stream)
        out.writerow(["id", "x"])
        out.writerows([f"r{number}", number / 100] for number in range(ROWS))
    return prepared


def audit(project: Project, a: str, b: str, *options: str, protocol: str = "mlflow") -> Result:
    inputs_options = ("--inputs", "rows.csv", "--key", "id", "--protocol", protocol, "--repeat", "1", "--report")
    result = project.run(a, b, *inputs_options, *options)
    assert result.stdout, result.stderr
    label = f"label={AUDIT_LABEL}={result.report['audit']['id']}"
    assert docker("ps", "--all", "--quiet", "--filter", label) == ""
    return result


def record(project: Project, image: str, **predict: Any) -> str:
    side = {"environment": {"image": image}, "predict": {"protocol": "mlflow", "timeout_s": 60} | predict}
    project.record(a=side)
    return "record.json#a"


@pytest.mark.parametrize("protocol", ["mlflow", "open-inference"])
def test_the_server_of_an_image_is_started_asked_and_stopped(project: Project, build: Build, protocol: str) -> None:
    a, b = build("9107"), build("9108", lines="ENV FACTOR=4")
    result = audit(project, f"image:{a}", f"image:{b}", protocol=protocol)
    report = result.report
    assert (result.status, report["verdict"]) == (3, "undecided"), result.stderr
    for side, factor in (("a", 3.0), ("b", 4.0)):
        rows = pq.read_table(project.audits()[-1] / side / "run-1.parquet").to_pylist()
        assert len(rows) == ROWS
        for number, row in enumerate(rows):
            score = number / 100 * factor
            assert row == {"id": f"r{number}", "score": score, "label": "yes" if score > 3 else "no"}
    isolation = report["sides"]["a"]["isolation"]
    assert (isolation["kind"], isolation["network"], isolation["detail"]["user"]) == (
        "container",
        "none",
        "65534:65534",
    )
    log = (project.audits()[-1] / "a" / "run-1.log").read_text()
    assert "serving at 9107 as 65534" in log
    assert "the server on port 9107 is ready" in log
    assert "rows 501 to 1,000: status 200" in log


def test_a_server_runs_as_the_owner_of_files_that_nobody_else_may_read(project: Project, build: Build) -> None:
    image = build("9107", lines="RUN echo 5 > factor.json && chmod 0600 factor.json")
    result = audit(project, f"image:{image}", record(project, image))
    assert (result.status, result.report["verdict"]) == (0, "identical"), result.stderr
    assert pq.read_table(project.audits()[-1] / "a" / "run-1.parquet").to_pylist()[100]["score"] == 5.0
    detail = result.report["sides"]["a"]["isolation"]["detail"]
    assert (detail["user"], detail["capabilities"]) == ("0:0", "none")
    assert "/app/factor.json (0600 0:0)" in detail["chosen user"]


def test_a_served_image_against_itself_is_identical(project: Project, build: Build) -> None:
    image = build("8080")
    result = audit(project, f"image:{image}", record(project, image, port=8080), "--repeat", "2")
    assert (result.status, result.report["verdict"]) == (0, "identical"), result.stderr


def test_a_recorded_command_starts_the_server_on_recorded_data(project: Project, build: Build) -> None:
    image = build("9107", "crash")
    (project.folder / "factor.json").write_text("5")
    side = {
        "environment": {"image": image},
        "data": [{"path": "factor.json", "source": "file"}],
        "predict": {"protocol": "mlflow", "command": ["python3", "serve.py", "9109"], "timeout_s": 60},
    }
    project.record(a=side, b=side)
    result = audit(project, "record.json#a", "record.json#b", "--repeat", "2")
    assert (result.status, result.report["verdict"]) == (0, "identical"), result.stderr
    assert pq.read_table(project.audits()[-1] / "a" / "run-1.parquet").to_pylist()[100]["score"] == 5.0


def test_a_container_is_started_as_it_was_deployed(project: Project, build: Build) -> None:
    """With its own command and variables, not with its image's."""
    image = build("9107", "crash")
    made = docker("create", "--env", "FACTOR=7", image, "9110", "well")
    try:
        result = audit(project, f"docker:{made}", f"docker:{made}", "--repeat", "2")
        recorded = project.run("record", f"docker:{made}", "--protocol", "mlflow", "--inputs", "rows.csv")
    finally:
        docker("rm", "--force", made)
    assert (result.status, result.report["verdict"]) == (0, "identical"), result.stderr
    assert pq.read_table(project.audits()[-1] / "a" / "run-1.parquet").to_pylist()[100]["score"] == 7.0
    assert "serving at 9110" in (project.audits()[-1] / "a" / "run-1.log").read_text()
    assert recorded.status == 0, recorded.stderr
    assert 'protocol = "mlflow"' in recorded.stdout
    assert '"9110",' in recorded.stdout


def test_a_model_in_the_image_says_how_it_is_asked(project: Project, build: Build) -> None:
    """No protocol is given: it is read from the MLmodel file in the image, and written to the record."""
    mlmodel = "flavors: {python_function: {loader_module: mlflow.sklearn}}\\nrun_id: 0123456789abcdef\\n"
    made = docker(
        "create", build("9107", lines=f"RUN mkdir -p /opt/ml/model && printf '{mlmodel}' > /opt/ml/model/MLmodel")
    )
    try:
        recorded = project.run("record", f"docker:{made}", "-o", "prod.toml", "--inputs", "rows.csv")
        options = ("--inputs", "rows.csv", "--key", "id", "--repeat", "2", "--report")
        result = project.run("prod.toml", f"docker:{made}", *options)
    finally:
        docker("rm", "--force", made)
    assert recorded.status == 0, recorded.stderr
    assert 'protocol = "mlflow"' in (project.folder / "prod.toml").read_text()
    assert "or audit the MLflow run that it serves: runs:/0123456789abcdef" in recorded.stderr
    assert (result.status, result.report["verdict"]) == (0, "identical"), result.stderr
    rows = pq.read_table(project.audits()[-1] / "b" / "run-1.parquet").to_pylist()
    assert [row["score"] for row in rows] == [number / 100 * 3.0 for number in range(ROWS)]


@pytest.mark.parametrize(
    ("behaviour", "status", "reason"),
    [
        (
            "crash",
            "failed",
            "ended with exit status 1 before it had answered; its last output: the model",
        ),
        ("die", "failed", "ended with exit status 7 before it had answered; its last output: "),
        ("hang", "timed-out", "did not answer for all rows within the time limit of 40 s and was killed"),
        ("unready", "timed-out", "was not ready within the time limit of 8 s"),
        ("link", "unreadable-output", "the response cannot be read"),
    ],
)
def test_a_server_that_fails_is_told(project: Project, build: Build, behaviour: str, status: str, reason: str) -> None:
    good, bad = build("9107"), build("9107", behaviour)
    limit = {"hang": 40, "unready": 8}.get(behaviour, 240)  # it is ready within 40 s even on a busy machine
    result = audit(project, record(project, bad, timeout_s=limit), f"image:{good}")
    assert result.status == 3
    side = result.report["sides"]["a"]
    assert (side["runs"][0]["status"], side["failed"]) == (status, "run 1")
    assert reason in side["what"]
    assert side["do"]
    assert "root:" not in result.stdout


def test_an_image_without_python_is_told(project: Project, build: Build) -> None:
    image = build(lines="RUN rm /usr/bin/python3*", entry='ENTRYPOINT ["sleep", "60"]')
    result = audit(project, f"image:{image}", f"image:{image}")
    assert result.status == 3
    assert "the image has no python3, which is needed to query its server" in result.report["sides"]["a"]["what"]


def test_an_image_that_starts_nothing_is_told(project: Project) -> None:
    image = base_image()
    result = audit(project, f"image:{image}", f"image:{image}")
    assert result.status == 3
    assert "neither an entrypoint nor a command" in result.report["sides"]["a"]["what"]


def test_the_hosts_network_is_refused(project: Project, build: Build) -> None:
    image = build("9107")
    result = audit(project, f"image:{image}", f"image:{image}", "--network", "host")
    assert result.status == 3
    assert "run without --network host" in result.report["sides"]["a"]["do"]


def test_a_lock_has_no_server(project: Project) -> None:
    mistake = check_server(Predict(protocol="mlflow"), "lock")
    assert mistake is not None
    assert "has no server to start" in str(mistake)


SERVE = ["mlflow", "models", "serve", "--model-uri", "/opt/model", "--env-manager", "local", "--host", "127.0.0.1"]


@pytest.mark.network
def test_a_real_image_of_mlflow(project: Project, templates: Templates, tmp_path: Path) -> None:
    """MLflow and its scoring server in an image, with a model that the real client saved."""
    uv = shutil.which("uv") or str(Path(sys.executable).parent / "uv")
    context = tmp_path / "image"
    shutil.copytree(served_models(templates) / "triple", context / "model")
    packages = ["mlflow-skinny", "fastapi", "uvicorn", "pandas", "numpy", "cloudpickle"]
    options = ["--quiet", "--python-version", "3.11", "--only-binary", ":all:", "--target", "packages"]
    subprocess.run([uv, "pip", "install", *options, *packages], cwd=context, check=True)
    command = ", ".join(f'"{word}"' for word in ["python3", "-m", *SERVE, "--port", "5000"])
    lines = ["COPY packages /opt/packages", "COPY model /opt/model", "ENV PYTHONPATH=/opt/packages"]
    # Its own script names the Python on the machine that installed it.
    script = r"""printf '#!/bin/sh\nexec python3 -m uvicorn "$@"\n' > /usr/bin/uvicorn"""
    lines += [f"RUN {script} && chmod +x /usr/bin/uvicorn"]
    lines += [f"CMD [{command}]"]
    (context / "Dockerfile").write_text("\n".join([f"FROM {base_image()}", *lines]))
    image = docker("build", "--quiet", str(context)).splitlines()[-1]
    try:
        result = audit(project, f"image:{image}", f"image:{image}", "--repeat", "1")
    finally:
        docker("rmi", "--force", image, check=False)
    assert (result.status, result.report["verdict"]) == (0, "identical"), result.stderr
    rows = pq.read_table(project.audits()[-1] / "a" / "run-1.parquet").to_pylist()
    assert rows == [{"id": f"r{number}", "x": number / 100 * 3} for number in range(ROWS)]
