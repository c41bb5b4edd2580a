"""Runs on a server as sources: the real W&B client against a server on loopback that answers its requests."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest

import repro_tui.clients.wandb
from repro_tui.audit.folder import AuditFolder
from repro_tui.model.errors import Refused
from tests.ports import closed_port
from tests.systems.wandb.runs import COMMAND, WandbProject
from tests.systems.wandb.server import KEY, WandbServer, serving

WEIGHTS = b'{"weight": 2.0}'


@pytest.fixture
def project(tmp_path: Path) -> WandbProject:
    return WandbProject(tmp_path)


@pytest.fixture
def server(project: WandbProject, monkeypatch: pytest.MonkeyPatch) -> Iterator[WandbServer]:
    git = {"remote": str(project.root), "commit": project.commit}
    metadata = {"python": "CPython 3.11.7", "program": "train.py", "git": git, "root": "/srv", "args": ["--key", KEY]}
    files = {"requirements.txt": b"six==1.17.0\n", "wandb-metadata.json": json.dumps(metadata).encode()}
    runs = {"abc123": {"factor": 1.0}, "abc124": {"factor": 1.5}}
    stand_in = WandbServer(files, {"weights.json": WEIGHTS}, runs, {"accuracy": 0.92, "_step": 2}, project.commit)
    with serving(stand_in) as served:
        monkeypatch.setenv("WANDB_BASE_URL", served.url)
        monkeypatch.setenv("WANDB_API_KEY", KEY)
        yield served


def audit(project: WandbProject, server: WandbServer, *references: str) -> tuple[int, dict[str, object], str]:
    options = [*references, "--inputs", "inputs.csv", "--key", "id", "--predict", COMMAND]
    result = project.audit(*options, WANDB_BASE_URL=server.url, WANDB_API_KEY=KEY)
    return result.status, result.report if result.stdout else {}, result.stderr


def scores(side: str) -> dict[str, float]:
    newest = max(Path(os.environ["REPRO_TUI_AUDITS"]).iterdir())
    table = pq.read_table(AuditFolder(newest).path / side / "run-1.parquet").to_pydict()
    return dict(zip(map(str, table["id"]), map(float, table["score"]), strict=True))


def test_a_run_is_read_from_the_server(project: WandbProject, server: WandbServer) -> None:
    record = project.load("wandb:acme/credit/abc123")
    assert (record.name, record.description) == ("ridge", "run acme/credit/abc123")
    assert record.code is not None
    assert (record.code.repository, record.code.commit) == (str(project.root), project.commit)
    assert record.parameters.values == {"factor": 1.0}
    assert record.expected.metrics == {"accuracy": 0.92}
    assert (record.environment.python, record.environment.as_of) == ("3.11", "2026-11-25T09:00:01Z")
    assert (Path(record.base) / "requirements.txt").read_bytes() == b"six==1.17.0\n"
    (item,) = record.data
    assert (item.path, item.source, item.md5) == ("artifacts/model", "wandb:acme/credit/model:v3", server.digest)
    assert all(server.url in place for place in record.provenance.values())
    assert project.load("wandb:acme/credit/runs/abc123").code == record.code


@pytest.mark.network
def test_two_runs_are_audited_row_by_row(project: WandbProject, server: WandbServer) -> None:
    status, report, stderr = audit(project, server, "wandb:acme/credit/abc123", "wandb:acme/credit/abc124")
    assert status == 1, stderr
    assert (scores("a"), scores("b")) == (project.expected(2.0), project.expected(3.0))
    asked = len(server.asked)
    assert audit(project, server, "wandb:acme/credit/abc123", "wandb:acme/credit/abc124")[0] == 1
    assert "FetchArtifactManifest" not in server.asked[asked:]  # a fetched and verified file is not requested again
    assert any(b64encode(f"api:{KEY}".encode()).decode() in header for header in server.headers)
    audits = Path(os.environ["REPRO_TUI_AUDITS"])
    written = b"".join(path.read_bytes() for path in audits.rglob("*") if path.is_file())
    assert KEY.encode() not in written + stderr.encode() + json.dumps(report).encode()


@pytest.mark.network
def test_a_tampered_file_of_an_artifact_is_refused_with_both_hashes(project: WandbProject, server: WandbServer) -> None:
    server.served = {"weights.json": b'{"weight": 9.0}'}
    status, report, stderr = audit(project, server, "wandb:acme/credit/abc123", "wandb:acme/credit/abc123")
    assert status == 3, stderr
    summary = json.dumps(report["sides"])
    assert f"recorded md5 {hashlib.md5(WEIGHTS).hexdigest()}" in summary
    assert f"fetched md5 {hashlib.md5(server.served['weights.json']).hexdigest()}" in summary


def test_a_run_that_is_not_over_has_no_last_metrics(project: WandbProject, server: WandbServer) -> None:
    server.state = "running"
    record = project.load("wandb:acme/credit/abc123")
    assert record.expected.metrics == {}
    assert "running" in next(item.why for item in record.missing if item.field == "expected.metrics")


def test_an_unknown_run_is_refused_in_one_line(project: WandbProject, server: WandbServer) -> None:
    with pytest.raises(Refused) as refused:
        project.load("wandb:acme/credit/nobody")
    assert "nobody" in str(refused.value)
    assert "\n" not in str(refused.value)
    assert KEY not in str(refused.value)


def test_a_server_that_hangs_is_given_up(
    project: WandbProject, server: WandbServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(repro_tui.clients.wandb, "TIMEOUT_S", 4.0)
    server.hang = True
    with pytest.raises(Refused, match="did not answer within 4 s") as refused:
        project.load("wandb:acme/credit/abc123")
    assert server.url in str(refused.value)


def test_a_server_that_is_not_there_is_told_at_once(project: WandbProject, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repro_tui.clients.wandb, "TIMEOUT_S", 1.0)  # the client itself would retry for longer
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    with closed_port() as port:
        monkeypatch.setenv("WANDB_BASE_URL", f"http://127.0.0.1:{port}")
        with pytest.raises(Refused, match=r"W&B at http://127\.0\.0\.1:\d+: the connection failed") as refused:
            project.load("wandb:acme/credit/abc123")
    assert "WANDB_BASE_URL" in str(refused.value)


def test_without_the_client_it_says_what_to_install() -> None:
    program = (
        "import sys; sys.modules['wandb'] = None; sys.argv = ['x', 'describe', 'a/b/c', '.']\n"
        "from repro_tui.clients.wandb_child import main; sys.exit(main())"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    do = "reinstall repro-tui with the extra wandb; in its checkout: pipx install --force '.[wandb]'"
    assert json.loads(done.stdout)["do"] == do


@pytest.mark.parametrize(
    "reference", ["wandb:", "wandb:run", "wandb:a/b", "wandb:a/b/c/d", "wandb:/nowhere/at/all", "wandb:a/b/c?x=1"]
)
def test_bad_references_are_refused(project: WandbProject, reference: str) -> None:
    with pytest.raises(Refused, match="entity/project/id"):
        project.load(reference)
