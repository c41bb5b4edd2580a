"""Real MLflow stores as sources: a database, the older file store and a server, with models of the real client."""

from __future__ import annotations

import hashlib
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as csv_module
import pyarrow.parquet as pq
import pytest

import repro_tui.clients.mlflow
from repro_tui.audit.folder import AuditFolder
from repro_tui.model.errors import Inconclusive, Refused
from repro_tui.model.overrides import Overrides
from repro_tui.model.record import Record
from repro_tui.rebuild.data import rebuild_data
from repro_tui.sources.overlay import lay_over
from repro_tui.sources.resolve import load_record
from repro_tui.support.cache import Cache
from repro_tui.support.context import Context
from repro_tui.support.hashes import digest_tree
from tests.audit.project import sandbox_works
from tests.ports import closed_port
from tests.systems.endpoint.servers import process
from tests.systems.mlflow import stores
from tests.systems.mlflow.stores import MlflowAudit, MlflowStore, audit, program
from tests.templates import Templates
from tests.warm import lend_empty_environment, lend_environments

SECRET = "hunter2-c4n4ry"
TEXT = csv_module.ConvertOptions(
    column_types=dict.fromkeys(("code", "n", "ok", "big"), pa.string()), strings_can_be_null=False
)


@pytest.fixture
def database(templates: Templates) -> MlflowStore:
    return stores.database(templates)


@pytest.fixture
def audited(templates: Templates) -> MlflowAudit:
    """Both versions of the house model, audited with an empty cache."""
    return stores.first_audit(templates)


@pytest.fixture
def warm(audited: MlflowAudit) -> None:
    """Adds the environment of the house model to the test's cache."""
    lend_environments(audited.cache, Path(os.environ["REPRO_TUI_CACHE"]))


@pytest.fixture
def empty_environment(templates: Templates) -> None:
    """Adds an environment without packages to the test's cache."""
    lend_empty_environment(templates, Path(os.environ["REPRO_TUI_CACHE"]))


@pytest.fixture(scope="module")
def server(templates: Templates, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real tracking server on top of the database."""
    store, folder = stores.database(templates), tmp_path_factory.mktemp("server")
    command = [
        *(sys.executable, "-W", "ignore", "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", "0"),
        *("--backend-store-uri", store.uri, "--workers", "1"),
        *("--artifacts-destination", str(store.folder / "mlartifacts")),
    ]
    environment = os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    with process(command, folder, "/health", environment) as url:
        yield url


def told_location(record: Record) -> Path:
    """The folder with the files of a record's model."""
    return Path(json.loads((Path(record.base) / "mlflow.json").read_text())["location"])


@pytest.mark.network
def test_two_versions_are_audited_row_by_row(database: MlflowStore, audited: MlflowAudit) -> None:
    report = audited.report
    assert audited.status == 1, audited.words
    newest = AuditFolder(max(audited.audits.iterdir()))
    for side, made in zip("ab", database.made, strict=False):
        predictions = pq.read_table(newest.path / side / "run-1.parquet").column("prediction").to_pylist()
        assert predictions == pytest.approx(made["predictions"], rel=1e-12)
    assert report["verdict"] == "drift"
    names = {finding["path"][-1] for finding in report["areas"]["parameters"]["findings"]}
    assert names == {"alpha"}
    assert report["areas"]["data"]["status"] == "different"
    assert report["areas"]["environment"]["status"] == "same"
    assert report["sides"]["a"]["isolation"]["network"] == "none" or not sandbox_works()
    assert not list(audited.here.iterdir())  # no stray store in the user's folder


@pytest.mark.network
@pytest.mark.usefixtures("warm")
def test_a_written_record_is_audited_and_a_run_is_verified(database: MlflowStore, tmp_path: Path) -> None:
    columns = [[i / 10 for i in range(30)], [float(i % 3) for i in range(30)]]
    rows = "".join(f"r{n},{a},{b},{a * 2 + b}\n" for n, (a, b) in enumerate(zip(*columns, strict=True)))
    (tmp_path / "rows.csv").write_text(f"id,a,b,y\n{rows}")
    status, _, stderr = program(database, tmp_path, "record", "models:/house@prod", "-o", "house.toml")
    assert status == 0, stderr
    assert "missing: " in stderr
    assert "no hash" not in stderr
    text = (tmp_path / "house.toml").read_text()
    assert 'inputs = "house.files/input_example.jsonl"' in text
    assert f'source = "mlflow:{database.made[0]["model"]}"' in text
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", database.uri)
        model = told_location(database.load("models:/house@prod", tmp_path))
    files = {str(path.relative_to(model)): path for path in model.rglob("*") if path.is_file()}
    hashes = [(name, hashlib.sha256(path.read_bytes()).hexdigest()) for name, path in files.items()]
    assert f'sha256 = "{digest_tree(hashes)}"' in text
    status, report, stderr = audit(database, tmp_path, "house.toml", "models:/house@prod", "--repeat", "1")
    assert (status, report["verdict"]) == (0, "identical"), stderr
    given = ("--inputs", "rows.csv", "--truth", "y", "--key", "id", "--repeat", "1")
    # This run has no commit, which a model with its own code does not need.
    status, report, stderr = audit(database, tmp_path, "verify", f"runs:/{database.made[1]['run']}", *given)
    assert (status, report["grade"]["level"]) == (1, "R4"), report["grade"]  # MLflow kept no predictions
    assert [(metric["name"], metric["matches"]) for metric in report["grade"]["metrics"]] == [("r2", True)]


def test_a_run_is_read_with_what_it_does_not_record(
    database: MlflowStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", database.uri)
    record = database.load(f"runs:/{database.made[0]['run']}", tmp_path)
    assert record.parameters.values == {"alpha": 0.1, "note": "[/red]"}
    assert record.code is not None
    assert (record.code.commit, record.code.in_image) == ("1" * 40, True)
    assert record.environment.requirements == "file:requirements.txt"
    assert record.environment.as_of
    assert record.environment.python == ".".join(map(str, sys.version_info[:2]))
    assert [item.path for item in record.data] == ["model", "predict_pyfunc.py"]
    assert record.data[0].source == f"mlflow:{database.made[0]['model']}"
    assert set(record.expected.metrics) == {"r2"}
    assert record.validation.inputs is not None
    assert len(Path(record.validation.inputs).read_text().splitlines()) == 12
    gaps = {item.field: item.why for item in record.missing}
    assert "covers only the first 10,000 rows" in gaps["data.datasets"]
    assert "no hash" in gaps["data.0.sha256"]
    assert all(item.do for item in record.missing)
    registered = database.load("models:/house/2", tmp_path)
    assert "code.commit" in {item.field for item in registered.missing}


def test_the_same_over_http(
    database: MlflowStore, server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server)
    over_http = database.load("models:/house@prod", tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", database.uri)
    direct = database.load("models:/house/1", tmp_path)
    assert over_http.parameters == direct.parameters
    assert over_http.environment == direct.environment
    assert over_http.data[0] == direct.data[0]
    assert over_http.code == direct.code


def test_the_older_file_store(templates: Templates, monkeypatch: pytest.MonkeyPatch, cache: Cache) -> None:
    store = stores.file_store(templates)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    context = Context(cache=cache, here=store.folder)
    record = load_record(f"runs:/{store.made[1]['run']}", context)  # found in the user's folder, as MLflow does
    assert record.parameters.values["alpha"] == 5.0
    assert record.predict is not None


@pytest.mark.usefixtures("warm")
def test_a_run_without_a_model_says_so(database: MlflowStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", database.uri)
    record = database.load(f"runs:/{database.made[2]['run']}", tmp_path)
    assert record.predict is None
    assert any("no logged model" in item.why for item in record.missing)
    status, _, stderr = audit(database, tmp_path, f"runs:/{database.made[2]['run']}", "models:/house/1")
    assert status == 3, stderr


@pytest.mark.parametrize(
    ("reference", "reason"),
    [
        ("runs:/nothex", "is not a run or a model"),
        ("models:/house", "is not a run or a model"),
        ("models:/../x/1", "is not a run or a model|not found"),
        ("models:/house/99", "not found"),
        ("models:/house@nobody", "nobody"),
        ("runs:/" + "0" * 32, "not found"),
    ],
)
def test_what_is_not_there_is_refused_in_one_line(
    database: MlflowStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reference: str, reason: str
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", database.uri)
    with pytest.raises(Refused, match=reason) as error:
        database.load(reference, tmp_path)
    assert "\n" not in str(error.value)


def test_a_dead_server_and_no_server_are_told(
    database: MlflowStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closed_port() as port:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://user:hunter2@127.0.0.1:{port}")
        with pytest.raises(Refused, match="the connection failed") as error:
            database.load("models:/house/1", tmp_path)
    assert "hunter2" not in str(error.value)
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    with pytest.raises(Refused, match="MLFLOW_TRACKING_URI is not set"):
        database.load("models:/house/1", tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///nowhere.db")
    with pytest.raises(Refused, match="does not exist"):
        database.load("models:/house/1", tmp_path)
    assert not (tmp_path / "nowhere.db").exists()


def test_a_server_that_hangs_is_given_up(
    database: MlflowStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:  # the kernel accepts connections, but nothing answers
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{listener.getsockname()[1]}")
        monkeypatch.setitem(repro_tui.clients.mlflow.TIMEOUT_S, "describe", 8.0)  # MLflow's own limits are longer
        with pytest.raises(Refused, match="did not answer within 8 s"):
            database.load("models:/house/1", tmp_path)


def test_parameters_are_typed_as_far_as_it_is_known(
    database: MlflowStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", database.uri)
    record = database.load(f"runs:/{database.made[3]['run']}", tmp_path)
    values = record.parameters.values
    assert values == {
        "threshold": 1.0,
        "depth": 3,
        "on": True,
        "layers": [1, 2],
        "version": "1.10",
        "api_key": "123456",
    }
    assert isinstance(values["threshold"], float)  # it was logged as 1, but the signature says double
    assert "threshold typed by the model's signature" in record.provenance["parameters.values"]
    assert record.expected.metrics == {"good": 0.5}
    assert any("bad was recorded as nan" in item.why for item in record.missing)


def test_a_validation_dataset_in_a_file_gives_the_inputs(
    database: MlflowStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", database.uri)
    record = database.load(database.made[3]["model"], tmp_path)
    assert record.validation.inputs == database.made[3]["inputs"]
    assert any(
        "the current file of the logged dataset codes" in warning and "first 10,000 rows" in warning
        for warning in record.warnings
    )
    given = lay_over(
        record, Overrides(inputs=database.made[3]["inputs"]), Context(Cache(tmp_path / "cache"), here=tmp_path)
    )
    assert not any("validation inputs are" in warning for warning in given.warnings)


def test_the_helper_reads_inputs_in_the_types_of_the_signature(
    database: MlflowStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CSV text that looks like numbers, an empty text, one that pandas reads as missing, and a number above 2**53."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", database.uri)
    record = database.load(database.made[3]["model"], tmp_path)
    csv = Path(database.made[3]["inputs"])
    rows = csv_module.read_csv(csv, convert_options=TEXT).to_pylist()
    lines = tmp_path / "rows.jsonl"
    typed = [
        {"code": row["code"], "n": float(row["n"]), "ok": row["ok"] == "True", "big": int(row["big"])} for row in rows
    ]
    lines.write_text("".join(json.dumps(row) + "\n" for row in typed))
    wanted = [row["n"] * 2 + row["ok"] * 0.5 for row in typed]
    for inputs in (csv, lines):
        output = tmp_path / f"{inputs.stem}.parquet"
        helper = [str(Path(record.base) / "predict_pyfunc.py"), str(inputs), str(output), str(told_location(record))]
        subprocess.run([sys.executable, "-W", "ignore", *helper], check=True, cwd=tmp_path, capture_output=True)
        columns = pq.read_table(output).to_pydict()
        assert columns["code"] == ["<007>", "<>", "<NA>", "<1e5>"]
        assert columns["score"] == wanted


def test_reading_never_writes_into_a_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """MLflow's client creates its tables in any database that has none."""
    database = tmp_path / "other.db"
    database.touch()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{database}")
    with pytest.raises(Refused, match=r"has no MLflow tables.*not changed") as error:
        load_record("models:/house/1", Context(cache=Cache(tmp_path / "cache"), here=tmp_path))
    assert "\n" not in str(error.value)
    assert database.stat().st_size == 0


def test_a_registry_of_its_own_is_asked(database: MlflowStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", database.uri)
    monkeypatch.setenv("MLFLOW_REGISTRY_URI", "sqlite:///mlflow.db")  # relative to the user's folder
    record = load_record("models:/house@prod", Context(cache=Cache(tmp_path / "cache"), here=database.folder))
    assert record.name == "house 1"
    with pytest.raises(Refused, match=r"MLFLOW_REGISTRY_URI names .* does not exist"):
        database.load("models:/house@prod", tmp_path)


def test_a_link_among_the_artifacts_is_never_followed(
    templates: Templates, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = stores.own_database(templates, tmp_path / "store")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store.uri)
    record = store.load(store.made[1]["model"], tmp_path)
    assert told_location(record).is_relative_to(store.folder)
    (told_location(record) / "leak").symlink_to("/etc/passwd")
    for cache in ("cache", "other"):  # the first knows where the files are, the second queries MLflow
        context = Context(cache=Cache(tmp_path / cache), here=tmp_path)
        with pytest.raises(Inconclusive, match="is a link"):
            rebuild_data(record, None, context)


def record_of_a_model(database: MlflowStore) -> dict[str, Any]:
    """A deployment whose data is a model of the store, recorded with a hash that it does not have."""
    return {
        "schema": 1,
        "validation": {"inputs": "inputs.csv"},
        "deployments": {
            "x": {
                "environment": {"requirements": "file:requirements.txt"},
                "data": [{"path": "model", "source": f"mlflow:{database.made[0]['model']}", "sha256": "0" * 64}],
                "predict": {"command": ["python", "x.py", "{output}"]},
            }
        },
    }


@pytest.mark.usefixtures("empty_environment")
def test_a_server_that_is_gone_loses_the_side_and_no_secret(database: MlflowStore, tmp_path: Path) -> None:
    (tmp_path / "inputs.csv").write_text("a,b\n1.0,2.0\n")
    (tmp_path / "requirements.txt").write_text("")
    document = record_of_a_model(database)
    (tmp_path / "x.json").write_text(json.dumps(document))
    with closed_port() as port:
        uri = f"http://ada:{SECRET}@127.0.0.1:{port}"
        gone = MlflowStore(uri, tmp_path, [])
        status, report, stderr = audit(gone, tmp_path, "x.json", "x.json")
        assert status == 3, stderr
        assert "the connection failed" in " ".join(report["summary"])
        newest = max(Path(os.environ["REPRO_TUI_AUDITS"]).iterdir())
        written = [path.read_bytes() for path in newest.rglob("*") if path.is_file()]
        assert not any(SECRET.encode() in text for text in (stderr.encode(), json.dumps(report).encode(), *written))
        status, _, stderr = audit(gone, tmp_path, "models:/house/1", "models:/house/2")
        assert status == 2, stderr
        assert all("the connection failed" in line for line in stderr.splitlines())
        assert SECRET not in stderr


@pytest.mark.usefixtures("empty_environment")
def test_a_tampered_artifact_is_refused_with_both_hashes(database: MlflowStore, tmp_path: Path) -> None:
    here = tmp_path / "here"
    here.mkdir()
    (here / "inputs.csv").write_text("a,b\n1.0,2.0\n")
    document = record_of_a_model(database)
    (here / "requirements.txt").write_text("")
    (here / "x.json").write_text(json.dumps(document))
    status, report, stderr = audit(database, here, "x.json", "x.json")
    assert status == 3, stderr
    summary = report["sides"]["a"]["what"]
    assert "recorded sha256 " + "0" * 64 in summary
    assert "fetched sha256" in summary
