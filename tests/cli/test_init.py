"""`repro-tui init`: from two revisions of a project to a record that runs, on a terminal and elsewhere."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import select
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from repro_tui.formats.documents import load_document
from tests.audit.project import Result
from tests.conftest import GitRepository
from tests.templates import Templates
from tests.warm import lend_empty_environment

PREDICT = """
import argparse, csv
parser = argparse.ArgumentParser()
parser.add_argument("--input", required=True)
parser.add_argument("--output", required=True)
given = parser.parse_args()
with open(given.input) as source, open(given.output, "w") as target:
    target.write("id,score\\n")
    for row in csv.DictReader(source):
        target.write(f"{row['id']},{float(row['x']) * FACTOR}\\n")
"""
VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"


@pytest.fixture
def repository(git_repository: Callable[[str], GitRepository]) -> GitRepository:
    """A project at two commits: the second multiplies by another factor."""
    repository = git_repository("project")
    repository.commit(
        {
            "predict.py": PREDICT.replace("FACTOR", "2"),
            "evaluate.py": PREDICT.replace("FACTOR", "7"),
            "requirements.txt": "",
            ".python-version": f"{VERSION}\n",
            "data/test.csv": "id,x\n1,2\n2,3\n",
            "data/val.csv": "id,x\n1,2\n2,3\n",
        }
    )
    repository.commit({"predict.py": PREDICT.replace("FACTOR", "3")})
    return repository


def run(repository: GitRepository, *arguments: str, folder: str = ".") -> Result:
    done = subprocess.run(
        [sys.executable, "-m", "repro_tui", *arguments],
        cwd=repository.folder / folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    return Result(done.returncode, done.stdout, done.stderr)


def on_one_screen(result: Result) -> list[str]:
    assert (result.status, result.stdout) == (0, ""), result.stderr
    lines = result.stderr.splitlines()
    assert len(lines) <= 24
    assert all(len(line) <= 80 and line.isprintable() for line in lines), result.stderr
    return lines


@pytest.mark.whole
def test_a_project_reaches_a_verdict_without_a_line_by_hand(
    repository: GitRepository, templates: Templates, own_folders: Path
) -> None:
    lend_empty_environment(templates, Path(os.environ["REPRO_TUI_CACHE"]))
    lines = on_one_screen(run(repository, "init"))
    assert lines[-1].endswith("repro-tui baseline candidate")
    audit = run(repository, "baseline", "candidate", "--report")
    report = json.loads(audit.stdout)
    assert (report["verdict"], audit.status) == ("drift", 1), audit.stderr
    by_hand = ("--predict", "python predict.py --input {inputs} --output {output}", "--inputs", "data/test.csv")
    audit = run(repository, "audit", "git:HEAD~1", "git:HEAD", *by_hand, "--key", "id", "--report")
    assert (json.loads(audit.stdout)["verdict"], audit.status) == ("drift", 1), audit.stderr
    one_sided = ("--a-predict", "python evaluate.py --input {inputs} --output {output}", "--a-python", VERSION)
    audit = run(repository, "audit", "git:HEAD", "git:HEAD", *by_hand, *one_sided, "--key", "id", "--report")
    assert (json.loads(audit.stdout)["verdict"], audit.status) == ("drift", 1), audit.stderr


def test_options_answer_every_question(repository: GitRepository) -> None:
    (repository.folder / "reqs.txt").write_text("")
    result = run(
        repository,
        *("init", "HEAD", ".", "--predict", "call:predict:main", "--inputs", "data/val.csv", "--key", ""),
        *("--environment", "requirements=reqs.txt", "--python", "3.11", "--name-a", "old", "--name-b", "new"),
        *("-o", "other.toml"),
    )
    lines = on_one_screen(result)
    document = load_document(repository.folder / "other.toml")
    assert document["validation"] == {"inputs": "data/val.csv"}
    deployments = document["deployments"]
    assert isinstance(deployments, dict)
    assert list(deployments) == ["old", "new"]
    assert deployments["new"]["environment"] == {"requirements": "file:reqs.txt", "python": "3.11"}
    assert deployments["new"]["predict"] == {"call": "predict:main"}
    assert any("same commit" in line for line in lines)
    assert run(repository, "record", "other.toml#new").status == 0


def test_a_command_that_does_not_say_where_it_writes_is_told(repository: GitRepository) -> None:
    lines = on_one_screen(run(repository, "init", "--predict", "python predict.py --input {inputs}"))
    assert "missing      predict: the command does not contain {output}: write output =" in " ".join(lines)
    assert any(line.startswith("next         complete the file") for line in lines)


def test_guesses_and_alternatives_are_comments(repository: GitRepository) -> None:
    on_one_screen(run(repository, "init"))
    text = (repository.folder / "repro.toml").read_text()
    assert "# guessed: predict: predict.py takes an input and takes an output" in text
    assert '# command = ["python", "evaluate.py", "--input", "{inputs}", "--output", "{output}"]' in text
    assert '# inputs = "data/val.csv"' in text
    changed = text.replace('\ninputs = "data/test.csv"', "").replace('# inputs = "data/val', 'inputs = "data/val')
    (repository.folder / "repro.toml").write_text(changed)
    assert run(repository, "record", "baseline").status == 0


def test_the_environment_that_is_named_says_which_python(repository: GitRepository) -> None:
    conda = "dependencies: [python=3.7.*, pip]\n"
    repository.commit({"model/dependencies.yml": conda, "conf/main.yaml": "defaults:\n- train: a\nalpha: 1\n"})
    on_one_screen(run(repository, "init", "--environment", "conda=model/dependencies.yml", "HEAD", "HEAD~1", "--force"))
    text = (repository.folder / "repro.toml").read_text()
    assert 'conda = "model/dependencies.yml"\npython = "3.7"' in text
    assert "# guessed: parameters.file: its name; its defaults name the others (Hydra)" in text
    assert "# conf/main.yaml names train/a, which the commit does not have: compared as code" in text


def test_commits_years_apart_get_one_python(git_repository: Callable[[str], GitRepository]) -> None:
    repository = git_repository("years")
    for year in (2021, 2025):
        repository.commit({"predict.py": PREDICT, "requirements.txt": "", "notes.txt": str(year)})
        repository.git("commit", "--quiet", "--amend", "--no-edit", "--date", f"{year}-06-01T00:00:00Z")
    on_one_screen(run(repository, "init"))
    text = (repository.folder / "repro.toml").read_text()
    assert len(set(re.findall(r"^python = .*$", text, re.MULTILINE))) == 1
    run(repository, "init", "--force", "--python", "3.12")
    assert (repository.folder / "repro.toml").read_text().count('python = "3.12"') == 2


def test_the_tables_of_a_notebook_that_is_named_are_found(repository: GitRepository) -> None:
    code = "import pandas\nx = pandas.read_csv('data/val.csv')\nx.to_csv('out/scores.csv')"
    notebook = {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": []}
    notebook["cells"] = [{"cell_type": "code", "metadata": {}, "outputs": [], "source": code}]
    repository.commit({"notes/work.ipynb": json.dumps(notebook)})
    repository.commit({"notes.txt": ""})
    on_one_screen(run(repository, "init", "--predict", "notebook:notes/work.ipynb"))
    deployments = load_document(repository.folder / "repro.toml")["deployments"]
    assert isinstance(deployments, dict)
    step = {"notebook": "notes/work.ipynb", "inputs": "data/val.csv", "output": "out/scores.csv"}
    assert [deployments[name]["predict"] for name in deployments] == [step, step]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("nothing",), "there is no revision nothing"),
        (("--inputs", "no.csv"), "does not exist"),
        (("--environment", "venv=x"), "is not KIND=PATH"),
        (("--environment", "lock=uv.lock"), "is neither in commit"),
        (("--python", "two"), "is not a version"),
        (("--name-a", "a/b"), "is not a name"),
        (("--name-a", "x", "--name-b", "x"), "name them differently"),
        (("-o", "x.yaml"), "does not end in .toml"),
        (("--predict", "python {nope}"), "unknown placeholder"),
        (("--key", "a", "-o", "missing/x.toml"), "missing"),
    ],
)
def test_wrong_options_are_refused_in_one_line(
    repository: GitRepository, arguments: tuple[str, ...], message: str
) -> None:
    result = run(repository, "init", *arguments)
    assert (result.status, result.stdout) == (2, "")
    assert message in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert not list(repository.folder.glob("*.toml"))


def test_a_record_that_exists_is_not_overwritten(repository: GitRepository) -> None:
    (repository.folder / "repro.toml").write_text("mine")
    assert run(repository, "init").status == 2
    assert (repository.folder / "repro.toml").read_text() == "mine"
    on_one_screen(run(repository, "init", "--force"))


def test_a_repository_of_several_projects_is_written_for_the_one_of_the_step(repository: GitRepository) -> None:
    files = {"predict.py": PREDICT, "uv.lock": "", "data/test.csv": "id,x\n1,2\n2,3\n"}
    for name in ("predict.py", "evaluate.py", "requirements.txt", ".python-version", "data/test.csv", "data/val.csv"):
        (repository.folder / name).unlink()
    repository.commit({f"services/a/{name}": text for name, text in files.items()} | {"services/b/uv.lock": ""})
    repository.commit({})
    on_one_screen(run(repository, "init"))
    deployments = load_document(repository.folder / "repro.toml")["deployments"]
    assert isinstance(deployments, dict)
    assert deployments["candidate"]["code"]["subdirectory"] == "services/a"
    assert deployments["candidate"]["environment"]["lock"] == "uv.lock"
    assert load_document(repository.folder / "repro.toml")["validation"] == {
        "inputs": "services/a/data/test.csv",
        "key": ["id"],
    }


def test_several_projects_with_a_step_are_listed_and_one_is_named(repository: GitRepository) -> None:
    for name in ("predict.py", "evaluate.py", "requirements.txt"):
        (repository.folder / name).unlink()
    files = {f"{name}/{file}": text for name in ("a", "b") for file, text in (("predict.py", PREDICT), ("uv.lock", ""))}
    repository.commit(files)
    repository.commit({})
    refused = run(repository, "init")
    assert refused.status == 2, refused.stderr
    assert "several projects here have a predict step (a and b): name one, as in repro-tui init HEAD~1:a HEAD:a" in (
        refused.stderr.replace("\n", " ")
    )
    for arguments in (("HEAD~1:b", "HEAD:b"), ("HEAD~1", "git:HEAD:b")):
        on_one_screen(run(repository, "init", *arguments, "--force"))
        deployments = load_document(repository.folder / "repro.toml")["deployments"]
        assert isinstance(deployments, dict)
        assert [deployments[name]["code"]["subdirectory"] for name in ("baseline", "candidate")] == ["b", "b"]
    assert "has no folder c" in run(repository, "init", "HEAD:c", "HEAD:c").stderr


def test_sides_with_different_environments_have_their_own(repository: GitRepository) -> None:
    (repository.folder / "requirements.txt").unlink()
    repository.commit({"uv.lock": ""})
    on_one_screen(run(repository, "init"))
    deployments = load_document(repository.folder / "repro.toml")["deployments"]
    assert isinstance(deployments, dict)
    assert "requirements" in deployments["baseline"]["environment"]
    assert "lock" in deployments["candidate"]["environment"]


def test_the_first_commit_and_an_empty_project_are_drafted(git_repository: Callable[[str], GitRepository]) -> None:
    repository = git_repository("empty")
    repository.commit({"README.md": "# nothing"})
    lines = on_one_screen(run(repository, "init"))
    assert sum(line.startswith("missing") for line in lines) == 3
    assert run(repository, "record", "repro.toml#candidate").status == 0


def answered(repository: GitRepository, answers: str) -> str:
    """The screen of `init` on a terminal with these answers."""
    parent, child = pty.openpty()
    command = [sys.executable, "-m", "repro_tui", "init"]
    process = subprocess.Popen(command, cwd=repository.folder, stdin=child, stdout=child, stderr=child, close_fds=True)
    os.close(child)
    os.write(parent, answers.encode())
    screen = b""
    with contextlib.suppress(OSError):
        while select.select([parent], [], [], 120)[0]:
            screen += os.read(parent, 4096)
    assert process.wait(120) == 0, screen.decode()
    os.close(parent)
    return screen.decode()


def test_a_terminal_is_asked(repository: GitRepository) -> None:
    screen = answered(repository, "2\n2\n-\n")
    assert "Predict step:" in screen
    document = load_document(repository.folder / "repro.toml")
    assert document["validation"] == {"inputs": "data/val.csv"}
    deployments = document["deployments"]
    assert isinstance(deployments, dict)
    assert {table["predict"]["command"][1] for table in deployments.values()} == {"evaluate.py"}


def test_enter_takes_the_likeliest(repository: GitRepository) -> None:
    answered(repository, "\n\n\n")
    document = load_document(repository.folder / "repro.toml")
    assert document["validation"] == {"inputs": "data/test.csv", "key": ["id"]}
