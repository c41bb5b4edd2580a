"""The connection to the engine fails in each call of its API in turn: a relay before the real engine sees to it."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from repro_tui.audit.folder import AuditFolder
from repro_tui.clients.docker_engine import CACHE_LABEL, cache_digest
from repro_tui.execute.reap import reap
from repro_tui.model.errors import Inconclusive
from repro_tui.model.record import Code, Environment, Record
from repro_tui.model.run import Limits, Run
from repro_tui.rebuild.environments.image import rebuild_image
from repro_tui.support.cache import Cache
from repro_tui.support.context import Context
from tests.audit.project import Project
from tests.conftest import NIGHTLY
from tests.contract.conftest import collected  # noqa: F401 - a fixture
from tests.contract.runner_case import WRITE, RunnerCase
from tests.docker_faults import Fault, FaultyEngine, faulty_engine
from tests.engines import base_image, docker

pytestmark = [
    pytest.mark.docker,
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]
FAULTS: tuple[Fault, ...] = ("request", "answer", "body")
READS = "GET /containers/X/export"
REMOVAL = "DELETE /containers/X"
# Answers without a body, and the log of a container, which may have ended by then: only its end and its output count.
WITHOUT_BODY = {
    *("POST /containers/X/start", "POST /containers/X/stop", "DELETE /containers/X"),
    "POST /containers/X/attach",
}


@pytest.fixture
def patient(context: Context) -> Context:
    """A context that waits two seconds for a silent engine."""
    return replace(context, settings=replace(context.settings, limits=Limits(memory=512 << 20, stall_time=2)))


def rebuilt_and_run(context: Context, relay: FaultyEngine, monkeypatch: pytest.MonkeyPatch) -> Run:
    """An image is rebuilt, and read if the fault is there, and its predict step is run once, through the relay.

    It has the lease of an audit that has died.
    """
    monkeypatch.setenv("DOCKER_HOST", f"unix://{relay.path}")
    lease = context.cache.root / "leases" / context.audit_id
    lease.parent.mkdir(exist_ok=True)
    lease.touch()
    for note in (context.cache.root / "notes" / "inventory").glob("*") if relay.call == READS else ():
        note.unlink()
    record = Record("a", "a", code=Code("x", "0" * 40), environment=Environment(image=base_image()))
    environment, _ = rebuild_image(record, None, context)
    case = RunnerCase("docker", environment, context, {"limits": context.settings.limits})
    return case.run("print('hello')\n" + WRITE)


def left_behind(cache_root: Path) -> list[str]:
    label = f"label={CACHE_LABEL}={cache_digest(cache_root)}"
    return docker("ps", "--all", "--quiet", "--filter", label).split()


def test_each_call_that_is_cut_is_inconclusive_with_a_remedy(
    patient: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    volumes = docker("volume", "ls", "--quiet")
    with faulty_engine(tmp_path / "whole.sock") as relay:
        assert rebuilt_and_run(patient, relay, monkeypatch).status == "succeeded"
    calls = list(dict.fromkeys(relay.calls))
    assert {READS, *WITHOUT_BODY} - {"POST /containers/X/stop"} <= set(calls)
    cuts: list[tuple[str, Fault]]
    cuts = [(call, "body" if call == READS else FAULTS[number % 3]) for number, call in enumerate(calls)]
    cuts = [(call, fault) for call in calls for fault in FAULTS] if NIGHTLY else cuts
    stalls: list[tuple[str, Fault]] = [(call, "stall") for call in (calls if NIGHTLY else ["GET /info"])]
    for number, (call, fault) in enumerate([*cuts, *stalls]):
        with faulty_engine(tmp_path / f"{number}.sock", fault, call=call) as relay:
            if fault == "body" and call in WITHOUT_BODY:
                rebuilt_and_run(patient, relay, monkeypatch)
                continue
            with pytest.raises(Inconclusive) as error:
                rebuilt_and_run(patient, relay, monkeypatch)
            assert "run the audit again" in error.value.do, (call, fault)
            assert ("silent for too long" in error.value.what) == (fault == "stall"), (call, fault, error)
        assert relay.met
    monkeypatch.delenv("DOCKER_HOST")
    assert left_behind(patient.cache.root)
    reap(replace(patient, audit_id="next"))
    assert not left_behind(patient.cache.root)
    assert docker("volume", "ls", "--quiet") == volumes


def test_a_call_with_much_to_do_may_be_silent_for_longer(
    patient: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The engine may have to copy gigabytes before it answers, but not to say what it is."""
    with faulty_engine(tmp_path / "create.sock", "late", call="POST /containers/create") as relay:
        assert rebuilt_and_run(patient, relay, monkeypatch).status == "succeeded"
        assert relay.met
    with (
        faulty_engine(tmp_path / "info.sock", "late", call="GET /info") as relay,
        pytest.raises(Inconclusive, match="silent for too long"),
    ):
        rebuilt_and_run(patient, relay, monkeypatch)
    monkeypatch.delenv("DOCKER_HOST")
    reap(replace(patient, audit_id="next"))
    assert not left_behind(patient.cache.root)


@pytest.mark.skipif(not NIGHTLY, reason="a hundred audits: make test-nightly")
def test_an_audit_whose_connection_is_cut_anywhere_ends_with_a_report(project: Project, tmp_path: Path) -> None:
    side = project.deployment(environment={"image": base_image()})
    project.record(a=side, b=side)
    root, config = (Path(os.environ[f"REPRO_TUI_{name}"]) for name in ("CACHE", "CONFIG"))
    config.mkdir(exist_ok=True)
    (config / "config.toml").write_text("[limits]\nstall_time = 2\n")
    options = ("record.json#a", "record.json#b", "--report", "out.json", "--quiet", "--repeat", "1")
    for name in ("cold", "warm"):  # from then on, the image is not read again
        with faulty_engine(tmp_path / f"{name}.sock") as relay:
            whole = project.run(*options, DOCKER_HOST=f"unix://{relay.path}")
            assert whole.status == 0, whole.stderr
    calls, cuts = relay.calls, list[tuple[int, Fault]]()
    assert calls.count(REMOVAL) >= 2
    for at, call in enumerate(calls):
        first = calls.index(call) == at
        cuts += [(at, fault) for fault in (*FAULTS, "stall")] if first else [(at, FAULTS[at % 3])]
    for at, fault in cuts:
        (project.folder / "out.json").unlink(missing_ok=True)
        with faulty_engine(tmp_path / f"{at}-{fault}.sock", fault, at=at) as relay:
            result = project.run(*options, DOCKER_HOST=f"unix://{relay.path}")
        reap(Context(Cache(root)))
        assert not left_behind(root), (at, fault)
        report = json.loads((project.folder / "out.json").read_text())
        log = (AuditFolder(project.audits()[-1]).path / "engine.log").read_text()
        assert "Traceback" not in result.stderr + log, (at, fault)
        if not relay.met or (fault == "body" and relay.calls[at] in WITHOUT_BODY):
            continue
        if relay.calls[:at].count(REMOVAL) == calls.count(REMOVAL):  # both runs were over
            assert result.status == 0, (at, fault, relay.calls[at], report["summary"])
            continue
        assert result.status == report["exit_status"] == 3, (at, fault, relay.calls[at], report["summary"])
        lost = [side for side in report["sides"].values() if side["failed"]]
        assert any("Docker engine" in side["what"] and "run the audit again" in side["do"].lower() for side in lost)
    assert project.run(*options).status == 0
