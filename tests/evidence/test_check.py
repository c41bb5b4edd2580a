"""Whatever was touched in an audit's folder after its end is found."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.json_format import ParseDict
from in_toto_attestation.v1 import statement_pb2
from in_toto_attestation.v1.statement import Statement

from repro_tui.audit.attest import attest
from repro_tui.audit.folder import AuditFolder
from repro_tui.audit.retention import pin
from repro_tui.evidence.check import EvidenceCheck, check_evidence
from repro_tui.evidence.envelope import load_public_key, load_signer, open_envelope
from repro_tui.evidence.manifest import ATTESTATION, MANIFEST
from repro_tui.model.errors import Inconclusive
from tests.evidence.folders import ended
from tests.evidence.test_envelope import KEYS, written


@pytest.fixture
def keys(tmp_path: Path) -> tuple[str, str]:
    return written(tmp_path, KEYS["ed25519"]())


@pytest.fixture
def signed(tmp_path: Path, keys: tuple[str, str]) -> AuditFolder:
    folder = ended(tmp_path / "audit")
    attest(folder, load_signer(keys[0]))
    return folder


def check(folder: AuditFolder, key: str | None = None) -> EvidenceCheck:
    return check_evidence(folder.path, load_public_key(key) if key else None)


def test_nothing_was_touched(signed: AuditFolder, keys: tuple[str, str]) -> None:
    result = check(signed, keys[1])
    assert (result.touched, result.signature, result.exit_status) == ((), "valid", 0)
    assert result.files == sum(path.is_file() for path in signed.path.rglob("*")) - 2 > 5


def test_a_signature_that_is_not_checked_is_not_good(signed: AuditFolder) -> None:
    assert (check(signed).signature, check(signed).exit_status) == ("not-checked", 3)


def test_without_a_signature(tmp_path: Path, keys: tuple[str, str]) -> None:
    folder = ended(tmp_path / "unsigned")
    assert (check(folder).signature, check(folder).exit_status) == ("none", 0)
    assert (check(folder, keys[1]).signature, check(folder, keys[1]).exit_status) == ("missing", 1)


@pytest.mark.parametrize("with_key", [True, False])
def test_one_other_byte_anywhere_is_found(with_key: bool, signed: AuditFolder, keys: tuple[str, str]) -> None:
    """Every file, at its first, its middle and its last byte; the manifest, on which all rests, at every tenth byte.

    Without the key, an attestation may be read as signed by somebody: but that is never the status of what is right.
    """
    files = [path for path in signed.path.rglob("*") if path.is_file()]
    for path in files:
        content = path.read_bytes()
        last = len(content) - 1
        places = range(0, len(content), 10) if path.name == MANIFEST else {0, last // 2, last} if content else ()
        for place in places:
            path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
            status = check(signed, keys[1] if with_key else None).exit_status
            assert status == 1 or (status, path.name, with_key) == (3, ATTESTATION, False), (path, place)
        path.write_bytes(content)
    assert check(signed, keys[1]).exit_status == 0


def add(folder: Path) -> None:
    (folder / "a" / "more.log").write_text("x")


def remove(folder: Path) -> None:
    (folder / "report.json").unlink()


def link(folder: Path) -> None:
    (folder / "report.json").rename(folder.parent / "moved.json")
    (folder / "report.json").symlink_to(folder.parent / "moved.json")


def pipe(folder: Path) -> None:
    (folder / "report.json").unlink()
    os.mkfifo(folder / "report.json")


def grow(folder: Path) -> None:
    with (folder / "journal.jsonl").open("a") as stream:
        stream.write("\n")


@pytest.mark.parametrize(
    ("touch", "name", "change"),
    [
        (add, "a/more.log", "added"),
        (remove, "report.json", "removed"),
        (link, "report.json", "changed"),
        (pipe, "report.json", "changed"),
        (grow, "journal.jsonl", "changed"),
    ],
)
def test_other_ways_to_touch_a_folder(
    touch: Callable[[Path], None], name: str, change: str, signed: AuditFolder, keys: tuple[str, str]
) -> None:
    touch(signed.path)
    result = check(signed, keys[1])
    assert [(item.name, item.change) for item in result.touched] == [(name, change)]
    assert (result.signature, result.exit_status) == ("valid", 1)


def test_a_pinned_audit_is_untouched_and_what_only_has_the_name_of_a_pin_is_not(
    signed: AuditFolder, keys: tuple[str, str]
) -> None:
    pin(signed.path, pinned=True)
    assert check(signed, keys[1]).exit_status == 0
    (signed.path / "pinned").write_text("x")
    assert [item.name for item in check(signed, keys[1]).touched] == ["pinned"]


def test_a_manifest_that_was_made_to_fit_is_not_the_signed_one(signed: AuditFolder, keys: tuple[str, str]) -> None:
    from repro_tui.evidence.manifest import write_manifest

    grow(signed.path)
    write_manifest(signed.path)
    result = check(signed, keys[1])
    assert (result.touched, result.signature, result.exit_status) == ((), "invalid", 1)
    assert check(signed).exit_status == 1


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"schema": 1, "files": []}', "[" * 100_000])
def test_a_manifest_that_is_none(content: str, signed: AuditFolder, keys: tuple[str, str]) -> None:
    (signed.path / MANIFEST).write_text(content)
    result = check(signed, keys[1])
    assert ([item.name for item in result.touched], result.exit_status) == ([MANIFEST], 1)


def test_a_name_that_leads_out_of_the_folder_reads_nothing_there(signed: AuditFolder, tmp_path: Path) -> None:
    (tmp_path / "outside").write_text("x")
    manifest = json.loads((signed.path / MANIFEST).read_text())
    manifest["files"]["../outside"] = {"size": 1, "sha256": "0" * 64}
    (signed.path / MANIFEST).write_text(json.dumps(manifest))
    assert ("../outside", "removed") in [(item.name, item.change) for item in check(signed).touched]


def test_an_audit_that_did_not_end_cannot_be_checked(signed: AuditFolder) -> None:
    (signed.path / MANIFEST).unlink()
    with pytest.raises(Inconclusive, match="its audit did not end, or is of an older version"):
        check(signed)


def test_what_was_touched_is_not_signed(signed: AuditFolder, keys: tuple[str, str]) -> None:
    grow(signed.path)
    with pytest.raises(Inconclusive, match=r"journal\.jsonl in .* was changed after its audit ended"):
        attest(signed, load_signer(keys[0]))


def statement(folder: AuditFolder) -> Any:
    return json.loads(open_envelope((folder.path / ATTESTATION).read_bytes(), None))


def test_the_statement_is_one_of_in_toto(signed: AuditFolder) -> None:
    value = statement(signed)
    Statement.copy_from_pb(ParseDict(value, statement_pb2.Statement())).validate()
    report = json.loads((signed.path / "report.json").read_text())
    assert value["predicate"]["result"] == {0: "PASSED", 1: "FAILED", 3: "WARNED"}[report["exit_status"]]
    areas = {name: area["status"] for name, area in report["areas"].items()}
    tests = {kind: value["predicate"][f"{kind}Tests"] for kind in ("passed", "warned", "failed")}
    assert sorted(name for names in tests.values() for name in names) == sorted(areas)
    assert tests["passed"] == [name for name in areas if areas[name] == "same"]
    assert tests["failed"] == ["predictions"]


def test_the_statement_is_about_the_report_the_records_and_the_predictions(signed: AuditFolder) -> None:
    manifest = json.loads((signed.path / MANIFEST).read_text())["files"]
    subjects = {subject["name"]: subject["digest"] for subject in statement(signed)["subject"]}
    assert subjects["report.json"] == {"sha256": manifest["report.json"]["sha256"]}
    assert {name for name in subjects if name.endswith(".parquet")} == {
        name for name in manifest if name.endswith(".parquet") and name != "inputs.parquet"
    }
    assert [entry["name"] for entry in statement(signed)["predicate"]["configuration"]] == [
        "record of A",
        "record of B",
    ]
