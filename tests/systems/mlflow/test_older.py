"""Stores and servers of older MLflow versions, with passwords, an artifact proxy and S3, read as they are."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from repro_tui.model.errors import Inconclusive, Refused
from repro_tui.model.record import Record
from repro_tui.rebuild.data import rebuild_data
from repro_tui.sources.resolve import load_record
from repro_tui.support.cache import Cache
from repro_tui.support.context import Context
from tests.systems.mlflow.gateway import gateway
from tests.systems.mlflow.older import (
    VERSIONS,
    OlderStore,
    moved_store,
    object_store,
    older_server,
    older_store,
)
from tests.templates import Templates

pytestmark = pytest.mark.network
PASSWORD = "hunter2-c4n4ry"
TOKEN = "t0ken-c4n4ry"
READ_ONLY = "its tables were read as they are, and nothing was migrated or written"


@pytest.fixture(params=VERSIONS)
def older(request: pytest.FixtureRequest, templates: Templates) -> OlderStore:
    return older_store(request.param, templates)


@pytest.fixture
def context(tmp_path: Path) -> Context:
    return Context(cache=Cache(tmp_path / "cache"), here=tmp_path)


@pytest.fixture(scope="module")
def store(templates: Templates) -> OlderStore:
    return older_store("2.22.0", templates)


@pytest.fixture(scope="module")
def server(templates: Templates, store: OlderStore, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server of 2.22 that asks for a password and serves the artifacts itself."""
    moved = moved_store(store, tmp_path_factory.mktemp("older") / "server", "mlflow-artifacts:")
    shutil.copytree(store.folder / "mlruns", moved.folder / "artifacts")
    with older_server("2.22.0", moved, templates, PASSWORD) as url:
        yield url


def files_of(folder: Path) -> dict[str, str]:
    paths = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def fetched_model(record: Record, context: Context) -> dict[str, str]:
    fetched, _ = rebuild_data(record, None, context)
    return {name: file.sha256 for name, file in fetched[0].files.items()}


def test_a_store_of_an_older_version_is_read_and_not_changed(
    older: OlderStore, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", older.uri)
    before = hashlib.sha256(older.database.read_bytes()).hexdigest()
    record = load_record(f"runs:/{older.made[0]['run']}", context)
    assert record.parameters.values == {"alpha": 0.1, "depth": 3}
    assert record.expected.metrics == {"r2": older.made[0]["r2"]}
    assert record.environment.requirements == "file:requirements.txt"
    assert any(READ_ONLY in warning for warning in record.warnings)
    assert fetched_model(record, context) == files_of(older.model(0))
    assert hashlib.sha256(older.database.read_bytes()).hexdigest() == before
    without_signature = load_record("models:/house/latest", context)
    assert without_signature.name == "house 2"
    assert fetched_model(without_signature, context) == files_of(older.model(1))
    assert "nan" in next(item.why for item in without_signature.missing if "metrics" in item.field)


def test_a_stage_names_the_version_that_it_is_now(
    older: OlderStore, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", older.uri)
    record = load_record("models:/house/Production", context)
    assert (record.name, record.data[0].source) == ("house 1", "mlflow:models:/house/1")
    assert any("Production is house version 1 now" in warning for warning in record.warnings)
    with pytest.raises(Refused, match=r"no version in the stage Staging .*version 1 in Production, version 2 in None"):
        load_record("models:/house/Staging", context)


def test_a_deleted_run_is_told(older: OlderStore, context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", older.uri)
    record = load_record(f"runs:/{older.made[2]['run']}", context)
    assert any("the run was deleted in MLflow" in warning for warning in record.warnings)


@pytest.mark.parametrize("place", ["variables", "file"])
def test_a_server_of_2_with_a_password_and_its_artifact_proxy(
    store: OlderStore, server: str, context: Context, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, place: str
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server)
    if place == "variables":
        monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "admin")
        monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", PASSWORD)
    else:
        monkeypatch.setenv("HOME", str(tmp_path))
        (tmp_path / ".mlflow").mkdir()
        text = f"[mlflow]\nmlflow_tracking_username = admin\nmlflow_tracking_password = {PASSWORD}\n"
        (tmp_path / ".mlflow" / "credentials").write_text(text)
    record = load_record(f"runs:/{store.made[0]['run']}", context)
    assert record.parameters.values == {"alpha": 0.1, "depth": 3}
    if place == "variables":
        assert fetched_model(record, context) == files_of(store.model(0))
        assert load_record("models:/house/Production", context).name == "house 1"
        deleted = load_record(f"runs:/{store.made[2]['run']}", context)
        assert any("the run was deleted" in warning for warning in deleted.warnings)
    assert PASSWORD not in context.redactor.scrub(f"the password is {PASSWORD}")
    cached = [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]
    assert not any(PASSWORD.encode() in path.read_bytes() for path in cached)


def test_a_wrong_password_is_told_without_it(
    store: OlderStore, server: str, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server)
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "admin")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "another-w0rd")
    with pytest.raises(Refused, match="MLFLOW_TRACKING_PASSWORD") as refused:
        load_record(f"runs:/{store.made[0]['run']}", context)
    assert "another-w0rd" not in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("token", [TOKEN, "another-t0ken", ""], ids=["right", "wrong", "none"])
def test_a_server_behind_a_gateway_that_wants_a_token(
    store: OlderStore,
    server: str,
    context: Context,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    token: str,
) -> None:
    """The token goes with every request, those for artifacts too, and is written nowhere."""
    reference = f"runs:/{store.made[0]['run']}"
    with gateway(server, "admin", PASSWORD, TOKEN) as before:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", before.url)
        monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", token) if token else None
        if token == TOKEN:
            record = load_record(reference, context)
            assert record.parameters.values == {"alpha": 0.1, "depth": 3}
            assert fetched_model(record, context) == files_of(store.model(0))
            assert any("mlflow-artifacts" in path for path in before.asked)
            assert not before.refused
            shown = repr(record)
        else:
            with pytest.raises(Refused, match="MLFLOW_TRACKING_TOKEN") as refused:
                load_record(reference, context)
            assert before.refused
            assert not before.asked
            shown = str(refused.value)
    written = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()).decode("utf-8", "replace")
    assert not token or token not in written + shown + "".join(capfd.readouterr())
    assert not token or token not in context.redactor.scrub(f"the token is {token}")


def test_artifacts_behind_a_proxy_need_their_server(
    store: OlderStore, context: Context, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    moved = moved_store(store, tmp_path / "moved", "mlflow-artifacts:")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", moved.uri)
    with pytest.raises(Refused, match=r"artifact proxy of a server .*set MLFLOW_TRACKING_URI to that server"):
        load_record("models:/house/1", context)


def test_a_model_in_s3(
    store: OlderStore, templates: Templates, context: Context, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import boto3

    moved = moved_store(store, tmp_path / "moved", "s3://models")
    secret = "c4n4ry-of-the-object-store"
    for name, value in {
        "AWS_ACCESS_KEY_ID": "ada",
        "AWS_SECRET_ACCESS_KEY": secret,
        "AWS_DEFAULT_REGION": "us-east-1",
        "MLFLOW_TRACKING_URI": moved.uri,
    }.items():
        monkeypatch.setenv(name, value)
    with object_store(templates, tmp_path) as url:
        monkeypatch.setenv("MLFLOW_S3_ENDPOINT_URL", url)
        client = boto3.client("s3", endpoint_url=url)
        client.create_bucket(Bucket="models")
        for path in filter(Path.is_file, (store.folder / "mlruns").rglob("*")):
            client.upload_file(str(path), "models", str(path.relative_to(store.folder / "mlruns")))
        record = load_record("models:/house/1", context)
        assert fetched_model(record, context) == files_of(store.model(0))
    with pytest.raises(Inconclusive) as failed:  # the store is gone
        rebuild_data(record, None, Context(cache=Cache(tmp_path / "empty"), here=tmp_path))
    assert secret not in str(failed.value)


@pytest.mark.parametrize(("absent", "extra"), [("boto3", "s3"), ("mlflow", "mlflow")])
def test_what_is_missing_is_named_by_the_extra_that_has_it(
    store: OlderStore, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, absent: str, extra: str
) -> None:
    moved = moved_store(store, tmp_path / "moved", "s3://models")
    program = (
        f"import sys; sys.modules[{absent!r}] = None; sys.argv = ['x', 'describe', 'models:/house/1', '.']\n"
        "from repro_tui.clients.mlflow_child import main; sys.exit(main())"
    )
    monkeypatch.setenv("MLFLOW_TRACKING_URI", moved.uri)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert done.returncode == 1
    answer = json.loads(done.stdout.splitlines()[-1])
    assert answer["error"] == f"{absent} is not installed"
    assert f"with the extra {extra};" in answer["do"]
