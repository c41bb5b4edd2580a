"""`repro-tui init` on hostile trees and on projects of strangers: never a crash, nothing executed, one screen."""

from __future__ import annotations

import io
import json
import os
import tarfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import requests

from tests.cli.test_init import on_one_screen, run
from tests.conftest import NIGHTLY, GitRepository, need

INDEX = "https://pypi.org/simple"
# Projects of many makes: setup.py, setup.cfg, flit, hatch, poetry, pdm, meson, C extensions, notebooks, large trees.
PROJECTS = (
    *("scikit-learn", "lightgbm", "xgboost", "mlflow", "dvc", "fastapi", "hydra-core", "poetry", "pdm", "flit"),
    *(
        "statsmodels",
        "imbalanced-learn",
        "gensim",
        "nltk",
        "ujson",
        "sktime",
        "shap",
        "optuna",
        "antlr4-python3-runtime",
        "six",
    ),
)
MARK = "import pathlib; pathlib.Path({marker!r}).write_text('executed')\n"


def booby_trapped(marker: Path) -> dict[str, str | bytes]:
    """Files that leave a marker where they are imported, built, collected or run."""
    trap = MARK.format(marker=str(marker))
    names = (
        "setup.py",
        "conftest.py",
        "predict.py",
        "sitecustomize.py",
        "pkg/__init__.py",
        "noxfile.py",
        "evaluate.py",
    )
    notebook = json.dumps({"cells": [{"cell_type": "code", "source": trap}]})
    return dict.fromkeys(names, trap) | {"predict.ipynb": notebook, "MLproject": "entry_points: {main: {command: x}}"}


def broken() -> dict[str, str | bytes]:
    """Files whose names promise what they do not have."""
    deep = "a:\n" + "".join(" " * n + "b:\n" for n in range(1, 300))
    return {
        "pyproject.toml": b"\xff\xfe\x00\x01 = [",
        "a/pyproject.toml": "project = 3\n[tool]\npoetry = 4\n",
        "poetry.lock": "x" * 100_000,
        "Pipfile": "[[[",
        "Pipfile.lock": "[" * 100_000,
        "environment.yml": "dependencies: &a [*a, *a]\n",
        "conda.yaml": "dependencies: 3\n",
        "params.yaml": deep,
        "conf/config.yaml": "!!python/object/apply:os.system [touch /tmp/x]\n",
        "config.json": "NaN",
        "dvc.yaml": "stages: {score: {cmd: 'a $(touch x) \"', deps: [3, {x: 1}], outs: 4}, eval: {cmd: [1]}}\n",
        "dvc.lock": "stages: [1, 2]\n",
        "x.dvc": "outs: {path: 1}\n",
        "y.dvc": "outs: [{path: ../../etc/passwd, md5: 0}, {path: '" + "z" * 5000 + "', md5: " + "a" * 32 + "}]\n",
        "score.ipynb": '{"cells": [1, {"cell_type": "code", "source": {"a": 1}}, {"cell_type": "code"}]}',
        "infer.ipynb": "{" * 10_000,
        "predict_deep.py": "x = " + "(" * 5000 + ")" * 5000,
        "predict_null.py": b"import x\0",
        "predict_utf16.py": "import argparse\n".encode("utf-16"),
        "requirements.txt": "six\n".encode("utf-16"),
        "requirements/prod.txt": b"\xef\xbb\xbfsix\n",
        "Dockerfile": "FROM " * 50_000,
        "test.csv": b"\xff\xfe\x00\xd8" * 100,
        "val.csv": '"' + "a" * 300_000,
        "test.jsonl": "{" * 100_000,
        "test.parquet": b"PAR1" * 10,
        ".python-version": "\x1b[31m\n",
        "runtime.txt": "python-" + "9" * 10_000,
        "model.pkl": os.urandom(100),
    }


def test_a_hostile_tree_is_drafted_without_harm(git_repository: Callable[[str], GitRepository], tmp_path: Path) -> None:
    repository = git_repository("hostile")
    marker = tmp_path / "executed"
    names = (
        "predict\n.py",
        "test\x1b[2J.csv",
        "re\u202equirements.txt",
        "a\r/predict.py",
        "-o.csv",
        "{inputs}.py",
        "'.csv",
    )
    files: dict[str, str | bytes] = dict.fromkeys(names, "a,b\n1,2\n3,4\n")
    files |= {f"many/{number % 100}/{number}.py": "" for number in range(10_000)}
    repository.commit(files | broken() | booby_trapped(marker))
    folder = repository.folder
    for link, target in (
        ("loop", "loop"),
        ("up", ".."),
        ("a/out", "/etc/passwd"),
        ("round", "a/round"),
        ("a/round", "../round"),
    ):
        (folder / link).symlink_to(target)
    with (folder / "data.csv").open("wb") as huge:
        huge.truncate(40 << 20)
    (folder / os.fsdecode(b"caf\xe9.csv")).write_text("a\n1\n")
    repository.commit(
        {"predict_main.py": "import sys\na = sys.argv[1], sys.argv[2]\n" + MARK.format(marker=str(marker))}
    )
    began = time.monotonic()
    lines = on_one_screen(run(repository, "init"))
    assert time.monotonic() - began < 300
    assert any(line.startswith("note") and "left out" in line for line in lines), lines
    for reference in ("git:HEAD", "git:HEAD~1", "repro.toml#candidate"):
        result = run(repository, "record", reference, "--quiet")
        assert result.status == 0, result.stderr
        assert all(line.isprintable() for line in result.stdout.splitlines())
    assert not marker.exists()


def test_a_hostile_name_is_not_what_the_screen_shows(git_repository: Callable[[str], GitRepository]) -> None:
    repository = git_repository("names")
    script = "import sys\na = sys.argv[1], sys.argv[2]\n"
    repository.commit({"predict\u202e{x}'; rm -rf $HOME.py": script, "data/te\u200bst.csv": "id\n1\n2\n"})
    on_one_screen(run(repository, "init"))
    assert run(repository, "record", "repro.toml#candidate").status == 0


# -- projects of strangers ------------------------------------------------------------------------------------------


def unpacked(name: str, folder: Path) -> bool:
    """Unpacks the newest source distribution of a project; False where it has none of a sensible size."""
    answer = requests.get(f"{INDEX}/{name}/", headers={"Accept": "application/vnd.pypi.simple.v1+json"}, timeout=60)
    sources = [file for file in answer.json()["files"] if file["filename"].endswith(".tar.gz") and not file["yanked"]]
    if not sources or sources[-1].get("size", 0) > 60 << 20:
        return False
    content = requests.get(sources[-1]["url"], timeout=300).content
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        archive.extractall(folder, filter="data")
    return True


@pytest.mark.network
@pytest.mark.skipif(not NIGHTLY, reason="downloads 20 source distributions: make test-nightly")
@pytest.mark.parametrize("name", PROJECTS)
def test_a_source_distribution_is_drafted(
    name: str, git_repository: Callable[[str], GitRepository], tmp_path: Path
) -> None:
    try:
        present = unpacked(name, tmp_path / "source")
    except requests.RequestException as error:
        need("network", present=False, reason=f"the package index does not answer: {error}")
        return
    if not present:
        pytest.skip(f"{name} has no source distribution of at most 60 MiB")
    (root,) = (tmp_path / "source").iterdir()
    repository = git_repository("project")
    marker = tmp_path / "executed"
    root.rename(repository.folder / "moving")
    for path in (repository.folder / "moving").iterdir():
        if path.name != ".git":
            path.rename(repository.folder / path.name)
    trapped = [
        path for path in repository.folder.rglob("*.py") if path.name in ("setup.py", "conftest.py", "__init__.py")
    ]
    for path in trapped:
        path.write_text(MARK.format(marker=str(marker)) + path.read_text("utf-8", "replace"))
    repository.commit({})
    repository.commit({"CHANGED": "1"})
    lines = on_one_screen(run(repository, "init"))
    assert lines[0].startswith("looked at")
    assert not marker.exists()
    assert run(repository, "record", "repro.toml#candidate", "--quiet").status == 0
