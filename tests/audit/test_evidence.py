"""The evidence of a real audit: sealed when it ends, signed, checked, and found out where it was touched."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from tests.audit.project import Project
from tests.evidence.test_envelope import KEYS, written

pytestmark = pytest.mark.usefixtures("warm_cache")


@pytest.fixture
def project(tmp_path: Path) -> Project:
    project = Project(tmp_path / "project")
    project.record(a=project.deployment(), b=project.deployment(parameters={"values": {"threshold": 6.0}}))
    return project


def test_a_signed_audit_that_is_touched_later(project: Project, tmp_path: Path) -> None:
    private, public = written(tmp_path, KEYS["p256"]())
    assert project.audit("--attest", private).status == 1
    [folder] = project.audits()
    done = project.run("verify-evidence", str(folder), "--key", public)
    assert done.status == 0, done.stdout
    assert done.stdout.splitlines()[0].endswith("files: as when the audit ended")
    assert "signed with the key" in done.stdout
    for side in ("a", "b"):
        bill = project.run("sbom", folder.name, side)
        assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(bill.stdout) is None
        assert json.loads(bill.stdout)["metadata"]["component"]["version"] == project.commit
    with (folder / "engine.log").open("a") as stream:
        stream.write("more\n")
    done = project.run("verify-evidence", folder.name, "--key", public, "--json")
    assert (done.status, json.loads(done.stdout)["touched"][0]["name"]) == (1, "engine.log")
    done = project.run("show", str(folder), "--report", "again.json", "--attest", private)
    assert done.status == 3
    assert "engine.log" in done.stderr
    assert "was changed after its audit ended" in done.stderr


@pytest.mark.parametrize("key", ["none.pem", "record.json"])
def test_a_key_that_cannot_sign_is_refused_before_anything_runs(key: str, project: Project) -> None:
    done = project.audit("--attest", key)
    assert done.status == 2
    assert "key" in done.stderr
    assert project.audits() == []


def test_an_audit_without_a_signature(project: Project) -> None:
    assert project.audit().status == 1
    [folder] = project.audits()
    done = project.run("verify-evidence", folder.name)
    assert done.status == 0
    assert "not signed: whoever can write to the folder can also write its manifest" in done.stdout
