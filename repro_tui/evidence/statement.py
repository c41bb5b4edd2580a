"""What an attestation states: an in-toto statement with the predicate `test-result`.

Source: https://github.com/in-toto/attestation/blob/main/spec/predicates/test-result.md
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from repro_tui.evidence.manifest import MANIFEST, Manifest

if TYPE_CHECKING:
    from repro_tui.model.report import Report

STATEMENT_TYPE: Final = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE: Final = "https://in-toto.io/attestation/test-result/v0.1"
RESULTS: Final = {0: "PASSED", 1: "FAILED", 3: "WARNED"}
_PREDICTIONS = re.compile(r"[ab]/run-\d+\.parquet|differences\.parquet")
_SHA256 = re.compile(r"(?:sha256:)?([0-9a-f]{64})$")
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_AREAS = ("code", "environment", "parameters", "data", "predictions")


def statement_of(report: Report, manifest: Manifest, gates: Sequence[str], images: Mapping[str, str]) -> bytes:
    """The statement on an audit, as JSON: what was audited, by digest, and with which result.

    `gates` are the areas that the exit status depends on: a difference in another one is a warning. `images` has the
    digest of the image of a side, by its letter.
    """
    statuses = {name: getattr(report.areas, name).status for name in _AREAS}
    different = [name for name, status in statuses.items() if status == "different"]
    failed = [name for name in different if name in gates and report.exit_status == 1]
    passed = [name for name, status in statuses.items() if status == "same"]
    statement = {
        "_type": STATEMENT_TYPE,
        "subject": [*_files(manifest), *_parts(report, images)],
        "predicateType": PREDICATE_TYPE,
        "predicate": {
            "result": RESULTS[report.exit_status],
            "configuration": [_digest(f"record of {side.upper()}", _record_hash(report, side)) for side in ("a", "b")],
            "passedTests": passed,
            "warnedTests": [name for name in statuses if name not in passed and name not in failed],
            "failedTests": failed,
        },
    }
    return json.dumps(statement, sort_keys=True, separators=(",", ":")).encode("ascii")


def _files(manifest: Manifest) -> Iterator[object]:
    """The manifest, by which every other file is bound, the report, and the predictions."""
    yield _digest(MANIFEST, hashlib.sha256(manifest.encode()).hexdigest())
    for name, file in sorted(manifest.files.items()):
        if name == "report.json" or _PREDICTIONS.fullmatch(name):
            yield _digest(name, file.sha256)


def _parts(report: Report, images: Mapping[str, str]) -> Iterator[object]:
    """The commit and the image of each side, where it has one."""
    for letter in ("a", "b"):
        code = getattr(report.sides, letter).record.get("code")
        commit = code.get("commit") if isinstance(code, dict) else None
        if isinstance(commit, str) and _COMMIT.fullmatch(commit):
            yield {"name": f"code of {letter.upper()}", "digest": {"gitCommit": commit}}
        if digest := _SHA256.search(images.get(letter, "")):
            yield _digest(f"image of {letter.upper()}", digest.group(1))


def _record_hash(report: Report, side: str) -> str:
    record = getattr(report.sides, side).record
    return hashlib.sha256(json.dumps(record, sort_keys=True, separators=(",", ":")).encode("ascii")).hexdigest()


def _digest(name: str, sha256: str) -> dict[str, object]:
    return {"name": name, "digest": {"sha256": sha256}}
