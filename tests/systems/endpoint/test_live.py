"""Live endpoints audited end to end: real servers of MLflow and MLServer, against each other and against a rebuild."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from repro_tui.sources.resolve import load_record
from repro_tui.support.cache import Cache
from repro_tui.support.context import Context
from tests.audit.project import Project
from tests.conftest import NIGHTLY
from tests.systems.endpoint.servers import (
    RunningServer,
    hanging,
    mlflow_server,
    mlserver,
    mlserver_environment,
    serving,
)
from tests.systems.mlflow.stores import MlflowStore, database, first_audit, served_models
from tests.templates import Templates
from tests.warm import lend_empty_environment, lend_environments

PREDICT = """\
import csv, json, sys
weights = json.load(open("model.json"))
with open(sys.argv[2], "w", newline="") as target:
    out = csv.writer(target)
    out.writerow(["id", "prediction"])
    for row in csv.DictReader(open(sys.argv[1])):
        score = weights["x"] * float(row["x"]) + weights["y"] * float(row["y"]) + weights["intercept"]
        out.writerow([row["id"], repr(score)])
"""


@pytest.fixture(scope="module")
def served(templates: Templates, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with mlflow_server(served_models(templates), tmp_path_factory.mktemp("mlflow")) as url:
        yield url


@pytest.fixture(autouse=True)
def warm(templates: Templates, own_folders: Path) -> None:
    """Starts with built environments: no test here is about building them."""
    lend_empty_environment(templates, Path(os.environ["REPRO_TUI_CACHE"]))


@pytest.fixture
def rebuilt(served: RunningServer, tmp_path: Path) -> Project:
    """A record of the same model, computed by a few lines of Python from its weights."""
    project = Project(tmp_path / "project", {"requirements": "requirements.txt"})
    project.repository.commit({"predict.py": PREDICT})
    return recorded(project, served.known["weights"])


def recorded(project: Project, weights: dict[str, float]) -> Project:
    (project.folder / "model.json").write_text(json.dumps(weights))
    command = ["python3", "predict.py", "{inputs}", "{output}"]
    side = project.deployment(
        code={"repository": "code", "commit": project.repository.git("rev-parse", "HEAD")},
        parameters={},
        predict={"command": command, "timeout_s": 60},
    )
    project.record(b=side)
    return project


def predictions(project: Project, side: str) -> list[dict[str, Any]]:
    return pq.read_table(project.audits()[-1] / side / "run-1.parquet").to_pylist()  # type: ignore[no-any-return]


def audit(project: Project, served: RunningServer, *arguments: str) -> Any:
    inputs = ("--inputs", str(served.folder / "inputs.csv"), "--key", "id", "--repeat", "3")
    return project.run(*arguments, *inputs, "--report", *project.options())


def test_live_against_rebuilt_is_an_ordinary_audit(served: RunningServer, rebuilt: Project) -> None:
    result = audit(rebuilt, served, served.url, "record.json#b", "--protocol", "mlflow")
    report = result.report
    rows = predictions(rebuilt, "a")
    # Whether the server's sums are those of plain Python to the last bit depends on the processor.
    expected = "identical" if rows == predictions(rebuilt, "b") else "equal-to-rounding"
    assert (result.status, report["verdict"]) == (0, expected), result.stderr
    assert [row["id"] for row in rows] == [f"r{number:04}" for number in range(1250)]
    assert [row["prediction"] for row in rows] == served.known["predictions"]
    for name in ("code", "environment", "parameters", "data"):
        assert report["areas"][name]["status"] == "unknown", name
        assert report["areas"][name]["counts"]["added"] == 0
    summary = " ".join(report["summary"])
    assert (
        "It is not known whether the code, environment, parameters and data are the same (A: a live endpoint" in summary
    )
    a = report["sides"]["a"]
    assert (a["isolation"]["kind"], a["isolation"]["probed"]) == ("remote", False)
    log = (rebuilt.audits()[-1] / a["runs"][0]["log"]).read_text()
    assert [line.partition(":")[0] for line in sorted(log.splitlines())[:3]] == [
        "rows 1 to 500",
        "rows 1,001 to 1,250",
        "rows 501 to 1,000",
    ]
    assert (
        audit(rebuilt, served, served.url, "record.json#b", "--fail-on", "any").status == 3
    )  # unknown never counts as same


def test_another_model_is_drift_in_the_rows_that_move(served: RunningServer, rebuilt: Project) -> None:
    recorded(rebuilt, served.known["weights"] | {"y": served.known["weights"]["y"] + 0.5})
    result = audit(rebuilt, served, served.url, "record.json#b")
    assert (result.status, result.report["verdict"]) == (1, "drift"), result.stderr
    column = result.report["areas"]["predictions"]["columns"][0]
    assert column["name"] == "prediction"
    assert column["different"] == sum(number % 3 > 0 for number in range(1250))
    assert column["max_abs"] == pytest.approx(1.0)


def test_an_endpoint_against_itself_is_identical_and_detected(served: RunningServer, rebuilt: Project) -> None:
    result = audit(rebuilt, served, f"{served.url}/", f"{served.url}/invocations", "--markdown", "report.md")
    assert (result.status, result.report["verdict"]) == (0, "identical"), result.stderr
    assert result.report["sides"]["a"]["record"]["predict"]["protocol"] == "mlflow"
    assert "no code of it ran here" in (rebuilt.folder / "report.md").read_text()


def test_a_record_of_an_endpoint_reads_again(served: RunningServer, rebuilt: Project, tmp_path: Path) -> None:
    inputs = str(served.folder / "inputs.csv")
    secret = served.url.replace("//", "//ada:c4n4ry-passw0rd@") + "?token=c4n4ry-t0ken"
    done = rebuilt.run("record", secret, "--inputs", inputs, "-o", "live.toml")
    assert done.status == 0, done.stderr
    text = (rebuilt.folder / "live.toml").read_text() + done.stderr
    assert "c4n4ry" not in text
    assert 'protocol = "mlflow"' in text
    record = load_record("live.toml", Context(Cache(tmp_path / "cache"), here=rebuilt.folder))
    assert record.predict is not None
    assert record.predict.url == served.url
    assert {item.field for item in record.missing} == {"code", "environment", "parameters", "data"}
    result = rebuilt.run("live.toml", served.url, "--report", "--repeat", "1")
    assert (result.status, result.report["verdict"]) == (0, "identical"), result.stderr


def test_an_endpoint_that_hangs_loses_its_side_in_one_sentence(tmp_path: Path) -> None:
    project = Project(tmp_path / "project", {"requirements": "requirements.txt"})
    with hanging() as server:
        live = {"predict": {"protocol": "mlflow", "url": server.url, "timeout_s": 2}}
        project.record(a=live, b=project.deployment())
        result = project.audit()
    assert (result.status, result.report["verdict"]) == (3, "not-comparable"), result.stderr
    summary = " ".join(result.report["summary"])
    assert "within the time limit of 2 s" in summary
    assert "predict.timeout_s" in summary


def test_what_a_record_says_beside_a_url_is_not_taken_for_what_it_runs(served: RunningServer, rebuilt: Project) -> None:
    document = json.loads((rebuilt.folder / "record.json").read_text())
    live = {"protocol": "mlflow", "url": served.url, "names": {"prediction": "score"}, "columns": ["x", "y"]}
    document["deployments"]["a"] = document["deployments"]["b"] | {"predict": live}
    (rebuilt.folder / "record.json").write_text(json.dumps(document))
    result = audit(rebuilt, served, "record.json#a", served.url)
    assert result.status == 3, result.stderr  # score is not prediction: columns with different names are never paired
    assert result.report["areas"]["code"]["status"] == "unknown"
    assert "its recorded code, environment, data are not rebuilt" in " ".join(result.report["warnings"])
    assert "score" in predictions(rebuilt, "a")[0]


@pytest.fixture
def store(templates: Templates) -> MlflowStore:
    """The models of MLflow's tests, whose environment is in the test's cache."""
    lend_environments(first_audit(templates).cache, Path(os.environ["REPRO_TUI_CACHE"]))
    return database(templates)


@pytest.mark.network
@pytest.mark.skipif(not NIGHTLY, reason="builds MLflow's whole environment, for minutes: make test-nightly")
def test_is_production_what_its_record_says(
    store: MlflowStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A registered model, served live, against the version that should be deployed, and against another."""
    project = Project(tmp_path / "project", {"requirements": "requirements.txt"})
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store.uri)
    with serving(tmp_path, "models:/house/1") as url:
        same = project.run(url, "models:/house/1", "--report", "--repeat", "3", *project.options())
        drifted = project.run(url, "models:/house/2", "--report", "--repeat", "3", *project.options())
    assert (same.status, same.report["verdict"]) in [(0, "identical"), (0, "equal-to-rounding")], same.stderr
    predictions = pq.read_table(project.audits()[0] / "a" / "run-1.parquet").to_pydict()
    assert predictions == {"prediction": store.made[0]["predictions"]}
    assert (drifted.status, drifted.report["verdict"]) == (1, "drift"), drifted.stderr
    assert drifted.report["areas"]["predictions"]["columns"][0]["different"] == 12


@pytest.fixture
def environment(templates: Templates) -> Path:
    return mlserver_environment(templates)


@pytest.mark.network
def test_a_real_server_of_open_inference(environment: Path, tmp_path: Path) -> None:
    project = Project(tmp_path / "project", {"requirements": "requirements.txt"})
    with (project.folder / "typed.csv").open("w", newline="") as stream:
        out = csv.writer(stream)
        out.writerow(["id", "x", "y", "n", "town"])
        out.writerows(
            [f"r{n}", repr(n / 7), "" if n == 5 else repr(float(n % 3)), n, f"Köln {n % 2}"] for n in range(700)
        )
    folder = tmp_path / "mlserver"
    folder.mkdir()
    with mlserver(folder, ["credit"], environment) as url:
        options = ("--inputs", "typed.csv", "--key", "id", "--repeat", "3", "--report")
        result = project.run(url, f"{url}/v2/models/credit", *options)
    assert (result.status, result.report["verdict"]) == (0, "identical"), result.stderr
    assert result.report["sides"]["a"]["record"]["predict"]["protocol"] == "open-inference"
    table = pq.read_table(project.audits()[-1] / "a" / "run-1.parquet")
    assert {field.name: str(field.type) for field in table.schema} == {
        "id": "string",
        "score": "double",
        "count": "int64",
        "label": "string",
        "town": "string",
    }
    for number, row in enumerate(table.to_pylist()):
        score = number / 7 * 2.0 + number % 3
        if number == 5:
            assert row["score"] != row["score"]  # missing values are sent, and come back as NaN
            score = 0.0
        else:
            assert row["score"] == score
        expected = (f"r{number}", number + 1, "yes" if score > 100 else "no", f"Köln {number % 2}")
        assert (row["id"], row["count"], row["label"], row["town"]) == expected


@pytest.mark.network
def test_several_models_have_to_be_named(environment: Path, tmp_path: Path) -> None:
    project = Project(tmp_path / "project", {"requirements": "requirements.txt"})
    (project.folder / "typed.csv").write_text("x,y,n,town\n1.5,2.0,3,a\n")
    folder = tmp_path / "mlserver"
    folder.mkdir()
    with mlserver(folder, ["credit", "other"], environment) as url:
        options = ("--inputs", "typed.csv", "--repeat", "1", "--report")
        result = project.run(url, f"{url}/v2/models/absent", *options)
        good = project.run(f"{url}/v2/models/credit", f"{url}/v2/models/other/infer", *options)
    assert result.status == 3
    a, b = (result.report["sides"][side] for side in "ab")
    assert "serves several models: " in a["what"]
    assert "/v2/models/NAME" in a["do"]
    assert "has no model absent that is ready" in b["what"]
    assert (good.status, good.report["verdict"]) == (0, "identical"), good.stderr
