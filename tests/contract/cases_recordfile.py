"""A complete record file."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import tomli_w

from tests.conftest import GitRepository
from tests.contract.case import CANARY, SourceCase
from tests.templates import Templates


def document(commit: str, sha256: str) -> dict[str, object]:
    deployment = {
        "description": "what serves customers",
        "code": {"repository": "code", "commit": commit},
        "environment": {"requirements": "requirements.txt", "python": "3.11", "variables": {"API_TOKEN": CANARY}},
        "parameters": {"file": "params.yaml", "values": {"threshold": 0.5, "password": CANARY}},
        "data": [{"path": "model.json", "source": "file", "sha256": sha256}],
        "predict": {"command": ["python", "predict.py", "{inputs}", "{output}"]},
        "expected": {"predictions": "recorded.csv", "metrics": {"accuracy": 0.914}},
    }
    return {"schema": 1, "validation": {"inputs": "inputs.csv", "key": ["id"]}, "deployments": {"prod": deployment}}


def fill(folder: Path, commit: str) -> None:
    """Writes a repro.toml and the files that it names."""
    (folder / "model.json").write_text("{}")
    for name in ("inputs.csv", "recorded.csv"):
        (folder / name).write_text("id,x\n1,2\n")
    (folder / "repro.toml").write_text(tomli_w.dumps(document(commit, hashlib.sha256(b"{}").hexdigest())))


def build_case(folder: Path, templates: Templates) -> Iterator[SourceCase]:
    commit = GitRepository(folder / "code").commit({"predict.py": "", "requirements.txt": "", "params.yaml": "a: 1\n"})
    fill(folder, commit)
    hostile = ("no-such", "no\x1b[31m.toml", "repro.toml#\x1b]52;c;eA==\x07", "a\0b.toml", "x" * 5000, "-x.toml")
    yield SourceCase("repro.toml#prod", folder, hostile)
