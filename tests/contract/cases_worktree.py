"""A working folder with an uncommitted change, and a file-system monitor that would leave a marker."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tests.conftest import GitRepository
from tests.contract.case import CANARY, SourceCase
from tests.templates import Templates


def build_case(folder: Path, templates: Templates) -> Iterator[SourceCase]:
    repository = GitRepository(folder / "project")
    pointer = "outs:\n- md5: " + "a" * 32 + "\n  hash: md5\n  path: model.json\n"
    files = {
        "predict.py": "",
        "uv.lock": "",
        ".python-version": "3.11\n",
        "params.yaml": "a: 1\n",
        "model.json.dvc": pointer,
    }
    repository.commit(files | {".gitignore": ".env\n"})
    (repository.folder / "predict.py").write_text("changed\n")
    (repository.folder / ".env").write_text(f"API_TOKEN={CANARY}\n")
    marker = folder / "executed"
    repository.git("config", "core.fsmonitor", f"touch {marker}")
    yield SourceCase(".", repository.folder, ("./absent/", "predict.py/"))
    assert not marker.exists()
